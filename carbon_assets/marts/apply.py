"""Making schema ``marts`` what the models say, in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import psycopg
from psycopg import sql
from sqlalchemy import Connection, text

from carbon_assets.errors import MartError
from carbon_assets.marts.models import SCHEMA, Model, ModelSet
from carbon_assets.marts.versions import Relation, comment_of, relations, wanted_versions
from carbon_assets.store.database import Database
from carbon_assets.store.engines import transaction

Action = Literal["created", "filled", "kept"]

_LOCK = 4_951_760_157_141_521_100
"""Advisory lock of a database while its marts are made (an arbitrary number)."""


@dataclass(frozen=True)
class Applied:
    """What became of a model.

    Attributes:
        action: ``created``; ``filled``, of a table whose data had changed; or ``kept``.
        version: Version that the relation now has.
    """

    action: Action
    version: str


def apply_models(database: Database, models: ModelSet) -> dict[str, Applied]:
    """Bring schema ``marts`` in line with the models; nothing is done twice.

    A relation whose model changed is dropped and made again with all that read it; a table
    whose data changed is filled again in place. A relation whose model is gone is dropped.
    Readers see all of it or nothing.

    Args:
        database: Written as the application's role.
        models: From :func:`carbon_assets.marts.models.load_models`.

    Returns:
        What happened, by model name, in the order of the models.

    Raises:
        MartError: ``MART_NAME_TAKEN``, ``MART_IN_USE`` or ``MART_SQL_INVALID``; then nothing
            has changed.
    """
    with transaction(database) as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        found = relations(connection)
        _require_own(found, models.models)
        versions = wanted_versions(connection, models)
        digests = {model.name: model.digest for model in models.models}
        old = {name for name, one in found.items() if one.version}
        gone = {name for name in old if found[name].digest != digests.get(name)}
        _drop(connection, {name: found[name] for name in gone})
        kept = {name: found[name].version for name in old - gone}
        return {
            model.name: Applied(
                _make(connection, model, versions[model.name], kept.get(model.name)),
                versions[model.name],
            )
            for model in models.models
        }


def _require_own(found: Mapping[str, Relation], models: Iterable[Model]) -> None:
    for model in models:
        if model.name in found and found[model.name].version is None:
            raise MartError(
                "MART_NAME_TAKEN",
                f"{SCHEMA}.{model.name} exists and was not made by a model",
                where=model.where,
                do="rename the model, or move that relation to another schema",
            )


def _drop(connection: Connection, old: Mapping[str, Relation]) -> None:
    """Drop in one statement per kind, so that they may read each other; views read tables."""
    for kind in ("view", "table"):
        names = sorted(name for name, relation in old.items() if relation.kind == kind)
        if not names:
            continue
        listed = sql.SQL(", ").join(sql.Identifier(SCHEMA, name) for name in names)
        try:
            _run(connection, sql.SQL("DROP {} {}").format(_KINDS[kind], listed))
        except psycopg.errors.DependentObjectsStillExist as error:
            raise MartError(
                "MART_IN_USE",
                f"something else reads a model that has to be dropped: {error.diag.message_detail}",
                where=f"schema {SCHEMA}",
                do="drop them, and make them again afterwards; or turn them into models",
            ) from error


def _make(connection: Connection, model: Model, version: str, held: str | None) -> Action:
    if held == version:
        return "kept"
    try:
        if held is None:
            _run(connection, _CREATE.format(_KINDS[model.materialized], _name(model), _body(model)))
        else:
            _run(connection, sql.SQL("DELETE FROM {}").format(_name(model)))
            _run(connection, sql.SQL("INSERT INTO {} {}").format(_name(model), _body(model)))
    except psycopg.Error as error:
        raise _invalid(model, error) from error
    comment = sql.Literal(comment_of(model, version))
    kind = _KINDS[model.materialized]
    _run(connection, sql.SQL("COMMENT ON {} {} IS {}").format(kind, _name(model), comment))
    return "created" if held is None else "filled"


_KINDS = {"view": sql.SQL("VIEW"), "table": sql.SQL("TABLE")}
_CREATE = sql.SQL("CREATE {} {} AS {}")


def _name(model: Model) -> sql.Identifier:
    return sql.Identifier(SCHEMA, model.name)


def _body(model: Model) -> sql.SQL:
    # The text of a file of the project, whose references were resolved to checked names.
    return sql.SQL(model.sql)


def _run(connection: Connection, statement: sql.Composed) -> None:
    """Run as it stands: SQLAlchemy would read a percent sign or a colon as a parameter."""
    driver: Any = connection.connection.driver_connection
    driver.execute(statement)


def _invalid(model: Model, error: psycopg.Error) -> MartError:
    return MartError(
        "MART_SQL_INVALID",
        f"PostgreSQL refuses the model: {str(error).splitlines()[0]}",
        where=model.where,
        do="correct the SQL; nothing was changed",
        details={"sqlstate": error.sqlstate},
    )
