"""One cluster: its files, its passwords, its creation and the start of its server."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from carbon_assets.errors import StoreError
from carbon_assets.store.embedded import locks, placement, supervisor
from carbon_assets.store.roles import APPLICATION, OWNER

HOST = "127.0.0.1"
SUPERUSER = "postgres"

_SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "shared_buffers": "128MB",
    "max_connections": "100",
    "jit": "off",  # compiling costs more than it saves on rows as narrow as ours
    "timezone": "UTC",
    "log_timezone": "UTC",
}
_START_SECONDS = 120.0
_PORT_ATTEMPTS = 5
_LOG_LIMIT_BYTES = 10_000_000
_SSL_REQUEST = bytes.fromhex("00000008 04d2162f")


@dataclass(frozen=True)
class Cluster:
    """The files of one embedded server.

    Attributes:
        folder: Holds data directory, log, locks and markers.
        passwords: Password per role.
    """

    folder: Path
    passwords: Mapping[str, str]

    def __repr__(self) -> str:
        return f"Cluster({str(self.folder)!r})"

    @property
    def data(self) -> Path:
        """PostgreSQL's data directory."""
        return self.folder / "data"

    @property
    def log(self) -> Path:
        """What the server and its supervisor have to say."""
        return self.folder / "postgres.log"

    @property
    def lease(self) -> Path:
        """Locked shared by every process that uses the server."""
        return self.folder / "lease.lock"

    @property
    def running(self) -> Path:
        """Locked exclusively while any process of the server lives."""
        return self.folder / "running.lock"

    @property
    def keep(self) -> Path:
        """Exists when the server shall stay up unused."""
        return self.folder / "keep"

    def postmaster(self) -> tuple[int, int] | None:
        """Return process id and port of the server if it says it is ready."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return None
        if len(lines) < 8 or lines[7].strip() != "ready":
            return None
        return int(lines[0]), int(lines[3])


def load_cluster(home: Path) -> Cluster | None:
    """Return the cluster that ``home/server.json`` remembers, None when there is none."""
    try:
        known = json.loads((home / "server.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    folder = Path(known["folder"]) if known["folder"] else home / "postgres"
    return Cluster(folder, known["passwords"])


def remember_cluster(home: Path) -> Cluster:
    """Place a new cluster and write its place and passwords to ``home/server.json`` (0600).

    Raises:
        StoreError: ``EMBEDDED_POSTGRES_PASSWORDS_LOST`` when there is data already.
    """
    folder = placement.place_cluster(home)
    if (folder / "data").exists():
        raise StoreError(
            "EMBEDDED_POSTGRES_PASSWORDS_LOST",
            "There is an embedded database, but the file with its passwords is gone.",
            where=str(home / "server.json"),
            do=f"Restore that file, or move {folder} away to begin with an empty database.",
        )
    passwords = {role: secrets.token_urlsafe(24) for role in (SUPERUSER, OWNER, APPLICATION)}
    known = {
        "folder": None if folder == home / "postgres" else str(folder),
        "passwords": passwords,
    }
    _write_private(home / "server.json", json.dumps(known, indent=1))
    return Cluster(folder, passwords)


def ensure_running(cluster: Cluster) -> int:
    """Return the port of the running server; create the cluster and start it when needed.

    The caller holds the home's lock, so nobody else starts it meanwhile.

    Raises:
        StoreError: ``EMBEDDED_POSTGRES_FAILED`` with the end of the log,
            ``EMBEDDED_POSTGRES_TIMEOUT``, ``EMBEDDED_POSTGRES_UNREACHABLE_FOLDER``.
    """
    deadline = time.monotonic() + _START_SECONDS
    while locks.is_held(cluster.running):  # alive, or the last processes of a killed server
        if port := _answering(cluster):
            return port
        if time.monotonic() > deadline:
            raise _timeout(cluster)
        time.sleep(0.02)
    account = placement.account_for(cluster.data)
    if not cluster.folder.is_dir() or not placement.can_enter(account, cluster.folder):
        raise _unreachable(cluster)
    if not cluster.data.exists():
        _create(cluster, account)
    return _start(cluster, account)


def _create(cluster: Cluster, account: placement.Account | None) -> None:
    """Run initdb beside the final place and rename: a half-made cluster never counts."""
    draft, secret = cluster.folder / "data.draft", cluster.folder / "password.draft"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    _write_private(secret, cluster.passwords[SUPERUSER])
    if account is not None:
        for path in (draft, secret):
            os.chown(path, account.uid, account.gid)
    command = [str(placement.binaries(account) / "initdb"), "-D", str(draft), "-U", SUPERUSER]
    command += ["--auth=scram-sha-256", f"--pwfile={secret}", "--encoding=UTF8", "--locale=C"]
    command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions"]
    for name, value in _SETTINGS.items():
        command += ["--set", f"{name}={value}"]
    try:
        _initdb(cluster, command, account)
    finally:
        secret.unlink()
    draft.rename(cluster.data)


def _initdb(cluster: Cluster, command: list[str], account: placement.Account | None) -> None:
    options = account.arguments() if account else {}
    done = subprocess.run(  # type: ignore[call-overload]  # noqa: S603 - our own command
        command, cwd="/", env=_environment(), capture_output=True, check=False, text=True, **options
    )
    if done.returncode:
        raise _failed(cluster, "initdb", (done.stdout + done.stderr)[-2000:])


def _start(cluster: Cluster, account: placement.Account | None) -> int:
    for _ in range(_PORT_ATTEMPTS):
        with cluster.log.open("ab") as log:
            if log.tell() > _LOG_LIMIT_BYTES:
                log.truncate(0)
            said_before = log.tell()
            _launch(cluster, account, log.fileno())
        deadline = time.monotonic() + _START_SECONDS
        while locks.is_held(cluster.running):
            if port := _answering(cluster):
                return port
            if time.monotonic() > deadline:
                raise _timeout(cluster)
            time.sleep(0.01)
        said = cluster.log.read_bytes()[said_before:].decode(errors="replace")
        if "Address already in use" not in said:
            break
    raise _failed(cluster, "postgres", said[-2000:])


def _launch(cluster: Cluster, account: placement.Account | None, log: int) -> None:
    server = str(placement.binaries(account) / "postgres")
    order = {
        "command": [server, "-D", str(cluster.data), "-p", str(_free_port())],
        "user": account.uid if account else None,
        "group": account.gid if account else None,
        "postmaster_pid": str(cluster.data / "postmaster.pid"),
        "running": str(cluster.running),
        "lease": str(cluster.lease),
        "keep": str(cluster.keep),
    }
    subprocess.run(  # noqa: S603 - our own script
        [sys.executable, "-I", "-S", str(Path(supervisor.__file__)), json.dumps(order)],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        cwd="/",
        env=_environment(),
        start_new_session=True,
        check=False,
    )


def _answering(cluster: Cluster) -> int | None:
    """Return the port if a PostgreSQL server answers there to a request for encryption."""
    found = cluster.postmaster()
    if found is None:
        return None
    try:
        with socket.create_connection((HOST, found[1]), timeout=2) as connection:
            connection.sendall(_SSL_REQUEST)
            return found[1] if connection.recv(1) in (b"N", b"S") else None
    except OSError:
        return None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _environment() -> dict[str, str]:
    """Return the environment without libpq's and the server's own variables."""
    return {k: v for k, v in os.environ.items() if not k.startswith("PG")}


def _write_private(path: Path, content: str) -> None:
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(content)
    draft.rename(path)


def _failed(cluster: Cluster, program: str, said: str) -> StoreError:
    return StoreError(
        "EMBEDDED_POSTGRES_FAILED",
        f"The embedded PostgreSQL did not start ({program}). It said last:\n{said.strip()}",
        where=str(cluster.log),
        do="Free disk space or memory as the message says and try again, "
        "or set CARBON_DATABASE_URL to a PostgreSQL server.",
        details={"log_tail": said.strip()},
    )


def _timeout(cluster: Cluster) -> StoreError:
    said = cluster.log.read_text(errors="replace")[-2000:].strip() if cluster.log.exists() else ""
    return StoreError(
        "EMBEDDED_POSTGRES_TIMEOUT",
        f"The embedded PostgreSQL is not ready after {_START_SECONDS:.0f} s. It said last:\n{said}",
        where=str(cluster.log),
        do="Wait if it is recovering after a crash; else end its processes and try again.",
        details={"log_tail": said},
    )


def _unreachable(cluster: Cluster) -> StoreError:
    return StoreError(
        "EMBEDDED_POSTGRES_UNREACHABLE_FOLDER",
        "The embedded database's folder is gone, or the account that runs PostgreSQL "
        "cannot enter it.",
        where=str(cluster.folder),
        do="Move it back to where that account can reach it, or choose another CARBON_HOME.",
    )
