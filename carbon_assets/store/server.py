"""The embedded server as its users see it: use it, keep it, stop it, ask about it.

Every process that uses the server holds a lease (a shared file lock). When the last lease
is gone the supervisor stops the server, unless it was asked to keep it running. The kernel
drops the lease of a killed process, and a forked child shares its parent's.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy import URL

from carbon_assets.errors import StoreError
from carbon_assets.store.database import EMBEDDED_DATABASE
from carbon_assets.store.embedded import cluster as clusters
from carbon_assets.store.embedded import locks
from carbon_assets.store.embedded.cluster import HOST, SUPERUSER, Cluster
from carbon_assets.store.roles import APPLICATION, OWNER

_STOP_SECONDS = 90.0
_leases: dict[Path, int] = {}


@dataclass(frozen=True)
class Server:
    """A running embedded server.

    Attributes:
        cluster: Its files and passwords.
        port: TCP port on 127.0.0.1, valid until the server is started again.
    """

    cluster: Cluster
    port: int

    def url(self, role: str, database: str = EMBEDDED_DATABASE) -> str:
        """Return the SQLAlchemy URL (psycopg 3) of a role, password included."""
        return URL.create(
            "postgresql+psycopg",
            role,
            self.cluster.passwords[role],
            HOST,
            self.port,
            database,
        ).render_as_string(hide_password=False)

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        """Connect as the superuser, each statement its own transaction."""
        return psycopg.connect(
            host=HOST,
            port=self.port,
            user=SUPERUSER,
            password=self.cluster.passwords[SUPERUSER],
            dbname=database,
            autocommit=True,
        )


@dataclass(frozen=True)
class Status:
    """What is known of the embedded server without starting it.

    Attributes:
        folder: Where its files lie; None before the first start.
        running: Whether it accepts connections.
        kept: Whether it stays up when nobody uses it.
        port: TCP port on 127.0.0.1 while running.
        pid: Process id while running.
    """

    folder: Path | None
    running: bool
    kept: bool
    port: int | None = None
    pid: int | None = None


def use_server(home: Path) -> Server:
    """Return the running server of ``home`` and hold a lease of it while this process lives.

    The first use creates the cluster, its roles and its database (about a second).

    Raises:
        StoreError: One of the ``EMBEDDED_POSTGRES_*`` codes.
    """
    if sys.platform == "win32":
        raise StoreError(
            "EMBEDDED_POSTGRES_PLATFORM",
            "The embedded PostgreSQL does not run on Windows.",
            do="Set CARBON_DATABASE_URL to a PostgreSQL server, or use WSL.",
        )
    with locks.exclusive(home / "server.lock"):
        cluster = clusters.load_cluster(home) or clusters.remember_cluster(home)
        if cluster.folder.is_dir():
            _lease(cluster)
        server = Server(cluster, clusters.ensure_running(cluster))
        _bootstrap(server)
    return server


def keep_running(server: Server) -> None:
    """Let the server stay up after the last process that uses it."""
    server.cluster.keep.touch()


def stop_server(home: Path) -> bool:
    """Forget that the server shall be kept, and stop it unless other processes use it.

    Returns:
        Whether it is down now. When False, it stops by itself with its last user.
    """
    cluster = clusters.load_cluster(home)
    if cluster is None or not cluster.folder.is_dir():
        return True
    with locks.exclusive(home / "server.lock"):
        cluster.keep.unlink(missing_ok=True)
        _end_lease(cluster)
        descriptor = locks.open_lock(cluster.lease)
        try:
            if not locks.try_lock(descriptor, shared=False, timeout=1.0):
                return not locks.is_held(cluster.running)
            return _stop(cluster)
        finally:
            os.close(descriptor)


def server_status(home: Path) -> Status:
    """Return what is known of the server of ``home`` without starting it."""
    cluster = clusters.load_cluster(home)
    if cluster is None:
        return Status(folder=None, running=False, kept=False)
    kept = cluster.keep.exists()
    found = cluster.postmaster() if locks.is_held(cluster.running) else None
    if found is None:
        return Status(cluster.folder, running=False, kept=kept)
    return Status(cluster.folder, running=True, kept=kept, pid=found[0], port=found[1])


def _lease(cluster: Cluster) -> None:
    """Lock the lease; one of a folder that was removed and made again does not count."""
    held = _leases.get(cluster.lease)
    if held is not None:
        if cluster.lease.exists() and os.path.samestat(os.fstat(held), cluster.lease.stat()):
            return
        _end_lease(cluster)
    descriptor = locks.open_lock(cluster.lease)
    if not locks.try_lock(descriptor, shared=True, timeout=_STOP_SECONDS):
        os.close(descriptor)
        raise StoreError(
            "EMBEDDED_POSTGRES_TIMEOUT",
            f"The embedded PostgreSQL has been stopping for {_STOP_SECONDS:.0f} s.",
            where=str(cluster.log),
            do="Look at the log; end its processes if it hangs, and try again.",
        )
    _leases[cluster.lease] = descriptor


def _end_lease(cluster: Cluster) -> None:
    descriptor = _leases.pop(cluster.lease, None)
    if descriptor is not None:
        os.close(descriptor)


def _stop(cluster: Cluster) -> bool:
    deadline = time.monotonic() + _STOP_SECONDS
    asked = False
    while locks.is_held(cluster.running):
        found = cluster.postmaster()
        if found is not None and not asked:
            with suppress(ProcessLookupError):  # killed, and its children are still ending
                os.kill(found[0], signal.SIGINT)
            asked = True
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _bootstrap(server: Server) -> None:
    """Create roles and database on the first start; may be interrupted and run again."""
    done = server.cluster.folder / "bootstrapped"
    if done.exists():
        return
    with server.connect() as connection:
        for role in (OWNER, APPLICATION):
            _login_role(connection, role, server.cluster.passwords[role])
        connection.execute(
            sql.SQL("GRANT {} TO {}").format(sql.Identifier(APPLICATION), sql.Identifier(OWNER))
        )
        create_database(connection, EMBEDDED_DATABASE)
    done.touch()


def _login_role(connection: psycopg.Connection, role: str, password: str) -> None:
    name = sql.Identifier(role)
    if not connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [role]).rowcount:
        connection.execute(sql.SQL("CREATE ROLE {}").format(name))
    connection.execute(
        sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(name, sql.Literal(password))
    )


def create_database(connection: psycopg.Connection, name: str) -> None:
    """Create a database owned by the owner role unless it exists."""
    if connection.execute("SELECT FROM pg_database WHERE datname = %s", [name]).rowcount:
        return
    database, owner = sql.Identifier(name), sql.Identifier(OWNER)
    connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(database, owner))
