"""Which database Dagster's own commands reach, and what is written where."""

from __future__ import annotations

import os
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster._core.instance.config import PoolGranularity
from sqlalchemy import make_url

import carbon_assets
from carbon_assets.orchestration import reaper
from carbon_assets.orchestration import storage as storage_module
from carbon_assets.orchestration.assets.raster_aggregates import receipts_asset
from carbon_assets.orchestration.instance import (
    COMPANY_TAG,
    instance_config,
    open_instance,
    workspace_config,
    write_home,
)
from carbon_assets.orchestration.names import RASTER_POOL
from carbon_assets.orchestration.storage import URL_VARIABLE, CarbonStorage, dagster_url
from carbon_assets.runners.all_runners import RUNNERS
from carbon_assets.store.database import Database
from carbon_assets_tests.orchestration.chain import SPACE

ROOT = Path(carbon_assets.__file__).parent.parent


def test_the_checkout_configures_dagster_as_the_command_line_does() -> None:
    written = yaml.safe_load((ROOT / "dagster.yaml").read_text(encoding="utf-8"))
    assert written == instance_config()


def test_the_checkout_s_workspace_is_that_of_a_dagster_home() -> None:
    written = yaml.safe_load((ROOT / "workspace.yaml").read_text(encoding="utf-8"))
    assert written == workspace_config()


def test_no_secret_reaches_the_disk(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    password = make_url(os.environ[URL_VARIABLE]).password
    text = (tmp_path / "dagster" / "dagster.yaml").read_text(encoding="utf-8")
    assert URL_VARIABLE in text
    assert "postgresql" not in text
    if password is not None:
        assert password not in text
        assert password not in repr(instance.get_ref())


def test_local_files_stay_below_the_home(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    assert Path(instance.storage_directory()).is_relative_to(tmp_path)
    assert Path(instance.root_directory).is_relative_to(tmp_path)
    assert not instance.telemetry_enabled
    assert not instance.nux_enabled


def test_a_second_process_finds_the_instance_from_the_environment(
    instance: dg.DagsterInstance,
) -> None:
    instance.add_dynamic_partitions("farm", ["a-1"])
    with dg.DagsterInstance.get() as other:
        assert list(other.get_dynamic_partitions("farm")) == ["a-1"]


def test_without_the_variable_dagster_opens_the_database_itself(
    fresh_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(URL_VARIABLE, raising=False)
    monkeypatch.setattr(storage_module, "open_database", lambda: fresh_database)
    with dg.DagsterInstance.from_config(str(write_home(tmp_path / "home"))) as opened:
        found = opened.event_log_storage.postgres_url
    assert make_url(found).database == make_url(fresh_database.dagster_url).database


def test_opening_again_keeps_what_is_there(
    fresh_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(URL_VARIABLE, "")
    monkeypatch.setenv("DAGSTER_HOME", "")
    home = tmp_path / "dagster"
    with open_instance(fresh_database, home) as first:
        first.add_dynamic_partitions("farm", ["a-1"])
    before = (home / "dagster.yaml").stat().st_mtime_ns
    with open_instance(fresh_database, home) as second:
        assert list(second.get_dynamic_partitions("farm")) == ["a-1"]
    assert (home / "dagster.yaml").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    "given",
    [
        "postgresql://user:p%40ss@host:5433/name",
        "postgresql+psycopg://user:p%40ss@host:5433/name?options=-c%20role%3Dapp",
    ],
)
def test_the_url_gets_driver_schema_and_loose_commits(given: str) -> None:
    found = make_url(dagster_url(given))
    assert found.drivername == "postgresql+psycopg2"
    assert (found.password, found.host, found.port, found.database) == (
        "p@ss",
        "host",
        5433,
        "name",
    )
    options = str(found.query["options"])
    assert "search_path=dagster" in options
    assert "synchronous_commit=off" in options
    assert ("role=app" in options) == ("role" in given)


def test_the_settings_of_a_url_win() -> None:
    given = "postgresql+psycopg2://u@h/n?options=-c+search_path%3Dmine"
    assert "search_path=dagster" not in dagster_url(given)


def test_the_storages_share_one_pool(instance: dg.DagsterInstance) -> None:
    engines = {
        id(found._engine)
        for found in (instance.run_storage, instance.event_log_storage, instance.schedule_storage)
    }
    assert len(engines) == 1
    assert set(CarbonStorage.config_type()) == {"url_variable", "should_autocreate_tables"}


def test_the_queue_and_the_pools_have_limits(instance: dg.DagsterInstance) -> None:
    config = instance.get_concurrency_config()
    queue = config.run_queue_config
    assert queue is not None
    assert queue.max_concurrent_runs == 4
    limits = {one["key"]: one["limit"] for one in queue.tag_concurrency_limits}
    assert limits == {COMPANY_TAG: 2, "dagster/backfill": 3}
    assert config.pool_config.pool_granularity is PoolGranularity.RUN
    assert config.pool_config.default_pool_limit == 2
    assert {receipts_asset(runner, SPACE).op.pool for runner in RUNNERS} == {RASTER_POOL}


def test_only_the_machine_s_failures_are_tried_again_and_runs_are_watched(
    instance: dg.DagsterInstance,
) -> None:
    assert (instance.run_retries_enabled, instance.run_retries_max_retries) == (True, 2)
    assert not instance.run_retries_retry_on_asset_or_op_failure
    assert instance.run_monitoring_enabled
    assert instance.run_monitoring_start_timeout_seconds == reaper.START_SECONDS
    assert instance.run_monitoring_max_runtime_seconds == 86_400
    assert instance.run_monitoring_max_resume_run_attempts == 0
