"""Staleness of every partition, with its causes.

``partition_state`` says what is current, :mod:`carbon_assets.provenance.expectation` what
should be; :mod:`carbon_assets.provenance.staleness` compares the two. Reading costs what the
places and projects in question have, not what the database holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from psycopg import Connection as DriverConnection
from psycopg import Cursor
from sqlalchemy import Connection, select

from carbon_assets.provenance.expectation import Expectation, asset_ids, expect, inputs_ids
from carbon_assets.provenance.fingerprint import InputDocument, causes
from carbon_assets.provenance.graph import (
    GRAPH,
    PROJECT_ASSETS,
    Level,
    edge_offsets,
    level_of,
    node_of,
)
from carbon_assets.provenance.staleness import (
    GEOMETRY,
    INPUTS,
    MISSING,
    STATE,
    UPSTREAM,
    Expected,
    Stale,
    State,
    find_stale,
)
from carbon_assets.provenance.world import CompanyWorld
from carbon_assets.store.models import PartitionInputs
from carbon_assets.store.queries import among

LISTED_SUBJECTS = 2_000
"""Up to this number subjects are looked up one by one; more are read as one range."""


@dataclass(frozen=True)
class StalePartition:
    """A partition that should be computed again.

    Attributes:
        asset: Asset key.
        subject_id: Row of ``farms``, or of ``projects``, as the asset's level says.
        vintage: Vintage year.
        causes: ``missing``, ``geometry``, ``raster_version``, ``reference_data``,
            ``parameter``, ``code``, ``library``, ``membership``, ``upstream``.
    """

    asset: str
    subject_id: int
    vintage: int
    causes: tuple[str, ...]

    @property
    def level(self) -> Level:
        """What the partition is of: a place or a project."""
        return level_of(self.asset)


def stale_partitions(
    connection: Connection, worlds: Sequence[CompanyWorld], expectation: Expectation
) -> list[StalePartition]:
    """List what should be computed again, upstream first, each with all its causes.

    Args:
        connection: An open transaction.
        worlds: The companies, for current polygons and members of projects.
        expectation: What should be, for the assets and subjects of interest.
    """
    assets = asset_ids(connection, [node.key for node in GRAPH])
    stale = compare(connection, _expected(connection, worlds, expectation, assets))
    names = {number: key for key, number in assets.items()}
    reasons = _Reasons(connection, expectation, set(np.unique(stale.recorded).tolist()))
    return [
        StalePartition(
            names[asset], one, vintage, reasons.of(names[asset], one, vintage, mask, recorded)
        )
        for asset, one, vintage, mask, recorded in stale.rows()
    ]


def stale_projects(
    connection: Connection, worlds: Sequence[CompanyWorld], *, ready: bool = True
) -> list[StalePartition]:
    """List the stale partitions of projects.

    Args:
        connection: An open transaction.
        worlds: The companies, loaded with their projects.
        ready: Leave out those that rest on something stale: computed now, they would be stale
            again after it.
    """
    stale = stale_partitions(connection, worlds, expect(worlds))
    found = [one for one in stale if one.level == "project"]
    if not ready:
        return found
    waiting = _resting_on(worlds, stale)
    return [one for one in found if (one.asset, one.subject_id, one.vintage) not in waiting]


def _resting_on(
    worlds: Sequence[CompanyWorld], stale: Iterable[StalePartition]
) -> set[tuple[str, int, int]]:
    """Partitions of projects that read a stale one, upstream first."""
    owner = {
        farm.id: project
        for world in worlds
        for project in world.projects
        for farm in world.members(project)
    }
    found: set[tuple[str, int, int]] = set()
    for one in stale:
        project = owner.get(one.subject_id) if one.level == "place" else one.subject_id
        if project is not None:
            found.update(
                (asset, project, one.vintage - by)
                for asset in PROJECT_ASSETS
                for upstream, by in edge_offsets(node_of(asset))
                if upstream == one.asset
            )
    return found


def compare(connection: Connection, expected: Expected) -> Stale:
    """Compare what the database records with what should be, transitively."""
    return find_stale(expected, _read(connection, expected))


_STATE = """
SELECT string_agg(
    int4send(subject_id) || int2send(vintage) || int4send(coalesce(geometry_version_id, 0))
    || int4send(inputs_id) || int8send(coalesce(upstream, 0)) || int8send(token), ''::bytea)
