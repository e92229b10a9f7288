"""Staleness of every partition, with its causes, decided in the database.

What should be is laid beside ``partition_state`` in temporary tables; the comparison is of
integers, and follows the graph from upstream to downstream, so a partition is stale when
anything that it rests on is, however far away.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    select,
    text,
)

from carbon_assets.provenance.expectation import Expectation, asset_ids, inputs_ids
from carbon_assets.provenance.fingerprint import InputDocument, causes
from carbon_assets.provenance.graph import GRAPH, Node, topological
from carbon_assets.provenance.world import CompanyWorld
from carbon_assets.store.copying import copy_rows
from carbon_assets.store.models import PartitionInputs

MISSING, GEOMETRY, INPUTS, UPSTREAM = 1, 2, 4, 8
"""Bits of a stale partition; ``INPUTS`` is told apart further by its input document."""


def _scratch(name: str, *columns: Column[Any]) -> Table:
    options: dict[str, Any] = {"prefixes": ["TEMPORARY"], "postgresql_on_commit": "DROP"}
    return Table(name, MetaData(), *columns, **options)


_PLACES = _scratch(
    "expected_place",
    Column("asset_id", SmallInteger),
    Column("farm_id", Integer),
    Column("zone", Integer),
    Column("geometry", Integer),
)
_INPUTS = _scratch(
    "expected_inputs",
    Column("asset_id", SmallInteger),
    Column("zone", Integer),
    Column("vintage", SmallInteger),
    Column("inputs", Integer),
)
_STALE = _scratch(
    "stale",
    Column("asset_id", SmallInteger),
    Column("farm_id", Integer),
    Column("vintage", SmallInteger),
    Column("mask", Integer),
    Column("recorded", Integer),
)


@dataclass(frozen=True)
class Expected:
    """What :func:`compare` needs to know, in plain numbers.

    Attributes:
        nodes: The assets.
        assets: Asset numbers by key.
        places: (asset number, place, zone, current geometry version or None).
        inputs: (asset number, zone, vintage, row of ``partition_inputs`` or None if this
            document was never used).
    """

    nodes: Sequence[Node]
    assets: Mapping[str, int]
    places: Iterable[tuple[int, int, int, int | None]]
    inputs: Iterable[tuple[int, int, int, int | None]]


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


def compare(connection: Connection, expected: Expected) -> None:
    """Fill the temporary table ``stale`` (asset_id, farm_id, vintage, mask, recorded).

    A partition may stand in it more than once, with different bits of ``mask``.
    """
    for table, rows in ((_PLACES, expected.places), (_INPUTS, expected.inputs), (_STALE, ())):
        connection.execute(text(f"DROP TABLE IF EXISTS pg_temp.{table.name}"))
        table.create(connection)
        copy_rows(connection, table, table.columns.keys(), rows)
        connection.execute(text(f"ANALYZE {table.name}"))
    connection.execute(text(_DIRECT), {"missing": MISSING, "geometry": GEOMETRY, "inputs": INPUTS})
    for node in topological(expected.nodes):
        if node.edges and node.key in expected.assets:
            _follow(connection, node, expected.assets)


_DIRECT = """
INSERT INTO stale
SELECT p.asset_id, p.farm_id, i.vintage,
       CASE WHEN s.history_id IS NULL THEN :missing ELSE
         (CASE WHEN s.geometry_version_id IS DISTINCT FROM p.geometry THEN :geometry ELSE 0 END)
         + (CASE WHEN s.inputs_id IS DISTINCT FROM i.inputs THEN :inputs ELSE 0 END) END,
       s.inputs_id
FROM expected_place AS p
JOIN expected_inputs AS i ON i.asset_id = p.asset_id AND i.zone = p.zone
LEFT JOIN partition_state AS s
  ON s.asset_id = p.asset_id AND s.farm_id = p.farm_id AND s.vintage = i.vintage
WHERE s.history_id IS NULL
   OR s.geometry_version_id IS DISTINCT FROM p.geometry
   OR s.inputs_id IS DISTINCT FROM i.inputs
