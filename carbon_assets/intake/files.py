"""One raster file: looked at when its stamp changed, opened, checked and hashed."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from carbon_assets.errors import RasterError
from carbon_assets.intake.contents import Content, Looks, content_of
from carbon_assets.rasters.addresses import is_local, require_address
from carbon_assets.rasters.hashing import file_stamp
from carbon_assets.rasters.header import Header, check_header, read_header
from carbon_assets.rasters.integrity import FULL_CHECK_BYTES, check_integrity
from carbon_assets.rasters.opening import gdal_session, open_raster
from carbon_assets.rasters.reader import RasterFile
from carbon_assets.rasters.remote.refusals import changed
from carbon_assets.rasters.remote.transfer import Progress, fetch, stamp_of, stamps_of
from carbon_assets.reference.catalogue import Band, SourceVersion
from carbon_assets.reference.change_legend import legend_of
from carbon_assets.store.models import RasterAsset


@dataclass(frozen=True)
class File:
    """What a file is to its source.

    Attributes:
        source_id: Row of ``raster_data_sources``.
        version: Catalogue entry.
        band: Band it holds.
        vintage: Year, or None for a static product.
        tile: Tile, or None.
    """

    source_id: int
    version: SourceVersion
    band: Band
    vintage: int | None
    tile: str | None


def current_file(
    connection: Connection,
    file: File,
    href: str,
    *,
    looks: Looks | None = None,
    progress: Progress | None = None,
) -> RasterFile:
    """Return a file as it is now; register it if it is new or its bytes changed.

    Args:
        connection: An open transaction.
        file: What it is to its source.
        href: Where it lies.
        looks: Stamps of remote files that were asked for already.
        progress: Told how much of a remote file has been read.

    Raises:
        RasterError: ``RASTER_MISSING``, ``RASTER_UNREADABLE``, ``RASTER_TRUNCATED``,
            ``HEADER_MISMATCH``, ``UNKNOWN_CLASS``, or as
            :func:`carbon_assets.intake.contents.content_of`.
    """
    content = content_of(connection, href, looks=looks, progress=progress)
    row = _known(connection, file, href, content.content_hash)
    if row is None:
        header = inspect_file(file.version, file.band, href, content)
        _require_still(connection, href, content)
        _insert(connection, file, href, content, header)
        row = _known(connection, file, href, content.content_hash)
    if row is None:
        raise LookupError(f"{href} was not registered")
    check_header(Header.from_document(row.header), file.version, file.band, href)
    return registered_file(file.version, file.band, row, content.copy)


def _known(connection: Connection, file: File, href: str, digest: str) -> Any:
    return connection.execute(
        select(RasterAsset).where(
            RasterAsset.raster_source_id == file.source_id,
            RasterAsset.band == file.band.name,
            RasterAsset.vintage.is_not_distinct_from(file.vintage),
            RasterAsset.tile.is_not_distinct_from(file.tile),
            RasterAsset.href == href,
            RasterAsset.content_hash == digest,
        )
    ).one_or_none()


def _require_still(connection: Connection, href: str, content: Content) -> None:
    """Refuse a file that was replaced between being hashed and being opened."""
    if content_of(connection, content.copy or href).content_hash != content.content_hash:
        raise changed(href)


def require_unchanged(connection: Connection, files: Iterable[RasterFile]) -> None:
    """Refuse files whose bytes are no longer those that were registered.

    To be called after reading them and before storing what came of it: a receipt must not
    name one content and hold the numbers of another.

    Raises:
        RasterError: ``RASTER_CHANGED``, or as :func:`carbon_assets.intake.contents.content_of`.
    """
    read = list({(file.href, file.copy): file for file in files}.values())
    # What was read of the server is asked of the server, though there may be a copy by now.
    looks = stamps_of(file.href for file in read if file.is_remote)
    for file in read:
        now = content_of(connection, file.copy or file.href, looks=looks, copies=False)
        found = now.content_hash
        if found != file.content_hash:
            raise RasterError(
                "RASTER_CHANGED",
                f"the raster changed while it was read: its bytes were {file.content_hash}, "
                f"now they are {found}",
                where=file.copy or file.href,
                do="run again when nobody writes the file; nothing was recorded",
            )


def inspect_file(
    version: SourceVersion, band: Band, href: str, content: Content | None = None
) -> Header:
    """Open a file, compare its header with the catalogue and decode it as far as is decided.

    Args:
        version: Catalogue entry.
        band: Band that the file holds.
        href: Where it lies.
        content: What is known of its bytes, which then must be those; None if nothing is.

    Raises:
        RasterError: As :func:`current_file`.
    """
    require_address(href)
    legend = legend_of(version)
    with (
        _at_hand(href, content) as (copy, size_bytes),
        gdal_session(),
        open_raster(href, copy) as dataset,
    ):
        header = read_header(dataset, band.index, href)
        check_header(header, version, band, href)
        check_integrity(dataset, band.index, href, size_bytes, legend, band.nodata)
    return header


@contextmanager
def _at_hand(href: str, content: Content | None) -> Iterator[tuple[str | None, int]]:
    """Give the path of a local copy, if one is to be read, and the size of the file.

    A remote file that will be decoded as a whole is fetched in one piece. Of a larger one
    GDAL reads the header and the directory of its blocks where it lies.
    """
    if is_local(href):
        yield None, file_stamp(href).size_bytes
    elif content is not None and content.copy is not None:
        yield content.copy, content.size_bytes
    else:
        stamp = stamp_of(href)
        if stamp.size_bytes <= FULL_CHECK_BYTES:
            with _fetched(href, content) as path:
                yield path, stamp.size_bytes
        else:
            yield None, stamp.size_bytes


@contextmanager
def _fetched(href: str, content: Content | None) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "copy.tif")
        with path.open("w+b") as file:
            fetched = fetch(href, file=file)
        if content is not None and fetched.content_hash != content.content_hash:
            raise changed(href)
        yield str(path)


def _insert(
    connection: Connection, file: File, href: str, content: Content, header: Header
) -> None:
    """Store a file; another process may have stored the same one in the meantime."""
    row = insert(RasterAsset).values(
        raster_source_id=file.source_id,
        band=file.band.name,
        vintage=file.vintage,
        tile=file.tile,
        href=href,
        content_hash=content.content_hash,
        size_bytes=content.size_bytes,
        header=header.as_document(),
    )
    connection.execute(row.on_conflict_do_nothing())


def registered_file(
    version: SourceVersion, band: Band, row: Any, copy: str | None = None
) -> RasterFile:
    """Place a file as its row of ``raster_assets`` describes it, without opening it.

    Args:
        version: Catalogue entry.
        band: Band that the file holds.
        row: Row of ``raster_assets``.
        copy: Path of a local copy with the same bytes, to be read in its place.
    """
    header = Header.from_document(row.header)
    lattice = header.lattice(version)
    return RasterFile(
        asset_id=row.id,
        href=row.href,
        index=band.index,
        content_hash=row.content_hash,
        lattice=lattice,
        window=header.window(lattice),
        dtype=header.dtype,
        nodata=header.nodata,
        block=(header.block_height, header.block_width),
        copy=copy,
    )
