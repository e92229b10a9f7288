"""The one form in which a place's polygon is stored, hashed and computed with.

A drawn polygon can be written in many ways: another first vertex, another ring direction,
another order of parts or holes, a vertex repeated. ``normalise`` maps all of them to the same
bytes, so they are the same version of the place.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Geod
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from carbon_assets.errors import PlaceError

SNAP_GRID_DEGREES = 1e-9
"""Spacing of the grid that every stored coordinate lies on: about 0.1 mm on the ground."""

SQUARE_METRES_PER_HECTARE = 10_000.0


@dataclass(frozen=True)
class PlaceGeometry:
    """A polygon in its stored form, with what follows from its bytes.

    Attributes:
        wkb: Little-endian 2-D WKB of a MultiPolygon, EPSG:4326 in longitude, latitude order.
        hash: ``sha256:<64 hex>`` of ``wkb``.
        area_ha: Geodesic area on the WGS84 ellipsoid, in hectares.
        bbox: ``(minx, miny, maxx, maxy)`` in degrees.
        repaired: Whether the polygon was invalid as drawn and repaired on request.
        repair_note: What the repair changed, areas included; null without a repair.
    """

    wkb: bytes
    hash: str
    area_ha: float
    bbox: tuple[float, float, float, float]
    repaired: bool = False
    repair_note: str | None = None

    @classmethod
    def from_geometry(
        cls, geometry: BaseGeometry, *, repair_note: str | None = None
    ) -> PlaceGeometry:
        """Normalise a valid polygon and measure the result.

        Args:
            geometry: Valid Polygon or MultiPolygon in degrees, longitude first.
            repair_note: What a repair changed, if there was one.

        Raises:
            PlaceError: As ``normalise``.
        """
        stored = normalise(geometry)
        wkb = geometry_bytes(stored)
        minx, miny, maxx, maxy = stored.bounds
        return cls(
            wkb=wkb,
            hash=geometry_hash(wkb),
            area_ha=geodesic_area_ha(stored),
            bbox=(minx, miny, maxx, maxy),
            repaired=repair_note is not None,
            repair_note=repair_note,
        )

    def shape(self) -> MultiPolygon:
        """Return the polygon that the stored bytes describe."""
        return load_geometry(self.wkb)


def normalise(geometry: BaseGeometry) -> MultiPolygon:
    """Return the canonical form of a valid polygon on the snap grid.

    Coordinates are rounded to the grid one by one. Only where that makes the polygon invalid
    (features narrower than the grid) does GEOS rebuild it on the grid, which may merge or drop
    such parts. Rounding and ordering have no effect on a polygon that went through here, so
    the result is a fixed point.

    Args:
        geometry: Valid Polygon or MultiPolygon in degrees, longitude first; Z and M are dropped.

    Raises:
        PlaceError: ``GEOMETRY_NOT_POLYGON``, ``GEOMETRY_INVALID`` or, when nothing is left on
            the grid, ``GEOMETRY_COLLAPSED``.
    """
    if not isinstance(geometry, Polygon | MultiPolygon):
        raise PlaceError("GEOMETRY_NOT_POLYGON", f"The geometry is a {geometry.geom_type}.")
    if not geometry.is_valid:
        reason = shapely.is_valid_reason(geometry)
        raise PlaceError("GEOMETRY_INVALID", f"The polygon is not valid: {reason}.")
    drawn = canonical_order(geometry)
    snapped = shapely.set_precision(drawn, SNAP_GRID_DEGREES, mode="pointwise")
    if not snapped.is_valid:
        snapped = shapely.set_precision(drawn, SNAP_GRID_DEGREES, mode="valid_output")
    if snapped.is_empty:
        raise PlaceError(
            "GEOMETRY_COLLAPSED",
            f"Nothing of the polygon is left on the grid of {SNAP_GRID_DEGREES:g} degrees.",
            do="Draw the place as an area; a sliver this thin has none.",
        )
    # Through bytes, so that what is measured is what is stored: no grid stays attached to it.
    return load_geometry(geometry_bytes(canonical_order(snapped)))


def canonical_order(geometry: BaseGeometry) -> MultiPolygon:
    """Order vertices, rings and parts in one fixed way, without moving any of them.

    Args:
        geometry: Polygon or MultiPolygon, valid or not.

    Returns:
        A 2-D MultiPolygon without empty parts, repeated vertices or negative zeros.
    """
    flat = shapely.force_2d(geometry)
    parts = [part for part in shapely.get_parts(flat) if not part.is_empty]
    clean = shapely.remove_repeated_points(MultiPolygon(parts), 0.0)
    return shapely.normalize(shapely.transform(clean, _positive_zeros))


def _positive_zeros(coordinates: NDArray[np.float64]) -> NDArray[np.float64]:
    return coordinates + 0.0


def geometry_bytes(geometry: BaseGeometry) -> bytes:
    """Return little-endian 2-D WKB, the bytes that are stored and hashed."""
    wkb: bytes = shapely.to_wkb(
        geometry, output_dimension=2, byte_order=1, include_srid=False, flavor="iso"
    )
    return wkb


def geometry_hash(wkb: bytes) -> str:
    """Return ``sha256:<64 hex>`` of stored geometry bytes."""
    return f"sha256:{hashlib.sha256(wkb).hexdigest()}"


def load_geometry(wkb: bytes) -> MultiPolygon:
    """Read stored geometry bytes.

    Raises:
        PlaceError: ``GEOMETRY_BYTES_UNREADABLE`` when the bytes are not a MultiPolygon in the
            stored form.
    """
    try:
        geometry = shapely.from_wkb(wkb)
    except (shapely.GEOSException, TypeError) as error:
        raise _unreadable(str(error)) from error
    if not isinstance(geometry, MultiPolygon):
        raise _unreadable(f"they hold a {type(geometry).__name__}")
    if geometry_bytes(geometry) != wkb:
        raise _unreadable("they are not little-endian 2-D WKB")
    return geometry


def _unreadable(reason: str) -> PlaceError:
    return PlaceError(
        "GEOMETRY_BYTES_UNREADABLE",
        f"These bytes are not a stored geometry: {reason}.",
        do="Import the place again; stored bytes are written only by the import.",
    )


@cache
def _wgs84() -> Geod:
    return Geod(ellps="WGS84")


def geodesic_area_ha(geometry: BaseGeometry) -> float:
    """Return the area on the WGS84 ellipsoid in hectares, edges being geodesics.

    Args:
        geometry: Valid geometry in degrees, longitude first. Parts without area (lines, points
            in a collection) count as zero.
    """
    area_m2 = sum(_polygon_area_m2(part) for part in polygon_parts(geometry))
    return area_m2 / SQUARE_METRES_PER_HECTARE


def polygon_parts(geometry: BaseGeometry) -> list[Polygon]:
    """Return the non-empty polygons inside any geometry, collections of collections included."""
    if isinstance(geometry, Polygon):
        return [] if geometry.is_empty else [geometry]
    children = getattr(geometry, "geoms", ())
    return [part for child in children for part in polygon_parts(child)]


def _polygon_area_m2(polygon: Polygon) -> float:
    holes = sum(_ring_area_m2(ring) for ring in polygon.interiors)
    return _ring_area_m2(polygon.exterior) - holes


def _ring_area_m2(ring: BaseGeometry) -> float:
    longitudes, latitudes = shapely.get_coordinates(ring).T
    area, _ = _wgs84().polygon_area_perimeter(longitudes, latitudes)
    return abs(float(area))
