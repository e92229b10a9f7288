"""Dagster's own daemon code in a process of its own, killed at its own points."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from carbon_assets_tests.orchestration.automation import daemon_process
from carbon_assets_tests.orchestration.automation.daemon import Daemon
from carbon_assets_tests.orchestration.automation.test_geometry_edits import edit

SENSOR = "geometry_edits"


def daemon_dies(daemon: Daemon, home: Path, minutes: int, *kill_at: str) -> int:
    """Run one iteration of the daemon's sensors; return how its process ended."""
    environment = os.environ | {
        "CARBON_HOME": str(home / "carbon"),
        "CARBON_DATABASE_URL": daemon.land.database.owner_url,
        "CARBON_DAGSTER_URL": daemon.land.database.dagster_url,
    }
    command = [sys.executable, "-W", "ignore", "-m", daemon_process.__name__]
    return subprocess.run(
        [*command, str(home / "dagster"), str(minutes), *kill_at], env=environment, check=False
    ).returncode


def test_a_daemon_that_is_killed_twice_runs_an_edit_once(settled: Daemon, tmp_path: Path) -> None:
    place = edit(settled)
    assert daemon_dies(settled, tmp_path, 1, "RUN_IDS_RESERVED") == -signal.SIGKILL
    assert daemon_dies(settled, tmp_path, 10, "RUN_LAUNCHED") == -signal.SIGKILL
    assert daemon_dies(settled, tmp_path, 20) == 0
    key = settled.decisions(SENSOR)[-1].run_key
    mine = [
        run for run in settled.land.instance.get_runs() if run.tags.get("dagster/run_key") == key
    ]
    assert [run.status.value for run in mine] == ["SUCCESS"]
    computed = settled.land.rows(
        "SELECT h.id FROM partition_history h JOIN farms f ON f.id = h.subject_id"
        " JOIN asset_keys a ON a.id = h.asset_id"
        " WHERE a.key = 'farm_metrics' AND f.partition_key = :place",
        place=place,
    )
    assert len(computed) == 2 * 3  # before and after the edit, three vintages
