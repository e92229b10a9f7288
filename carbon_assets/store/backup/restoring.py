"""Bringing a backup into an empty database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from carbon_assets.errors import StoreError
from carbon_assets.store import external
from carbon_assets.store.backup.archive import ArchiveReader, Manifest, SavedTable, reading
from carbon_assets.store.backup.catalog import (
    PUBLIC,
    Table,
    is_empty,
    tables,
    unguarded,
    working_in,
)
from carbon_assets.store.backup.saving import Progress, use_settings
from carbon_assets.store.database import DAGSTER_SCHEMA, Database
from carbon_assets.store.migrate import current_revision, is_known, upgrade

_DAGSTER_RECORDS = ("runs", "event_logs")
"""Tables that tell whether Dagster has ever been used; it fills others when it is opened."""


@dataclass(frozen=True)
class Restoring:
    """Where a backup goes.

    Attributes:
        database: Its addresses; it may have no table yet.
        make_dagster_tables: Makes Dagster's tables, empty.
        progress: Called with tables done and tables to do.
    """

    database: Database
    make_dagster_tables: Callable[[Database], None]
    progress: Progress = lambda _done, _all: None


def check(path: Path) -> Manifest:
    """Read a backup from end to end and return what it holds; no database is needed.

    Raises:
        StoreError: ``BACKUP_MISSING``, ``BACKUP_UNREADABLE``, ``BACKUP_DAMAGED``,
            ``BACKUP_NEWER``.
    """
    with reading(path) as archive:
        _require_known(archive.manifest, path)
        archive.verify()
        return archive.manifest


def restore(path: Path, target: Restoring) -> Manifest:
    """Bring a backup into an empty database: all of it, or nothing.

    The tables are made as the backup's revision had them, filled in one transaction, and then
    brought to the newest revision. Triggers, rights and numbering are as they were.

    Args:
        path: The backup.
        target: Where it goes.

    Raises:
        StoreError: As :func:`check`, and ``RESTORE_NOT_EMPTY``, ``RESTORE_SCHEMA_DIFFERS``.
    """
    manifest = check(path)
    owner = make_url(target.database.owner_url)
    with external.connect(owner) as connection:
        _require_room(connection, manifest)
    upgrade(target.database.owner_url, manifest.revision)
    if any(table.schema == DAGSTER_SCHEMA for table in manifest.tables):
        target.make_dagster_tables(target.database)
    with reading(path) as archive, external.connect(owner) as connection:
        with connection.transaction():
            _load(connection, archive, target.progress)
        connection.execute("ANALYZE")
    upgrade(target.database.owner_url)
    return manifest


def _require_known(manifest: Manifest, path: Path) -> None:
    if not is_known(manifest.revision):
        raise StoreError(
            "BACKUP_NEWER",
            f"The backup is of schema {manifest.revision}, which this version does not know.",
            where=str(path),
            do=f"Install carbon-assets {manifest.package_version} or newer.",
        )


def _require_room(connection: psycopg.Connection, manifest: Manifest) -> None:
    """Refuse a database with rows, or with tables of another revision than the backup's."""
    revision = current_revision(connection)
    if revision not in (None, manifest.revision):
        raise _not_empty(connection, f"it has the tables of schema {revision}")
    for table in tables(connection):
        counts = table.schema == PUBLIC or table.name in _DAGSTER_RECORDS
        if counts and not is_empty(connection, table):
            raise _not_empty(connection, f"{table.schema}.{table.name} has rows")


def _not_empty(connection: psycopg.Connection, reason: str) -> StoreError:
    return StoreError(
        "RESTORE_NOT_EMPTY",
        f"A backup goes into an empty database, and this one is not: {reason}.",
        where=f"{connection.info.host}:{connection.info.port}/{connection.info.dbname}",
        do="Create a new database, or set CARBON_HOME to a new folder, and restore there.",
    )


def _load(connection: psycopg.Connection, archive: ArchiveReader, progress: Progress) -> None:
    use_settings(connection)
    found = {(table.schema, table.name): table for table in tables(connection)}
    saved = archive.manifest.tables
    chosen = [_counterpart(found, one) for one in saved]
    _require_room(connection, archive.manifest)
    _clear_dagster(connection, [table for table in found.values() if table.schema != PUBLIC])
    with unguarded(connection, chosen):
        for done, (one, table) in enumerate(zip(saved, chosen, strict=True)):
            progress(done, len(saved))
            _load_table(connection, archive, one, table)
        progress(len(saved), len(saved))
    for name, (value, drawn) in archive.manifest.sequences.items():
        schema, _, sequence = name.partition(".")
        with working_in(connection, schema):
            connection.execute(
                "SELECT setval(format('%%I.%%I', %s::text, %s::text)::regclass, %s, %s)",
                [schema, sequence, value, drawn],
            )


def _counterpart(found: dict[tuple[str, str], Table], saved: SavedTable) -> Table:
    """The table of the database that takes a table of the backup."""
    table = found.get((saved.schema, saved.name))
    missing = set(saved.columns) - set(table.columns if table else ())
    if table is None or missing:
        what = ", ".join(sorted(missing)) if table else "the table"
        raise StoreError(
            "RESTORE_SCHEMA_DIFFERS",
            f"{saved.schema}.{saved.name} of the backup does not fit here: {what} is missing.",
            do="Restore with the version of carbon-assets that wrote the backup, then upgrade.",
        )
    return table


def _clear_dagster(connection: psycopg.Connection, chosen: Sequence[Table]) -> None:
    """Remove what Dagster writes into new tables; the backup holds its own."""
    if chosen:
        names = sql.SQL(", ").join(table.identifier for table in chosen)
        with working_in(connection, DAGSTER_SCHEMA):
            connection.execute(sql.SQL("TRUNCATE {}").format(names))


def _load_table(
    connection: psycopg.Connection, archive: ArchiveReader, saved: SavedTable, table: Table
) -> None:
    columns = sql.SQL(", ").join(map(sql.Identifier, saved.columns))
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(table.identifier, columns)
    with (
        working_in(connection, table.schema),
        connection.cursor() as cursor,
        cursor.copy(statement) as copy,
    ):
        for block in archive.blocks(saved):
            copy.write(block)
