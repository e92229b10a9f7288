"""Dagster's event log on PostgreSQL, fast enough for one event per partition.

The stock ``PostgresEventLogStorage`` opens a connection for every event it writes. This
subclass keeps connections and writes per-partition events in batches:

- Every per-partition ``ASSET_MATERIALIZATION`` event is held back until there are ``BATCH_SIZE``
  of them, ``BATCH_SECONDS`` have passed, another kind of event arrives, or anything reads
  through this storage. So a reader in this process never misses an event, and every other
  process sees them in order and complete at the end of a step.
- A process that is killed loses the events that it held back, never the rows they announce;
  the next run announces those again.
- Dagster expects one ``ASSET_MATERIALIZATION_PLANNED`` event per partition of a range. They
  differ in the partition alone, so one is put into words and the others are copies of it. A
  range that a work list narrows (``WORK_LIST_TAG``), or one of more than ``PLANNED_LIMIT``
  partitions, gets a single planned event for the asset instead: partitions that nobody asked for
  must not look as if they failed.

This is the one module that leans on names which Dagster does not document;
``carbon_assets_tests/orchestration/test_event_storage.py`` pins what is used here.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import islice
from typing import Any, NamedTuple

from dagster import AssetKey, DagsterEventType, DagsterInstance, EventLogEntry
from dagster._core.definitions.source_asset import SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION
from dagster._core.events import AssetMaterializationPlannedData
from dagster._core.storage.event_log import SqlEventLogStorageTable
from dagster_postgres import PostgresEventLogStorage
from sqlalchemy import Connection

DATA_VERSION_TAG = "dagster/data_version"
WORK_LIST_TAG = "carbon_assets/work_list"
BATCH_SIZE = 1_000
BATCH_SECONDS = 2.0
PLANNED_LIMIT = 5_000
LOOKUP_SIZE = 10_000

EVENTS_ALREADY_YIELDED = {SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION: True}
"""Metadata of a result whose materializations the asset has yielded itself.

Dagster otherwise adds one materialization per partition of the whole range, all with the same
data version; and without any result it skips everything downstream.
"""

_MATERIALIZED = DagsterEventType.ASSET_MATERIALIZATION


class PooledEventLogStorage(PostgresEventLogStorage):
    """``PostgresEventLogStorage`` that writes per-partition events in batches.

    Args:
        postgres_url: SQLAlchemy URL with the ``postgresql+psycopg2`` driver.
        should_autocreate_tables: Create Dagster's tables when they are missing.
    """

    def __init__(self, postgres_url: str, should_autocreate_tables: bool = True) -> None:
        self._waiting: list[EventLogEntry] = []
        self._waiting_since = 0.0
        self._guard = threading.RLock()
        super().__init__(postgres_url, should_autocreate_tables)

    @property
    def supports_partition_subset_in_asset_materialization_planned_events(self) -> bool:
        """Ask Dagster for one planned event per asset; :meth:`store_event` spells it out."""
        return True

    def store_event(self, event: EventLogEntry) -> None:
        """Store an event, or hold it back for the next batch.

        Args:
            event: Entry of the event log.
        """
        with self._guard:
            if _subset_of(event) is not None:
                self._store_planned(event)
            else:
                self._store_or_wait(event)

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store several events; same as :meth:`store_event` for each.

        Args:
            events: Entries of the event log, oldest first.
        """
        for event in events:
            self.store_event(event)

    def flush(self) -> None:
        """Write the events that are held back; no-op without any."""
        with self._guard:
            waiting, self._waiting = self._waiting, []
            groups = list(_by_asset(waiting))
            while groups:
                try:
                    self._write(groups[0])
                except Exception:
                    self._waiting = [event for group in groups for event in group]
                    raise
                groups.pop(0)

    def dispose(self) -> None:
        """Write what is held back and close the connections."""
        self.flush()
        super().dispose()
        self._engine.dispose()

    def _connect(self) -> AbstractContextManager[Connection]:
        if self._waiting:
            self.flush()
        return super()._connect()

    def _store_or_wait(self, event: EventLogEntry) -> None:
        if not _may_wait(event):
            self.flush()
            super().store_event(event)
            return
        if not self._waiting:
            self._waiting_since = time.monotonic()
        self._waiting.append(event)
        waited = time.monotonic() - self._waiting_since
        if len(self._waiting) >= BATCH_SIZE or waited > BATCH_SECONDS:
            self.flush()

    def _write(self, events: Sequence[EventLogEntry]) -> None:
        """Write events of one asset in one transaction."""
        rows = [self._event_to_row(event) for event in events]
        with self.index_transaction() as connection:
            ids = _insert(connection, rows)
            self._store_asset_event_tags(connection, events, ids)
            self._store_asset_event(connection, events[-1], ids[-1])

    def _store_planned(self, event: EventLogEntry) -> None:
        """Store what a planned event for a subset of partitions stands for."""
        self.flush()
        subset = _subset_of(event)
        if len(subset) > PLANNED_LIMIT or self._is_narrowed(event.run_id):
            super().store_event(_planned_for(event, None))
            return
        keys = iter(subset.get_partition_keys())
        model = self._event_to_row(_planned_for(event, _SOME_PARTITION))
        while chunk := [str(key) for key in islice(keys, BATCH_SIZE)]:
            with self.index_transaction() as connection:
                ids = _insert(connection, [_copied(model, key) for key in chunk])
                self._store_asset_event(connection, _planned_for(event, chunk[-1]), ids[-1])

    def _is_narrowed(self, run_id: str) -> bool:
        run = self._instance.get_run_by_id(run_id) if self.has_instance else None
        return run is not None and WORK_LIST_TAG in run.tags


