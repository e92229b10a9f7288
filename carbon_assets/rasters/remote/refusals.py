"""What is said of a remote file that cannot be had."""

from __future__ import annotations

from carbon_assets.errors import RasterError
from carbon_assets.rasters.addresses import shown


def missing(href: str) -> RasterError:
    """Describe a file that its server does not know."""
    return RasterError(
        "RASTER_MISSING",
        "the server has no such file",
        where=shown(href),
        do="check the href and its {vintage} and {tile} placeholders",
    )


def forbidden(href: str, reason: str) -> RasterError:
    """Describe a file that its server keeps from us."""
    return RasterError(
        "RASTER_FORBIDDEN",
        f"the server refuses the file: {reason}",
        where=shown(href),
        do="give credentials by the environment, ~/.netrc or the AWS configuration, or set "
        "AWS_NO_SIGN_REQUEST=YES for a public bucket",
    )


def unreachable(href: str, reason: object) -> RasterError:
    """Describe a file that could not be fetched, after every attempt."""
    return RasterError(
        "RASTER_UNREACHABLE",
        f"the raster cannot be read over the network: {reason}",
        where=shown(href),
        do="run again when the server answers, or copy the file with `carbon-assets sources "
        "mirror` when it does",
    )


def without_ranges(href: str) -> RasterError:
    """Describe a file whose server only gives it whole."""
    return RasterError(
        "RASTER_WITHOUT_RANGES",
        "the server gives files only whole, so that single blocks cannot be read",
        where=shown(href),
        do="copy the file with `carbon-assets sources mirror`, then run again",
    )


def changed(href: str) -> RasterError:
    """Describe a file that was replaced while it was registered."""
    return RasterError(
        "RASTER_CHANGED",
        "the raster was replaced while it was read",
        where=shown(href),
        do="run again when nobody writes the file; nothing was recorded",
    )
