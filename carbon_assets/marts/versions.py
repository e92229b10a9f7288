"""Which version of each model is in the database, and which should be.

A relation's comment ends with the version that made it: the digest of its model and, for a
table, the state of the data that filled it. A view shows the data as they are and has no such
second part.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from psycopg import sql
from sqlalchemy import Connection, text

from carbon_assets.errors import MartError
from carbon_assets.marts.files import SOURCES, Materialized, Source
from carbon_assets.marts.models import SCHEMA, Model, ModelSet

_MARK = "carbon-assets model "
_VERSION = re.compile(rf"{_MARK}(\S+)$")


@dataclass(frozen=True)
class Relation:
    """A relation of schema ``marts`` as it is.

    Attributes:
        kind: ``view`` or ``table``; None for anything else.
        version: Version of the model that made it; None if no model did.
    """

    kind: Materialized | None
    version: str | None

    @property
    def digest(self) -> str | None:
        """The part of the version that speaks of the model."""
        return self.version.partition("+")[0] if self.version else None


def relations(connection: Connection) -> dict[str, Relation]:
    """Return what is in schema ``marts``, by name."""
    rows = connection.execute(
        text(
            "SELECT relname, relkind::text, obj_description(oid, 'pg_class') AS comment"
            " FROM pg_class WHERE relnamespace = to_regnamespace(:schema)"
            " AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S')"
        ),
        {"schema": SCHEMA},
    )
    kinds: dict[str, Materialized] = {"r": "table", "v": "view"}
    return {
        row.relname: Relation(kinds.get(row.relkind), _version_in(row.comment or ""))
        for row in rows
    }


def wanted_versions(connection: Connection, models: ModelSet) -> dict[str, str]:
    """Return the version that each model should have now, by name, in their order."""
    state = _data_state(connection, models.sources) if _has_table(models) else ""
    return {model.name: _version(model, state) for model in models.models}


def outdated(connection: Connection, models: ModelSet) -> list[str]:
    """Return the models whose relation is missing or has another version, in their order."""
    found = relations(connection)
    wanted = wanted_versions(connection, models).items()
    return [name for name, v in wanted if name not in found or found[name].version != v]


def comment_of(model: Model, version: str) -> str:
    """Return the comment of a relation: for people, then the version."""
    return f"{model.description}\n\n{_MARK}{version}"


def _version_in(comment: str) -> str | None:
    match = _VERSION.search(comment)
    return match[1] if match else None


def _version(model: Model, state: str) -> str:
    return f"{model.digest}+{state}" if model.materialized == "table" else model.digest


def _has_table(models: ModelSet) -> bool:
    return any(model.materialized == "table" for model in models.models)


def _data_state(connection: Connection, sources: Mapping[str, Source]) -> str:
    """Say in which state the data are, over all sources.

    The sum over the current history rows grows with each commit. The highest number would miss
    one that was committed after a higher one.
    """
    query = "SELECT coalesce(sum(history_id), 0) FROM public.partition_state"
    history = connection.execute(text(query)).scalar_one()
    editable = sorted(name for name, source in sources.items() if source.follows == "rows")
    _require_present(connection, editable)
    content = "".join(_content_hash(connection, name) for name in editable)
    return f"{history}.{hashlib.sha256(content.encode()).hexdigest()[:16]}"


def _require_present(connection: Connection, tables: list[str]) -> None:
    query = text(
        "SELECT name FROM unnest(CAST(:tables AS text[])) AS name"
        " WHERE to_regclass('public.' || name) IS NULL"
    )
    missing = connection.execute(query, {"tables": tables}).scalars().all()
    if missing:
        raise MartError(
            "MART_SOURCE_MISSING",
            f"the database has no table {', '.join(missing)}",
            where=SOURCES,
            do="name tables and views of schema public",
        )


def _content_hash(connection: Connection, table: str) -> str:
    rows = sql.SQL(
        "SELECT encode(sha256(convert_to(coalesce(string_agg("
        "line, chr(10) ORDER BY line COLLATE \"C\"), ''), 'UTF8')), 'hex')"
        " FROM (SELECT t::text AS line FROM {} AS t) AS lines"
    ).format(sql.Identifier("public", table))
    return str(connection.exec_driver_sql(rows.as_string(None)).scalar_one())
