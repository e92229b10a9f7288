"""Staleness of every partition, with its causes.

``partition_state`` says what is current, :mod:`carbon_assets.provenance.expectation` what
should be; :mod:`carbon_assets.provenance.staleness` compares the two. Reading costs what the
places in question have, not what the database holds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from psycopg import Connection as DriverConnection
from sqlalchemy import Connection, select

from carbon_assets.provenance.expectation import Expectation, asset_ids, inputs_ids
from carbon_assets.provenance.fingerprint import InputDocument, causes
from carbon_assets.provenance.graph import GRAPH
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

LISTED_PLACES = 2_000
"""Up to this number places are looked up one by one; more are read as one range."""


@dataclass(frozen=True)
class StalePartition:
    """A partition that should be computed again.

    Attributes:
        asset: Asset key.
        place_id: Row of ``farms``.
        vintage: Vintage year.
        causes: ``missing``, ``geometry``, ``raster_version``, ``reference_data``,
            ``parameter``, ``code``, ``library``, ``upstream``.
    """

    asset: str
    place_id: int
    vintage: int
    causes: tuple[str, ...]


def stale_partitions(
    connection: Connection, worlds: Sequence[CompanyWorld], expectation: Expectation
) -> list[StalePartition]:
    """List what should be computed again, upstream first, each with all its causes.

    Args:
        connection: An open transaction.
        worlds: The companies, for the places' current polygons.
        expectation: What should be, for the assets and places of interest.
    """
    assets = asset_ids(connection, [node.key for node in GRAPH])
    stale = compare(connection, _expected(connection, worlds, expectation, assets))
    names = {number: key for key, number in assets.items()}
    reasons = _Reasons(connection, expectation, set(np.unique(stale.recorded).tolist()))
    return [
        StalePartition(
            names[asset], place, vintage, reasons.of(names[asset], place, vintage, mask, recorded)
        )
        for asset, place, vintage, mask, recorded in stale.rows()
    ]


def compare(connection: Connection, expected: Expected) -> Stale:
    """Compare what the database records with what should be, transitively."""
    return find_stale(expected, _read(connection, expected.read, expected.farms.tolist()))


_STATE = """
SELECT string_agg(
    int4send(farm_id) || int2send(vintage) || int4send(coalesce(geometry_version_id, 0))
    || int4send(inputs_id) || int8send(coalesce(upstream, 0)) || int8send(token), ''::bytea)
FROM partition_state WHERE asset_id = %(asset)s AND farm_id {places}
"""
"""Rows of one asset packed as :data:`STATE`: two million are read in a second or two, one by one
in ten."""


def _read(
    connection: Connection, assets: Collection[int], places: Sequence[int]
) -> dict[int, State]:
    if not places:
        return {}
    driver = connection.connection.driver_connection
    if not isinstance(driver, DriverConnection):
        raise TypeError("reading the state needs a connection with psycopg 3")
    few = len(places) <= LISTED_PLACES
    query = _STATE.format(places="= ANY(%(places)s)" if few else "BETWEEN %(first)s AND %(last)s")
    which = {"places": places} if few else {"first": places[0], "last": places[-1]}
    with _one_process(driver), driver.cursor(binary=True) as cursor:
        found = {
            asset: cursor.execute(query, which | {"asset": asset}).fetchone() or (None,)
            for asset in sorted(assets)
        }
    return {asset: np.frombuffer(packed or b"", dtype=STATE) for asset, (packed,) in found.items()}


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
    wanted = {place for _, place in expectation.places}
    current = {
        place: world.places[place].geometry_version_id
        for world in worlds
        for place in wanted & world.places.keys()
    }
    uses = {node.key: node.uses_geometry for node in GRAPH}
    known = inputs_ids(connection, expectation.documents.values())
    return Expected(
        nodes=GRAPH,
        assets=assets,
        places=[
            (assets[asset], place, zone, current[place] if uses[asset] else None)
            for (asset, place), zone in expectation.places.items()
        ],
        inputs=[
            (assets[asset], zone, vintage, known.get(document.digest))
            for (asset, zone, vintage), document in expectation.documents.items()
        ],
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

    def of(self, asset: str, place: int, vintage: int, mask: int, recorded: int) -> tuple[str, ...]:
        found: tuple[str, ...] = ()
        if mask & MISSING:
            found += ("missing",)
        if mask & GEOMETRY:
            found += ("geometry",)
        if mask & INPUTS:
            wanted = self._expectation.document(asset, place, vintage)
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
