"""Repair of an invalid polygon, done only on request and always written down."""

from __future__ import annotations

import shapely
from shapely.geometry import MultiPolygon
from shapely.geometry.base import BaseGeometry

from carbon_assets.places.geometry import canonical_order, geodesic_area_ha, polygon_parts


def repaired(polygon: BaseGeometry) -> tuple[MultiPolygon, str]:
    """Make a polygon valid and say what that changed.

    GEOS's "structure" method: every ring is made valid by itself, shells are united, holes are
    taken away from them. So an area drawn twice counts once, where the "linework" method would
    cut it out. Lines and points that remain are dropped.

    Args:
        polygon: Invalid Polygon or MultiPolygon in degrees, longitude first.

    Returns:
        The valid polygons, possibly none, and a note with the reason, the areas before (the
        rings as drawn, where crossing loops cancel) and after, in hectares.
    """
    drawn = canonical_order(polygon)
    made = shapely.make_valid(drawn, method="structure", keep_collapsed=False)
    result = MultiPolygon(polygon_parts(made))
    before, after = geodesic_area_ha(drawn), geodesic_area_ha(result)
    note = (
        f"{shapely.is_valid_reason(polygon)}; made valid (GEOS {shapely.geos_version_string}, "
        f"structure method): {_count(drawn)} with {before:.6f} ha as drawn became "
        f"{_count(result)} with {after:.6f} ha"
    )
    return result, note


def _count(polygons: MultiPolygon) -> str:
    parts, holes = len(polygons.geoms), sum(len(part.interiors) for part in polygons.geoms)
    return f"{parts} part{'s' * (parts != 1)} and {holes} hole{'s' * (holes != 1)}"