FROM partition_state WHERE asset_id = %(asset)s AND subject_id {subjects}
"""
"""Rows of one asset packed as :data:`STATE`: two million are read in a second or two, one by one
in ten."""


def _read(connection: Connection, expected: Expected) -> dict[int, State]:
    driver = connection.connection.driver_connection
    if not isinstance(driver, DriverConnection):
        raise TypeError("reading the state needs a connection with psycopg 3")
    with _one_process(driver), driver.cursor(binary=True) as cursor:
        return {
            asset: _read_asset(cursor, asset, expected.of_level[expected.levels[asset]].tolist())
            for asset in sorted(expected.read)
        }


def _read_asset(cursor: Cursor[Any], asset: int, subjects: Sequence[int]) -> State:
    if not subjects:
        return np.zeros(0, dtype=STATE)
    few = len(subjects) <= LISTED_SUBJECTS
    query = _STATE.format(
        subjects="= ANY(%(subjects)s)" if few else "BETWEEN %(first)s AND %(last)s"
    )
    which = {"subjects": subjects} if few else {"first": subjects[0], "last": subjects[-1]}
    (packed,) = cursor.execute(query, {**which, "asset": asset}).fetchone() or (None,)
    return np.frombuffer(packed or b"", dtype=STATE)


@contextmanager
def _one_process(driver: DriverConnection[Any]) -> Iterator[None]:
    """Keep PostgreSQL's parallel workers out: handing packed rows on costs more than packing."""
    name = "max_parallel_workers_per_gather"
    (before,) = driver.execute("SELECT current_setting(%s)", [name]).fetchone() or (None,)
    driver.execute("SELECT set_config(%s, '0', true)", [name])
    yield
    driver.execute("SELECT set_config(%s, %s, true)", [name, before])


def _expected(
    connection: Connection,
    worlds: Iterable[CompanyWorld],
    expectation: Expectation,
    assets: Mapping[str, int],
) -> Expected:
    places, projects = expectation.of_level("place"), expectation.of_level("project")
    current: dict[int, int] = {}
    members: list[tuple[int, int]] = []
    for world in worlds:
        current |= {n: world.places[n].geometry_version_id for n in places & world.places.keys()}
        for project in projects & world.projects.keys():
            members += [(project, farm.id) for farm in world.members(project)]
    uses = {node.key for node in GRAPH if node.uses_geometry}
    known = inputs_ids(connection, expectation.documents.values())
    return Expected(
        nodes=GRAPH,
        assets=assets,
        subjects=[
            (assets[asset], subject, zone, current[subject] if asset in uses else None)
            for (asset, subject), zone in expectation.subjects.items()
        ],
        inputs=[
            (assets[asset], zone, vintage, known.get(document.digest))
            for (asset, zone, vintage), document in expectation.documents.items()
        ],
        members=members,
    )


class _Reasons:
    """Turns bits into causes; the few distinct pairs of input documents are compared once."""

    def __init__(
        self, connection: Connection, expectation: Expectation, recorded: set[int]
    ) -> None:
        self._expectation = expectation
        query = select(PartitionInputs.id, PartitionInputs.document)
        rows = connection.execute(query.where(among(PartitionInputs.id, recorded)))
        self._recorded = {row.id: row.document for row in rows}
        self._known: dict[tuple[int, bytes], tuple[str, ...]] = {}

    def of(
        self, asset: str, subject: int, vintage: int, mask: int, recorded: int
    ) -> tuple[str, ...]:
        found: tuple[str, ...] = ()
        if mask & MISSING:
            found += ("missing",)
        if mask & GEOMETRY:
            found += ("geometry",)
        if mask & INPUTS:
            wanted = self._expectation.document(asset, subject, vintage)
            if wanted is not None:
                found += self._difference(recorded, wanted)
        if mask & UPSTREAM:
            found += ("upstream",)
        return found

    def _difference(self, recorded: int, wanted: InputDocument) -> tuple[str, ...]:
        key = recorded, wanted.digest
        if key not in self._known:
            self._known[key] = causes(self._recorded[recorded], wanted.document)
        return self._known[key]
