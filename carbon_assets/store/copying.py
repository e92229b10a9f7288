"""Writing many rows at once with PostgreSQL's COPY."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from psycopg import Connection as DriverConnection
from psycopg import sql
from sqlalchemy import Connection, Table, text
from sqlalchemy.dialects.postgresql import JSONB

from carbon_assets.store.engines import to_json
from carbon_assets.store.models import Base

Convert = Callable[[Any], Any]


def copy_rows(
    connection: Connection,
    table: type[Base] | Table,
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
) -> int:
    """Append rows with COPY, in the connection's transaction.

    Args:
        connection: A connection with psycopg 3.
        table: The model or its table.
        columns: Names of the columns that ``rows`` hold, in their order.
        rows: Values per row; mappings and lists for JSONB columns, None for NULL.

    Returns:
        The number of rows written.
    """
    target = _table(table)
    return _copy(connection, sql.Identifier(target.name), target, columns, rows)


def copy_new_rows(
    connection: Connection,
    table: type[Base] | Table,
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
) -> int:
    """Append those rows that violate no unique constraint; for rows that may be there already.

    Arguments are those of :func:`copy_rows`. The rows go through a temporary table.

    Returns:
        The number of rows that were new.
    """
    target = _table(table)
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    staged = sql.Identifier(f"staged_{target.name}_{secrets.token_hex(4)}")
    parts = {
        "staged": staged,
        "target": sql.Identifier(target.name),
        "names": names,
        "numbered": sql.SQL("OVERRIDING SYSTEM VALUE" if "id" in columns else ""),
    }
    driver = _driver(connection)
    driver.execute(
        sql.SQL(
            "CREATE TEMPORARY TABLE {staged} ON COMMIT DROP AS SELECT {names} FROM {target} LIMIT 0"
        ).format(**parts)
    )
    _copy(connection, staged, target, columns, rows)
    added = driver.execute(
        sql.SQL(
            "INSERT INTO {target} ({names}) {numbered} SELECT {names} FROM {staged}"
            " ON CONFLICT DO NOTHING"
        ).format(**parts)
    ).rowcount
    driver.execute(sql.SQL("DROP TABLE {staged}").format(**parts))
    return added


def reserve_ids(connection: Connection, table: type[Base] | Table, count: int) -> list[int]:
    """Draw row numbers for rows that other rows of the same COPY refer to.

    Args:
        connection: A connection of the application's role.
        table: A table with the identity column ``id``.
        count: How many.

    Returns:
        ``count`` row numbers, ascending, never given to anybody else.
    """
    name = _table(table).name
    drawn = connection.execute(
        text(
            "SELECT nextval(pg_get_serial_sequence(:table, 'id')) FROM generate_series(1, :count)"
        ),
        {"table": name, "count": count},
    )
    return sorted(drawn.scalars())


def _copy(
    connection: Connection,
    name: sql.Identifier,
    table: Table,
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
) -> int:
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        name, sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    json_at = [i for i, column in enumerate(columns) if isinstance(table.c[column].type, JSONB)]
    with _driver(connection).cursor() as cursor:
        with cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(_with_json(row, json_at))
        return cursor.rowcount


def _with_json(row: Sequence[Any], json_at: Sequence[int]) -> Sequence[Any]:
    if not json_at:
        return row
    values = list(row)
    for i in json_at:
        if values[i] is not None:
            values[i] = to_json(values[i])  # COPY's text form of jsonb
    return values


def _table(table: type[Base] | Table) -> Table:
    if isinstance(table, Table):
        return table
    return Base.metadata.tables[table.__tablename__]


def _driver(connection: Connection) -> DriverConnection[Any]:
    driver = connection.connection.driver_connection
    if not isinstance(driver, DriverConnection):
        raise TypeError("COPY needs a connection with psycopg 3")
    return driver
