"""Exact algebra of axis-parallel boxes, and their areas on the ellipsoid.

Everything in the demo landscape is a box: farms, patches of a class, blocks of equal carbon
density. Cutting the plane along every edge involved leaves pieces on which every field is
constant, so a total is a short sum over pieces. Coordinates are fractions: no rounding
decides on which side of an edge a piece lies.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")

WGS84_A = 6378137.0
"""Semi-major axis of WGS 84, metres."""
WGS84_F = 1 / 298.257223563
"""Flattening of WGS 84."""
SQUARE_METRES_PER_HECTARE = 10_000.0


class Box(NamedTuple):
    """An axis-parallel box ``[x0, x1] × [y0, y1]`` with ``x0 <= x1`` and ``y0 <= y1``."""

    x0: Fraction
    x1: Fraction
    y0: Fraction
    y1: Fraction

    def is_empty(self) -> bool:
        """Say whether the box has no area."""
        return self.x1 <= self.x0 or self.y1 <= self.y0


@dataclass(frozen=True)
class Field(Generic[T]):
    """A piecewise constant function of the plane.

    Attributes:
        background: Value where no patch lies.
        patches: Boxes with their values; a later one lies over an earlier one.
    """

    background: T
    patches: tuple[tuple[Box, T], ...]


def pieces(
    shape: Field[bool], fields: Sequence[Field[T]] = ()
) -> Iterator[tuple[Box, tuple[T, ...]]]:
    """Cut a shape into disjoint boxes on each of which every field is constant.

    Args:
        shape: The region: ``True`` inside. Its background must be ``False``.
        fields: Functions to evaluate on the region.

    Yields:
        A box and the value of each field on it, in the order of ``fields``.
    """
    hull = _hull(box for box, inside in shape.patches if inside)
    boxes = [box for box, _ in shape.patches]
    boxes += [box for field in fields for box, _ in field.patches]
    xs = _edges((e for b in boxes for e in (b.x0, b.x1)), hull.x0, hull.x1)
    ys = _edges((e for b in boxes for e in (b.y0, b.y1)), hull.y0, hull.y1)
    inside = _painted(shape, xs, ys)
    layers = [_painted(field, xs, ys) for field in fields]
    for j in range(len(ys) - 1):
        for i in range(len(xs) - 1):
            if inside[j][i]:
                values = tuple(layer[j][i] for layer in layers)
                yield Box(xs[i], xs[i + 1], ys[j], ys[j + 1]), values


def zone_area_ha(box: Box) -> float:
    """Return the area of a longitude/latitude box on the WGS 84 ellipsoid, in hectares.

    The area between the equator and latitude φ per radian of longitude is
    ``b²/2 · (sin φ / (1 − e² sin² φ) + artanh(e sin φ) / e)`` (Snyder 1987, eq. 3-12).

    Args:
        box: Degrees; ``x`` longitude, ``y`` latitude.
    """
    width = math.radians(float(box.x1 - box.x0))
    zone = _zone(math.radians(float(box.y1))) - _zone(math.radians(float(box.y0)))
    return width * zone / SQUARE_METRES_PER_HECTARE


def _zone(latitude: float) -> float:
    e2 = WGS84_F * (2 - WGS84_F)
    e = math.sqrt(e2)
    s = math.sin(latitude)
    return WGS84_A**2 * (1 - e2) / 2 * (s / (1 - e2 * s * s) + math.atanh(e * s) / e)


def _hull(boxes: Iterable[Box]) -> Box:
    x0, x1, y0, y1 = zip(*boxes, strict=True)
    return Box(min(x0), max(x1), min(y0), max(y1))


def _edges(values: Iterable[Fraction], low: Fraction, high: Fraction) -> list[Fraction]:
    return sorted({low, high, *(v for v in values if low < v < high)})


def _painted(field: Field[T], xs: list[Fraction], ys: list[Fraction]) -> list[list[T]]:
    """Return the field's value on each cell of the grid of edges, row by row."""
    grid = [[field.background] * (len(xs) - 1) for _ in range(len(ys) - 1)]
    for box, value in field.patches:
        first, end = bisect_left(xs, box.x0), min(bisect_left(xs, box.x1), len(xs) - 1)
        for row in grid[bisect_left(ys, box.y0) : bisect_left(ys, box.y1)]:
            row[first:end] = [value] * max(0, end - first)
    return grid
