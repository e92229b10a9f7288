"""Bring a database to the schema of this version of the package."""

from __future__ import annotations

import threading
from pathlib import Path

import psycopg
from sqlalchemy import URL, Connection, create_engine, text
from sqlalchemy.pool import NullPool

from carbon_assets.errors import StoreError

HEAD = "0002_automation"
"""The newest revision; a test holds it equal to Alembic's, which is slow to ask."""

_LOCK = 4_951_760_157_141_521_099
"""Advisory lock of a database while its schema is upgraded (an arbitrary number)."""

_MIGRATIONS = Path(__file__).parent / "migrations"
_ALEMBIC = threading.Lock()  # its environment is global to the process


def is_current(connection: psycopg.Connection) -> bool:
    """Return whether the database already has the newest schema (one query).

    Args:
        connection: An open connection of any role that may read the public schema.
    """
    return current_revision(connection) == HEAD


def current_revision(connection: psycopg.Connection) -> str | None:
    """Return the schema revision of a database, None when it has no tables of ours.

    Args:
        connection: An open connection of any role that may read the public schema.
    """
    try:
        row = connection.execute("SELECT version_num FROM public.carbon_alembic_version").fetchone()
    except psycopg.errors.UndefinedTable:
        connection.rollback()
        return None
    return str(row[0]) if row else None


def is_known(revision: str) -> bool:
    """Tell whether this version of the package has a schema revision."""
    return (_MIGRATIONS / "versions" / f"{revision}.py").exists()


def upgrade(owner_url: str, revision: str = HEAD) -> None:
    """Upgrade the schema in one transaction; waits for a concurrent upgrade.

    Args:
        owner_url: SQLAlchemy URL of the role that owns, or will own, the tables.
        revision: Where to; by default the newest. A database past it stays as it is.

    Raises:
        StoreError: ``DATABASE_SCHEMA_NEWER`` when a newer version of the package has
            upgraded the database, ``DATABASE_NO_RIGHTS`` when the role may not create
            what the schema needs.
    """
    engine = create_engine(owner_url, poolclass=NullPool)
    try:
        with engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            connection.execute(text("SET LOCAL search_path = public"))
            with _ALEMBIC:
                _run_alembic(connection, revision)
    except Exception as error:
        if isinstance(getattr(error, "orig", error), psycopg.errors.InsufficientPrivilege):
            raise _no_rights(error, engine.url) from error
        raise
    finally:
        engine.dispose()


def _run_alembic(connection: Connection, revision: str) -> None:
    # Only an upgrade pays for these imports.
    from alembic import command
    from alembic.config import Config
    from alembic.util.exc import CommandError

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, revision)
    except CommandError as error:
        raise StoreError(
            "DATABASE_SCHEMA_NEWER",
            f"The database's schema is not known to this version (which ends at {HEAD}): {error}",
            do="Install the carbon-assets version that upgraded the database, or a newer one.",
        ) from error


def _no_rights(error: Exception, url: URL) -> StoreError:
    reason = str(getattr(error, "orig", error)).splitlines()[0]
    return StoreError(
        "DATABASE_NO_RIGHTS",
        f"Role {url.username} may not create the schema: {reason}",
        do="Have the database's administrator run, in that database: "
        f'GRANT CREATE ON DATABASE "{url.database}" TO "{url.username}"; '
        f'GRANT CREATE ON SCHEMA public TO "{url.username}";',
    )
