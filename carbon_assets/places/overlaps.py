"""Overlaps between places: hectares that would be counted twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from carbon_assets.places.geometry import geodesic_area_ha
from carbon_assets.places.model import Place

MIN_OVERLAP_HA = 0.01
"""100 m²: neighbours digitised apart share slivers below this; they are not reported."""

_MAX_HA_PER_SQUARE_DEGREE = 1.26e6
"""More than a square degree measures anywhere (at most 1.231e6 ha, on the equator)."""


@dataclass(frozen=True)
class Overlap:
    """An area that two places share.

    Attributes:
        first: Key of one place.
        second: Key of the other.
        area_ha: Shared geodesic area in hectares.
        share_of_first: The same as a fraction of the first place's area.
        share_of_second: The same as a fraction of the second place's area.
    """

    first: str
    second: str
    area_ha: float
    share_of_first: float
    share_of_second: float

    def as_dict(self) -> dict[str, Any]:
        """Return the overlap as a JSON-ready mapping."""
        return {
            "first": self.first,
            "second": self.second,
            "area_ha": self.area_ha,
            "share_of_first": self.share_of_first,
            "share_of_second": self.share_of_second,
        }


def find_overlaps(places: Sequence[Place], min_area_ha: float = MIN_OVERLAP_HA) -> list[Overlap]:
    """Find pairs of places of the same kind that share more than a threshold.

    Places of different kinds are meant to overlap: farms lie in their project's boundary.

    Args:
        places: Accepted places, of any kinds.
        min_area_ha: Threshold in hectares; smaller overlaps are not returned.

    Returns:
        Overlaps, the largest first, then by keys.
    """
    found = []
    for kind in dict.fromkeys(place.kind for place in places):
        group = [place for place in places if place.kind == kind]
        shapes = np.array([place.geometry.shape() for place in group], dtype=object)
        for left, right, area_ha in overlapping_pairs(shapes, min_area_ha):
            found.append(_overlap(group[left], group[right], area_ha))
    return sorted(found, key=lambda overlap: (-overlap.area_ha, overlap.first, overlap.second))


def overlapping_pairs(
    shapes: NDArray[np.object_], min_area_ha: float = MIN_OVERLAP_HA
) -> list[tuple[int, int, float]]:
    """Return ``(i, j, shared hectares)``, i < j, for shapes that share more than a threshold.

    Args:
        shapes: (n,) valid polygons in degrees, longitude first.
        min_area_ha: Threshold in hectares.
    """
    left, right = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    once = left < right
    left, right = left[once], right[once]
    shared = shapely.intersection(shapes[left], shapes[right])
    # Neighbours share a line or nothing: the flat area bounds the geodesic one from above.
    plausible = shapely.area(shared) * _MAX_HA_PER_SQUARE_DEGREE >= min_area_ha
    pairs = [
        (int(i), int(j), geodesic_area_ha(area))
        for i, j, area in zip(left[plausible], right[plausible], shared[plausible], strict=True)
    ]
    return [pair for pair in pairs if pair[2] > min_area_ha]


def _overlap(first: Place, second: Place, area_ha: float) -> Overlap:
    if second.key < first.key:
        first, second = second, first
    return Overlap(
        first=first.key,
        second=second.key,
        area_ha=area_ha,
        share_of_first=area_ha / first.geometry.area_ha,
        share_of_second=area_ha / second.geometry.area_ha,
    )


def overlap_summary(overlaps: Sequence[Overlap], min_area_ha: float = MIN_OVERLAP_HA) -> str:
    """Say in one sentence what was found, and from which area on overlaps were looked for."""
    threshold = f"overlaps up to {min_area_ha:g} ha are not reported"
    if not overlaps:
        return f"No two places overlap ({threshold})."
    total = sum(overlap.area_ha for overlap in overlaps)
    pairs = f"{len(overlaps)} pair{'s' * (len(overlaps) != 1)} of places"
    return f"{pairs} overlap, sharing {total:,.4f} ha in sum ({threshold})."
