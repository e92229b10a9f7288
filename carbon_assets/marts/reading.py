"""What a model's relation holds: columns, number of rows, the first of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from psycopg import sql
from sqlalchemy import Connection, text

from carbon_assets.marts.models import SCHEMA


@dataclass(frozen=True)
class Shown:
    """A relation in brief.

    Attributes:
        columns: (name, type as PostgreSQL writes it), in order.
        rows: Number of rows.
        first: Some rows by column name.
    """

    columns: tuple[tuple[str, str], ...]
    rows: int
    first: tuple[dict[str, Any], ...]


def columns_of(connection: Connection, name: str) -> tuple[tuple[str, str], ...]:
    """Return the columns of a relation of schema ``marts``: (name, type), in order.

    Args:
        connection: An open transaction.
        name: Name of a model that has been applied.
    """
    rows = connection.execute(
        text(
            "SELECT a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_attribute AS a"
            " JOIN pg_class AS c ON c.oid = a.attrelid WHERE c.relname = :name"
            " AND c.relnamespace = to_regnamespace(:schema)"
            " AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"
        ),
        {"name": name, "schema": SCHEMA},
    )
    return tuple((str(column), str(kind)) for column, kind in rows)


def show(connection: Connection, name: str, limit: int) -> Shown:
    """Return a relation of schema ``marts`` in brief.

    Args:
        connection: An open transaction.
        name: Name of a model that has been applied.
        limit: Largest number of rows shown.
    """
    relation = sql.Identifier(SCHEMA, name)
    count = sql.SQL("SELECT count(*) FROM {}").format(relation).as_string(None)
    head = sql.SQL("SELECT * FROM {} LIMIT {}").format(relation, sql.Literal(limit))
    first = connection.exec_driver_sql(head.as_string(None)).mappings()
    return Shown(
        columns=columns_of(connection, name),
        rows=int(connection.exec_driver_sql(count).scalar_one()),
        first=tuple(dict(row) for row in first),
    )
