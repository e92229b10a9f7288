"""Staleness of a large portfolio: 10,000 farms, ten vintages, twenty assets, two million rows.

Run with ``uv run python benchmarks/status.py`` (``--quick`` for a tenth of it). It starts an
embedded server in a temporary folder. The last line of output is one JSON object.

Two things are measured: ``status.compare`` over a synthetic graph of twenty assets with
vintage windows and diamonds, and ``plan`` of the real graph, its project included, for a demo
company that was multiplied to as many farms, all of one project.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from sqlalchemy import Connection, text

from carbon_assets.demo.landscape import write_landscape
from carbon_assets.portfolio import import_portfolio
from carbon_assets.provenance.expectation import asset_ids, expect
from carbon_assets.provenance.graph import GRAPH, PROJECT_METRICS, Edge, Node, edge_offsets
from carbon_assets.provenance.plan import plan
from carbon_assets.provenance.record import record_history
from carbon_assets.provenance.staleness import Expected
from carbon_assets.provenance.status import compare, stale_partitions
from carbon_assets.provenance.world import CompanyWorld, load_companies
from carbon_assets.store.database import Database, open_database
from carbon_assets.store.engines import dispose_engines, owner_engine, transaction
from carbon_assets.store.server import stop_server

VINTAGES = range(2013, 2023)
ZONES = 3
SOURCES = 6
TREE = 11
FIRST_COPY = 10_000_000
"""Row number of the first copied farm, out of the way of the synthetic ones."""


def graph() -> tuple[Node, ...]:
    """Twenty assets: six that read rasters, a tree of eleven over the first, three beside it.

    Each asset of the tree reads its parent and one raster asset, so paths meet again; some
    look back over vintages.
    """
    roots = [Node(f"source_{i}", uses_geometry=True) for i in range(SOURCES)]
    windows = {4: (-2, 0), 7: (-1, -1), 9: (-2, 0)}
    tree = []
    for i in range(TREE):
        parent = f"tree_{(i - 1) // 2}" if i else "source_0"
        edges = (Edge(parent, *windows.get(i, (0, 0))), Edge(f"source_{1 + i % (SOURCES - 1)}"))
        tree.append(Node(f"tree_{i}", uses_geometry=False, edges=edges))
    beside = [
        Node(f"beside_{i}", uses_geometry=True, edges=(Edge(f"source_{3 + i}", -1, 0),))
        for i in range(3)
    ]
    return (*roots, *tree, *beside)


@dataclass
class Portfolio:
    """What should be, in the plain numbers that ``compare`` takes.

    Attributes:
        nodes: The assets.
        assets: Their numbers.
        farms: Row numbers of the farms.
        moved: Farms whose polygon is not the recorded one.
        rewritten: Assets whose input documents are not the recorded ones.
    """

    nodes: tuple[Node, ...]
    assets: Mapping[str, int]
    farms: Collection[int]
    moved: frozenset[int] = frozenset()
    rewritten: frozenset[str] = field(default_factory=frozenset)

    def expected(self) -> Expected:
        """What ``compare`` takes."""
        return Expected(
            nodes=self.nodes,
            assets=self.assets,
            subjects=list(self._places()),
            inputs=list(self._inputs()),
        )

    def _places(self) -> Iterator[tuple[int, int, int, int | None]]:
        for node in self.nodes:
            number = self.assets[node.key]
            for farm in self.farms:
                version = farm + FIRST_COPY if farm in self.moved else farm
                yield number, farm, farm % ZONES, version if node.uses_geometry else None

    def _inputs(self) -> Iterator[tuple[int, int, int, int | None]]:
        for node in self.nodes:
            known = node.key not in self.rewritten
            for zone in range(ZONES):
                for vintage in VINTAGES:
                    yield self.assets[node.key], zone, vintage, 1 if known else None


_FILL = """
INSERT INTO partition_state (
    asset_id, subject_id, vintage, history_id,
    geometry_version_id, inputs_id, upstream, fingerprint)
SELECT :asset, farm, vintage, 1, CASE WHEN :geometry THEN farm END, 1,
    (SELECT bit_xor(u.token)
     FROM unnest(CAST(:assets AS smallint[]), CAST(:offsets AS int[])) AS edge(asset_id, by)
     JOIN partition_state AS u
        ON u.asset_id = edge.asset_id AND u.subject_id = farm
        AND u.vintage = year.vintage + edge.by),
    sha256(convert_to(concat_ws('/', :asset, farm, vintage), 'UTF8'))
FROM generate_series(1, :farms) AS farm,
    generate_series(CAST(:first AS int), CAST(:last AS int)) AS year(vintage)
