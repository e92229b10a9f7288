"""From decisions to run requests: over which partitions, of which assets, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import dagster as dg
from sqlalchemy import Connection, select

from carbon_assets.orchestration.automation.decisions import Decision, grouped
from carbon_assets.orchestration.event_storage import WORK_LIST_TAG
from carbon_assets.orchestration.names import families_for, source_key
from carbon_assets.orchestration.partitions import (
    FARM,
    PROJECT,
    RANGE_END_TAG,
    RANGE_START_TAG,
    WIDEST_RANGE,
    PlaceVintage,
    ProjectVintage,
)
from carbon_assets.orchestration.store import CarbonStore
from carbon_assets.provenance.graph import GRAPH, Level
from carbon_assets.runners.all_runners import RUNNERS
from carbon_assets.store.engines import transaction
from carbon_assets.store.models import Farm, Project, WorkListItem
from carbon_assets.store.queries import among

PLACES_JOB = "stale_partitions"
PROJECTS_JOB = "stale_project_partitions"
MARTS_JOB = "outdated_marts"
SHOWN_CHARACTERS = 120
BRIEF_HASH = len("sha256:") + 12
TAG_PREFIX = "carbon_assets/"


@dataclass(frozen=True)
class Served:
    """What Dagster is told in one tick.

    Attributes:
        requests: Runs.
        new_keys: Partition keys of places or projects that it does not know yet, in order.
    """

    requests: list[dg.RunRequest]
    new_keys: list[str]


@dataclass(frozen=True)
class Space:
    """A partition space, and the job of its assets.

    Attributes:
        level: ``place`` or ``project``.
        dimension: Its dynamic dimension.
        job: Name of the job.
        owner: Table of what its partitions are of.
        partition: Makes a partition of it.
    """

    level: Level
    dimension: str
    job: str
    owner: type[Farm] | type[Project]
    partition: type[PlaceVintage] | type[ProjectVintage]


PLACES = Space("place", FARM, PLACES_JOB, Farm, PlaceVintage)
PROJECTS = Space("project", PROJECT, PROJECTS_JOB, Project, ProjectVintage)


def serve(
    store: CarbonStore,
    instance: dg.DagsterInstance,
    decisions: Sequence[Decision],
    years: Sequence[int],
    *,
    space: Space = PLACES,
    new_keys: Iterable[str] = (),
) -> Served:
    """Turn stored decisions into run requests.

    Args:
        store: The database.
        instance: Knows the order of the places and projects.
        decisions: From :func:`carbon_assets.orchestration.automation.decisions.unserved`.
        years: Vintages of the loaded definitions.
        space: Of what the requested partitions are.
        new_keys: Places or projects to add before any others.
    """
    groups = {k: group for k, group in grouped(decisions).items() if group[0].work_list_id}
    numbers = {key: group[0].work_list_id or 0 for key, group in groups.items()}
    with transaction(store.opened()) as connection:
        wanted = _wanted(connection, space, numbers.values(), years)
        projects = _project_keys(connection, decisions)
    known = instance.get_dynamic_partitions(space.dimension)
    order = {key: n for n, key in enumerate(known)}
    for key in (*new_keys, *(key for items in wanted.values() for key, _ in items)):
        order.setdefault(key, len(order))
    requests = [
        _request(space, run_key, group, wanted[numbers[run_key]], order, projects)
        for run_key, group in groups.items()
        if wanted.get(numbers[run_key])
    ]
    return Served(requests, list(order)[len(known) :])


def _wanted(
    connection: Connection, space: Space, numbers: Iterable[int], years: Sequence[int]
) -> dict[int, list[tuple[str, int]]]:
    """Partitions of work lists whose place has not been removed meanwhile."""
    owner = space.owner
    query = (
        select(WorkListItem.work_list_id, owner.partition_key, WorkListItem.vintage)
        .join(owner, owner.id == WorkListItem.subject_id)
        .where(among(WorkListItem.work_list_id, numbers), owner.partition_key.is_not(None))
        .order_by(owner.id)
    )
    if space is PLACES:
        query = query.where(Farm.status == "active")
    found: dict[int, list[tuple[str, int]]] = {}
    for number, key, vintage in connection.execute(query):
        if vintage in years:
            found.setdefault(number, []).append((str(key), vintage))
    return found


def _project_keys(connection: Connection, decisions: Sequence[Decision]) -> dict[int, str]:
    numbers = {one.project_id for one in decisions if one.project_id is not None}
    rows = connection.execute(select(Project.id, Project.key).where(among(Project.id, numbers)))
    return {row.id: row.key for row in rows}


def _request(
    space: Space,
    run_key: str,
    group: Sequence[Decision],
    wanted: Sequence[tuple[str, int]],
    order: Mapping[str, int],
    projects: Mapping[int, str],
) -> dg.RunRequest:
    tags = why(group) | _range(space, wanted, order)
    tags[WORK_LIST_TAG] = str(group[0].work_list_id)
    named = {projects.get(one.project_id or 0, "") for one in group} - {""}
    if named:
        tags[f"{TAG_PREFIX}projects"] = shortened(sorted(named))
    assets = {asset for one in group for asset in one.assets}
    return dg.RunRequest(
        run_key=run_key, job_name=space.job, tags=tags, asset_selection=selection(assets)
    )


def _range(
    space: Space, wanted: Sequence[tuple[str, int]], order: Mapping[str, int]
) -> dict[str, str]:
    """As :func:`carbon_assets.orchestration.partitions.range_tags`, for keys yet to be added."""
    keys = sorted({key for key, _ in wanted}, key=order.__getitem__)
    years = sorted({vintage for _, vintage in wanted})
    cells = (order[keys[-1]] - order[keys[0]] + 1) * (years[-1] - years[0] + 1)
    first, last = (keys[0], years[0]), (keys[-1], years[-1])
    if cells > WIDEST_RANGE:
        first = last = min(wanted, key=lambda one: (order[one[0]], one[1]))
    return {
        RANGE_START_TAG: str(space.partition(*first).key),
        RANGE_END_TAG: str(space.partition(*last).key),
    }


def why(group: Sequence[Decision]) -> dict[str, str]:
    """Tags that say why a run was asked for, so that the run list reads as a history."""
    first = group[0]
    tags = {
        "sensor": first.sensor,
        "cause": first.cause,
        "object": shortened(dict.fromkeys(one.object for one in group)),
        "company": first.company,
        "old_version": _brief(_common(one.old_version for one in group)),
        "new_version": _brief(_common(one.new_version for one in group)),
    }
    return {TAG_PREFIX + name: value for name, value in tags.items() if value}


def _common(values: Iterable[str | None]) -> str | None:
    found = set(values)
    return found.pop() if len(found) == 1 else None


def _brief(version: str | None) -> str | None:
    """A hash as far as it fits the run list; ``automation_decisions`` holds all of it."""
    return version[:BRIEF_HASH] if version and version.startswith("sha256:") else version


def shortened(words: Iterable[str]) -> str:
    """Words with commas between them, cut where they fill more than a line."""
    text = ", ".join(words)
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"


def selection(assets: Iterable[str]) -> list[dg.AssetKey]:
    """Stale assets, and the observation of the sources that their runners read."""
    wanted = set(assets)
    families = dict.fromkeys(
        family for runner in RUNNERS if runner.asset in wanted for family in families_for(runner)
    )
    return [
        *(source_key(family) for family in families),
        *(dg.AssetKey(node.key.split("/")) for node in GRAPH if node.key in wanted),
    ]
