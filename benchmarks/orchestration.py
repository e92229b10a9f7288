"""Dagster's bookkeeping at the client's size: 20 assets × 2,000 partitions in one run.

Run with ``uv run python benchmarks/orchestration.py`` (``--quick`` for a tenth of the places). It
starts an embedded server in a temporary folder. The last line of output is one JSON object.

The assets compute nothing: what is measured is everything around the computing. They are made
as the assets of the project are (generators that yield one materialization per partition with
its data version and the versions it read), and run through the project's instance and storage
over a range, so that Dagster also plans each partition beforehand. The peer is the same on
fewer places through the ``PostgresEventLogStorage`` that Dagster ships, on the same server.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import yaml
from bookkeeping_assets import VINTAGES, Clock, chain_of_assets
from dagster import DagsterEventType, DagsterInstance, Definitions, in_process_executor

from carbon_assets.orchestration.instance import open_instance
from carbon_assets.orchestration.launch import Launcher
from carbon_assets.orchestration.partitions import PlaceVintage, add_places
from carbon_assets.store.database import Database, open_database
from carbon_assets.store.engines import dispose_engines, owner_engine
from carbon_assets.store.server import stop_server

PLACES = 200
PEER_PLACES = 2
ASSETS = 20


def measure(instance: DagsterInstance, assets: int, places: int) -> dict[str, Any]:
    """Run some assets over some places × ten vintages; require that every event is there."""
    clock = Clock()
    definitions = Definitions(assets=chain_of_assets(assets, clock), executor=in_process_executor)
    keys = [f"farm-{number:05d}" for number in range(places)]
    add_places(instance, keys)
    wanted = [PlaceVintage(key, vintage) for key in keys for vintage in VINTAGES]
    selected = definitions.resolve_asset_graph().get_all_asset_keys()
    started = time.perf_counter()
    result = Launcher(instance, definitions).run_partitions(list(selected), wanted)
    wall = time.perf_counter() - started
    expected = assets * len(wanted)
    _require_told(instance, result.run_id, expected)
    bookkeeping = wall - clock.own_s
    return {
        "asset_partitions": expected,
        "wall_s": round(wall, 2),
        "bookkeeping_s": round(bookkeeping, 2),
        "per_second": round(expected / bookkeeping),
    }


def _require_told(instance: DagsterInstance, run_id: str, expected: int) -> None:
    for kind in (
        DagsterEventType.ASSET_MATERIALIZATION,
        DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
    ):
        stored = len(instance.all_logs(run_id, of_type=kind))
        if stored != expected:
            raise SystemExit(f"{stored} events of {kind.value} are stored, {expected} were due")


def stock_instance(database: Database, home: Path) -> AbstractContextManager[DagsterInstance]:
    """Open an instance with the storage that Dagster ships, in a schema of its own."""
    schema = "dagster_stock"
    with owner_engine(database).begin() as connection:
        connection.exec_driver_sql(f"CREATE SCHEMA {schema} AUTHORIZATION carbon_assets_app")
    url = database.dagster_url.replace("search_path%3Ddagster", f"search_path%3D{schema}")
    if url == database.dagster_url:
        raise SystemExit("the address of Dagster's schema is not spelled as expected")
    home.mkdir()
    document = {"storage": {"postgres": {"postgres_url": url}}, "telemetry": {"enabled": False}}
    (home / "dagster.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    return DagsterInstance.from_config(str(home))


def main() -> None:
    """Measure, and print one JSON object last."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true", help="a tenth of the places")
    places = PLACES // 10 if arguments.parse_args().quick else PLACES
    with tempfile.TemporaryDirectory(prefix="carbon-orchestration-") as name:
        home = Path(name)
        home.chmod(0o755)  # under root, PostgreSQL's account walks through it
        database = open_database(home)
        try:
            with open_instance(database, home / "dagster") as instance:
                found = measure(instance, ASSETS, places)
            print(found)
            with stock_instance(database, home / "stock") as instance:
                peer = measure(instance, ASSETS, PEER_PLACES)
        finally:
            dispose_engines(database)
            stop_server(home)
    peer = {"name": "dagster_postgres.PostgresEventLogStorage", **peer}
    ratio = round(found["per_second"] / peer["per_second"], 1)
    print(json.dumps({**found, "peer": peer, "times_the_peer": ratio}))


if __name__ == "__main__":
    main()
