"""Opening rasters: an allow-list of drivers, and errors that a user can act on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from carbon_assets.errors import RasterError

if TYPE_CHECKING:
    from rasterio.io import DatasetReader

DRIVER = "GTiff"
"""GDAL opens nothing else; a COG is a GTiff."""

GDAL_OPTIONS = {
    "GDAL_CACHEMAX": 512 * 1024 * 1024,
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_PAM_ENABLED": "NO",
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".tif,.tiff",
}
"""Decoded blocks are kept up to a fixed size, so memory does not grow with the number of
farms; sidecar files are neither sought nor written, so only the hashed bytes count."""


def gdal_name(href: str) -> str:
    """Translate an href (path, https or s3 URL) into the name that GDAL opens."""
    if href.startswith(("https://", "http://")):
        return f"/vsicurl/{href}"
    if href.startswith("s3://"):
        return f"/vsis3/{href.removeprefix('s3://')}"
    return href


def is_local(href: str) -> bool:
    """Whether an href names a file on this machine."""
    return "://" not in href


@contextmanager
def gdal_session() -> Iterator[None]:
    """Set the GDAL options under which rasters are opened and read."""
    import rasterio

    with rasterio.Env(**GDAL_OPTIONS):
        yield


def open_raster(href: str) -> DatasetReader:
    """Open a raster for reading.

    Raises:
        RasterError: ``RASTER_MISSING`` if a local file does not exist, ``RASTER_UNREADABLE``
            if it is not a GeoTIFF that GDAL can open.
    """
    import rasterio
    from rasterio.errors import RasterioError

    if is_local(href) and not Path(href).is_file():
        raise RasterError(
            "RASTER_MISSING",
            "the raster file does not exist",
            where=href,
            do="check the href and its {vintage} and {tile} placeholders, or fetch the file",
        )
    try:
        return rasterio.open(gdal_name(href), driver=DRIVER)
    except RasterioError as error:
        raise unreadable(href, error) from error


def unreadable(href: str, error: Exception) -> RasterError:
    """Describe a raster that cannot be opened or decoded."""
    return RasterError(
        "RASTER_UNREADABLE",
        f"GDAL cannot read the raster: {error.__cause__ or error}",
        where=href,
        do="the file is corrupt, truncated or not a GeoTIFF: fetch it again and compare sizes",
    )
