"""What the server knows of tables: columns, order, sequences, triggers."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg import sql

from carbon_assets.store.database import DAGSTER_SCHEMA
from carbon_assets.store.models import Base
from carbon_assets.store.roles import APPLICATION

PUBLIC = "public"
DAGSTER_VERSION = "alembic_version"
"""Dagster's own note of its schema: made with its tables, never copied."""


@dataclass(frozen=True)
class Table:
    """A table of the database.

    Attributes:
        schema: Schema.
        name: Name.
        columns: Columns that are stored and not computed, in their order.
        key: Columns of the primary key.
    """

    schema: str
    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]

    @property
    def identifier(self) -> sql.Identifier:
        """Qualified and quoted name."""
        return sql.Identifier(self.schema, self.name)


@contextmanager
def working_in(connection: psycopg.Connection, schema: str) -> Iterator[None]:
    """Work as who owns the tables of a schema: Dagster's belong to the application."""
    if schema == PUBLIC:
        yield
        return
    connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(APPLICATION)))
    yield
    connection.execute("RESET ROLE")


def tables(connection: psycopg.Connection) -> list[Table]:
    """Return our tables and Dagster's that exist, ours first, by name."""
    ours = list(Base.metadata.tables)
    rows = connection.execute(
        """
        SELECT n.nspname, c.relname,
            ARRAY(SELECT attname::text FROM pg_attribute
                  WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped
                    AND attgenerated = '' ORDER BY attnum),
            ARRAY(SELECT a.attname::text FROM pg_index i
                  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey)
                  WHERE i.indrelid = c.oid AND i.indisprimary
                  ORDER BY array_position(i.indkey::int2[], a.attnum))
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind = 'r'
          AND (n.nspname = %s AND c.relname = ANY (%s) OR n.nspname = %s AND c.relname <> %s)
        ORDER BY n.nspname DESC, c.relname
        """,
        [PUBLIC, ours, DAGSTER_SCHEMA, DAGSTER_VERSION],
    ).fetchall()
    return [Table(schema, name, tuple(c), tuple(k)) for schema, name, c, k in rows]


def sequences(
    connection: psycopg.Connection, chosen: Sequence[Table]
) -> dict[str, tuple[int, bool]]:
    """Return the sequences that number the rows of tables, with value and whether drawn."""
    found = {}
    for schema, sequence in _sequence_names(connection, chosen):
        with working_in(connection, schema):
            row = connection.execute(
                sql.SQL("SELECT last_value, is_called FROM {}").format(
                    sql.Identifier(schema, sequence)
                )
            ).fetchone()
        if row is not None:
            found[f"{schema}.{sequence}"] = (int(row[0]), bool(row[1]))
    return found


def is_empty(connection: psycopg.Connection, table: Table) -> bool:
    """Tell whether a table has no row."""
    with working_in(connection, table.schema):
        query = sql.SQL("SELECT EXISTS (SELECT FROM {})").format(table.identifier)
        row = connection.execute(query).fetchone()
    return not (row and row[0])


@contextmanager
def unguarded(connection: psycopg.Connection, chosen: Collection[Table]) -> Iterator[None]:
    """Load tables in any order and without their triggers, and leave both as they were.

    Foreign keys are taken off and put back, which checks every row; tables may refer to each
    other in a circle. The connection must be in a transaction: other sessions never see the
    tables unguarded, and if the block fails nothing has changed.
    """
    oids = _oids(connection, chosen)
    triggers = connection.execute(_TRIGGERS, [oids]).fetchall()
    keys = connection.execute(_FOREIGN_KEYS, [oids]).fetchall()
    for schema, table, trigger, _ in triggers:
        _alter(connection, schema, table, "DISABLE TRIGGER {}", trigger)
    for schema, table, key, _ in keys:
        _alter(connection, schema, table, "DROP CONSTRAINT {}", key)
    yield
    for schema, table, key, definition in keys:
        _alter(connection, schema, table, f"ADD CONSTRAINT {{}} {definition}", key)
    for schema, table, trigger, state in triggers:
        _alter(connection, schema, table, f"{_ENABLE[state]} {{}}", trigger)


_TRIGGERS = """
    SELECT n.nspname, c.relname, t.tgname, t.tgenabled::text
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE NOT t.tgisinternal AND t.tgenabled <> 'D' AND c.oid = ANY (%s)
"""
_FOREIGN_KEYS = """
    SELECT n.nspname, c.relname, f.conname, pg_get_constraintdef(f.oid)
    FROM pg_constraint f JOIN pg_class c ON c.oid = f.conrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE f.contype = 'f' AND c.oid = ANY (%s)
    ORDER BY 1, 2, 3
"""
_ENABLE = {
    "O": "ENABLE TRIGGER",
    "A": "ENABLE ALWAYS TRIGGER",
    "R": "ENABLE REPLICA TRIGGER",
}


def _alter(connection: psycopg.Connection, schema: str, table: str, how: str, name: str) -> None:
    # ``how`` is ours, or the server's own spelling of a constraint.
    statement = sql.SQL("ALTER TABLE {} ").format(sql.Identifier(schema, table))
    with working_in(connection, schema):
        connection.execute(statement + _formatted(how, name))


def _formatted(how: str, name: str) -> sql.Composed:
    before, _, after = how.partition("{}")
    parts = [sql.SQL(before), sql.Identifier(name), sql.SQL(after)]
    return sql.Composed(parts)


def _oids(connection: psycopg.Connection, chosen: Collection[Table]) -> list[int]:
    names = [f"{table.schema}.{table.name}" for table in chosen]
    rows = connection.execute(
        "SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname || '.' || c.relname = ANY (%s)",
        [names],
    ).fetchall()
    return [row[0] for row in rows]


def _sequence_names(
    connection: psycopg.Connection, chosen: Sequence[Table]
) -> list[tuple[str, str]]:
    return connection.execute(
        """
        SELECT n.nspname, s.relname
        FROM pg_depend d
        JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
        JOIN pg_namespace n ON n.oid = s.relnamespace
        WHERE d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
          AND d.refobjid = ANY (%s)
        ORDER BY 1, 2
        """,
        [_oids(connection, chosen)],
    ).fetchall()
