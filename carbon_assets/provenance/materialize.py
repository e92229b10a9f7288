"""Computing what is stale, chunk by chunk: each chunk is one transaction.

Rows and the history that makes them current are committed together. After a kill at any
point the chunks before it stand, the one it struck has left no trace, and the same call goes
on from there without computing anything twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from carbon_assets.intake.files import require_unchanged
from carbon_assets.metrics.derive import derive_metrics
from carbon_assets.metrics.model import Metric
from carbon_assets.provenance.graph import FARM_METRICS, PROJECT_METRICS, node_of
from carbon_assets.provenance.plan import Key, Step, lock_asset, plan
from carbon_assets.provenance.projects import derive_projects
from carbon_assets.provenance.record import record_history, write_metrics, write_receipts
from carbon_assets.provenance.rows import current_receipts
from carbon_assets.provenance.world import (
    CompanyWorld,
    Place,
    ProjectSpace,
    land_cover_legend,
)
from carbon_assets.rasters.opening import gdal_session
from carbon_assets.rasters.reader import OpenRasters, RasterFile
from carbon_assets.runners.bound import BoundRunner
from carbon_assets.runners.compute import (
    PlaceTask,
    compute_place,
    in_block_order,
    require_coverage,
)
from carbon_assets.runners.receipts import PartitionReceipts
from carbon_assets.store.database import Database
from carbon_assets.store.engines import transaction
from carbon_assets.store.models import Farm
from carbon_assets.store.queries import among

CHUNK_PARTITIONS = 2_000
"""Partitions committed together: 200 farms of ten vintages. A project counts as its members."""

Compute = Callable[
    [BoundRunner, Sequence[PlaceTask], Mapping[int, Sequence[int]]], Iterator[PartitionReceipts]
]
"""How a chunk's places are computed: in this process, or spread over several."""


@dataclass(frozen=True)
class Outcome:
    """What became of one partition.

    Attributes:
        subject_id: Row of ``farms``, or of ``projects`` for an asset of projects.
        vintage: Vintage year.
        action: ``computed``, ``confirmed`` (an earlier computation is current again) or
            ``fresh`` (nothing to do).
        causes: Why it was stale.
        rows: Rows written.
    """

    subject_id: int
    vintage: int
    action: str
    causes: tuple[str, ...] = ()
    rows: int = 0


def compute_here(
    bound: BoundRunner, places: Sequence[PlaceTask], vintages: Mapping[int, Sequence[int]]
) -> Iterator[PartitionReceipts]:
    """Compute a chunk in this process, each raster block decoded once."""
    with gdal_session(), OpenRasters() as rasters:
        for place in in_block_order(bound, places):
            yield from compute_place(bound, place, vintages[place.place_id], rasters)


def materialize(
    database: Database,
    world: CompanyWorld,
    asset: str,
    keys: Iterable[Key],
    *,
    run_id: str | None = None,
    compute: Compute = compute_here,
) -> Iterator[list[Outcome]]:
    """Bring partitions of one asset up to date.

    Args:
        database: The database.
        world: The company that the places or projects belong to.
        asset: Asset key; one whose sources are not bound has no partitions.
        keys: (place or project, vintage) of the partitions; those that should not exist (a
            removed place, a vintage that its project does not have) are passed over, and so are
            places whose polygon has changed since the world was loaded.
        run_id: Dagster run, for the history.
        compute: How places are computed.

    Yields:
        The outcomes of each chunk, after its transaction is committed.

    Raises:
        RasterError: As :func:`carbon_assets.runners.compute.compute_place`, or
            ``RASTER_CHANGED``; the chunk that it struck has written nothing.
    """
    if not world.computes(asset):
        return
    for given in _chunks(world, asset, keys):
        with transaction(database) as connection:
            lock_asset(connection, asset)
            chunk = _unmoved(connection, world, asset, given)
            steps = plan(connection, world, asset, chunk)
            work = [step for step in steps if not step.known]
            written = _make(connection, world, asset, work, compute)
            record_history(connection, steps, run_id)
        yield _outcomes(chunk, steps, written)


