"""The whole stack, as ``carbon-assets ui`` starts it, asked through GraphQL: it runs itself."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from carbon_assets.demo.edits import apply_edit
from carbon_assets.demo.landscape import write_landscape
from carbon_assets.store.database import Database
from carbon_assets.store.engines import transaction
from carbon_assets_tests.cli.command import carbon, environment
from carbon_assets_tests.cli.test_ui import asked, descendants, free_port, running, start
from carbon_assets_tests.store.processes import wait_for

SECONDS = 120
RUNS = "{ runsOrError { ... on Runs { results { runId jobName status tags { key value } } } } }"
SENSORS = """{ sensorsOrError(repositorySelector: {
  repositoryName: "__repository__", repositoryLocationName: "carbon_assets"
}) { ... on Sensors { results {
  name sensorState { status ticks(limit: 1) { status } }
} } } }"""


@dataclass(frozen=True)
class Stack:
    """Running servers.

    Attributes:
        address: Of the web server.
        pid: Process of the command.
        portfolio: The demo's portfolio file.
    """

    address: str
    pid: int
    portfolio: Path

    def ask(self, query: str) -> list[dict[str, Any]]:
        [answer] = asked(self.address, query).values()
        return list(answer["results"])

    def has_looked(self) -> bool:
        """Whether every sensor has ended a tick: each then knows what was there before."""
        ticks = [one["sensorState"]["ticks"] for one in self.ask(SENSORS)]
        return all(one and one[0]["status"] in ("SKIPPED", "SUCCESS") for one in ticks)

    def runs(self, cause: str) -> list[dict[str, Any]]:
        """Runs that a sensor asked for, with their tags."""
        found = [
            {**run, "tags": {tag["key"]: tag["value"] for tag in run["tags"]}}
            for run in self.ask(RUNS)
        ]
        return [run for run in found if run["tags"].get("carbon_assets/cause") == cause]


@pytest.fixture
def stack(fresh_database: Database, tmp_path: Path) -> Iterator[Stack]:
    portfolio = write_landscape(tmp_path / "landscape")
    written = portfolio.read_text(encoding="utf-8")
    portfolio.write_text(written.replace("2014-2023", "2022-2023"), encoding="utf-8")
    home = tmp_path / "home"
    with environment(home, fresh_database):
        carbon("run", portfolio)
        process = start(fresh_database, home, free_port())
        try:
            assert process.stdout is not None
            found = re.search(r"http://\S+", process.stdout.readline())
            assert found, process.communicate()
            yield Stack(found[0], process.pid, portfolio)
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=120)


def receipts(database: Database) -> dict[tuple[str, str], int]:
    """Receipts by place and fingerprint."""
    query = text(
        "SELECT f.key, r.inputs_fingerprint, count(*) FROM raster_aggregates AS r"
        " JOIN farms AS f ON f.id = r.geometry_id GROUP BY 1, 2"
    )
    with transaction(database) as connection:
        return {(row[0], row[1]): row[2] for row in connection.execute(query)}


def is_fresh() -> bool:
    return bool(carbon("status", "--json").document()["total"]["stale"] == 0)


def test_an_edit_is_followed_even_if_the_daemon_dies(
    stack: Stack, fresh_database: Database
) -> None:
    assert {one["sensorState"]["status"] for one in stack.ask(SENSORS)} == {"RUNNING"}
    assert wait_for(stack.has_looked, SECONDS)
    before = receipts(fresh_database)
    apply_edit(stack.portfolio.parent)
    imported = carbon("farms", "import", stack.portfolio, "--json").document()
    assert imported["places"]["changed"] == ["north-01"]
    assert not is_fresh()

    assert wait_for(lambda: bool(stack.runs("geometry")), SECONDS)
    [daemon] = running("dagster._daemon", descendants(stack.pid))
    os.kill(daemon, signal.SIGKILL)

    assert wait_for(is_fresh, SECONDS)
    assert wait_for(lambda: {run["status"] for run in stack.runs("geometry")} == {"SUCCESS"})
    asked_for = stack.runs("geometry")
    assert {run["jobName"] for run in asked_for} >= {"stale_partitions"}
    tags = next(r["tags"] for r in asked_for if r["jobName"] == "stale_partitions")
    assert tags["carbon_assets/object"] == "north-01"
    assert tags["carbon_assets/sensor"] == "geometry_edits"
    assert tags["carbon_assets/old_version"] != tags["carbon_assets/new_version"]

    after = receipts(fresh_database)
    assert {key: after[key] for key in before} == before
    assert {place for place, _ in after.keys() - before.keys()} == {"north-01"}
    assert len(after) - len(before) == 2 * 2
    history = text(
        "SELECT f.key, count(*) FROM partition_history AS h JOIN asset_keys AS a"
        " ON a.id = h.asset_id AND a.key = 'farm_metrics' JOIN farms AS f ON f.id = h.subject_id"
        " GROUP BY 1 HAVING count(*) <> 2"
    )
    with transaction(fresh_database) as connection:
        assert [tuple(row) for row in connection.execute(history)] == [("north-01", 4)]
