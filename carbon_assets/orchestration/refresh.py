"""Bringing everything that is stale up to date: a run of places, then one of projects."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from dagster import AssetKey, DagsterInstance, ExecuteInProcessResult, IntMetadataValue

from carbon_assets.errors import CarbonAssetsError, ProvenanceError
from carbon_assets.orchestration.automation.requests import TAG_PREFIX, shortened
from carbon_assets.orchestration.build import build_definitions
from carbon_assets.orchestration.event_storage import latest_versions
from carbon_assets.orchestration.launch import Launcher
from carbon_assets.orchestration.names import (
    OWN_SOURCES,
    PLACE_GEOMETRIES,
    packaged_families,
    source_key,
)
from carbon_assets.orchestration.partitions import (
    PlaceVintage,
    ProjectVintage,
    add_places,
    add_projects,
    forget_places,
)
from carbon_assets.orchestration.refresh_marts import refresh_marts
from carbon_assets.orchestration.store import CarbonStore
from carbon_assets.provenance.announce import unannounced
from carbon_assets.provenance.expectation import expect
from carbon_assets.provenance.graph import FARM_METRICS, GRAPH, PLACE_ASSETS, PROJECT_ASSETS
from carbon_assets.provenance.plan import Key
from carbon_assets.provenance.status import StalePartition, stale_partitions
from carbon_assets.provenance.world import CompanyWorld, Place, load_companies
from carbon_assets.store.engines import transaction

NAMED_OBJECTS = 5
"""Up to this number places and projects are named in a tag; more are counted."""

Choice = Callable[[Place, int], bool]
"""Whether a run shall look at a place and vintage."""


@dataclass(frozen=True)
class Refreshed:
    """What bringing up to date did.

    Attributes:
        run_id: Dagster run of the places, or of the projects if only those were stale; None if
            nothing was to do.
        project_run_id: Dagster run of the projects, which follows that of the places.
        stale: What was stale, upstream first.
        partitions: (place, vintage) pairs that the first run worked on.
        project_partitions: (project, vintage) pairs that the second one worked on.
        totals: Per asset key: partitions computed, confirmed and fresh, and rows written.
    """

    run_id: str | None = None
    project_run_id: str | None = None
    stale: tuple[StalePartition, ...] = ()
    partitions: int = 0
    project_partitions: int = 0
    totals: dict[str, dict[str, int]] = field(default_factory=dict)


def bring_up_to_date(
    store: CarbonStore,
    instance: DagsterInstance,
    *,
    company: str | None = None,
    assets: Collection[str] | None = None,
    choose: Choice | None = None,
) -> Refreshed:
    """Compute what is stale, and tell Dagster of what it has not been told, in two runs.

    The first run is of places, the second of the projects that rest on them. With the farm
    metrics come the marts: those that would change are made again afterwards.

    Args:
        store: Database, progress callback and way of computing.
        instance: Dagster instance.
        company: Key of one company; by default all.
        assets: Asset keys to run; by default all.
        choose: Which places and vintages; by default all. Of projects, those that have a
            chosen place are run.

    Raises:
        CarbonAssetsError: What struck an asset; ``RUN_FAILED`` if a check failed or the
            failure is not one that a user can act on. What was committed before stands.
    """
    chosen = {node.key for node in GRAPH if assets is None or node.key in assets}
    launcher = Launcher(instance, build_definitions(store))
    refreshed = _refresh_places(store, launcher, company, chosen & PLACE_ASSETS, choose)
    refreshed = _refresh_projects(
        store, launcher, company, chosen & PROJECT_ASSETS, choose, refreshed
    )
    if FARM_METRICS in chosen:
        _require_success(store, refresh_marts(store, launcher))
    return refreshed


def _refresh_places(
    store: CarbonStore,
    launcher: Launcher,
    company: str | None,
    assets: Collection[str],
    choose: Choice | None,
) -> Refreshed:
    worlds, stale, untold = _outstanding(store, company, assets)
    places = {place.id: place for world in worlds for place in world.places.values()}
    stale = [one for one in stale if _wanted(places, (one.subject_id, one.vintage), choose)]
    keys = {(one.subject_id, one.vintage) for one in stale}
    keys |= {key for key in untold if _wanted(places, key, choose)}
    _tell_places(launcher, store, list(places.values()))
    if company is None:
        forget_places(launcher.instance, [place.partition_key for place in places.values()])
    if not keys:
        return Refreshed()
    wanted = [PlaceVintage(places[place].partition_key, vintage) for place, vintage in keys]
    number = store.save_work_list("command line", keys)
    why = _why(company, stale, {places[place].key for place, _ in keys})
    computed = [one for one in assets if any(world.computes(one) for world in worlds)]
    result = launcher.run_partitions(list(_run_keys(computed)), wanted, number, why)
    _require_success(store, result.success, result)
    return Refreshed(
        run_id=result.run_id, stale=tuple(stale), partitions=len(keys), totals=_totals(result)
    )


def _refresh_projects(
    store: CarbonStore,
    launcher: Launcher,
    company: str | None,
    assets: Collection[str],
    choose: Choice | None,
    before: Refreshed,
) -> Refreshed:
    worlds, stale, untold = _outstanding(store, company, assets)
    projects = {number: one for world in worlds for number, one in world.projects.items()}
    add_projects(launcher.instance, [one.partition_key for one in projects.values()])
    chosen = _chosen_projects(worlds, choose)
    stale = [one for one in stale if (one.subject_id, one.vintage) in chosen]
    keys = {(one.subject_id, one.vintage) for one in stale} | (untold & chosen)
    if not keys:
        return before
    wanted = [ProjectVintage(projects[one].partition_key, vintage) for one, vintage in keys]
    number = store.save_work_list("command line", keys, level="project")
    run_keys = [AssetKey(asset.split("/")) for asset in assets]
    why = _why(company, stale, {projects[one].key for one, _ in keys})
    result = launcher.run_partitions(run_keys, wanted, number, why)
    _require_success(store, result.success, result)
    return replace(
        before,
        run_id=before.run_id or result.run_id,
        project_run_id=result.run_id,
        stale=(*before.stale, *stale),
        project_partitions=len(keys),
        totals=before.totals | _totals(result),
    )


def _why(
    company: str | None, stale: Iterable[StalePartition], objects: Collection[str]
) -> dict[str, str]:
    """Tags that say in the run list why there is this run."""
    causes = {cause for one in stale for cause in one.causes} or {"not announced"}
    named = (
        shortened(sorted(objects)) if len(objects) <= NAMED_OBJECTS else f"{len(objects)} places"
    )
    tags = {"cause": shortened(sorted(causes)), "object": named, "started_by": "command line"}
    if company is not None:
        tags["company"] = company
    return {TAG_PREFIX + name: value for name, value in tags.items()}


def _chosen_projects(worlds: Iterable[CompanyWorld], choose: Choice | None) -> set[Key]:
    """Partitions of projects; with a choice of places, of those that have a chosen one."""
    return {
        (number, vintage)
        for world in worlds
        for number, project in world.projects.items()
        for vintage in project.vintages
        if choose is None or any(choose(farm, vintage) for farm in world.members(number))
    }


def _outstanding(
    store: CarbonStore, company: str | None, assets: Collection[str]
) -> tuple[list[CompanyWorld], list[StalePartition], set[Key]]:
    with transaction(store.opened()) as connection:
        worlds = load_companies(connection, company)
        stale = stale_partitions(connection, worlds, expect(worlds)) if assets else []
        untold = {key for asset in sorted(assets) for key in unannounced(connection, asset)}
    return worlds, [one for one in stale if one.asset in assets], untold


def _wanted(places: dict[int, Place], key: Key, choose: Choice | None) -> bool:
    place = places.get(key[0])
    if place is None or key[1] not in place.vintages:
        return False
    return choose is None or choose(place, key[1])


def _tell_places(launcher: Launcher, store: CarbonStore, places: Sequence[Place]) -> None:
    """Report new and changed polygons, so that Dagster sees what the receipts rest on."""
    instance = launcher.instance
    add_places(instance, [place.partition_key for place in places])
    told = latest_versions(instance, PLACE_GEOMETRIES, [p.partition_key for p in places])
    changed = {
        place.partition_key
        for place in places
        if place.partition_key not in told
        or told[place.partition_key].data_version != place.geometry_hash
    }
    if changed:
        ordered = [key for key in instance.get_dynamic_partitions("farm") if key in changed]
        _require_success(store, launcher.run_places([PLACE_GEOMETRIES], ordered))


def _run_keys(assets: Iterable[str]) -> Iterator[AssetKey]:
    for family in (*packaged_families(), OWN_SOURCES):
        yield source_key(family)
    for asset in assets:
        yield AssetKey(asset.split("/"))


def _require_success(
    store: CarbonStore, success: bool, result: ExecuteInProcessResult | None = None
) -> None:
    if success:
        return
    if store.errors:
        raise store.errors[-1]
    raise _failure(result)


def _failure(result: ExecuteInProcessResult | None) -> CarbonAssetsError:
    events = result.all_events if result else []
    reasons = [
        event.step_failure_data.error_display_string.strip()
        for event in events
        if event.is_step_failure
    ]
    return ProvenanceError(
        "RUN_FAILED",
        reasons[0] if reasons else "the run did not succeed",
        where=f"run {result.run_id}" if result else None,
        do="see the run in `carbon-assets ui`; what was committed before stands, and the same "
        "command goes on from there",
    )


def _totals(result: ExecuteInProcessResult) -> dict[str, dict[str, int]]:
    totals: dict[str, dict[str, int]] = {}
    for event in result.all_events:
        if event.is_successful_output and event.step_key:
            counts = {
                name: entry.value
                for name, entry in event.step_output_data.metadata.items()
                if isinstance(entry, IntMetadataValue) and entry.value is not None
            }
            if "rows" in counts:  # the outputs of checks hold no totals
                totals[event.step_key.replace("__", "/")] = counts
    return {node.key: totals[node.key] for node in GRAPH if node.key in totals}