def _unmoved(
    connection: Connection, world: CompanyWorld, asset: str, keys: Sequence[Key]
) -> list[Key]:
    """Leave out places whose polygon is no longer the one that the world knows.

    They belong to the run of that edit, which may have computed them already: to go on with
    the older polygon would make an older number current again.
    """
    if node_of(asset).level != "place":
        return list(keys)
    query = select(Farm.id, Farm.geometry_version_id)
    rows = connection.execute(query.where(among(Farm.id, {place for place, _ in keys})))
    current = {row.id: row.geometry_version_id for row in rows}
    known = world.places
    return [key for key in keys if current.get(key[0]) == known[key[0]].geometry_version_id]


def _make(
    connection: Connection,
    world: CompanyWorld,
    asset: str,
    steps: Sequence[Step],
    compute: Compute,
) -> dict[Key, int]:
    """Compute partitions and store their rows; return how many each has."""
    if asset == FARM_METRICS:
        return _derive(connection, world, steps)
    if asset == PROJECT_METRICS:
        return derive_projects(connection, world, steps)
    return _compute(connection, world.runners[asset], world, steps, compute)


def _chunks(world: CompanyWorld, asset: str, keys: Iterable[Key]) -> Iterator[list[Key]]:
    """Whole places or projects together, places in the order of the raster's blocks."""
    by_subject: dict[int, list[Key]] = {}
    of_places = node_of(asset).level == "place"
    known: Mapping[int, Place | ProjectSpace] = world.places if of_places else world.projects
    for subject_id, vintage in sorted(set(keys)):
        subject = known.get(subject_id)
        if subject is not None and vintage in subject.vintages:
            by_subject.setdefault(subject_id, []).append((subject_id, vintage))
    order = list(by_subject)
    if asset in world.runners:
        order = _block_order(world, world.runners[asset], order)
    chunk: list[Key] = []
    size = 0
    for subject_id in order:
        weight = 1 if of_places else max(1, len(world.members(subject_id)))
        if chunk and size + weight * len(by_subject[subject_id]) > CHUNK_PARTITIONS:
            yield chunk
            chunk, size = [], 0
        chunk += by_subject[subject_id]
        size += weight * len(by_subject[subject_id])
    if chunk:
        yield chunk


def _block_order(world: CompanyWorld, bound: BoundRunner, places: list[int]) -> list[int]:
    tasks = [
        PlaceTask(i, place.key, b"", place.bounds, place.setting)
        for i, place in ((i, world.places[i]) for i in places)
    ]
    return [task.place_id for task in in_block_order(bound, tasks)]


def _compute(
    connection: Connection,
    bound: BoundRunner,
    world: CompanyWorld,
    steps: Sequence[Step],
    compute: Compute,
) -> dict[Key, int]:
    if not steps:
        return {}
    vintages: dict[int, list[int]] = {}
    for step in steps:
        vintages.setdefault(step.subject_id, []).append(step.vintage)
    tasks = world.tasks(connection, vintages)
    require_coverage(bound, tasks, steps[0].vintage)
    made = list(compute(bound, tasks, vintages))
    require_unchanged(connection, _files_read(bound, made))
    return write_receipts(connection, world, bound, {step.key: step for step in steps}, made)


def _files_read(bound: BoundRunner, made: Iterable[PartitionReceipts]) -> list[RasterFile]:
    read = {asset_id for one in made for asset_id, _ in one.inputs}
    files = (one.file for source in bound.sources.values() for one in source.files)
    return [file for file in files if file.asset_id in read]


def _derive(connection: Connection, world: CompanyWorld, steps: Sequence[Step]) -> dict[Key, int]:
    legend = land_cover_legend(world)
    receipts = current_receipts(connection, [step.key for step in steps])
    made: dict[Key, list[Metric]] = {
        step.key: derive_metrics(
            receipts.get(step.key, []),
            legend=legend,
            settings=world.places[step.subject_id].metrics,
        )
        for step in steps
    }
    return write_metrics(connection, {step.key: step for step in steps}, made)


def _outcomes(
    chunk: Iterable[Key], steps: Sequence[Step], written: Mapping[Key, int]
) -> list[Outcome]:
    by_key = {step.key: step for step in steps}
    outcomes = []
    for key in chunk:
        step = by_key.get(key)
        if step is None:
            outcomes.append(Outcome(*key, action="fresh"))
        else:
            action = "confirmed" if step.known else "computed"
            outcomes.append(Outcome(*key, action, step.causes, written.get(key, 0)))
    return outcomes
