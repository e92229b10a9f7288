"""What every table shares: naming, type mapping, and the few column forms used throughout."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from sqlalchemy import (
    BigInteger,
    DateTime,
    Double,
    Identity,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Text,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, MappedColumn, mapped_column

SmallInt = Annotated[int, "smallint"]
"""A two-byte integer, for the narrow keys of the partition tables."""

BigInt = Annotated[int, "bigint"]
"""An eight-byte integer, for row numbers of tables that grow with every run."""

JsonObject = dict[str, Any]
JsonArray = list[Any]

PLACE_KINDS = ("farm", "project_boundary", "leakage_belt", "reference_region", "jurisdiction")
"""Every kind of place; all of them live in the table ``farms``."""

HASH_PATTERN = "^sha256:[0-9a-f]{64}$"
"""How a hash is written in a text column."""


class Base(DeclarativeBase):
    """Declarative base of all tables of the schema ``public``."""

    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it from the class
        str: Text(),
        int: Integer(),
        SmallInt: SmallInteger(),
        BigInt: BigInteger(),
        float: Double(),
        bytes: LargeBinary(),
        datetime: DateTime(timezone=True),
        JsonObject: JSONB(none_as_null=True),
        JsonArray: JSONB(none_as_null=True),
    }


def identity(comment: str = "Row number, given by the database") -> MappedColumn[Any]:
    """Return a primary key column that only the database numbers."""
    return mapped_column(Identity(always=True), primary_key=True, comment=comment)


def recorded(comment: str) -> MappedColumn[Any]:
    """Return a timestamp column (UTC) that defaults to the start of the transaction."""
    return mapped_column(server_default=func.now(), comment=comment)


def one_of(column: str, values: Sequence[str]) -> str:
    """Return the SQL condition that ``column`` holds one of ``values``."""
    listed = ", ".join(f"'{value}'" for value in values)
    return f"{column} IN ({listed})"


def is_hash(column: str) -> str:
    """Return the SQL condition that a text column holds ``sha256:`` and 64 hex digits."""
    return f"{column} ~ '{HASH_PATTERN}'"


def is_finite(column: str) -> str:
    """Return the SQL condition that a number is neither NaN nor infinite (NULL passes)."""
    return f"{column} > '-Infinity' AND {column} < 'Infinity'"
