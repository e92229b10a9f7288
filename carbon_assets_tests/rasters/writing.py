"""Rasters written for tests, and registered as the store would register them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy.typing as npt
import rasterio
from rasterio.transform import Affine

from carbon_assets.rasters.hashing import content_hash
from carbon_assets.rasters.header import check_header, read_header
from carbon_assets.rasters.reader import RasterFile
from carbon_assets.rasters.registered import RegisteredSource, SourceFile
from carbon_assets.reference.catalogue import SourceVersion
from carbon_assets.science.zonal.grid import Lattice, Window


def write(
    path: Path, values: npt.NDArray[Any], lattice: Lattice, window: Window, **profile: Any
) -> str:
    """Write a window of a lattice; block size, compression and nodata as GDAL options."""
    settings: dict[str, Any] = {"tiled": True, "blockxsize": 16, "blockysize": 16} | profile
    x, y = float(lattice.x(window.col)), float(lattice.y(window.row))
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        dtype=values.dtype.name,
        count=1,
        height=values.shape[0],
        width=values.shape[1],
        crs=lattice.crs,
        transform=Affine(lattice.cell_width, 0.0, x, 0.0, -lattice.cell_height, y),
        **settings,
    ) as out:
        out.write(values, 1)
    return str(path)


def raster_file(version: SourceVersion, band: str, path: str, number: int = 1) -> RasterFile:
    """Place a file on its lattice, its header checked against the catalogue."""
    entry = version.band(band)
    with rasterio.open(path) as dataset:
        header = read_header(dataset, entry.index, path)
    check_header(header, version, entry, path)
    lattice = header.lattice(version)
    return RasterFile(
        asset_id=number,
        href=path,
        index=entry.index,
        content_hash=content_hash(path),
        lattice=lattice,
        window=header.window(lattice),
        dtype=header.dtype,
        nodata=header.nodata,
        block=(header.block_height, header.block_width),
    )


def registered(
    version: SourceVersion, paths: Mapping[tuple[str, int] | tuple[str, int, str], str]
) -> RegisteredSource:
    """Register files by band, year and, for a tiled source, tile."""
    files = [
        SourceFile(
            band=key[0],
            year=key[1],
            tile=key[2] if len(key) > 2 else None,
            file=raster_file(version, key[0], path, number),
        )
        for number, (key, path) in enumerate(paths.items(), start=1)
    ]
    return RegisteredSource(1, version, tuple(files))


def source_version(**fields: Any) -> SourceVersion:
    """A catalogue entry; ``bands`` and the time axis are the test's."""
    common = {
        "key": "test-source",
        "family": "test",
        "title": "Generated raster",
        "licence": "none",
        "citation": "generated",
        "version": "1",
    }
    return SourceVersion.model_validate(common | fields)
