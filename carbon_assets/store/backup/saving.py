"""Writing a backup."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psycopg
from psycopg import IsolationLevel, sql
from sqlalchemy import make_url

import carbon_assets
from carbon_assets.store import external
from carbon_assets.store.backup.archive import ArchiveWriter, Manifest, SavedTable, writing
from carbon_assets.store.backup.catalog import Table, sequences, tables, working_in
from carbon_assets.store.database import Database
from carbon_assets.store.migrate import current_revision

Progress = Callable[[int, int], None]
"""Called with tables done and tables to do."""

SETTINGS = {
    "timezone": "UTC",
    "datestyle": "ISO, YMD",
    "intervalstyle": "iso_8601",
    "bytea_output": "hex",
    "extra_float_digits": "1",
}
"""How values are written, so that equal tables give equal texts on every server."""


def save(
    database: Database, path: Path, *, replace: bool = False, progress: Progress | None = None
) -> Manifest:
    """Write all tables of ours and of Dagster's to one file, as of one moment.

    Others may read and write meanwhile. The schema ``marts`` is not in it: it is made from
    the tables. Passwords are not in it either.

    Args:
        database: Open database.
        path: The file.
        replace: Whether an older file of this name may be replaced.
        progress: Who is told how far it is.

    Raises:
        StoreError: ``BACKUP_EXISTS``, ``BACKUP_UNWRITABLE``.
    """
    with (
        writing(path, replace=replace) as archive,
        external.connect(make_url(database.owner_url)) as connection,
    ):
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        with connection.transaction():
            manifest = _saved(connection, archive, progress or (lambda _done, _all: None))
        archive.close_with(manifest)
    return manifest


def use_settings(connection: psycopg.Connection) -> None:
    """Let values be written and read in the one way of backups, in this transaction."""
    for name, value in SETTINGS.items():
        connection.execute("SELECT set_config(%s, %s, true)", [name, value])


def _saved(connection: psycopg.Connection, archive: ArchiveWriter, progress: Progress) -> Manifest:
    use_settings(connection)
    row = connection.execute('SELECT to_char(now(), \'YYYY-MM-DD"T"HH24:MI:SS"Z"\')').fetchone()
    found = tables(connection)
    saved: list[SavedTable] = []
    for table in found:
        progress(len(saved), len(found))
        saved.append(_save_table(connection, archive, table))
    progress(len(saved), len(found))
    return Manifest(
        created_at=str(row[0]) if row else "",
        package_version=carbon_assets.__version__,
        server_version=connection.info.parameter_status("server_version") or "",
        revision=current_revision(connection) or "",
        tables=tuple(saved),
        sequences=sequences(connection, found),
    )


def _save_table(connection: psycopg.Connection, archive: ArchiveWriter, table: Table) -> SavedTable:
    columns = sql.SQL(", ").join(map(sql.Identifier, table.columns))
    order = sql.SQL(", ").join(map(sql.Identifier, table.key or table.columns))
    query = sql.SQL("COPY (SELECT {} FROM {} ORDER BY {}) TO STDOUT").format(
        columns, table.identifier, order
    )
    empty = SavedTable(table.schema, table.name, table.columns, 0, "")
    with working_in(connection, table.schema), connection.cursor() as cursor:
        with cursor.copy(query) as copy:
            digest = archive.add(empty.member, copy)
        return SavedTable(table.schema, table.name, table.columns, cursor.rowcount, digest)
