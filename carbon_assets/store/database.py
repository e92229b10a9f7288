"""The database a process works with, and how to open it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import URL, make_url

from carbon_assets.store import external, roles
from carbon_assets.store.home import carbon_home
from carbon_assets.store.migrate import is_current, upgrade
from carbon_assets.store.roles import APPLICATION, OWNER

if TYPE_CHECKING:
    from carbon_assets.store.server import Server

DAGSTER_SCHEMA = "dagster"
EMBEDDED_DATABASE = "carbon_assets"


@dataclass(frozen=True)
class Database:
    """Addresses of one database, a role each. They hold passwords and are not shown.

    Attributes:
        owner_url: For migrations and reference data: the role that owns the tables.
        app_url: For everything else: may not change what is recorded.
        dagster_url: For Dagster's storage (psycopg2): the application's role in the schema
            ``dagster``, without waiting for the disk at each commit.
    """

    owner_url: str = field(repr=False)
    app_url: str = field(repr=False)
    dagster_url: str = field(repr=False)

    @property
    def place(self) -> str:
        """``host:port/database``, for messages."""
        return external.place_of(make_url(self.app_url))

    @property
    def plain_app_url(self) -> str:
        """``app_url`` as libpq and psql read it, password included."""
        head, mark, query = self.app_url.partition("?")
        scheme, _, address = head.replace(" ", "%20").partition(":")
        return scheme.partition("+")[0] + ":" + address + mark + query.replace("+", "%20")

    def __str__(self) -> str:
        return self.place


def open_database(home: Path | None = None) -> Database:
    """Return the database with the newest schema.

    Starts the embedded server below CARBON_HOME when needed, and holds a lease of it as
    long as this process lives; or uses the server that ``CARBON_DATABASE_URL`` names.

    Args:
        home: CARBON_HOME; see :func:`carbon_assets.store.home.carbon_home`.

    Raises:
        StoreError: With one of the codes of :mod:`carbon_assets.store.external`,
            :mod:`carbon_assets.store.migrate`, :mod:`carbon_assets.store.roles` or
            :mod:`carbon_assets.store.server`.
    """
    if url := external_url():
        return open_external(url)
    return open_embedded(_server(home))


def locate_database(home: Path | None = None) -> Database:
    """Return the database as it is, which may have no table yet.

    Arguments and errors are those of :func:`open_database`, which also upgrades the schema.
    """
    url = external_url()
    if url is None:
        return _embedded(_server(home), EMBEDDED_DATABASE)
    database = _external(external.parse_url(url))
    with external.connect(make_url(database.owner_url)) as connection:
        if not roles.may_become_application(connection):
            roles.ensure_application_role(connection)
    return database


def external_url() -> str | None:
    """Return ``CARBON_DATABASE_URL``, None when it is unset or empty."""
    return os.environ.get("CARBON_DATABASE_URL") or None


def open_external(url: str) -> Database:
    """Open a database of an external server; its role migrates, and becomes the application.

    Args:
        url: Any PostgreSQL URL; the driver it names does not matter.
    """
    owner = external.parse_url(url)
    database = _external(owner)
    with external.connect(owner) as connection:
        if not (is_current(connection) and roles.may_become_application(connection)):
            roles.ensure_application_role(connection)
            upgrade(database.owner_url)
    return database


def open_embedded(server: Server, name: str = EMBEDDED_DATABASE) -> Database:
    """Open a database of a running embedded server, which has login roles of its own.

    Args:
        server: From :func:`carbon_assets.store.server.use_server`.
        name: Database name.
    """
    database = _embedded(server, name)
    with external.connect(make_url(database.owner_url)) as connection:
        if not is_current(connection):
            upgrade(database.owner_url)
    return database


def _server(home: Path | None) -> Server:
    # fcntl and pwd are missing on Windows, where an external server still works.
    from carbon_assets.store.server import use_server

    return use_server(carbon_home(home))


def _external(owner: URL) -> Database:
    app = external.with_options(owner, role=APPLICATION, timezone="UTC", search_path="public")
    return _database(owner_url=owner, app_url=app)


def _embedded(server: Server, name: str) -> Database:
    owner, app = make_url(server.url(OWNER, name)), make_url(server.url(APPLICATION, name))
    return _database(owner_url=owner, app_url=app)


def _database(*, owner_url: URL, app_url: URL) -> Database:
    dagster = external.with_options(app_url, search_path=DAGSTER_SCHEMA, synchronous_commit="off")
    return Database(
        owner_url=owner_url.render_as_string(hide_password=False),
        app_url=app_url.render_as_string(hide_password=False),
        dagster_url=dagster.set(drivername="postgresql+psycopg2").render_as_string(
            hide_password=False
        ),
    )
