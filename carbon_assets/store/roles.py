"""The two roles; and how an external server gets the application's role."""

from __future__ import annotations

import time

import psycopg
from psycopg import errors, sql

from carbon_assets.errors import StoreError

OWNER = "carbon_assets_owner"
"""Owns the tables of an embedded database."""

APPLICATION = "carbon_assets_app"
"""What the application works as: it owns no table of ours and is no superuser."""

_ATTEMPTS = 20
# Roles belong to the whole server: others may be doing the same in another database.
_RACES = (errors.DuplicateObject, errors.UniqueViolation, errors.InternalError_)


def ensure_application_role(connection: psycopg.Connection) -> None:
    """Create the NOLOGIN role of the application and let the connected role become it.

    Args:
        connection: In autocommit mode, as the role that ``CARBON_DATABASE_URL`` names.

    Raises:
        StoreError: ``DATABASE_NO_ROLE`` when the connected role may not do that; it says
            what an administrator must run.
    """
    for attempt in range(_ATTEMPTS):
        try:
            _create_and_grant(connection)
        except _RACES:
            if attempt == _ATTEMPTS - 1:
                raise
            time.sleep(0.05)
        except errors.InsufficientPrivilege as error:
            raise _needs_administrator(connection, error) from error
        else:
            return


def may_become_application(connection: psycopg.Connection) -> bool:
    """Return whether the connected role may ``SET ROLE`` to the application's role."""
    right = "SET" if connection.info.server_version >= 160000 else "MEMBER"
    row = connection.execute(
        "SELECT pg_has_role(session_user, oid, %s) FROM pg_roles WHERE rolname = %s",
        [right, APPLICATION],
    ).fetchone()
    return bool(row and row[0])


def _create_and_grant(connection: psycopg.Connection) -> None:
    role = sql.Identifier(APPLICATION)
    found = connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [APPLICATION])
    if not found.rowcount:
        connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(role))
    if not may_become_application(connection):
        grantee = sql.Identifier(connection.info.user)
        connection.execute(sql.SQL("GRANT {} TO {}").format(role, grantee))


def _needs_administrator(connection: psycopg.Connection, error: Exception) -> StoreError:
    found = connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [APPLICATION])
    create = "" if found.rowcount else f"CREATE ROLE {APPLICATION} NOLOGIN; "
    user = connection.info.user
    return StoreError(
        "DATABASE_NO_ROLE",
        f"Role {user} may not become {APPLICATION}: {str(error).splitlines()[0]}",
        where=f"{connection.info.host}:{connection.info.port}/{connection.info.dbname}",
        do="Have the database's administrator run, once per server: "
        f'{create}GRANT {APPLICATION} TO "{user}";',
    )
