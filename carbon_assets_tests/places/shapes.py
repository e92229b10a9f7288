"""Random polygons, and other ways to draw the same one."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from shapely.affinity import translate
from shapely.geometry import MultiPolygon, Polygon

PROPERTY = settings(deadline=None, derandomize=True, database=None, max_examples=100)
"""The same examples in every run, however slow the machine."""

Ring = list[tuple[float, float]]


@st.composite
def stars(draw: st.DrawFn, smallest: float = 0.5, largest: float = 1.0) -> Ring:
    """A star-shaped ring around the origin, within radius ``largest`` and around ``smallest``.

    Eight spokes at least, so that the ring holds a disc of ``0.9 * smallest``.
    """
    count = draw(st.integers(8, 16))
    radii = draw(st.lists(st.floats(smallest, largest), min_size=count, max_size=count))
    angles = [2 * math.pi * index / count for index in range(count)]
    return [(r * math.cos(a), r * math.sin(a)) for r, a in zip(radii, angles, strict=True)]


@st.composite
def multipolygons(draw: st.DrawFn) -> MultiPolygon:
    """One to four parts that do not touch, each with up to two holes, anywhere on the Earth."""
    east, north = draw(st.floats(-178, 178)), draw(st.floats(-70, 70))
    parts = []
    for place in range(draw(st.integers(1, 4))):
        holes = [
            [(x + side, y) for x, y in draw(stars(0.01, 0.1))]
            for side in (-0.15, 0.15)[: draw(st.integers(0, 2))]
        ]
        part = Polygon(draw(stars()), holes)
        parts.append(translate(part, east, north + 5 * place))
    return MultiPolygon(parts)


@st.composite
def redrawn(draw: st.DrawFn, geometry: MultiPolygon) -> Any:
    """The same area with other ring starts, directions, part and hole orders, repeated points."""
    parts = []
    for part in draw(st.permutations(list(geometry.geoms))):
        holes = draw(st.permutations(list(part.interiors)))
        rings = [_redraw(draw, list(ring.coords)[:-1]) for ring in (part.exterior, *holes)]
        parts.append(Polygon(rings[0], rings[1:]))
    return parts[0] if len(parts) == 1 and draw(st.booleans()) else MultiPolygon(parts)


def _redraw(draw: st.DrawFn, ring: list[tuple[float, ...]]) -> list[tuple[float, ...]]:
    start = draw(st.integers(0, len(ring) - 1))
    turned = ring[start:] + ring[:start]
    if draw(st.booleans()):
        turned.reverse()
    repeats = draw(st.lists(st.integers(1, 3), min_size=len(turned), max_size=len(turned)))
    points = [point for point, times in zip(turned, repeats, strict=True) for _ in range(times)]
    return [*points, points[0]]