"""

_UPSTREAM = """
INSERT INTO stale
SELECT s.asset_id, s.farm_id, s.vintage, :upstream, NULL
FROM (
    SELECT p.farm_id, i.vintage, bit_xor(u.token) AS token, bool_or(d.farm_id IS NOT NULL) AS stale
    FROM expected_place AS p
    JOIN expected_inputs AS i ON i.asset_id = p.asset_id AND i.zone = p.zone
    CROSS JOIN unnest(CAST(:assets AS smallint[]), CAST(:offsets AS int[])) AS edge(asset_id, by)
    LEFT JOIN partition_state AS u
      ON u.asset_id = edge.asset_id AND u.farm_id = p.farm_id AND u.vintage = i.vintage + edge.by
    LEFT JOIN (SELECT DISTINCT asset_id, farm_id, vintage FROM stale) AS d
      ON d.asset_id = edge.asset_id AND d.farm_id = p.farm_id AND d.vintage = i.vintage + edge.by
    WHERE p.asset_id = :asset
    GROUP BY p.farm_id, i.vintage
) AS now
JOIN partition_state AS s
  ON s.asset_id = :asset AND s.farm_id = now.farm_id AND s.vintage = now.vintage
WHERE now.stale OR s.upstream IS DISTINCT FROM now.token
"""


def edge_offsets(node: Node) -> Iterator[tuple[str, int]]:
    """(upstream asset, vintage offset) of every partition that a partition reads, in order.

    Each once, however many edges name it: a token that is combined twice would cancel out.
    """
    yield from dict.fromkeys(
        (edge.upstream, offset)
        for edge in node.edges
        for offset in range(edge.first, edge.last + 1)
    )


def _follow(connection: Connection, node: Node, assets: Mapping[str, int]) -> None:
    edges = [(assets[key], by) for key, by in edge_offsets(node) if key in assets]
    connection.execute(text("ANALYZE stale"))
    connection.execute(
        text(_UPSTREAM),
        {
            "asset": assets[node.key],
            "upstream": UPSTREAM,
            "assets": [asset for asset, _ in edges],
            "offsets": [by for _, by in edges],
        },
    )


def stale_partitions(
    connection: Connection, worlds: Sequence[CompanyWorld], expectation: Expectation
) -> list[StalePartition]:
    """List what should be computed again, upstream first, each with all its causes.

    Args:
        connection: An open transaction; temporary tables are made in it.
        worlds: The companies, for the places' current polygons.
        expectation: What should be, for the assets and places of interest.
    """
    assets = asset_ids(connection, [node.key for node in GRAPH])
    compare(connection, _expected(connection, worlds, expectation, assets))
    names = {number: key for key, number in assets.items()}
    order = {node.key: position for position, node in enumerate(topological(GRAPH))}
    rows = connection.execute(
        text(
            "SELECT asset_id, farm_id, vintage, bit_or(mask) AS mask, max(recorded) AS recorded"
            " FROM stale GROUP BY asset_id, farm_id, vintage"
        )
    ).all()
    reasons = _Reasons(connection, expectation, {row.recorded for row in rows if row.recorded})
    found = [
        StalePartition(
            asset=names[row.asset_id],
            place_id=row.farm_id,
            vintage=row.vintage,
            causes=reasons.of(names[row.asset_id], row),
        )
        for row in rows
    ]
    return sorted(found, key=lambda one: (order[one.asset], one.place_id, one.vintage))


def _expected(
    connection: Connection,
    worlds: Sequence[CompanyWorld],
    expectation: Expectation,
    assets: Mapping[str, int],
) -> Expected:
    geometry = {p.id: p.geometry_version_id for world in worlds for p in world.places.values()}
    uses = {node.key: node.uses_geometry for node in GRAPH}
    known = inputs_ids(connection, expectation.documents.values())
    return Expected(
        nodes=GRAPH,
        assets=assets,
        places=[
            (assets[asset], place, zone, geometry[place] if uses[asset] else None)
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
        rows = connection.execute(query.where(PartitionInputs.id.in_(recorded)))
        self._recorded = {row.id: row.document for row in rows}
        self._known: dict[tuple[int, bytes], tuple[str, ...]] = {}

    def of(self, asset: str, row: Any) -> tuple[str, ...]:
        found: list[str] = []
        if row.mask & MISSING:
            found.append("missing")
        if row.mask & GEOMETRY:
            found.append("geometry")
        if row.mask & INPUTS:
            wanted = self._expectation.document(asset, row.farm_id, row.vintage)
            if wanted is not None:
                found += self._difference(row.recorded, wanted)
        if row.mask & UPSTREAM:
            found.append("upstream")
        return tuple(found)

    def _difference(self, recorded: int, wanted: InputDocument) -> tuple[str, ...]:
        key = recorded, wanted.digest
        if key not in self._known:
            self._known[key] = causes(self._recorded[recorded], wanted.document)
        return self._known[key]
