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

_ALEMBIC = threading.Lock()  # its environment is global to the process


def is_current(connection: psycopg.Connection) -> bool:
    """Return whether the database already has the newest schema (one query).

    Args:
        connection: An open connection of any role that may read the public schema.
    """
    try:
        row = connection.execute("SELECT version_num FROM public.carbon_alembic_version").fetchone()
    except psycopg.errors.UndefinedTable:
        connection.rollback()
        return False
    return row is not None and row[0] == HEAD


def upgrade(owner_url: str) -> None:
    """Upgrade the schema in one transaction; waits for a concurrent upgrade.

    Args:
        owner_url: SQLAlchemy URL of the role that owns, or will own, the tables.

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
                _run_alembic(connection)
    except Exception as error:
        if isinstance(getattr(error, "orig", error), psycopg.errors.InsufficientPrivilege):
            raise _no_rights(error, engine.url) from error
        raise
    finally:
        engine.dispose()


def _run_alembic(connection: Connection) -> None:
    # Only an upgrade pays for these imports.
    from alembic import command
    from alembic.config import Config
    from alembic.util.exc import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
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
