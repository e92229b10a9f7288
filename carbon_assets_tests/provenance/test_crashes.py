"""Killed at any point and started again: nothing twice, nothing by halves, the same numbers."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from sqlalchemy import text

import carbon_assets_tests
from carbon_assets.provenance.graph import GRAPH
from carbon_assets.store.database import Database
from carbon_assets.store.engines import transaction
from carbon_assets_tests.provenance.chain import count, load, stale

ROOT = Path(carbon_assets_tests.__file__).parents[1]
VINTAGES = (2014, 2019, 2021)
CHUNK = 12
PER_ASSET = 16 * len(VINTAGES)


def start(database: Database, die: tuple[str, int] | None = None) -> subprocess.Popen[str]:
    world = load(database)
    process = subprocess.Popen(
        [sys.executable, "-m", "carbon_assets_tests.provenance.worker"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    task = {
        "database": {
            "owner_url": database.owner_url,
            "app_url": database.app_url,
            "dagster_url": database.dagster_url,
        },
        "keys": [(place, vintage) for place in world.places for vintage in VINTAGES],
        "chunk": CHUNK,
        "die": die,
    }
    assert process.stdin is not None
    process.stdin.write(json.dumps(task))
    process.stdin.close()
    return process


def finish(process: subprocess.Popen[str]) -> dict[str, int]:
    """Wait for a worker; return how many partitions it computed, by asset."""
    assert process.stdout is not None
    computed: Counter[str] = Counter()
    with process.stdout as lines:
        for line in lines:
            asset, number = line.split()
            computed[asset] += int(number)
    process.wait(timeout=120)
    return dict(computed)


def values(database: Database) -> dict[tuple[Any, ...], Any]:
    query = text(
        "SELECT f.key, m.vintage_year, m.metric_code, m.stratum_filter::text, m.value_canonical,"
        " m.value_min_canonical, m.valid_share, m.flags::text, m.inputs_fingerprint"
        " FROM current_farm_metrics AS m JOIN farms AS f ON f.id = m.farm_id"
        " WHERE m.vintage_year = ANY(:vintages)"
    )
    with transaction(database) as connection:
        rows = connection.execute(query, {"vintages": list(VINTAGES)}).all()
    return {tuple(row[:4]): tuple(row[4:]) for row in rows}


def require_whole_chunks(database: Database) -> None:
    """Receipts and metrics are there for exactly the partitions that the history names."""
    told = "SELECT farm_id, vintage, 'sha256:' || encode(fingerprint, 'hex') FROM partition_history"
    for table, place, assets in (
        ("raster_aggregates", "geometry_id", "raster_aggregates/%"),
        ("farm_metrics", "farm_id", "farm_metrics"),
    ):
        with transaction(database) as connection:
            history = {
                tuple(row)
                for row in connection.execute(
                    text(
                        f"{told} WHERE asset_id IN (SELECT id FROM asset_keys WHERE key LIKE :key)"
                    ),
                    {"key": assets},
                )
            }
            written = {
                tuple(row)
                for row in connection.execute(
                    text(f"SELECT DISTINCT {place}, vintage_year, inputs_fingerprint FROM {table}")
                )
            }
        assert written == history


def require_finished(database: Database, undisturbed: Database) -> None:
    with transaction(database) as connection:
        most = text(
            "SELECT max(n) FROM (SELECT count(*) AS n FROM partition_history"
            " GROUP BY asset_id, farm_id, vintage)"
        )
        assert connection.execute(most).scalar_one() == 1
    assert count(database, "partition_history") == len(GRAPH) * PER_ASSET
    require_whole_chunks(database)
    assert not [one for one in stale(database) if one[2] in VINTAGES]
    expected = values(undisturbed)
    assert len(expected) > 20 * PER_ASSET
    assert values(database) == expected


def test_killed_before_and_after_commits_and_resumed(
    imported: Database, shared_computed: Database
) -> None:
    deaths = [
        ("write_receipts", 1),
        ("committed", 1),
        ("record_history", 2),
        ("write_metrics", 0),
    ]
    for death in deaths:
        process = start(imported, death)
        finish(process)
        assert process.returncode == -signal.SIGKILL, death
        require_whole_chunks(imported)
    process = start(imported)
    finish(process)
    assert process.returncode == 0
    require_finished(imported, shared_computed)


def test_killed_from_outside_at_random_moments_and_resumed(
    imported: Database, shared_computed: Database
) -> None:
    chance = random.Random(20)
    kills = 0
    for _ in range(3):
        process = start(imported)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(chance.uniform(0.0, 0.4))
        process.kill()
        process.wait()
        process.stdout.close()
        kills += process.returncode == -signal.SIGKILL
        require_whole_chunks(imported)
    process = start(imported)
    finish(process)
    assert process.returncode == 0
    assert kills > 0
    require_finished(imported, shared_computed)


def test_two_processes_on_the_same_assets_compute_each_partition_once(
    imported: Database, shared_computed: Database
) -> None:
    processes = [start(imported), start(imported)]
    computed: Counter[str] = Counter()
    for process in processes:
        computed.update(finish(process))
    assert [process.returncode for process in processes] == [0, 0]
    assert computed == {node.key: PER_ASSET for node in GRAPH}
    require_finished(imported, shared_computed)
