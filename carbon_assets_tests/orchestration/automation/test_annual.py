"""The annual run in its steps: availability, new vintage, reload, runs of just that year."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime

import dagster as dg
import pytest
from sqlalchemy import text

from carbon_assets.orchestration.automation import ticks
from carbon_assets.orchestration.automation.all_automation import build_automation
from carbon_assets.store.engines import owner_engine
from carbon_assets_tests.orchestration.automation.daemon import Daemon

JANUARY = datetime(2024, 1, 15, 3, tzinfo=UTC)
SENSOR = "new_vintages"


def publish(daemon: Daemon, year: int = 2023) -> None:
    """Let the class map of a year appear where the landscape has it."""
    rasters = daemon.land.portfolio.parent / "rasters"
    target = rasters / f"brazil_coverage_{year}.tif"
    if not target.exists():
        shutil.copy(rasters / "brazil_coverage_2022.tif", target)


def withdraw(daemon: Daemon, year: int = 2023) -> None:
    target = daemon.land.portfolio.parent / "rasters" / f"brazil_coverage_{year}.tif"
    target.unlink(missing_ok=True)


def vintages(daemon: Daemon) -> list[list[int]]:
    return [row.vintages for row in daemon.land.rows("SELECT vintages FROM projects ORDER BY id")]


def test_a_year_whose_rasters_are_missing_is_skipped_and_says_which(settled: Daemon) -> None:
    withdraw(settled)
    data = settled.schedule(JANUARY)
    assert not data.run_requests
    for word in ("demo", "RASTER_MISSING", "mapbiomas-brazil col-10-demo", "brazil_coverage_2023"):
        assert word in data.skip_message
    assert vintages(settled) == [[2020, 2021, 2022]] * 2
    settled.schedule(JANUARY)
    assert [one.decision for one in settled.decisions("annual_vintage")] == ["blocked"]


def test_the_year_follows_from_the_scheduled_time(settled: Daemon) -> None:
    data = settled.schedule(datetime(2031, 1, 15, 3, tzinfo=UTC))
    assert data.skip_message == "no project waits for 2030"


def test_a_new_year_is_added_reloaded_and_run_and_nothing_else(
    settled: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(settled)
    with owner_engine(settled.land.database).begin() as connection:
        connection.execute(text("UPDATE projects SET vintages = '{2020,2021}' WHERE key = 'south'"))
    settled.tick(SENSOR)
    (request,) = settled.schedule(JANUARY).run_requests
    assert request.tags["carbon_assets/new_version"] == "2023"
    for _ in range(2):  # the second time changes nothing
        settled.run("annual_vintage", request.with_replaced_attrs(job_name="add_vintage"))
    assert vintages(settled) == [[2020, 2021, 2022, 2023], [2020, 2021]]

    reloaded: list[str] = []
    monkeypatch.setattr(ticks, "reload_definitions", reloaded.append)
    tick = settled.tick(SENSOR)
    assert "CARBON_WEBSERVER_URL" in str(tick.reason)
    monkeypatch.setenv("CARBON_WEBSERVER_URL", "http://127.0.0.1:9")
    settled.tick(SENSOR)
    assert reloaded == ["http://127.0.0.1:9"]
    settled.reload()
    tick = settled.tick(SENSOR)
    years = {key.partition("|")[2] for keys in tick.computed().values() for key in keys}
    assert years == {"2023"}
    assert {len(keys) for keys in tick.computed().values()} == {9}
    assert tick.tags["cause"] == "new_vintage"
    assert settled.tick(SENSOR).requests == []


def test_the_cron_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    assert build_automation([2020]).schedules[0].cron_schedule == "0 3 15 1 *"
    monkeypatch.setenv("CARBON_ANNUAL_CRON", "0 3 15 1-6 *")
    (schedule,) = build_automation([2020]).schedules
    assert schedule.cron_schedule == "0 3 15 1-6 *"
    assert schedule.execution_timezone == "UTC"
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
