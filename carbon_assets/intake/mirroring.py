"""Local copies of remote rasters, known by their content.

A copy is named after the address and the content, so that no content ever replaces another,
and receipts of an older content can still be computed again from its copy. It is fetched into
a ``.part`` file that belongs to one version of the remote file: after a kill the transfer goes
on where it was.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from carbon_assets.errors import StoreError
from carbon_assets.intake.contents import is_same, is_sound, remember, remember_local
from carbon_assets.intake.extent import bound_files
from carbon_assets.intake.sources import Binding, require_addresses, wanted_files
from carbon_assets.rasters.addresses import is_local
from carbon_assets.rasters.registered import Bounds
from carbon_assets.rasters.remote.model import RemoteStamp
from carbon_assets.rasters.remote.transfer import Fetched, Progress, fetch, stamp_of
from carbon_assets.store.database import Database
from carbon_assets.store.engines import transaction
from carbon_assets.store.models import RasterCopy, RemoteFile

CHECKSUMS = "SHA256SUMS"
"""File in a mirror's folder that ``sha256sum --check`` reads."""
_STEM = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True)
class Mirrored:
    """A remote file that has a local copy now.

    Attributes:
        href: Its address.
        path: Where the copy lies.
        content_hash: ``sha256:…`` of the bytes of both.
        size_bytes: How many.
        action: ``fetched``, or ``unchanged`` if the copy was there.
    """

    href: str
    path: str
    content_hash: str
    size_bytes: int
    action: str

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready mapping."""
        return asdict(self)


def mirror(
    database: Database,
    company_id: int,
    vintages: Iterable[int],
    folder: Path,
    *,
    progress: Progress | None = None,
) -> list[Mirrored]:
    """Copy the remote files that a company's bound sources need for some vintages.

    Args:
        database: The database; each finished copy is committed at once.
        company_id: The company.
        vintages: Vintages that must be there.
        folder: Where the copies belong.
        progress: Told how far each file is.

    Raises:
        CatalogueError: ``VINTAGE_UNAVAILABLE``, ``HREF_MISSING``.
        RasterError: As :func:`mirror_file`.
        StoreError: ``MIRROR_FOLDER_UNUSABLE``.
    """
    with transaction(database) as connection:
        files = list(bound_files(connection, company_id, vintages))
    return mirror_files(database, (file.href for _, file in files), folder, progress=progress)


def remote_hrefs(
    bindings: Iterable[Binding], vintages: Iterable[int], bounds: Iterable[Bounds]
) -> list[str]:
    """Return the remote files that some bindings need, each once.

    Raises:
        CatalogueError: ``VINTAGE_UNAVAILABLE``, ``HREF_MISSING``.
        RasterError: As :func:`carbon_assets.rasters.addresses.require_address`.
    """
    years, boxes, hrefs = tuple(vintages), tuple(bounds), []
    for binding in bindings:
        require_addresses(binding.version)
        hrefs += [one.href for one in wanted_files(binding.version, years, boxes)]
    return [href for href in dict.fromkeys(hrefs) if not is_local(href)]


def mirror_files(
    database: Database, hrefs: Iterable[str], folder: Path, *, progress: Progress | None = None
) -> list[Mirrored]:
    """Copy some remote files; local ones are passed over.

    Raises:
        RasterError: As :func:`mirror_file`.
        StoreError: ``MIRROR_FOLDER_UNUSABLE``.
    """
    home = _usable(folder)
    remote = [href for href in dict.fromkeys(hrefs) if not is_local(href)]
    made = [mirror_file(database, href, home, progress=progress) for href in remote]
    _write_checksums(database, home)
    return made


def mirror_file(
    database: Database, href: str, folder: Path, *, progress: Progress | None = None
) -> Mirrored:
    """Copy one remote file, unless its copy is there and sound and the remote file the same.

    Args:
        database: The database.
        href: The address.
        folder: An existing folder, as an absolute path.
        progress: Told how far it is.

    Raises:
        RasterError: ``RASTER_MISSING``, ``RASTER_FORBIDDEN``, ``RASTER_UNREACHABLE``, or as
            :func:`carbon_assets.rasters.addresses.require_address`.
    """
    with _locked(folder, href):
        stamp = stamp_of(href)
        with transaction(database) as connection:
            found = _unchanged(connection, href, stamp, folder)
        return found or _fetch(database, href, stamp, folder, progress)


def _fetch(
    database: Database, href: str, stamp: RemoteStamp, folder: Path, progress: Progress | None
) -> Mirrored:
    part = _part_file(folder, href, stamp)
    with part.open("a+b") as file:
        file.seek(0)
        fetched = fetch(href, file=file, expected=stamp, progress=progress)
        file.flush()
        os.fsync(file.fileno())
    path = folder / _name(href, fetched.content_hash)
    # Killed after this, the rows name a copy that is not there yet, which is passed over.
    with transaction(database) as connection:
        remember(connection, href, fetched)
        _save(connection, path, href, fetched)
    part.chmod(0o444)
    part.replace(path)
    with transaction(database) as connection:
        remember_local(connection, str(path), fetched.content_hash)
    return Mirrored(
        href, str(path), fetched.content_hash, fetched.stamp.size_bytes, action="fetched"
    )


def _unchanged(
    connection: Connection, href: str, stamp: RemoteStamp, folder: Path
) -> Mirrored | None:
    known = connection.execute(select(RemoteFile).where(RemoteFile.href == href)).one_or_none()
    if known is None or not is_same(known, stamp):
        return None
    path = folder / _name(href, known.content_hash)
    saved = select(RasterCopy.content_hash).where(RasterCopy.path == str(path))
    if connection.execute(saved).scalar_one_or_none() != known.content_hash:
        return None
    if not path.is_file() or not is_sound(connection, str(path), known.content_hash):
        return None
    return Mirrored(href, str(path), known.content_hash, known.size_bytes, action="unchanged")


def _save(connection: Connection, path: Path, href: str, fetched: Fetched) -> None:
    values = {
        "content_hash": fetched.content_hash,
        "size_bytes": fetched.stamp.size_bytes,
        "href": href,
    }
    row = insert(RasterCopy).values(path=str(path), **values)
    connection.execute(row.on_conflict_do_update(index_elements=["path"], set_=values))


def _name(href: str, content_hash: str) -> str:
    """A name that tells people what it is, and no two contents share."""
    stem = _STEM.sub("-", PurePosixPath(href).stem)[:80].strip(".-")
    return f"{stem}-{content_hash.removeprefix('sha256:')[:16]}.tif"


@contextmanager
def _locked(folder: Path, href: str) -> Iterator[None]:
    """Let one process at a time fetch a file into a folder."""
    import fcntl  # not on Windows, where the rest of this package works

    with (folder / f".{_digest(href)}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _part_file(folder: Path, href: str, stamp: RemoteStamp) -> Path:
    """The file that one version of a remote file is fetched into; those of others go."""
    address = _digest(href)
    version = _digest(href, stamp.size_bytes, stamp.etag, stamp.last_modified)
    part = folder / f".{address}-{version}.part"
    for other in folder.glob(f".{address}-*.part"):
        if other != part:
            other.unlink(missing_ok=True)
    return part


def _digest(*facts: object) -> str:
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


def _usable(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return folder.resolve(strict=True)
    except OSError as error:
        raise StoreError(
            "MIRROR_FOLDER_UNUSABLE",
            f"the folder for local copies cannot be used: {error.strerror or error}",
            where=str(folder),
            do="name a folder that this user may write to with --to",
        ) from error


def _write_checksums(database: Database, folder: Path) -> None:
    with transaction(database) as connection:
        rows = connection.execute(
            select(RasterCopy.path, RasterCopy.content_hash).order_by(RasterCopy.path)
        ).all()
    lines = [
        f"{row.content_hash.removeprefix('sha256:')}  {Path(row.path).name}\n"
        for row in rows
        if Path(row.path).parent == folder and Path(row.path).is_file()
    ]
    scratch = folder / f".{CHECKSUMS}.part"
    scratch.write_text("".join(lines), encoding="utf-8")
    scratch.replace(folder / CHECKSUMS)