"""


def fill(database: Database, nodes: tuple[Node, ...], farms: int) -> dict[str, int]:
    """Write the state of all partitions as the owner, past the trigger that keeps it."""
    with owner_engine(database).begin() as connection:
        assets = asset_ids(connection, [node.key for node in nodes])
        connection.execute(text("ALTER TABLE partition_state DISABLE TRIGGER written_by_trigger"))
        for node in nodes:
            edges = list(edge_offsets(node))
            numbers = {
                "asset": assets[node.key],
                "geometry": node.uses_geometry,
                "assets": [assets[key] for key, _ in edges],
                "offsets": [by for _, by in edges],
                "farms": farms,
                "first": VINTAGES[0],
                "last": VINTAGES[-1],
            }
            connection.execute(text(_FILL), numbers)
        connection.execute(
            text("ALTER TABLE partition_state ENABLE ALWAYS TRIGGER written_by_trigger")
        )
    with owner_engine(database).connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.execute(text("VACUUM (ANALYZE) partition_state"))
    return assets


def timed(repeats: int, work: Callable[[], Any]) -> tuple[float, Any]:
    """Best time of some repeats in seconds, and the last result."""
    best, result = float("inf"), None
    for _ in range(repeats):
        start = time.perf_counter()
        result = work()
        best = min(best, time.perf_counter() - start)
    return best, result


def compared(database: Database, portfolio: Portfolio) -> int:
    """Run ``compare`` in a transaction of its own; return how many partitions are stale."""
    with transaction(database) as connection:
        return len(compare(connection, portfolio.expected()))


def synthetic(database: Database, farms: int, repeats: int) -> dict[str, Any]:
    """Measure ``compare`` over the synthetic graph."""
    nodes = graph()
    fill_s, assets = timed(1, lambda: fill(database, nodes, farms))
    calm = Portfolio(nodes, assets, range(1, farms + 1))
    one = farms // 2
    cases = {
        "direct_and_transitive": calm,
        "stale_1_farm": replace(calm, moved=frozenset({one})),
        "stale_code": replace(calm, rewritten=frozenset({"source_0"})),
        "one_farm": replace(calm, farms=[one], moved=frozenset({one})),
    }
    found: dict[str, Any] = {"fill_s": round(fill_s, 2)}
    for name, portfolio in cases.items():
        seconds, stale = timed(repeats, lambda portfolio=portfolio: compared(database, portfolio))
        found |= {f"{name}_s": round(seconds, 4), f"{name}_partitions": stale}
        print(f"{name}: {seconds:.4f} s, {stale} stale")
    return found


def multiplied(database: Database, home: Path, farms: int) -> CompanyWorld:
    """The demo company with one farm copied, so that it has as many as wanted."""
    import_portfolio(database, write_landscape(home / "landscape"))
    with transaction(database) as connection:
        (world,) = load_companies(connection)
    model = next(iter(world.places.values()))
    numbers = range(FIRST_COPY, FIRST_COPY + farms)
    places = {i: replace(model, id=i, key=f"farm-{i}", geometry_version_id=i) for i in numbers}
    return replace(world, places=places)


def real(database: Database, home: Path, farms: int, repeats: int) -> dict[str, Any]:
    """Measure the status and the plan of the real graph, for all farms and for one."""
    world = multiplied(database, home, farms)
    found: dict[str, Any] = {}
    start = time.perf_counter()
    for node in (one for one in GRAPH if world.computes(one.key)):
        with transaction(database) as connection:
            subjects = world.places if node.level == "place" else world.projects
            keys = [(i, vintage) for i, one in subjects.items() for vintage in one.vintages]
            record_history(connection, plan(connection, world, node.key, keys), None)
    found["plan_and_record_all_s"] = round(time.perf_counter() - start, 2)
    with owner_engine(database).connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.execute(text("VACUUM (ANALYZE) partition_state, partition_history"))
    one = FIRST_COPY + farms // 2
    moved = replace(world.places[one], geometry_version_id=1)
    edited = replace(world, places={**world.places, one: moved})
    keys = [(one, vintage) for vintage in moved.vintages]
    fewer = replace(world, places={i: place for i, place in world.places.items() if i != one})

    def status(connection: Connection) -> int:
        return len(stale_partitions(connection, [edited], expect([edited])))

    def plan_1_farm(connection: Connection) -> int:
        return len(plan(connection, edited, GRAPH[0].key, keys))

    owner = [(moved.project_id or 0, vintage) for vintage in moved.vintages]

    def plan_its_project(connection: Connection) -> int:
        return len(plan(connection, fewer, PROJECT_METRICS, owner))

    for count in (status, plan_1_farm, plan_its_project):
        seconds, partitions = timed(repeats, lambda count=count: in_transaction(database, count))
        found |= {
            f"{count.__name__}_s": round(seconds, 4),
            f"{count.__name__}_partitions": partitions,
        }
        print(f"{count.__name__}: {seconds:.4f} s, {partitions} stale")
    return found


def in_transaction(database: Database, count: Callable[[Connection], int]) -> int:
    """Run one measurement in a transaction of its own."""
    with transaction(database) as connection:
        return count(connection)


def main() -> None:
    """Measure, and print one JSON object last."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true", help="a tenth of the farms")
    farms = 1_000 if arguments.parse_args().quick else 10_000
    with tempfile.TemporaryDirectory(prefix="carbon-status-") as name:
        home = Path(name)
        home.chmod(0o755)  # under root, PostgreSQL's account walks through it
        database = open_database(home)
        try:
            found = synthetic(database, farms, repeats=3) | real(database, home, farms, repeats=3)
            with transaction(database) as connection:
                query = "SELECT count(*), pg_database_size(current_database()) FROM partition_state"
                rows, size = connection.execute(text(query)).one()
        finally:
            dispose_engines(database)
            stop_server(home)
    size_of = {"farms": farms, "vintages": len(VINTAGES), "assets": len(graph()), "rows": rows}
    print(json.dumps(size_of | found | {"database_mb": round(size / 1e6)}))


if __name__ == "__main__":
    main()
