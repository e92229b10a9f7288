"""The verdict on each feature's geometry: a stored form, or one coded reason against it.

==============================  =================================================================
``GEOMETRY_MISSING``            no geometry, or an empty one
``GEOMETRY_UNREADABLE``         an open ring, or a ring of less than four points
``GEOMETRY_NOT_POLYGON``        neither a polygon nor a multipolygon
``GEOMETRY_NOT_FINITE``         a coordinate that is no number, or infinite
``PLACE_AXES_SWAPPED``          out of range as drawn, and fine with its coordinates swapped
``GEOMETRY_OUT_OF_RANGE``       outside longitude ±180, latitude ±90, or without an image there
``GEOMETRY_SPANS_ANTIMERIDIAN`` more than 180 degrees of longitude wide
``GEOMETRY_ZERO_AREA``          all vertices on one line
``GEOMETRY_INVALID``            self-crossing, holes outside, overlapping parts …, with the place
``GEOMETRY_COLLAPSED``          nothing left on the snap grid
==============================  =================================================================

Only the first reason is given, since the later checks need what the earlier ones ensure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from carbon_assets.errors import PlaceError
from carbon_assets.places.axes import ADVICE, WORLD, refuse_swapped_file, swapped_in_range, within
from carbon_assets.places.geometry import PlaceGeometry
from carbon_assets.places.projection import Bounds
from carbon_assets.places.reading import VectorLayer
from carbon_assets.places.repair import repaired

MAX_WIDTH_DEGREES = 180.0
"""Nothing that this package calls a place is wider; a polygon across the antimeridian is."""


@dataclass(frozen=True)
class Fault:
    """Why a geometry is not usable: code, sentence and advice."""

    code: str
    what: str
    do: str


@dataclass(frozen=True)
class _Feature:
    drawn: BaseGeometry | None
    unreadable: bool
    lonlat: BaseGeometry | None
    in_range: bool
    swapped: bool


def judge_geometries(
    layer: VectorLayer, *, repair: bool = False, expected_bounds: Bounds | None = None
) -> list[PlaceGeometry | Fault]:
    """Judge every geometry of a layer.

    Args:
        layer: The layer as read.
        repair: Repair invalid polygons instead of rejecting them.
        expected_bounds: Where the places should be; only used to notice swapped axes.

    Returns:
        One stored geometry or one fault per feature, in the layer's order.

    Raises:
        PlaceError: ``PLACE_AXES_SWAPPED`` for the file as a whole, ``PLACE_CRS_UNSUPPORTED``.
    """
    comparable = np.array([_comparable(geometry) for geometry in layer.geometries], dtype=bool)
    drawn = layer.geometries[comparable]
    refuse_swapped_file(drawn, layer.crs, expected_bounds, layer.file)
    lonlat = np.full(len(layer.geometries), None, dtype=object)
    lonlat[comparable] = layer.crs.to_lonlat(drawn)
    return [_verdict(feature, repair=repair) for feature in _features(layer, lonlat)]


def _features(layer: VectorLayer, lonlat: NDArray[np.object_]) -> list[_Feature]:
    columns = (
        layer.geometries,
        layer.unreadable.tolist(),
        lonlat,
        within(shapely.bounds(lonlat), WORLD).tolist(),
        swapped_in_range(layer.geometries, lonlat, layer.crs).tolist(),
    )
    return [_Feature(*values) for values in zip(*columns, strict=True)]


def _comparable(geometry: BaseGeometry | None) -> bool:
    """Whether a geometry has coordinates that can be transformed and compared."""
    return geometry is not None and not geometry.is_empty and not _not_finite_in(geometry)


def _not_finite_in(geometry: BaseGeometry) -> bool:
    return not np.isfinite(shapely.get_coordinates(geometry)).all()


def _verdict(feature: _Feature, *, repair: bool) -> PlaceGeometry | Fault:
    for check in _CHECKS:
        if fault := check(feature):
            return fault
    polygon, note = feature.lonlat, None
    assert polygon is not None  # noqa: S101 - _missing has seen to it
    if not polygon.is_valid:
        if not repair:
            return _invalid(polygon)
        polygon, note = repaired(polygon)
    try:
        return PlaceGeometry.from_geometry(polygon, repair_note=note)
    except PlaceError as error:
        return Fault(error.code, error.what, error.do or "Draw the place again.")


def _missing(feature: _Feature) -> Fault | None:
    if feature.unreadable:
        return Fault(
            "GEOMETRY_UNREADABLE",
            "A ring is open or has less than four points.",
            "Close the ring, or draw the place again.",
        )
    if feature.drawn is None or feature.drawn.is_empty:
        return Fault(
            "GEOMETRY_MISSING", "The feature has no geometry.", "Draw it or delete the feature."
        )
    return None


def _not_polygon(feature: _Feature) -> Fault | None:
    if isinstance(feature.drawn, Polygon | MultiPolygon):
        return None
    kind = feature.drawn.geom_type if feature.drawn is not None else "null"
    return Fault(
        "GEOMETRY_NOT_POLYGON",
        f"The geometry is a {kind}.",
        "A place is a polygon or a multipolygon.",
    )


def _not_finite(feature: _Feature) -> Fault | None:
    if feature.lonlat is not None:
        return None
    return Fault(
        "GEOMETRY_NOT_FINITE",
        "A coordinate is not a number or infinite.",
        "Draw the place again.",
    )


def _out_of_range(feature: _Feature) -> Fault | None:
    if feature.in_range:
        return None
    x, y = _first_bad_vertex(feature)
    if feature.swapped:
        return Fault(
            "PLACE_AXES_SWAPPED",
            f"({x:.10g}, {y:.10g}) is out of range as longitude and latitude, and fine the other "
            "way round.",
            ADVICE,
        )
    return Fault(
        "GEOMETRY_OUT_OF_RANGE",
        f"({x:.10g}, {y:.10g}) of the file is not a place within longitude ±180, latitude ±90.",
        "Check that the file states the coordinate system it is really in; metres are no degrees.",
    )


def _first_bad_vertex(feature: _Feature) -> tuple[float, float]:
    degrees = shapely.get_coordinates(feature.lonlat)
    good = within(np.hstack([degrees, degrees]), WORLD)
    x, y = shapely.get_coordinates(feature.drawn)[int(np.argmin(good))]
    return float(x), float(y)


def _spans_antimeridian(feature: _Feature) -> Fault | None:
    west, _, east, _ = shapely.bounds(feature.lonlat)
    if east - west <= MAX_WIDTH_DEGREES:
        return None
    return Fault(
        "GEOMETRY_SPANS_ANTIMERIDIAN",
        f"The polygon is {east - west:g} degrees of longitude wide.",
        "Split it at longitude 180 and import one place per side.",
    )


def _zero_area(feature: _Feature) -> Fault | None:
    if shapely.area(shapely.convex_hull(feature.lonlat)) > 0:
        return None
    return Fault(
        "GEOMETRY_ZERO_AREA", "All vertices lie on one line.", "Draw the place as an area."
    )


def _invalid(polygon: BaseGeometry) -> Fault:
    return Fault(
        "GEOMETRY_INVALID",
        f"The polygon is not valid: {shapely.is_valid_reason(polygon)} (longitude latitude).",
        "Correct it there, or import with --repair and compare the areas that it states.",
    )


_CHECKS: tuple[Callable[[_Feature], Fault | None], ...] = (
    _missing,
    _not_polygon,
    _not_finite,
    _out_of_range,
    _spans_antimeridian,
    _zero_area,
)
