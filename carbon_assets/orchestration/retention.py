"""Which of Dagster's records may go, and their removal in batches.

Dagster has no public way to remove part of its event log. The tables that are named here are
those of ``dagster._core.storage``; ``carbon_assets_tests/orchestration/test_retention.py`` pins
what is used.

What may go is older than a given moment, belongs to a run that has ended, and is none of

- the latest materialization, observation and planned materialization per asset and partition,
  and the last time that each of them failed;
- a materialization or observation that a kept one says it was computed from;
- the latest evaluation of each asset check;
- a change of a run's status: request, start, end, with the reason of a failure.

Runs with their tags (why they were requested) and everything in our own tables but used-up
work lists stay for ever.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection, Engine, text

BATCH = 5_000

Progress = Callable[[int, int], None]
"""Called with events removed and events to remove."""

_LATEST = (
    "ASSET_MATERIALIZATION",
    "ASSET_OBSERVATION",
    "ASSET_MATERIALIZATION_PLANNED",
    "ASSET_FAILED_TO_MATERIALIZE",
)
_UNDER_WAY = ("NOT_STARTED", "QUEUED", "STARTING", "STARTED", "CANCELING", "MANAGED", "SUSPENDED")

_OLD = """
    CREATE TEMPORARY TABLE old_events ON COMMIT PRESERVE ROWS AS
    SELECT e.id, coalesce(e.dagster_event_type, 'LOG') AS kind
    FROM event_logs e
    WHERE e.timestamp < :before
      AND coalesce(e.dagster_event_type, '') !~ '^(PIPELINE|RUN)_'
      AND NOT EXISTS (
        SELECT FROM runs r WHERE r.run_id = e.run_id AND r.status = ANY (:under_way)
      )
"""
_KEEP_LATEST = """
    DELETE FROM old_events o USING (
        SELECT DISTINCT ON (asset_key, dagster_event_type, partition) id
        FROM event_logs
        WHERE asset_key IS NOT NULL AND dagster_event_type = ANY (:latest)
        ORDER BY asset_key, dagster_event_type, partition, id DESC
    ) newest WHERE o.id = newest.id
"""
# Where a materialization says what it was computed from: within its JSON, and not indexed.
_POINTER = r'"dagster/input_event_pointer/[^"]+": "([0-9]+)"'
_KEEP_READ = """
    WITH RECURSIVE kept AS (
        SELECT max(id) AS id FROM event_logs
        WHERE asset_key IS NOT NULL AND dagster_event_type = 'ASSET_MATERIALIZATION'
        GROUP BY asset_key, partition
        UNION
        SELECT found[1]::bigint
        FROM kept JOIN event_logs e USING (id)
        CROSS JOIN LATERAL regexp_matches(e.event, :pointer, 'g') AS found
    )
    DELETE FROM old_events o USING kept WHERE o.id = kept.id
"""
_OLD_CHECKS = """
    CREATE TEMPORARY TABLE old_checks ON COMMIT PRESERVE ROWS AS
    SELECT c.id FROM asset_check_executions c
    WHERE c.create_timestamp < :before
      AND NOT EXISTS (
        SELECT FROM runs r WHERE r.run_id = c.run_id AND r.status = ANY (:under_way)
      )
      AND EXISTS (
        SELECT FROM asset_check_executions later
        WHERE later.asset_key = c.asset_key AND later.check_name = c.check_name
          AND later.id > c.id
      )
"""
_KEEP_CHECKS = """
    DELETE FROM old_events o USING asset_check_executions c
    WHERE o.id = c.evaluation_event_storage_id
      AND NOT EXISTS (SELECT FROM old_checks WHERE old_checks.id = c.id)
"""
_TAKE_EVENTS = """
    WITH batch AS (
        DELETE FROM old_events WHERE id IN (SELECT id FROM old_events ORDER BY id LIMIT :batch)
        RETURNING id
    ), tags AS (
        DELETE FROM asset_event_tags t USING batch WHERE t.event_id = batch.id
    )
    DELETE FROM event_logs e USING batch WHERE e.id = batch.id
"""
_TAKE_CHECKS = """
    WITH batch AS (
        DELETE FROM old_checks WHERE id IN (SELECT id FROM old_checks ORDER BY id LIMIT :batch)
        RETURNING id
    )
    DELETE FROM asset_check_executions c USING batch WHERE c.id = batch.id
"""
_COUNTS = "SELECT kind, count(*) FROM old_events GROUP BY kind ORDER BY kind"
_CHECK_COUNT = "SELECT count(*) FROM old_checks"
_INDEX = "CREATE UNIQUE INDEX ON {} (id)"


def prune_events(
    engine: Engine, before: datetime, *, dry_run: bool = False, progress: Progress | None = None
) -> dict[str, int]:
    """Remove old records of Dagster in batches, each in a transaction of its own.

    Interrupted at any point it may be run again. Runs may go on meanwhile: what they write
    is newer than everything that is removed.

    Args:
        engine: Dagster's storage, in autocommit mode.
        before: Records from before this moment may go; in UTC.
        dry_run: Count only.
        progress: Who is told how far it is.

    Returns:
        Number of records by kind of event, and ``CHECK_EXECUTION``.
    """
    with engine.connect() as connection:
        try:
            found = _find(connection, before)
            if not dry_run:
                _remove(connection, sum(found.values()), progress or (lambda _done, _all: None))
        finally:
            connection.execute(text("DROP TABLE IF EXISTS old_events, old_checks"))
    return found


def _find(connection: Connection, before: datetime) -> dict[str, int]:
    given = {"before": before.replace(tzinfo=None), "under_way": list(_UNDER_WAY)}
    connection.execute(text(_OLD), given)
    connection.execute(text(_INDEX.format("old_events")))
    connection.execute(text(_OLD_CHECKS), given)
    connection.execute(text(_INDEX.format("old_checks")))
    connection.execute(text(_KEEP_CHECKS))
    connection.execute(text(_KEEP_LATEST), {"latest": list(_LATEST)})
    connection.execute(text("ANALYZE old_events"))
    connection.execute(text(_KEEP_READ), {"pointer": _POINTER})
    found = {str(kind): int(count) for kind, count in connection.execute(text(_COUNTS))}
    checks = int(connection.execute(text(_CHECK_COUNT)).scalar_one())
    return found | ({"CHECK_EXECUTION": checks} if checks else {})


def _remove(connection: Connection, total: int, progress: Progress) -> None:
    done = 0
    progress(done, total)
    for statement in (_TAKE_CHECKS, _TAKE_EVENTS):
        while taken := connection.execute(text(statement), {"batch": BATCH}).rowcount:
            done += taken
            progress(done, total)
