"""What a set of partitions needs: nothing, a note that an old receipt is current, or work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import xor

import numpy as np
from sqlalchemy import Connection, select, text

from carbon_assets.provenance.expectation import Expectation, asset_ids, expect, intern_inputs
from carbon_assets.provenance.fingerprint import Mark, as_text
from carbon_assets.provenance.graph import (
    FARM_METRICS,
    GRAPH,
    PROJECT_METRICS,
    Node,
    edge_offsets,
    node_of,
)
from carbon_assets.provenance.status import StalePartition, stale_partitions
from carbon_assets.provenance.tokens import member_tokens
from carbon_assets.provenance.world import CompanyWorld
from carbon_assets.store.models import FarmMetric, PartitionState, ProjectMember, RasterAggregate
from carbon_assets.store.queries import among

Key = tuple[int, int]
"""A partition of an asset: (row of ``farms`` or ``projects``, vintage)."""


@dataclass(frozen=True)
class Read:
    """A partition that another one reads.

    Attributes:
        subject_id: Its place or project.
        member: Key of the place, where a project reads many; None otherwise.
        fingerprint: What is current for it, 32 bytes; None where nothing is yet.
        token: First eight bytes of that; 0 where nothing is.
    """

    subject_id: int
    member: str | None
    fingerprint: bytes | None
    token: int

    @property
    def mark(self) -> Mark | None:
        """What of it enters a fingerprint; None where nothing does."""
        if self.fingerprint is None or self.member is None:
            return self.fingerprint
        return self.member, self.fingerprint


@dataclass(frozen=True)
class Step:
    """One stale partition with the computation that it should rest on.

    Attributes:
        asset: Asset key.
        subject_id: Its place, or its project.
        company_id: Tenant.
        vintage: Vintage year.
        causes: Why it is stale.
        fingerprint: Fingerprint of the computation, 32 bytes.
        geometry_version_id: Row of ``geometry_versions``, for an asset that reads polygons.
        inputs_id: Row of ``partition_inputs``.
        read: The partitions read, in the order of the edges.
        known: Whether its rows exist already, from an earlier computation.
    """

    asset: str
    subject_id: int
    company_id: int
    vintage: int
    causes: tuple[str, ...]
    fingerprint: bytes
    geometry_version_id: int | None
    inputs_id: int
    read: tuple[Read, ...]
    known: bool

    @property
    def key(self) -> Key:
        """The partition."""
        return self.subject_id, self.vintage

    @property
    def upstream(self) -> int | None:
        """Tokens of the partitions read, combined by XOR; None if none are read."""
        held = [one for one in self.read if one.fingerprint is not None]
        if not held:
            return None
        combined = reduce(xor, (one.token for one in held if one.member is None), 0)
        members = [one for one in held if one.member is not None]
        if members:
            subjects = np.array([one.subject_id for one in members])
            tokens = member_tokens(subjects, np.array([one.token for one in members]))
            combined ^= int(np.bitwise_xor.reduce(tokens))
        return combined


def plan(
    connection: Connection, world: CompanyWorld, asset: str, keys: Iterable[Key]
) -> list[Step]:
    """Return a step for each of these partitions of an asset that is stale.

    Stale upstream partitions are not looked for: an asset computes from what is current.
    """
    wanted = set(keys)
    subjects = {subject for subject, _ in wanted}
    if node_of(asset).level == "place":
        expectation = expect([world], assets=[asset], places=subjects)
    else:
        expectation = expect([world], assets=[asset], projects=subjects)
    stale = stale_partitions(connection, [world], expectation)
    chosen = [
        one for one in stale if one.asset == asset and (one.subject_id, one.vintage) in wanted
    ]
    return _steps(connection, world, asset, chosen, expectation)


def _steps(
    connection: Connection,
    world: CompanyWorld,
    asset: str,
    stale: Sequence[StalePartition],
    expectation: Expectation,
) -> list[Step]:
    node = node_of(asset)
    upstream = _upstream(connection, world, node, stale)
    documents = {}
    for one in stale:
        document = expectation.document(asset, one.subject_id, one.vintage)
        if document is None:
            raise KeyError((asset, one.subject_id, one.vintage))
        documents[one.subject_id, one.vintage] = document
    interned = intern_inputs(connection, {one.digest: one for one in documents.values()})
    steps = []
    for one in stale:
        document = documents[one.subject_id, one.vintage]
        read = upstream.get((one.subject_id, one.vintage), ())
        place = world.places[one.subject_id] if node.uses_geometry else None
        marks = [mark for mark in (each.mark for each in read) if mark is not None]
        steps.append(
            Step(
                asset=asset,
                subject_id=one.subject_id,
                company_id=world.id,
                vintage=one.vintage,
                causes=one.causes,
                fingerprint=document.fingerprint(place.geometry_hash if place else None, marks),
                geometry_version_id=place.geometry_version_id if place else None,
                inputs_id=interned[document.digest],
                read=read,
                known=False,
            )
        )
    return _with_known(connection, steps)


def _upstream(
    connection: Connection, world: CompanyWorld, node: Node, stale: Sequence[StalePartition]
) -> dict[Key, tuple[Read, ...]]:
    """Every partition read, in the order of the edges."""
    if not node.edges or not stale:
        return {}
    assets = asset_ids(connection, [edge.upstream for edge in node.edges])
    # Members of a project are read in the order of their keys, and told apart by them; a
    # subject reads itself without a key.
    sources = {
        (one.subject_id, key): _sources(world, node, key, one.subject_id)
        for one in stale
        for key in assets
    }
    current = _current(
        connection, assets, {subject for each in sources.values() for subject, _ in each}
    )
    return {
        (one.subject_id, one.vintage): tuple(
            Read(subject, member, *current.get((assets[key], subject, one.vintage + by), (None, 0)))
            for key, by in edge_offsets(node)
            for subject, member in sources[one.subject_id, key]
        )
        for one in stale
    }


def _sources(
    world: CompanyWorld, node: Node, upstream: str, subject_id: int
) -> list[tuple[int, str | None]]:
    if node_of(upstream).level == node.level:
        return [(subject_id, None)]
    return [(farm.id, farm.key) for farm in world.members(subject_id)]


def _current(
    connection: Connection, assets: Mapping[str, int], subjects: Iterable[int]
) -> dict[tuple[int, int, int], tuple[bytes, int]]:
    """Fingerprint and token of the current partitions of some subjects."""
    rows = connection.execute(
        select(
            PartitionState.asset_id,
            PartitionState.subject_id,
            PartitionState.vintage,
            PartitionState.fingerprint,
            PartitionState.token,
        ).where(
            among(PartitionState.asset_id, assets.values()),
            among(PartitionState.subject_id, subjects),
        )
    )
    return {
        (row.asset_id, row.subject_id, row.vintage): (bytes(row.fingerprint), row.token)
        for row in rows
    }


def _with_known(connection: Connection, steps: list[Step]) -> list[Step]:
    """Mark the steps whose rows exist: a polygon or raster that is back to an older state."""
    if not steps:
        return steps
    subject, mark = _IDENTITY.get(steps[0].asset, _OF_RECEIPTS)
    marks = {as_text(step.fingerprint) for step in steps}
    rows = connection.execute(
        select(subject.label("subject"), mark.label("mark")).where(among(mark, marks)).distinct()
    )
    known = {(row.subject, row.mark) for row in rows}
    return [
        replace(step, known=(step.subject_id, as_text(step.fingerprint)) in known) for step in steps
    ]


_OF_RECEIPTS = RasterAggregate.geometry_id, RasterAggregate.inputs_fingerprint
_IDENTITY = {
    FARM_METRICS: (FarmMetric.farm_id, FarmMetric.inputs_fingerprint),
    PROJECT_METRICS: (ProjectMember.project_id, ProjectMember.inputs_fingerprint),
}
"""Which columns say that a computation was made, by asset."""


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
