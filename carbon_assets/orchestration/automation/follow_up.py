"""Sensor that follows runs: what rests on all places of a project, and the marts.

Assets of projects have partitions of their own, so they cannot be part of the run that changes
farm metrics. Which farms are whose is read from our own tables when that run has ended. The
marts come last, when no project waits any more.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from sqlalchemy import Connection, func, select, text

from carbon_assets.errors import CarbonAssetsError
from carbon_assets.orchestration.automation import geometry_edits
from carbon_assets.orchestration.automation.decisions import (
    BADGE,
    BLOCKED,
    NOTHING,
    REQUESTED,
    Decision,
    save_decisions,
    take_turns,
)
from carbon_assets.orchestration.automation.policy import AUTO
from carbon_assets.orchestration.store import CarbonStore
from carbon_assets.provenance.status import StalePartition, stale_projects
from carbon_assets.provenance.world import CompanyWorld, ProjectSpace, load_companies
from carbon_assets.store.engines import transaction
from carbon_assets.store.models import AutomationDecision, PartitionHistory

SENSOR = "follow_up"
PROJECTS_CAUSE = "farm_metrics"
MARTS_CAUSE = "new_results"
MARTS = "marts"


def decide(
    store: CarbonStore, quiet: Callable[[], bool], outdated: Callable[[], Sequence[str]]
) -> tuple[list[Decision], str | None]:
    """Decide about projects and marts, if anything has been computed since the last time.

    Args:
        store: The database.
        quiet: Whether no run is waiting or under way.
        outdated: Lists the marts that would change.

    Returns:
        Decisions, and a remark if it waits.
    """
    with transaction(store.opened()) as connection:
        take_turns(connection, SENSOR)
        take_turns(connection, geometry_edits.SENSOR)
        newest = int(connection.execute(select(func.max(PartitionHistory.id))).scalar() or 0)
        last = {cause: _last(connection, cause) for cause in (PROJECTS_CAUSE, MARTS_CAUSE)}
        edits = _edits_since(connection, last[PROJECTS_CAUSE][0])
        behind = newest > last[PROJECTS_CAUSE][1] or edits
        if not behind and newest <= last[MARTS_CAUSE][1]:
            return [], None
        if not quiet():
            return [], "waits until no run is under way"
        decided: list[Decision] = []
        if behind:
            touched = _projects(connection, last[PROJECTS_CAUSE][1], newest, edits)
            decided = _decide_projects(connection, store, touched, last[PROJECTS_CAUSE][1], newest)
    if newest > last[MARTS_CAUSE][1] and not any(one.run_key for one in decided):
        decided += _decide_marts(store, outdated(), last[MARTS_CAUSE][1], newest)
    return decided, None


def _last(connection: Connection, cause: str) -> tuple[int, int]:
    """Last decision of a cause, and the row of ``partition_history`` that it had read up to."""
    row = connection.execute(
        select(func.max(AutomationDecision.id), func.max(AutomationDecision.read_to)).where(
            AutomationDecision.sensor == SENSOR, AutomationDecision.cause == cause
        )
    ).one()
    return row[0] or 0, row[1] or 0


def _edits_since(connection: Connection, decision: int) -> list[int]:
    """Places with edits about which the sensor of geometry edits has decided since."""
    rows = connection.execute(
        select(
            AutomationDecision.company_id,
            AutomationDecision.read_after,
            AutomationDecision.read_to,
        ).where(
            AutomationDecision.sensor == geometry_edits.SENSOR,
            AutomationDecision.id > decision,
            AutomationDecision.read_to.is_not(None),
        )
    )
    stretches = [(row.company_id, row.read_after, row.read_to) for row in rows]
    return geometry_edits.places_in(connection, stretches)


def _projects(connection: Connection, after: int, newest: int, edits: Collection[int]) -> list[int]:
    """Projects with places that were computed or edited."""
    rows: Any = connection.execute(
        text(
            "SELECT DISTINCT f.project_id FROM farms AS f WHERE f.project_id IS NOT NULL"
            " AND (f.id = ANY(:edits) OR f.id IN (SELECT h.subject_id FROM partition_history AS h"
            " JOIN asset_keys AS a ON a.id = h.asset_id"
            " WHERE a.key = 'farm_metrics' AND h.id > :after AND h.id <= :newest))"
            " ORDER BY f.project_id"
        ),
        {"edits": list(edits), "after": after, "newest": newest},
    )
    return list(rows.scalars())


def _decide_projects(
    connection: Connection, store: CarbonStore, touched: Collection[int], after: int, newest: int
) -> list[Decision]:
    try:
        with connection.begin_nested():
            worlds = load_companies(connection, projects=touched) if touched else []
            stale = stale_projects(connection, worlds)
    except CarbonAssetsError as error:
        blocked = Decision(
            SENSOR, PROJECTS_CAUSE, "projects", BLOCKED, reason=f"{error.code}: {error.where}"
        )
        save_decisions(connection, [blocked])
        return [blocked]
    mine = {project.id: project for world in worlds for project in world.projects.values()}
    groups: dict[int, list[StalePartition]] = {}
    for one in stale:
        groups.setdefault(one.subject_id, []).append(one)
    run = [one for one in stale if mine[one.subject_id].policy == AUTO]
    number = None
    if run:
        keys = {(one.subject_id, one.vintage) for one in run}
        number = store.save_work_list(f"{SENSOR}: projects", keys, level="project")
    keys_of = _company_keys(worlds)
    decided = [
        _of_project(mine[project], keys_of, group, number, (after, newest))
        for project, group in groups.items()
    ]
    if not decided:
        decided = [
            Decision(
                SENSOR,
                PROJECTS_CAUSE,
                "projects",
                NOTHING,
                reason="nothing is stale",
                read_after=after,
                read_to=newest,
            )
        ]
    save_decisions(connection, decided)
    return decided


def _company_keys(worlds: Sequence[CompanyWorld]) -> dict[int, str]:
    return {world.id: world.key for world in worlds}


def _of_project(
    project: ProjectSpace,
    companies: dict[int, str],
    stale: Sequence[StalePartition],
    number: int | None,
    read: tuple[int, int],
) -> Decision:
    auto = project.policy == AUTO
    return Decision(
        sensor=SENSOR,
        cause=PROJECTS_CAUSE,
        object=project.key,
        decision=REQUESTED if auto else BADGE,
        company_id=project.company_id,
        company=companies[project.company_id],
        project_id=project.id,
        new_version=f"{len(stale)} vintages",
        reason=None if auto else "the project's staleness_policy is badge: a person starts the run",
        partitions=len(stale),
        assets=tuple(sorted({one.asset for one in stale})),
        run_key=f"{SENSOR}:{number}" if auto else None,
        work_list_id=number if auto else None,
        read_after=read[0],
        read_to=read[1],
    )


def _decide_marts(
    store: CarbonStore, outdated: Sequence[str], after: int, newest: int
) -> list[Decision]:
    asked = bool(outdated)
    decision = Decision(
        sensor=SENSOR,
        cause=MARTS_CAUSE,
        object=MARTS,
        decision=REQUESTED if asked else NOTHING,
        reason=None if asked else "none would change",
        partitions=len(outdated),
        assets=tuple(f"marts/{name}" for name in sorted(outdated)),
        run_key=f"{SENSOR}:marts-{newest}" if asked else None,
        read_after=after,
        read_to=newest,
    )
    with transaction(store.opened()) as connection:
        save_decisions(connection, [decision])
    return [decision]
