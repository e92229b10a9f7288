"""Opening rasters: an allow-list of drivers, and errors that a user can act on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from carbon_assets.errors import RasterError
from carbon_assets.rasters.addresses import EXTENSIONS, gdal_name, is_local
from carbon_assets.rasters.remote.refusals import unreachable

if TYPE_CHECKING:
    from rasterio.io import DatasetReader

DRIVER = "GTiff"
"""GDAL opens nothing else; a COG is a GTiff."""

GDAL_OPTIONS = {
    "GDAL_CACHEMAX": 512 * 1024 * 1024,
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_PAM_ENABLED": "NO",
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ",".join(EXTENSIONS),
    # What was read of a file goes with its last handle: later its bytes may be others.
    "CPL_VSIL_CURL_NON_CACHED": "/vsicurl/:/vsis3/",
    "CPL_VSIL_CURL_CHUNK_SIZE": 16 * 1024,
    "CPL_VSIL_CURL_CACHE_SIZE": 64 * 1024 * 1024,
    "GDAL_HTTP_CONNECTTIMEOUT": 10,
    "GDAL_HTTP_LOW_SPEED_TIME": 30,
    "GDAL_HTTP_LOW_SPEED_LIMIT": 1,
    "GDAL_HTTP_MAX_RETRY": 3,
    "GDAL_HTTP_RETRY_DELAY": 0.5,
    "GDAL_HTTP_RETRY_CODES": "429,500,502,503,504",
}
"""Decoded blocks are kept up to a fixed size, so memory does not grow with the number of
farms; sidecar files are neither sought nor written, so only the hashed bytes count. Of a
remote file only the parts that are needed are read, with retries that wait longer each time."""


@contextmanager
def gdal_session() -> Iterator[None]:
    """Set the GDAL options under which rasters are opened and read."""
    import rasterio

    with rasterio.Env(**GDAL_OPTIONS, **_certificates()):
        yield


def _certificates() -> dict[str, str]:
    """The authorities that requests trusts, where the environment names them."""
    bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    return {"GDAL_CURL_CA_BUNDLE": bundle} if bundle else {}


def open_raster(href: str, copy: str | None = None) -> DatasetReader:
    """Open a raster for reading.

    Args:
        href: Its address, which errors name.
        copy: A local file with the same bytes, to be read in its place.

    Raises:
        RasterError: ``RASTER_MISSING`` if a local file does not exist, ``RASTER_UNREADABLE``
            if it is not a GeoTIFF that GDAL can open, ``RASTER_UNREACHABLE`` if a remote one
            cannot be opened, or as :func:`carbon_assets.rasters.addresses.require_address`.
    """
    import rasterio
    from rasterio.errors import RasterioError

    name = gdal_name(copy or href)
    if is_local(name) and not name.startswith("/vsi") and not Path(name).is_file():
        raise RasterError(
            "RASTER_MISSING",
            "the raster file does not exist",
            where=copy or href,
            do="check the href and its {vintage} and {tile} placeholders, or fetch the file",
        )
    try:
        with _credentials(name):
            return rasterio.open(name, driver=DRIVER)
    except RasterioError as error:
        raise unreadable(href, error, copy) from error


@contextmanager
def _credentials(name: str) -> Iterator[None]:
    """Lend GDAL the AWS credentials under which boto3 looked at the file."""
    if not name.startswith("/vsis3/"):
        yield
        return
    import rasterio

    from carbon_assets.rasters.remote.s3 import gdal_access

    session, options = gdal_access()
    with rasterio.Env(session, **options):
        yield


def unreadable(href: str, error: Exception, copy: str | None = None) -> RasterError:
    """Describe a raster that cannot be opened or decoded.

    A remote file was decoded, or its directory checked, when it was registered: what fails
    later is the way to it.
    """
    reason = error.__cause__ or error
    if copy is None and not is_local(href):
        return unreachable(href, f"GDAL says {reason}")
    return RasterError(
        "RASTER_UNREADABLE",
        f"GDAL cannot read the raster: {reason}",
        where=copy or href,
        do="the file is corrupt, truncated or not a GeoTIFF: fetch it again and compare sizes",
    )