class EventVersion(NamedTuple):
    """Latest materialization of a partition: where it is in the log, and its data version."""

    storage_id: int
    data_version: str


def latest_versions(
    instance: DagsterInstance, asset_key: AssetKey, partitions: Iterable[str]
) -> dict[str, EventVersion]:
    """Return the latest materialization of many partitions, in two queries per 10,000.

    Args:
        instance: Dagster instance whose event log is read.
        asset_key: Partitioned asset.
        partitions: Partition keys asked for.

    Returns:
        Partition key to version; partitions that were never materialized are left out.
    """
    wanted = sorted({str(key) for key in partitions})
    found: dict[str, EventVersion] = {}
    for start in range(0, len(wanted), LOOKUP_SIZE):
        chunk = wanted[start : start + LOOKUP_SIZE]
        ids = instance.get_latest_storage_id_by_partition(asset_key, _MATERIALIZED, set(chunk))
        tags = instance.event_log_storage.get_latest_tags_by_partition(
            asset_key, _MATERIALIZED, [DATA_VERSION_TAG], asset_partitions=chunk
        )
        found.update(
            (key, EventVersion(ids[key], tags[key][DATA_VERSION_TAG])) for key in ids if key in tags
        )
    return found


def _subset_of(event: EventLogEntry) -> Any:
    dagster_event = event.dagster_event
    return dagster_event.partitions_subset if dagster_event is not None else None


def _planned_for(event: EventLogEntry, partition: str | None) -> EventLogEntry:
    dagster_event = event.get_dagster_event()
    planned = dagster_event.asset_materialization_planned_data
    data = AssetMaterializationPlannedData(planned.asset_key, partition=partition)
    return event._replace(dagster_event=dagster_event._replace(event_specific_data=data))


def _insert(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """Insert rows of the event log; return their numbers in the same order."""
    insert = SqlEventLogStorageTable.insert().returning(
        SqlEventLogStorageTable.c.id, sort_by_parameter_order=True
    )
    return [int(row[0]) for row in connection.execute(insert, rows)]


_SOME_PARTITION = "<partition>"
"""Stands in the planned event that the others are copies of."""


def _copied(model: Mapping[str, Any], partition: str) -> dict[str, Any]:
    spelled = model["event"].replace(json.dumps(_SOME_PARTITION), json.dumps(partition))
    return {**model, "event": spelled, "partition": partition}


def _may_wait(event: EventLogEntry) -> bool:
    dagster_event = event.dagster_event
    return (
        dagster_event is not None
        and bool(event.run_id)
        and dagster_event.event_type == _MATERIALIZED
        and dagster_event.partition is not None
    )


def _by_asset(events: Iterable[EventLogEntry]) -> Iterator[list[EventLogEntry]]:
    groups: dict[Any, list[EventLogEntry]] = {}
    for event in events:
        dagster_event = event.get_dagster_event()
        groups.setdefault(dagster_event.asset_key, []).append(event)
    yield from groups.values()
