"""Killed at any point and started again: nothing twice, nothing by halves, the same numbers."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from typing import Any

import pytest
from sqlalchemy import text

from carbon_assets.provenance.plan import Key
from carbon_assets.store.database import Database
from carbon_assets.store.engines import transaction
from carbon_assets_tests.provenance.chain import (
    BIOMASS,
    LAND_COVER,
    METRICS,
    count,
    load,
    stale,
)
from carbon_assets_tests.provenance.worker import Death, Worker

VINTAGES = (2014, 2019, 2021)
ASSETS = (LAND_COVER, BIOMASS, METRICS)
PER_ASSET = 16 * len(VINTAGES)


@pytest.fixture
def keys(imported: Database) -> list[Key]:
    return [(place, vintage) for place in load(imported).places for vintage in VINTAGES]


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
    told = (
        "SELECT subject_id, vintage, 'sha256:' || encode(fingerprint, 'hex') FROM partition_history"
    )
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
            " GROUP BY asset_id, subject_id, vintage) AS counted"
        )
        assert connection.execute(most).scalar_one() == 1
    assert count(database, "partition_history") == len(ASSETS) * PER_ASSET
    require_whole_chunks(database)
    assert not [one for one in stale(database) if one[2] in VINTAGES]
    expected = values(undisturbed)
    assert len(expected) > 20 * PER_ASSET
    assert values(database) == expected


def test_killed_before_and_after_commits_and_resumed(
    imported: Database, shared_computed: Database, keys: list[Key]
) -> None:
    points = [("write_receipts", 1), ("committed", 1), ("record_history", 2), ("committed", 4)]
    for point, passes in [*points, ("write_metrics", 0), ("write_metrics", 2)]:
        worker = Worker(imported, keys, Death(point, passes))
        worker.finish()
        assert worker.exit_code == -signal.SIGKILL, point
        require_whole_chunks(imported)
    worker = Worker(imported, keys)
    worker.finish()
    assert worker.exit_code == 0
    require_finished(imported, shared_computed)


def test_killed_from_outside_at_random_moments_and_resumed(
    imported: Database, shared_computed: Database, keys: list[Key]
) -> None:
    chance = random.Random(20)
    kills = 0
    for _ in range(5):
        worker = Worker(imported, keys)
        worker.first_chunk()
        time.sleep(chance.uniform(0.0, 0.5))
        worker.kill()
        worker.finish()
        kills += worker.exit_code == -signal.SIGKILL
        require_whole_chunks(imported)
    worker = Worker(imported, keys)
    worker.finish()
    assert worker.exit_code == 0
    assert kills > 0
    require_finished(imported, shared_computed)


@pytest.mark.parametrize("workers", [2, 4])
def test_processes_on_the_same_assets_compute_each_partition_once(
    imported: Database, shared_computed: Database, keys: list[Key], workers: int
) -> None:
    started = [Worker(imported, keys) for _ in range(workers)]
    computed: Counter[str] = Counter()
    for worker in started:
        computed.update(worker.finish())
    assert [worker.exit_code for worker in started] == [0] * workers
    assert computed == dict.fromkeys(ASSETS, PER_ASSET)
    require_finished(imported, shared_computed)
