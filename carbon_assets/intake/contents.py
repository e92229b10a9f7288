"""What bytes stand behind an address now: read again only when its stamp changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from carbon_assets.errors import RasterError
from carbon_assets.rasters.addresses import is_local, require_address
from carbon_assets.rasters.hashing import FileStamp, content_hash, file_stamp
from carbon_assets.rasters.remote.model import RemoteStamp
from carbon_assets.rasters.remote.refusals import without_ranges
from carbon_assets.rasters.remote.transfer import (
    ATTEMPTS,
    Fetched,
    Progress,
    fetch,
    gives_ranges,
    stamp_of,
    stamps_of,
)
from carbon_assets.store.database import Database
from carbon_assets.store.engines import transaction
from carbon_assets.store.models import FileHash, RasterCopy, RemoteFile

Looks = Mapping[str, RemoteStamp | RasterError]
"""What servers said of some addresses a moment ago."""


@dataclass(frozen=True)
class Content:
    """The bytes behind an address.

    Attributes:
        content_hash: ``sha256:…``.
        size_bytes: How many.
        copy: Local file with the same bytes, or None.
    """

    content_hash: str
    size_bytes: int
    copy: str | None = None


def content_of(
    connection: Connection,
    href: str,
    *,
    looks: Looks | None = None,
    progress: Progress | None = None,
    copies: bool = True,
) -> Content:
    """Return what an address holds, from the cache while its stamp is the same.

    A mirrored address is answered by its copy, without asking the server.

    Args:
        connection: An open transaction. What is learned of a remote file is committed apart,
            at once: it took long to learn.
        href: Path or address.
        looks: Stamps that were asked for already.
        progress: Told how much of a remote file has been read.
        copies: Whether a local copy answers.

    Raises:
        RasterError: ``RASTER_MISSING``, ``RASTER_UNREACHABLE``, ``RASTER_FORBIDDEN``,
            ``RASTER_WITHOUT_RANGES``, ``MIRROR_DAMAGED``, or as
            :func:`carbon_assets.rasters.addresses.require_address`.
    """
    require_address(href)
    if is_local(href):
        return _local(connection, href)
    known = remembered(connection, href)
    if copies and known is not None and (copy := copy_of(connection, known.content_hash)):
        return Content(known.content_hash, known.size_bytes, copy)
    stamp = (looks or {}).get(href) or stamp_of(href)
    if isinstance(stamp, RasterError):
        raise stamp
    if known is None or not is_same(known, stamp):
        fetched = fetch(href, progress=progress)
        with connection.engine.begin() as own:
            remember(own, href, fetched)
        known = remembered(connection, href)
        if copies and (copy := copy_of(connection, known.content_hash)):
            return Content(known.content_hash, known.size_bytes, copy)
    if not known.ranges and not gives_ranges(href, stamp):
        raise without_ranges(href)
    return Content(known.content_hash, known.size_bytes)


def _local(connection: Connection, path: str) -> Content:
    """From the cache while size, time, inode and device are the same."""
    stamp = file_stamp(path)
    cached = connection.execute(select(FileHash).where(FileHash.href == path)).one_or_none()
    if cached is not None and is_same_file(cached, stamp):
        return Content(str(cached.content_hash), stamp.size_bytes)
    digest = content_hash(path)
    _save_hash(connection, path, stamp, digest)
    return Content(digest, stamp.size_bytes)


def remember_local(connection: Connection, path: str, digest: str) -> None:
    """Store the content hash of a local file that was just written."""
    _save_hash(connection, path, file_stamp(path), digest)


def _save_hash(connection: Connection, path: str, stamp: FileStamp, digest: str) -> None:
    values = {**asdict(stamp), "content_hash": digest}
    row = insert(FileHash).values(href=path, **values)
    connection.execute(row.on_conflict_do_update(index_elements=["href"], set_=values))


def is_same_file(row: Any, stamp: FileStamp) -> bool:
    """Whether a row of ``file_hashes`` was made of a local file with this stamp."""
    return stamp == FileStamp(row.device, row.inode, row.size_bytes, row.mtime_ns)


def is_same(row: Any, stamp: RemoteStamp) -> bool:
    """Whether a row of ``remote_files`` still speaks for the file that has this stamp."""
    seen = RemoteStamp(row.size_bytes, row.etag, row.last_modified, row.telling)
    return bool(row.telling) and seen == stamp


def remembered(connection: Connection, href: str) -> Any:
    """Return the row of ``remote_files`` for an address, or None."""
    return connection.execute(select(RemoteFile).where(RemoteFile.href == href)).one_or_none()


def remember(connection: Connection, href: str, fetched: Fetched) -> None:
    """Store what was learned of a remote file by reading it."""
    values = {
        "size_bytes": fetched.stamp.size_bytes,
        "etag": fetched.stamp.etag,
        "last_modified": fetched.stamp.last_modified,
        "telling": fetched.stamp.telling,
        "ranges": fetched.ranges,
        "content_hash": fetched.content_hash,
    }
    row = insert(RemoteFile).values(href=href, **values)
    connection.execute(row.on_conflict_do_update(index_elements=["href"], set_=values))


def copy_of(connection: Connection, digest: str) -> str | None:
    """Return the path of a local copy of a content, or None.

    A copy that is gone, or lies on another machine, is passed over.

    Raises:
        RasterError: ``MIRROR_DAMAGED`` if a copy has other bytes than it should.
    """
    rows = connection.execute(
        select(RasterCopy.path).where(RasterCopy.content_hash == digest).order_by(RasterCopy.path)
    )
    for path in rows.scalars().all():
        if Path(path).is_file():
            if not is_sound(connection, path, digest):
                raise RasterError(
                    "MIRROR_DAMAGED",
                    f"the local copy no longer has the bytes {digest}",
                    where=path,
                    do="run `carbon-assets sources mirror` again, which fetches it anew, or delete "
                    "the copy to read the remote file",
                )
            return path
    return None


def is_sound(connection: Connection, path: str, digest: str) -> bool:
    """Whether a local file has certain bytes; looked at again when its stamp changed."""
    return _local(connection, path).content_hash == digest


def look(connection: Connection, hrefs: Iterable[str], *, attempts: int = ATTEMPTS) -> Looks:
    """Ask servers about those of some addresses that no copy answers for, all at once.

    What is wrong with an address, its copy or its server stands in its place.

    Args:
        connection: An open transaction.
        hrefs: Addresses; local ones are passed over.
        attempts: How often to ask a server that fails.
    """
    asked: list[str] = []
    refused: dict[str, RemoteStamp | RasterError] = {}
    for href in dict.fromkeys(hrefs):
        try:
            require_address(href)
            if not is_local(href) and mirrored(connection, href) is None:
                asked.append(href)
        except RasterError as error:
            refused[href] = error
    return {**stamps_of(asked, attempts=attempts), **refused}


def learn(database: Database, hrefs: Iterable[str], progress: Progress | None = None) -> None:
    """Read the remote files whose stamp is new, before a transaction needs to know them.

    Each file is committed as soon as it is read: killed, the same call goes on with the next.

    Args:
        database: The database.
        hrefs: Addresses; local ones are passed over.
        progress: Told how much of a file has been read.

    Raises:
        RasterError: As :func:`content_of`.
    """
    remote = [href for href in dict.fromkeys(hrefs) if not is_local(href)]
    with transaction(database) as connection:
        looks = look(connection, remote)
        known = {href: remembered(connection, href) for href in looks}
    for href, stamp in looks.items():
        if isinstance(stamp, RasterError):
            raise stamp
        if known[href] is None or not is_same(known[href], stamp):
            fetched = fetch(href, progress=progress)
            with transaction(database) as connection:
                remember(connection, href, fetched)


def mirrored(connection: Connection, href: str) -> str | None:
    """Return the local copy that answers for a remote address, or None."""
    known = remembered(connection, href)
    return None if known is None else copy_of(connection, known.content_hash)
