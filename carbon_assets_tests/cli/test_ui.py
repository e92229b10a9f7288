"""Dagster's web interface, started and stopped for real."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from carbon_assets.cli import children
from carbon_assets.errors import CarbonAssetsError
from carbon_assets.store.database import Database
from carbon_assets.store.engines import transaction
from carbon_assets_tests.cli.command import carbon
from carbon_assets_tests.store.processes import wait_for

RELOAD = """mutation {
  reloadRepositoryLocation(repositoryLocationName: "carbon_assets") { __typename }
}"""
YEARS = "{ assetNodes { partitionKeysByDimension { name partitionKeys } } }"
PROJECT = text(
    "INSERT INTO projects (company_id, key, name, vintages)"
    " VALUES (:company, 'p', 'P', '{2019,2020}')"
)
QUERY = "{ assetNodes { assetKey { path } } }"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(database: Database, home: Path, port: int) -> subprocess.Popen[str]:
    """Start the command as a shell does in the background: SIGINT is ignored at first."""
    given = {k: v for k, v in os.environ.items() if k not in ("CARBON_DAGSTER_URL", "DAGSTER_HOME")}
    own = {"CARBON_HOME": str(home), "CARBON_DATABASE_URL": database.owner_url}
    return subprocess.Popen(
        [sys.executable, "-m", "carbon_assets", "ui", "--port", str(port)],
        env=given | own,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),  # noqa: PLW1509
    )


def asked(address: str, query: str) -> Any:
    request = urllib.request.Request(
        f"{address}/graphql",
        data=json.dumps({"query": query}).encode(),
        headers={"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)["data"]


def descendants(pid: int) -> set[int]:
    """Every process that a process has started, directly or not."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True)
    pairs = [tuple(map(int, line.split())) for line in listed.stdout.splitlines()]
    found: set[int] = set()
    fresh = {pid}
    while fresh:
        fresh = {child for child, parent in pairs if parent in fresh} - found
        found |= fresh
    return found


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_it_shows_the_assets_and_leaves_no_process_behind(
    fresh_database: Database, tmp_path: Path
) -> None:
    process = start(fresh_database, tmp_path, port := free_port())
    started: set[int] = set()
    try:
        assert process.stdout is not None
        found = re.search(r"http://\S+", process.stdout.readline())
        assert found, process.communicate()
        assert found[0] == f"http://127.0.0.1:{port}"
        with urllib.request.urlopen(f"{found[0]}/server_info", timeout=60) as answer:
            assert "dagster_version" in json.load(answer)
        paths = {tuple(n["assetKey"]["path"]) for n in asked(found[0], QUERY)["assetNodes"]}
        assert {
            ("place_geometries",),
            ("raster_aggregates", "land_cover"),
            ("raster_aggregates", "biomass"),
            ("farm_metrics",),
        } <= paths
        require_reload(fresh_database, found[0])
        started = descendants(process.pid)
        assert len(started) >= 4
        [daemon] = running("dagster._daemon", started)
        os.kill(daemon, signal.SIGKILL)
        assert wait_for(lambda: alone(process, "dagster._daemon") not in (None, daemon), 60)
        started |= descendants(process.pid)
    finally:
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=120)
    assert process.returncode == 130
    assert re.fullmatch(r"The daemon ended with status -9; it is started again in 1 s.*\n", stderr)
    assert wait_for(lambda: not any(map(alive, started)))


def require_reload(database: Database, address: str) -> None:
    """A vintage that appears while the servers run is there once the location is reloaded."""
    with transaction(database) as connection:
        company = connection.execute(
            text("INSERT INTO companies (key, name) VALUES ('c', 'C') RETURNING id")
        ).scalar_one()
        connection.execute(PROJECT, {"company": company})
    reloaded = asked(address, RELOAD)["reloadRepositoryLocation"]
    assert reloaded["__typename"] == "WorkspaceLocationEntry"
    nodes = asked(address, YEARS)["assetNodes"]
    years = {
        tuple(dimension["partitionKeys"])
        for node in nodes
        for dimension in node["partitionKeysByDimension"]
        if dimension["name"] == "vintage"
    }
    assert years == {("2019", "2020")}


def running(module: str, pids: set[int]) -> list[int]:
    """Those of the processes whose command line names a module."""
    listed = subprocess.run(["ps", "-eo", "pid=,args="], capture_output=True, text=True, check=True)
    pairs = [line.split(maxsplit=1) for line in listed.stdout.splitlines()]
    return [int(pid) for pid, command in pairs if int(pid) in pids and module in command]


def alone(process: subprocess.Popen[str], module: str) -> int | None:
    found = running(module, descendants(process.pid))
    return found[0] if len(found) == 1 else None


def test_a_server_is_started_again_but_not_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(children, "FIRST_PAUSE_SECONDS", 0.01)
    with children.started("short one", ["platform"], tmp_path) as child:
        told: list[str | None] = []
        with pytest.raises(CarbonAssetsError) as given_up:
            wait_for(lambda: bool(told.append(child.tend())))
    said = [line for line in told if line is not None]
    assert "started again" in said[0]
    assert len(said) == children.MOST_ENDS - 1
    assert given_up.value.code == "UI_STOPPED"
    assert len((tmp_path / "short-one.log").read_text().splitlines()) == children.MOST_ENDS


def test_a_port_in_use_is_named(fresh_database: Database, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = start(fresh_database, tmp_path, port)
        stdout, stderr = process.communicate(timeout=120)
    assert (process.returncode, stdout) == (1, "")
    assert stderr.startswith(f"UI_PORT_TAKEN: port {port}")


def test_the_version_is_that_of_the_package() -> None:
    from carbon_assets import __version__

    assert carbon("version", "--json").document() == {"version": __version__}
    assert __version__ in carbon("version").stdout
