"""What a set of partitions needs: nothing, a note that an old receipt is current, or work."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import xor

from sqlalchemy import Connection, select, text

from carbon_assets.provenance.expectation import Expectation, asset_ids, expect, intern_inputs
from carbon_assets.provenance.fingerprint import as_text
from carbon_assets.provenance.graph import FARM_METRICS, GRAPH, Node, edge_offsets
from carbon_assets.provenance.status import StalePartition, stale_partitions
from carbon_assets.provenance.world import CompanyWorld, Place
from carbon_assets.store.models import FarmMetric, PartitionState, RasterAggregate
from carbon_assets.store.queries import among

Key = tuple[int, int]
"""A partition of an asset: (row of ``farms``, vintage)."""


@dataclass(frozen=True)
class Step:
    """One stale partition with the computation that it should rest on.

    Attributes:
        asset: Asset key.
        place: The place.
        vintage: Vintage year.
        causes: Why it is stale.
        fingerprint: Fingerprint of the computation, 32 bytes.
        geometry_version_id: Row of ``geometry_versions``, for an asset that reads polygons.
        inputs_id: Row of ``partition_inputs``.
        upstream: XOR of the tokens of the partitions read; None if none are read.
        known: Whether its rows exist already, from an earlier computation.
    """

    asset: str
    place: Place
    vintage: int
    causes: tuple[str, ...]
    fingerprint: bytes
    geometry_version_id: int | None
    inputs_id: int
    upstream: int | None
    known: bool

    @property
    def key(self) -> Key:
        """The partition."""
        return self.place.id, self.vintage


def plan(
    connection: Connection, world: CompanyWorld, asset: str, keys: Iterable[Key]
) -> list[Step]:
    """Return a step for each of these partitions of an asset that is stale.

    Stale upstream partitions are not looked for: an asset computes from what is current.
    """
    wanted = set(keys)
    places = {place_id for place_id, _ in wanted}
    expectation = expect([world], assets=[asset], places=places)
    stale = stale_partitions(connection, [world], expectation)
    chosen = [one for one in stale if one.asset == asset and (one.place_id, one.vintage) in wanted]
    return _steps(connection, world, asset, chosen, expectation)


def _steps(
    connection: Connection,
    world: CompanyWorld,
    asset: str,
    stale: Sequence[StalePartition],
    expectation: Expectation,
) -> list[Step]:
    node = next(node for node in GRAPH if node.key == asset)
    upstream = _upstream(connection, node, stale)
    documents = {}
    for one in stale:
        document = expectation.document(asset, one.place_id, one.vintage)
        if document is None:
            raise KeyError((asset, one.place_id, one.vintage))
        documents[one.place_id, one.vintage] = document
    interned = intern_inputs(connection, {one.digest: one for one in documents.values()})
    steps = []
    for one in stale:
        place = world.places[one.place_id]
        document = documents[one.place_id, one.vintage]
        read = upstream.get((one.place_id, one.vintage), [])
        geometry = place.geometry_hash if node.uses_geometry else None
        steps.append(
            Step(
                asset=asset,
                place=place,
                vintage=one.vintage,
                causes=one.causes,
                fingerprint=document.fingerprint(geometry, [mark for mark, _ in read]),
                geometry_version_id=place.geometry_version_id if node.uses_geometry else None,
                inputs_id=interned[document.digest],
                upstream=reduce(xor, (token for _, token in read)) if read else None,
                known=False,
            )
        )
    return _with_known(connection, steps)


def _upstream(
    connection: Connection, node: Node, stale: Sequence[StalePartition]
) -> dict[Key, list[tuple[bytes, int]]]:
    """(Fingerprint, token) of every partition read, in the order of the edges."""
    if not node.edges or not stale:
        return {}
    assets = asset_ids(connection, [edge.upstream for edge in node.edges])
    rows = connection.execute(
        select(
            PartitionState.asset_id,
            PartitionState.farm_id,
            PartitionState.vintage,
            PartitionState.fingerprint,
            PartitionState.token,
        ).where(
            among(PartitionState.asset_id, assets.values()),
            among(PartitionState.farm_id, {one.place_id for one in stale}),
        )
    )
    current = {
        (row.asset_id, row.farm_id, row.vintage): (bytes(row.fingerprint), row.token)
        for row in rows
    }
    return {
        (one.place_id, one.vintage): [
            current[assets[key], one.place_id, one.vintage + by]
            for key, by in edge_offsets(node)
            if (assets[key], one.place_id, one.vintage + by) in current
        ]
        for one in stale
    }


def _with_known(connection: Connection, steps: list[Step]) -> list[Step]:
    """Mark the steps whose rows exist: a polygon or raster that is back to an older state."""
    if not steps:
        return steps
    if steps[0].asset == FARM_METRICS:
        place, mark = FarmMetric.farm_id, FarmMetric.inputs_fingerprint
    else:
        place, mark = RasterAggregate.geometry_id, RasterAggregate.inputs_fingerprint
    marks = {as_text(step.fingerprint) for step in steps}
    rows = connection.execute(
        select(place.label("place"), mark.label("inputs_fingerprint"))
        .where(among(mark, marks))
        .distinct()
    )
    known = {(row.place, row.inputs_fingerprint) for row in rows}
    return [
        replace(step, known=(step.place.id, as_text(step.fingerprint)) in known) for step in steps
    ]


def lock_asset(connection: Connection, asset: str) -> None:
    """Keep two writers of one asset apart until the transaction ends."""
    # All numbers are given out at once: two first writers of different assets, each waiting for
    # the other's number, would never end.
    number = asset_ids(connection, {asset, *(node.key for node in GRAPH)})[asset]
    connection.execute(
        text("SELECT pg_advisory_xact_lock(:group, :asset)"), {"group": _LOCK, "asset": number}
    )


_LOCK = 4_711_002
"""First key of the advisory locks of assets."""
