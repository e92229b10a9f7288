"""One raster file: looked at when its stamp changed, opened, checked and hashed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from carbon_assets.errors import RasterError
from carbon_assets.rasters.hashing import FileStamp, content_hash, file_stamp
from carbon_assets.rasters.header import Header, check_header, read_header
from carbon_assets.rasters.integrity import check_integrity
from carbon_assets.rasters.opening import gdal_session, is_local, open_raster
from carbon_assets.rasters.reader import RasterFile
from carbon_assets.reference.catalogue import Band, SourceVersion
from carbon_assets.reference.legend import load_legend
from carbon_assets.store.models import FileHash, RasterAsset


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


def current_file(connection: Connection, file: File, href: str) -> RasterFile:
    """Return a file as it is now; register it if it is new or its bytes changed.

    Raises:
        RasterError: ``RASTER_MISSING``, ``RASTER_UNREADABLE``, ``RASTER_TRUNCATED``,
            ``HEADER_MISMATCH``, ``UNKNOWN_CLASS``, ``RASTER_REMOTE``.
    """
    require_local(href)
    digest = content_of(connection, href)
    row = _known(connection, file, href, digest)
    if row is None:
        _insert(connection, file, href, digest, inspect_file(file.version, file.band, href))
        row = _known(connection, file, href, digest)
    if row is None:
        raise LookupError(f"{href} was not registered")
    check_header(Header.from_document(row.header), file.version, file.band, href)
    return registered_file(file.version, file.band, row)


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


def content_of(connection: Connection, href: str) -> str:
    """Content hash, from the cache while size, time, inode and device are the same."""
    stamp = file_stamp(href)
    cached = connection.execute(select(FileHash).where(FileHash.href == href)).one_or_none()
    if cached is not None:
        seen = FileStamp(cached.device, cached.inode, cached.size_bytes, cached.mtime_ns)
        if seen == stamp:
            return str(cached.content_hash)
    digest = content_hash(href)
    values = {**asdict(stamp), "content_hash": digest}
    row = insert(FileHash).values(href=href, **values)
    connection.execute(row.on_conflict_do_update(index_elements=["href"], set_=values))
    return digest


def require_unchanged(connection: Connection, files: Iterable[RasterFile]) -> None:
    """Refuse files whose bytes are no longer those that were registered.

    To be called after reading them and before storing what came of it: a receipt must not
    name one content and hold the numbers of another.

    Raises:
        RasterError: ``RASTER_CHANGED``, ``RASTER_MISSING``.
    """
    for file in {file.href: file for file in files}.values():
        found = content_of(connection, file.href)
        if found != file.content_hash:
            raise RasterError(
                "RASTER_CHANGED",
                f"the raster changed while it was read: its bytes were {file.content_hash}, "
                f"now they are {found}",
                where=file.href,
                do="run again when nobody writes the file; nothing was recorded",
            )


def require_local(href: str) -> None:
    """Refuse the address of a file on another machine.

    Raises:
        RasterError: ``RASTER_REMOTE``.
    """
    if not is_local(href):
        raise RasterError(
            "RASTER_REMOTE",
            "this version reads rasters from local files only",
            where=href,
            do="download the file and name your copy under `hrefs` in the portfolio",
        )


def inspect_file(version: SourceVersion, band: Band, href: str) -> Header:
    """Open a file, compare its header with the catalogue and decode it as far as is decided.

    Raises:
        RasterError: As :func:`current_file`.
    """
    require_local(href)
    legend = load_legend(version.legend) if version.legend else None
    with gdal_session(), open_raster(href) as dataset:
        header = read_header(dataset, band.index, href)
        check_header(header, version, band, href)
        check_integrity(dataset, band.index, href, legend, band.nodata)
    return header


def _insert(connection: Connection, file: File, href: str, digest: str, header: Header) -> None:
    """Store a file; another process may have stored the same one in the meantime."""
    row = insert(RasterAsset).values(
        raster_source_id=file.source_id,
        band=file.band.name,
        vintage=file.vintage,
        tile=file.tile,
        href=href,
        content_hash=digest,
        size_bytes=Path(href).stat().st_size,
        header=header.as_document(),
    )
    connection.execute(row.on_conflict_do_nothing())


def registered_file(version: SourceVersion, band: Band, row: Any) -> RasterFile:
    """Place a file as its row of ``raster_assets`` describes it, without opening it."""
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
    )
