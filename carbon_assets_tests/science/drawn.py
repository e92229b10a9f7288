"""Random places, drawn in cells of a small raster."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry import MultiPolygon, Polygon, box

Floats = npt.NDArray[np.float64]

MAPBIOMAS = 0.0002694945852358564
"""Cell size of MapBiomas Brazil in degrees."""

SIDE = 24
"""Rows and columns of the rasters that the random places lie on."""


def random_places(seed: int, count: int) -> list[Polygon | MultiPolygon]:
    """Places in cell units on a raster of SIDE × SIDE cells, every awkward kind in turn."""
    random = np.random.default_rng(seed)
    kinds = [_star, _holed, _parts, _sliver, _tiny, _on_the_edge, _half_outside, _aligned]
    return [kinds[number % len(kinds)](random) for number in range(count)]


def ring(random: np.random.Generator, x: float, y: float, radius: float) -> Floats:
    """A star-shaped ring around (x, y)."""
    count = int(random.integers(5, 40))
    angle = (np.arange(count) + random.uniform(0.0, 0.8, count)) * 2.0 * np.pi / count
    reach = radius * random.uniform(0.5, 1.0, count)
    return np.column_stack([x + reach * np.cos(angle), y + reach * np.sin(angle)])


def _star(random: np.random.Generator) -> Polygon:
    x, y = random.uniform(9.0, 15.0, 2)
    return Polygon(ring(random, x, y, random.uniform(1.0, 8.0)))


def _holed(random: np.random.Generator) -> Polygon:
    shell = ring(random, 12.0, 12.0, 11.0)
    return Polygon(shell, [ring(random, 12.0 + at, 12.0, 0.9) for at in (-1.2, 1.2)])


def _parts(random: np.random.Generator) -> MultiPolygon:
    corners = [(5.0, 5.0), (18.0, 6.0), (6.5, 18.0), (17.5, 18.5)]
    return MultiPolygon([Polygon(ring(random, x, y, random.uniform(0.2, 4.0))) for x, y in corners])


def _sliver(random: np.random.Generator) -> Polygon:
    x0, y0, x1, y1 = random.uniform(1.0, 23.0, 4)
    return shapely.LineString([(x0, y0), (x1, y1)]).buffer(random.uniform(0.01, 0.05), quad_segs=2)


def _tiny(random: np.random.Generator) -> Polygon:
    x, y = random.integers(2, 22, 2) + 0.5
    return Polygon(ring(random, x, y, random.uniform(0.1, 0.49)))


def _on_the_edge(random: np.random.Generator) -> Polygon:
    return box(0.0, random.uniform(0.0, 10.0), random.uniform(2.0, 20.0), float(SIDE))


def _half_outside(random: np.random.Generator) -> Polygon:
    corner = random.choice([0.0, float(SIDE)], 2)
    return Polygon(ring(random, corner[0], corner[1], random.uniform(3.0, 9.0)))


def _aligned(random: np.random.Generator) -> Polygon:
    x, y = random.integers(1, 10, 2)
    width, height = random.integers(1, 12, 2)
    bite = box(x + 0.25, y + 0.25, x + 0.75, y + 0.5)
    return box(x, y, x + width, y + height).difference(bite)
