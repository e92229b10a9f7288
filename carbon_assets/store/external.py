"""An external PostgreSQL server, named by ``CARBON_DATABASE_URL``."""

from __future__ import annotations

from typing import Any

import psycopg
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from carbon_assets.errors import StoreError

MINIMUM_VERSION = 15
_CONNECT_SECONDS = 5


def parse_url(text: str) -> URL:
    """Return the URL as one for SQLAlchemy with psycopg 3, whatever driver it named.

    Raises:
        StoreError: ``DATABASE_URL_INVALID``; the message does not repeat the URL, which
            may hold a password.
    """
    try:
        url = make_url(text.strip())
    except (ArgumentError, ValueError):
        raise _invalid("it is not a URL") from None
    if url.drivername.split("+")[0] not in ("postgresql", "postgres"):
        raise _invalid(f"it names {url.drivername}, not PostgreSQL")
    return url.set(drivername="postgresql+psycopg")


def with_options(url: URL, **settings: str) -> URL:
    """Return the URL with session settings added to libpq's ``options``."""
    given = url.query.get("options", "")
    options = [given if isinstance(given, str) else " ".join(given)]
    options += [f"-c {name}={value}" for name, value in settings.items()]
    return url.update_query_dict({"options": " ".join(filter(None, options))})


def arguments(url: URL) -> dict[str, Any]:
    """Return the URL as keyword arguments of ``psycopg.connect``."""
    return dict(url.get_dialect()().create_connect_args(url)[1])


def connect(url: URL) -> psycopg.Connection:
    """Connect in autocommit mode and check that the server will do.

    Raises:
        StoreError: ``DATABASE_UNREACHABLE``, ``DATABASE_REFUSED``, ``DATABASE_TOO_OLD``,
            ``DATABASE_ENCODING`` or ``DATABASE_URL_INVALID``. None shows the password.
    """
    wanted = {"connect_timeout": _CONNECT_SECONDS} | arguments(url)
    try:
        connection = psycopg.connect(**wanted, autocommit=True)
    except psycopg.ProgrammingError as error:
        raise _invalid(_safe(error, url)) from None
    except psycopg.OperationalError as error:
        raise _no_connection(error, url) from None
    try:
        _check(connection, url)
    except StoreError:
        connection.close()
        raise
    return connection


def place_of(url: URL) -> str:
    """Return ``host:port/database`` for messages."""
    return f"{url.host or 'local socket'}:{url.port or 5432}/{url.database or ''}"


def _check(connection: psycopg.Connection, url: URL) -> None:
    version = connection.info.server_version
    if version < MINIMUM_VERSION * 10000:
        raise StoreError(
            "DATABASE_TOO_OLD",
            f"The server is PostgreSQL {version // 10000}; {MINIMUM_VERSION} or newer is needed.",
            where=place_of(url),
            do="Upgrade it, or unset CARBON_DATABASE_URL to use the embedded server.",
        )
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise StoreError(
            "DATABASE_ENCODING",
            f"The database's encoding is {encoding}; UTF8 is needed.",
            where=place_of(url),
            do="Create the database anew with ENCODING 'UTF8' TEMPLATE template0.",
        )


def _no_connection(error: psycopg.OperationalError, url: URL) -> StoreError:
    reason = _safe(error, url)
    if "FATAL" in reason:
        return StoreError(
            "DATABASE_REFUSED",
            f"The server refuses the connection: {reason}",
            where=place_of(url),
            do="Check user, password and database name in CARBON_DATABASE_URL.",
        )
    return StoreError(
        "DATABASE_UNREACHABLE",
        f"No PostgreSQL server answers: {reason}",
        where=place_of(url),
        do="Start the server or correct CARBON_DATABASE_URL; unset it for the embedded server.",
    )


def _safe(error: Exception, url: URL) -> str:
    reason = " ".join(str(error).split())
    password = url.password
    return reason.replace(str(password), "***") if password else reason


def _invalid(reason: str) -> StoreError:
    return StoreError(
        "DATABASE_URL_INVALID",
        f"CARBON_DATABASE_URL cannot be used: {reason}.",
        do="Write it as postgresql://user:password@host:port/database.",
    )
