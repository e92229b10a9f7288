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

from carbon_assets.store.database import Database
from carbon_assets_tests.cli.command import carbon
from carbon_assets_tests.store.processes import wait_for

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
        started = descendants(process.pid)
        assert len(started) >= 2
    finally:
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=120)
    assert (process.returncode, stderr) == (130, "")
    assert wait_for(lambda: not any(map(alive, started)))


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
