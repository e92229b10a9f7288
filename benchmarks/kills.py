"""A run of 1,000 partitions per asset, killed 100 times at random points and started again.

Run with ``uv run python benchmarks/kills.py`` (``--quick`` for a tenth of both). It starts an
embedded server in a temporary folder. The last line of output is one JSON object.

The killed process is the whole chain through Dagster: run, events, receipts, metrics. It
commits small chunks, so that many points lie between two commits, inside one, and between a
commit and the moment when Dagster is told of it. At the end the database is compared with one
in which the same portfolio was computed without any disturbance.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from portfolio import write_portfolio
from scenario import Size

from carbon_assets.orchestration.instance import open_instance
from carbon_assets.portfolio import import_portfolio
from carbon_assets.store.database import Database, open_database
from carbon_assets.store.engines import dispose_engines
from carbon_assets.store.server import stop_server
from carbon_assets_tests.orchestration.killing import (
    Ordeal,
    Victim,
    numbers,
    outstanding,
    twice_recorded,
    untold,
)

SEED = 20240229
FULL = Size(cells=1200, farms=100, vintages=10, hectares=40_000.0)
QUICK = Size(cells=1200, farms=20, vintages=5, hectares=8_000.0)
CHUNK = 10
"""Partitions per commit: 100 commits per asset of the full run."""
PAUSE = 0.3
"""Longest time between the last commit seen and the kill, seconds."""


def undisturbed(home: Path, portfolio: Path) -> dict[str, Counter[tuple[Any, ...]]]:
    """Compute the portfolio in a database of its own; return its rows."""
    database = open_database(home)
    try:
        import_portfolio(database, portfolio)
        if Victim(database, home / "dagster", CHUNK).finish() != 0:
            raise SystemExit("the undisturbed run failed")
        return numbers(database)
    finally:
        dispose_engines(database)
        stop_server(home)


def measure(database: Database, home: Path, kills: int) -> tuple[Ordeal, int]:
    """Kill the run and start it again until it is done; return what it suffered."""
    ordeal = Ordeal(database, home, chunk=CHUNK, pause=PAUSE, seed=SEED)
    hits = ordeal.suffer(kills)
    if ordeal.recover() != 0:
        raise SystemExit("the last run failed")
    return ordeal, hits


def compared(
    expected: dict[str, Counter[tuple[Any, ...]]], found: dict[str, Counter[tuple[Any, ...]]]
) -> dict[str, int]:
    """Count rows, rows that should not be there, rows that are missing and rows there twice."""
    return {
        "rows": sum(sum(rows.values()) for rows in found.values()),
        "double": sum(n - 1 for rows in found.values() for n in rows.values()),
        "missing": sum(sum((rows - found[table]).values()) for table, rows in expected.items()),
        "different": sum(sum((found[table] - rows).values()) for table, rows in expected.items()),
    }


def main() -> None:
    """Measure, and print one JSON object last."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true", help="a tenth of partitions and kills")
    quick = arguments.parse_args().quick
    size, kills = (QUICK, 10) if quick else (FULL, 100)
    with tempfile.TemporaryDirectory(prefix="carbon-kills-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # under root, PostgreSQL's account walks through it
        for home in ("files", "calm", "killed"):
            (folder / home).mkdir()
        portfolio = write_portfolio(folder / "files", size)
        expected = undisturbed(folder / "calm", portfolio)
        home = folder / "killed"
        database = open_database(home)
        try:
            import_portfolio(database, portfolio)
            started = time.perf_counter()
            ordeal, hits = measure(database, home / "dagster", kills)
            wall = time.perf_counter() - started
            with open_instance(database, home / "dagster") as instance:
                found = {
                    "partitions": size.farms * size.vintages,
                    "kills": hits,
                    "runs": ordeal.starts,
                    "wall_s": round(wall, 1),
                    **compared(expected, numbers(database)),
                    "recorded_twice": twice_recorded(database),
                    "stale": outstanding(database),
                    "untold": untold(database, instance),
                    "stale_after_each_kill": ordeal.remaining,
                }
        finally:
            dispose_engines(database)
            stop_server(home)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
