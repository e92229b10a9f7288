"""Runs whose process was killed are ended; runs that live are left alone."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pytest
from dagster._core.events import RunFailureReason
from dagster._core.execution.retries import auto_reexecution_should_retry_run
from dagster._core.launcher.base import WorkerStatus
from dagster._core.test_utils import create_run_for_test
from sqlalchemy import text

from carbon_assets.orchestration import reaper, run_launcher
from carbon_assets.orchestration.assets.failures import explained
from carbon_assets.orchestration.reaper import reap
from carbon_assets.orchestration.run_launcher import CarbonRunLauncher
from carbon_assets.orchestration.store import CarbonStore
from carbon_assets.orchestration.workers import at_work, workers
from carbon_assets.store.database import Database
from carbon_assets.store.engines import owner_engine, transaction

STARTED, FAILURE = dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.FAILURE


@contextmanager
def running(database: Database) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Start a run in a process of its own and give its id once it has begun."""
    run_id = str(uuid.uuid4())
    process = subprocess.Popen(
        [sys.executable, "-m", "carbon_assets_tests.orchestration.run_worker", run_id],
        env=os.environ | {"CARBON_DATABASE_URL": database.owner_url},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        yield run_id, process
    finally:
        process.kill()
        process.communicate()


def status(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRunStatus:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run.status


def execute(database: Database, statement: str, **values: Any) -> None:
    with transaction(database) as connection:
        connection.execute(text(statement), values)


def recorded(database: Database) -> set[str]:
    with transaction(database) as connection:
        return set(workers(connection))


def test_a_killed_run_is_ended_and_a_live_one_goes_on(
    fresh_database: Database, instance: dg.DagsterInstance
) -> None:
    with running(fresh_database) as (live, alive), running(fresh_database) as (dead, killed):
        assert reap(instance, fresh_database) == []
        killed.kill()
        killed.wait()
        [reaped] = reap(instance, fresh_database)
        assert (reaped.run_id, reaped.status) == (dead, "STARTED")
        assert f"process {killed.pid} on this machine no longer exists" in reaped.message
        assert (status(instance, dead), status(instance, live)) == (FAILURE, STARTED)
        last = instance.all_logs(dead, of_type=dg.DagsterEventType.RUN_FAILURE)[-1]
        assert reaped.message in (last.dagster_event.message if last.dagster_event else "")
        assert recorded(fresh_database) == {live}
        assert reap(instance, fresh_database) == []
        alive.communicate("\n", timeout=60)
    assert status(instance, live) is dg.DagsterRunStatus.SUCCESS
    assert recorded(fresh_database) == set()


def test_the_daemon_asks_the_launcher_and_gets_the_same_answer(
    fresh_database: Database, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    launcher = instance.run_launcher
    assert isinstance(launcher, CarbonRunLauncher)
    assert launcher.supports_check_run_worker_health
    monkeypatch.setattr(run_launcher, "open_database", lambda: fresh_database)
    with running(fresh_database) as (run_id, process):
        run = instance.get_run_by_id(run_id)
        assert run is not None
        assert launcher.check_run_worker_health(run).status is WorkerStatus.RUNNING
        process.kill()
        process.wait()
        found = launcher.check_run_worker_health(run)
    assert found.status is WorkerStatus.NOT_FOUND
    assert "no longer exists" in (found.msg or "")


def test_a_run_of_another_machine_is_judged_by_its_silence(
    fresh_database: Database, instance: dg.DagsterInstance
) -> None:
    run_id = create_run_for_test(instance, status=STARTED).run_id
    with at_work(fresh_database, run_id):
        elsewhere = "UPDATE run_workers SET process_space = 'there', host = 'there', pid = 1"
        execute(fresh_database, elsewhere)
        assert reap(instance, fresh_database) == []
        execute(fresh_database, "UPDATE run_workers SET seen_at = now() - interval '121 s'")
        [reaped] = reap(instance, fresh_database)
    assert "process 1 on there has given no sign of life for 12" in reaped.message


def test_a_later_process_with_the_same_number_is_another_one(
    fresh_database: Database, instance: dg.DagsterInstance
) -> None:
    run_id = create_run_for_test(instance, status=STARTED).run_id
    with at_work(fresh_database, run_id):
        execute(fresh_database, "UPDATE run_workers SET process_started = process_started - 60")
        assert [one.run_id for one in reap(instance, fresh_database)] == [run_id]


def test_a_run_that_never_began_is_ended_and_a_cancelled_one_is_cancelled(
    fresh_database: Database, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    starting = create_run_for_test(instance, status=dg.DagsterRunStatus.STARTING).run_id
    canceling = create_run_for_test(instance, status=dg.DagsterRunStatus.CANCELING).run_id
    assert reap(instance, fresh_database) == []
    monkeypatch.setattr(reaper, "START_SECONDS", -1)
    assert [one.run_id for one in reap(instance, fresh_database)] == [starting]
    with at_work(fresh_database, canceling):
        execute(fresh_database, "UPDATE run_workers SET process_started = 0")
        assert [one.run_id for one in reap(instance, fresh_database)] == [canceling]
    assert status(instance, canceling) is dg.DagsterRunStatus.CANCELED


def test_signs_of_life_are_given(
    fresh_database: Database, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("carbon_assets.orchestration.workers.SIGN_SECONDS", 0.01)
    long_ago = datetime.now(UTC) - timedelta(days=1)
    with at_work(fresh_database, "run"):
        execute(fresh_database, "UPDATE run_workers SET seen_at = :then", then=long_ago)
        for _ in range(500):
            with transaction(fresh_database) as connection:
                if workers(connection)["run"].silent_seconds < 3_600:
                    return
    pytest.fail("no sign of life")


@pytest.mark.parametrize(
    ("reason", "tags", "again"),
    [
        (RunFailureReason.RUN_EXCEPTION, {}, True),
        (RunFailureReason.START_TIMEOUT, {}, True),
        (None, {}, True),
        (RunFailureReason.STEP_FAILURE, {}, False),
        (None, {"dagster/max_retries": "0"}, False),
    ],
)
def test_only_a_run_that_its_machine_failed_is_run_again(
    instance: dg.DagsterInstance,
    reason: RunFailureReason | None,
    tags: dict[str, str],
    again: bool,
) -> None:
    run = create_run_for_test(instance, status=FAILURE, tags=tags)
    assert instance.run_retries_enabled
    assert auto_reexecution_should_retry_run(instance, run, reason) is again


def test_a_lost_database_is_tried_again_within_the_step(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = CarbonStore(database)
    monkeypatch.setattr("carbon_assets.orchestration.assets.failures.RETRY_SECONDS", 0)
    attempts = []

    @dg.asset
    def shaken() -> None:
        with explained(store), transaction(database) as connection:
            attempts.append(1)
            if len(attempts) == 1:
                pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
                with owner_engine(database).connect() as other:
                    other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
                connection.execute(text("SELECT 1"))

    assert dg.materialize([shaken], raise_on_error=False).success
    assert len(attempts) == 2
    assert store.errors == []
