"""From an edit of one farm among 200 to its new receipts and metrics, through the real stack.

Run with ``uv run python benchmarks/edit_to_metric.py`` (``--quick`` for 20 farms and three
vintages). It starts an embedded server in a temporary folder, computes a generated portfolio,
and starts what ``carbon-assets ui`` starts: code server, web server, daemon. Then one polygon is
edited through an import, as a user would, and nothing else is asked for. The last line of output
is one JSON object; the clock of ``seconds`` begins with the sensor's tick that saw the edit.
"""

from __future__ import annotations

import argparse
import json
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import os

from dagster import AssetKey, DagsterInstance, RunsFilter
from portfolio import edit_farm, write_portfolio
from scenario import Size
from sqlalchemy import text

from carbon_assets.cli.servers import serving
from carbon_assets.orchestration.event_storage import latest_versions
from carbon_assets.orchestration.instance import open_instance
from carbon_assets.orchestration.refresh import bring_up_to_date
from carbon_assets.orchestration.store import CarbonStore
from carbon_assets.portfolio import import_portfolio
from carbon_assets.provenance.graph import FARM_METRICS
from carbon_assets.store.database import Database, open_database
from carbon_assets.store.engines import dispose_engines, transaction
from carbon_assets.store.server import stop_server

FULL = Size(cells=2000, farms=200, vintages=10, hectares=150_000.0)
QUICK = Size(cells=2000, farms=20, vintages=3, hectares=15_000.0)
SENSOR = "geometry_edits"
ASSETS = ("raster_aggregates/land_cover", "raster_aggregates/biomass", FARM_METRICS)
PATIENCE_S = 300.0
LOOK_S = 0.05


@dataclass(frozen=True)
class State:
    """What is current, and what Dagster knows: by (asset, place key, vintage).

    Attributes:
        marks: Fingerprints in ``partition_state``.
        events: Number of the latest materialization in Dagster's log.
        history: Newest row of ``partition_history``.
    """

    marks: dict[tuple[str, str, int], str]
    events: dict[tuple[str, str], int]
    history: int

    @classmethod
    def of(cls, database: Database, instance: DagsterInstance) -> State:
        """Read the state of all place assets."""
        query = text(
            "SELECT a.key AS asset, f.partition_key AS place, s.vintage,"
            " encode(s.fingerprint, 'hex') AS mark FROM partition_state AS s"
            " JOIN asset_keys AS a ON a.id = s.asset_id JOIN farms AS f ON f.id = s.subject_id"
            " WHERE a.key = ANY(:assets)"
        )
        with transaction(database) as connection:
            rows = connection.execute(query, {"assets": sorted(ASSETS)}).all()
            last = connection.execute(text("SELECT max(id) FROM partition_history"))
            history = int(last.scalar_one() or 0)
        marks = {(row.asset, row.place, row.vintage): row.mark for row in rows}
        keys = {f"{place}|{vintage}" for _, place, vintage in marks}
        events = {
            (asset, key): version.storage_id
            for asset in ASSETS
            for key, version in latest_versions(instance, AssetKey(asset.split("/")), keys).items()
        }
        return cls(marks, events, history)


def wait_for(what: str, ready: Callable[[], Any]) -> Any:
    """Look again and again until something is there, and return it."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if found := ready():
            return found
        time.sleep(LOOK_S)
    raise SystemExit(f"waited {PATIENCE_S:.0f} s in vain for {what}")


def committed(database: Database, after: int, expected: int) -> bool:
    """Whether every partition of the edited farm has become current again."""
    query = text(
        "SELECT count(*) FROM partition_history AS h JOIN asset_keys AS a ON a.id = h.asset_id"
        " WHERE h.id > :after AND a.key = ANY(:assets)"
    )
    with transaction(database) as connection:
        values = {"after": after, "assets": sorted(ASSETS)}
        return int(connection.execute(query, values).scalar_one()) >= expected


def tick_of(instance: DagsterInstance, since: float) -> Any:
    """The sensor's first tick since a moment that asked for a run, if there is one."""
    for state in instance.all_instigator_state():
        if state.instigator_name == SENSOR:
            ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=20)
            asked = [one for one in ticks if one.run_ids and one.timestamp >= since]
            if asked:
                return min(asked, key=lambda one: one.timestamp)
    return None


def has_ticked(instance: DagsterInstance) -> bool:
    """Whether the sensor has been evaluated to its end since the servers are up."""
    return any(
        state.instigator_name == SENSOR
        and any(
            one.is_completed
            for one in instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=5)
        )
        for state in instance.all_instigator_state()
    )


def measure(
    database: Database, instance: DagsterInstance, portfolio: Path, size: Size
) -> dict[str, Any]:
    """Edit one farm under running servers; require that exactly its partitions follow."""
    wait_for("a first tick", lambda: has_ticked(instance))
    before = State.of(database, instance)
    farm = edit_farm(portfolio.parent, size.farms // 3, 0.9)
    edited = time.time()
    import_portfolio(database, portfolio)
    imported = time.time()
    expected = len(ASSETS) * size.vintages
    wait_for("the farm's metrics", lambda: committed(database, before.history, expected))
    done = time.time()
    tick = wait_for("the tick", lambda: tick_of(instance, edited))
    run_id = tick.run_ids[0]
    wait_for("the end of the run", lambda: instance.get_run_by_id(run_id).is_finished)
    run = instance.get_run_records(RunsFilter(run_ids=[run_id]))[0]
    after = State.of(database, instance)
    moved = {key for key, mark in after.marks.items() if before.marks.get(key) != mark}
    told = {key for key, number in after.events.items() if before.events.get(key) != number}
    places = {place for _, place, _ in before.marks}
    touched = {place for _, place, _ in moved} | {key.rpartition("|")[0] for _, key in told}
    if {place for _, place, _ in moved} != {p for p in places if p.startswith(f"{farm}-")}:
        raise SystemExit(f"not only {farm} was computed: {sorted(touched)}")
    return {
        "seconds": round(done - tick.timestamp, 2),
        "materialized": len(moved),
        "expected": expected,
        "told": len(told),
        "untouched": len(places - touched),
        "farms": size.farms,
        "vintages": size.vintages,
        "import_s": round(imported - edited, 2),
        "waited_for_tick_s": round(tick.timestamp - imported, 2),
        "tick_to_run_created_s": round(run.create_timestamp.timestamp() - tick.timestamp, 2),
        "created_to_started_s": round(run.start_time - run.create_timestamp.timestamp(), 2),
        "started_to_metrics_s": round(done - run.start_time, 2),
    }


def main() -> None:
    """Measure, and print one JSON object last."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true", help="20 farms, three vintages")
    size = QUICK if arguments.parse_args().quick else FULL
    with tempfile.TemporaryDirectory(prefix="carbon-edit-") as name:
        home = Path(name)
        home.chmod(0o755)  # under root, PostgreSQL's account walks through it
        os.environ["CARBON_HOME"] = str(home)
        (home / "files").mkdir()
        portfolio = write_portfolio(home / "files", size)
        database = open_database(home)
        try:
            import_portfolio(database, portfolio)
            with open_instance(database, home / "dagster") as instance:
                bring_up_to_date(CarbonStore(database), instance)
                with serving(home / "dagster", free_port(), daemon=True):
                    found = measure(database, instance, portfolio, size)
        finally:
            dispose_engines(database)
            stop_server(home)
    print(json.dumps(found))


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
