"""Databases that tests may fill and drop, on the embedded or on an external server."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import psycopg
from psycopg import sql
from sqlalchemy import URL

from carbon_assets.store import external
from carbon_assets.store.database import Database, open_embedded, open_external
from carbon_assets.store.engines import dispose_engines
from carbon_assets.store.roles import OWNER
from carbon_assets.store.server import Server, use_server


class Host(Protocol):
    """A server on which scratch databases are made."""

    def admin(self, name: str | None = None) -> psycopg.Connection:
        """Connect as a role that may create databases, in autocommit mode."""
        ...

    def owner(self) -> str:
        """Return the role that owns scratch databases."""
        ...

    def open(self, name: str) -> Database:
        """Open the database and bring it to the newest schema."""
        ...


@dataclass(frozen=True)
class EmbeddedHost:
    """The embedded server of the test session."""

    server: Server

    @classmethod
    def start(cls, home: Path) -> EmbeddedHost:
        host = cls(use_server(home))
        with host.admin() as connection:  # test data need not survive a power cut
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("ALTER SYSTEM SET full_page_writes = off")
            connection.execute("SELECT pg_reload_conf()")
        return host

    def admin(self, name: str | None = None) -> psycopg.Connection:
        return self.server.connect(name or "postgres")

    def owner(self) -> str:
        return OWNER

    def open(self, name: str) -> Database:
        return open_embedded(self.server, name)


@dataclass(frozen=True)
class ExternalHost:
    """The server that CARBON_DATABASE_URL names; its role must be allowed to create databases."""

    url: URL

    def admin(self, name: str | None = None) -> psycopg.Connection:
        return external.connect(self.url.set(database=name) if name else self.url)

    def owner(self) -> str:
        with self.admin() as connection:
            return connection.info.user

    def open(self, name: str) -> Database:
        return open_external(self.url.set(database=name).render_as_string(hide_password=False))


@contextmanager
def scratch_database(host: Host, template: str | None = None) -> Iterator[tuple[str, Database]]:
    """Create a migrated database and drop it at the end; give its name and addresses.

    With ``template`` it is a copy of that database, which nobody may be connected to.
    """
    name = f"carbon_test_{secrets.token_hex(6)}"
    create = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}").format(
        sql.Identifier(name), sql.Identifier(host.owner()), sql.Identifier(template or "template1")
    )
    with host.admin() as connection:
        connection.execute(create)
    database = None
    try:
        database = host.open(name)
        yield name, database
    finally:
        if database is not None:
            dispose_engines(database)
        with host.admin() as connection:
            connection.execute(
                sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
            )
