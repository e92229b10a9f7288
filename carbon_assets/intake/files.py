"""One raster file: looked at when its stamp changed, opened, checked and hashed."""

from __future__ import annotations

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
    if not is_local(href):
        raise RasterError(
            "RASTER_REMOTE",
            "this version reads rasters from local files only",
            where=href,
            do="download the file and name your copy under `hrefs` in the portfolio",
        )
    digest = content_of(connection, href)
    known = select(RasterAsset.id, RasterAsset.header).where(
        RasterAsset.raster_source_id == file.source_id,
        RasterAsset.band == file.band.name,
        RasterAsset.vintage.is_not_distinct_from(file.vintage),
        RasterAsset.tile.is_not_distinct_from(file.tile),
        RasterAsset.href == href,
        RasterAsset.content_hash == digest,
    )
    row = connection.execute(known).one_or_none()
    if row is None:
        header = _inspect(file, href)
        asset_id = _insert(connection, file, href, digest, header)
    else:
        asset_id, header = row.id, Header.from_document(row.header)
        check_header(header, file.version, file.band, href)
    return _placed(file.version, file.band, href, digest, header, asset_id)


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


def _inspect(file: File, href: str) -> Header:
    legend = load_legend(file.version.legend) if file.version.legend else None
    with gdal_session(), open_raster(href) as dataset:
        header = read_header(dataset, file.band.index, href)
        check_header(header, file.version, file.band, href)
        check_integrity(dataset, file.band.index, href, legend)
    return header


def _insert(connection: Connection, file: File, href: str, digest: str, header: Header) -> int:
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
    return int(connection.execute(row.returning(RasterAsset.id)).scalar_one())


def registered_file(version: SourceVersion, band: Band, row: Any) -> RasterFile:
    """Place a file as its row of ``raster_assets`` describes it, without opening it."""
    header = Header.from_document(row.header)
    return _placed(version, band, row.href, row.content_hash, header, row.id)


def _placed(
    version: SourceVersion, band: Band, href: str, digest: str, header: Header, asset_id: int
) -> RasterFile:
    lattice = header.lattice(version)
    return RasterFile(
        asset_id=asset_id,
        href=href,
        index=band.index,
        content_hash=digest,
        lattice=lattice,
        window=header.window(lattice),
        dtype=header.dtype,
        nodata=header.nodata,
        block=(header.block_height, header.block_width),
    )
