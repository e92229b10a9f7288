"""Swapped coordinates: latitude stored where longitude belongs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import shapely
from numpy.typing import NDArray

from carbon_assets.errors import PlaceError
from carbon_assets.places.projection import Bounds, SourceCrs

WORLD: Bounds = (-180.0, -90.0, 180.0, 90.0)

ADVICE = "Swap the two coordinates (in a GIS: 'swap X and Y'), or correct the coordinate system."


def within(bounds: NDArray[np.float64], outer: Bounds) -> NDArray[np.bool_]:
    """Return which of (n, 4) bounding boxes lie inside another; infinite ones do not."""
    minx, miny, maxx, maxy = outer
    inside = (bounds[:, 0] >= minx) & (bounds[:, 1] >= miny)
    return np.asarray(inside & (bounds[:, 2] <= maxx) & (bounds[:, 3] <= maxy))


def touching(bounds: NDArray[np.float64], outer: Bounds) -> NDArray[np.bool_]:
    """Return which of (n, 4) bounding boxes touch another."""
    minx, miny, maxx, maxy = outer
    across = (bounds[:, 0] <= maxx) & (bounds[:, 2] >= minx)
    return np.asarray(across & (bounds[:, 1] <= maxy) & (bounds[:, 3] >= miny))


def refuse_swapped_file(
    geometries: NDArray[np.object_], crs: SourceCrs, expected_bounds: Bounds | None, file: str
) -> None:
    """Refuse a file whose coordinates only make sense the other way round.

    Latitude and longitude of many countries are both within range in either order, so a swap
    shows only against an expectation: where the rasters are, and where the file's own
    coordinate system applies. The file is refused when no feature touches that area as drawn
    and every feature does with its coordinates swapped.

    Args:
        geometries: Geometries that can be compared, in the file's coordinates.
        crs: The file's coordinate system.
        expected_bounds: Where the places should be, if known.
        file: File name for the message.

    Raises:
        PlaceError: ``PLACE_AXES_SWAPPED``.
    """
    if not len(geometries):
        return
    as_drawn = shapely.bounds(crs.to_lonlat(geometries))
    for area, meaning in _expectations(crs, expected_bounds):
        if touching(as_drawn, area).any():
            continue
        swapped = shapely.bounds(crs.to_lonlat(geometries, swap_axes=True))
        if touching(swapped, area).all():
            raise PlaceError(
                "PLACE_AXES_SWAPPED",
                f"No feature lies in {meaning} {_spell(area)}, and all of them do with their "
                "coordinates swapped.",
                where=file,
                do=ADVICE,
                details={"expected_bounds": list(area)},
            )


def _expectations(crs: SourceCrs, expected: Bounds | None) -> Iterator[tuple[Bounds, str]]:
    if expected is not None:
        yield expected, "the expected area"
    if crs.area_of_use is not None:
        yield crs.area_of_use, f"the area of use of {crs.crs.name}"


def _spell(area: Bounds) -> str:
    west, south, east, north = area
    return f"(longitude {west:g} to {east:g}, latitude {south:g} to {north:g})"


def swapped_in_range(
    drawn: NDArray[np.object_], lonlat: NDArray[np.object_], crs: SourceCrs
) -> NDArray[np.bool_]:
    """Return which features are out of range as drawn and fine with swapped coordinates.

    Args:
        drawn: (n,) geometries in the file's coordinates.
        lonlat: (n,) the same in degrees, longitude first; None where there is nothing to judge.
        crs: The file's coordinate system.
    """
    outside = ~within(shapely.bounds(lonlat), WORLD) & ~shapely.is_missing(lonlat)
    result = np.zeros(len(drawn), dtype=bool)
    if outside.any():
        swapped = shapely.bounds(crs.to_lonlat(drawn[outside], swap_axes=True))
        result[outside] = within(swapped, crs.area_of_use or WORLD)
    return result
