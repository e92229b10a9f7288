"""Ending the runs that a crash left behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dagster import DagsterInstance, DagsterRunStatus, RunRecord, RunsFilter
from sqlalchemy import Connection

from carbon_assets.orchestration.workers import forget, workers
from carbon_assets.store.database import Database
from carbon_assets.store.engines import transaction

START_SECONDS = 300
"""How long a run may take from its request to its first step; then it never began."""

_EXECUTING = (DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING)
_BEGINNING = (DagsterRunStatus.NOT_STARTED, DagsterRunStatus.STARTING)


@dataclass(frozen=True)
class Reaped:
    """A run that was ended.

    Attributes:
        run_id: Dagster run.
        status: What Dagster took it for.
        message: What became of it, as the run's last event says.
    """

    run_id: str
    status: str
    message: str


def reap(instance: DagsterInstance, database: Database) -> list[Reaped]:
    """End every run whose process is gone, and free what it held; live runs go on.

    A run that waits in the queue has no process and is left to the daemon. A run that never
    told its process (killed within its first moments) is left to Dagster's own limits.

    Args:
        instance: Dagster instance.
        database: Database with the table ``run_workers``.

    Returns:
        What was ended, oldest first.
    """
    # Runs first, workers second: a run that begins in between is not taken for dead, and
    # one that ends in between is asked for again below.
    wanted = RunsFilter(statuses=[*_EXECUTING, *_BEGINNING])
    records = instance.get_run_records(wanted, ascending=True)
    with transaction(database) as connection:
        obituaries = _obituaries(connection, records)
    reaped = []
    for record in records:
        run = record.dagster_run
        message = obituaries.get(run.run_id)
        if message is not None and _end(instance, run.run_id, message):
            reaped.append(Reaped(run.run_id, run.status.value, message))
    _forget_ended(instance, database)
    return reaped


def _obituaries(connection: Connection, records: Sequence[RunRecord]) -> dict[str, str]:
    known = workers(connection)
    database_now = connection.exec_driver_sql("SELECT extract(epoch FROM clock_timestamp())")
    now = float(database_now.scalar_one())
    found = {}
    for record in records:
        run = record.dagster_run
        worker = known.get(run.run_id)
        if worker is not None:
            if worker.verdict() == "dead":
                found[run.run_id] = worker.obituary()
        elif run.status in _BEGINNING:
            waited = now - record.update_timestamp.timestamp()
            if waited > START_SECONDS:
                found[run.run_id] = (
                    f"The run was left behind: it was {run.status.value.lower()} and has not "
                    f"begun within {START_SECONDS} s."
                )
    return found


def _end(instance: DagsterInstance, run_id: str, message: str) -> bool:
    """Fail a run, or end its cancellation; False if it has ended meanwhile."""
    run = instance.get_run_by_id(run_id)
    if run is None or run.is_finished:
        return False
    if run.status == DagsterRunStatus.CANCELING:
        instance.report_run_canceled(run, message)
    else:
        instance.report_run_failed(run, message)
    instance.event_log_storage.free_concurrency_slots_for_run(run_id)
    return True


def _forget_ended(instance: DagsterInstance, database: Database) -> None:
    with transaction(database) as connection:
        known = list(workers(connection))
    if known:
        live = {
            run.run_id
            for run in instance.get_runs(RunsFilter(run_ids=known))
            if not run.is_finished
        }
        forget(database, [run_id for run_id in known if run_id not in live])
