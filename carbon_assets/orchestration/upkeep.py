"""Keeping an installation small: old records of Dagster, used-up work lists, dead workers.

Annotations are not postponed: Dagster reads that of ``context`` as it stands.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import dagster as dg
from sqlalchemy import delete, func, select

from carbon_assets.errors import CarbonAssetsError
from carbon_assets.orchestration.event_storage import WORK_LIST_TAG
from carbon_assets.orchestration.reaper import reap
from carbon_assets.orchestration.retention import prune_events
from carbon_assets.orchestration.storage import dagster_url, pooled_engine
from carbon_assets.orchestration.store import CarbonStore
from carbon_assets.store.database import Database
from carbon_assets.store.engines import transaction
from carbon_assets.store.models import WorkList

KEEP_DAYS = 180
KEEP_VARIABLE = "CARBON_KEEP_EVENTS_DAYS"
SHORTEST_DAYS = 1
_ENDED = [
    dg.DagsterRunStatus.SUCCESS,
    dg.DagsterRunStatus.FAILURE,
    dg.DagsterRunStatus.CANCELED,
]


@dataclass(frozen=True)
class Pruned:
    """What was removed, or would be.

    Attributes:
        before: Records from before this moment.
        events: Number by kind of Dagster's event.
        work_lists: Number of used-up work lists.
    """

    before: datetime
    events: dict[str, int]
    work_lists: int


def keep_days() -> int:
    """Return for how many days records are kept, as ``CARBON_KEEP_EVENTS_DAYS`` says.

    Raises:
        CarbonAssetsError: ``KEEP_DAYS_INVALID``.
    """
    given = os.environ.get(KEEP_VARIABLE, "").strip() or str(KEEP_DAYS)
    if not given.isdecimal() or int(given) < SHORTEST_DAYS:
        raise CarbonAssetsError(
            "KEEP_DAYS_INVALID",
            f"{KEEP_VARIABLE} is {given!r}, not a number of days from {SHORTEST_DAYS} on.",
            do=f"correct or unset {KEEP_VARIABLE}",
        )
    return int(given)


def prune(
    instance: dg.DagsterInstance,
    database: Database,
    days: int,
    *,
    dry_run: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Pruned:
    """Remove what the audit trail does not rest on; see :mod:`.retention` for what stays.

    Args:
        instance: Dagster instance.
        database: Our own tables.
        days: Age from which on records may go.
        dry_run: Count only.
        progress: Called with events removed and events to remove.
    """
    before = datetime.now(UTC) - timedelta(days=days)
    engine = pooled_engine(dagster_url(database.dagster_url))
    try:
        events = prune_events(engine, before, dry_run=dry_run, progress=progress)
    finally:
        engine.dispose()
    return Pruned(before, events, _prune_work_lists(instance, database, before, dry_run=dry_run))


def _prune_work_lists(
    instance: dg.DagsterInstance, database: Database, before: datetime, *, dry_run: bool
) -> int:
    """Remove work lists of that age which no run under way still needs."""
    under_way = [status for status in dg.DagsterRunStatus if status not in _ENDED]
    runs = instance.get_runs(dg.RunsFilter(statuses=under_way))
    needed = [int(run.tags[WORK_LIST_TAG]) for run in runs if WORK_LIST_TAG in run.tags]
    old = (WorkList.created_at < before) & WorkList.id.not_in(needed)
    with transaction(database) as connection:
        if dry_run:
            query = select(func.count()).select_from(WorkList).where(old)
            return int(connection.execute(query).scalar_one())
        return connection.execute(delete(WorkList).where(old)).rowcount


def upkeep_job() -> dg.JobDefinition:
    """Return the job ``upkeep``: dead runs are ended, old records pruned."""

    @dg.op(required_resource_keys={"store"}, description="End dead runs, prune old records.")
    def keep_small(context: dg.OpExecutionContext) -> None:
        store: CarbonStore = context.resources.store
        for left in reap(context.instance, store.opened()):
            context.log.warning(f"run {left.run_id}: {left.message}")
        done = prune(context.instance, store.opened(), keep_days())
        counts = {f"events/{kind}": count for kind, count in done.events.items()}
        context.add_output_metadata(
            {"before": done.before.isoformat(), "work lists": done.work_lists, **counts}
        )

    @dg.job(
        name="upkeep",
        executor_def=dg.in_process_executor,
        description="Ends runs that a crash left behind and removes old records of Dagster. "
        "Receipts, metrics, their history and the latest event of every partition stay.",
    )
    def upkeep() -> None:
        keep_small()

    return upkeep


def upkeep_schedule(job: dg.JobDefinition) -> dg.ScheduleDefinition:
    """Return the weekly schedule of the job, which runs unless it is switched off.

    Args:
        job: From :func:`upkeep_job`.
    """
    return dg.ScheduleDefinition(
        job=job,
        cron_schedule="17 3 * * 0",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Sundays at 03:17 UTC.",
    )
