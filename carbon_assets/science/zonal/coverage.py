"""Exact share of each grid cell that a polygon covers.

The polygon's edges are cut at every cell border; each piece adds its height and the area to
its right to the cell that holds it, and a running sum along the row turns these into covered
shares (the signed-area accumulation of analytic anti-aliasing). Holes, parts and slivers need
no special case.

All coordinates are cell indices rounded to :data:`QUANTUM`. Heights are then multiples of
2⁻²⁴ and areas multiples of 2⁻⁴⁹, so the sums below are exact in double precision: a cell's
share is the same in any window, strip, batch or edge order, an inner cell is covered exactly
1, and two polygons that share an edge have shares that sum exactly to those of their union.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely

from carbon_assets.science.zonal.grid import Floats, Window
from carbon_assets.science.zonal.sums import grouped_sum

QUANTUM = 2.0**-24
"""Edge coordinates are rounded to this share of a cell (1.8 µm at 30 m)."""

Ints = npt.NDArray[np.int64]


def _round(values: Floats) -> Floats:
    return np.rint(values / QUANTUM) * QUANTUM


@dataclass(frozen=True)
class Outline:
    """What a polygon's edges contribute to the cells that they cross.

    Attributes:
        window: Smallest window that holds the polygon.
        rows: Row of each contribution, ascending, relative to the window.
        cols: Column of each contribution, relative to the window.
        heights: Signed height of the piece of edge, in cells.
        areas: Signed area between the piece and the cell's right border, in cells.
    """

    window: Window
    rows: Ints
    cols: Ints
    heights: Floats
    areas: Floats

    def coverage(self, first: int, count: int) -> Floats:
        """Covered share of every cell in ``count`` rows from ``first``, in [0, 1].

        Returns:
            An array of shape (count, window.width); rows are relative to the window.
        """
        start, stop = np.searchsorted(self.rows, [first, first + count])
        width = self.window.width + 1
        cell = (self.rows[start:stop] - first) * width + self.cols[start:stop]
        shape = (count, width)
        size = count * width
        heights = grouped_sum(cell, self.heights[start:stop], size).reshape(shape)
        areas = grouped_sum(cell, self.areas[start:stop], size).reshape(shape)
        share = areas[:, :-1]
        share[:, 1:] += np.cumsum(heights[:, :-2], axis=1)
        # Rounding may turn a spike inside out by a few quanta of a cell.
        return np.clip(share, 0.0, 1.0, out=share)


def outline(geometry: shapely.MultiPolygon, columns: Floats, rows: Floats) -> Outline:
    """Cut a polygon's edges at the cell borders.

    Args:
        geometry: A valid polygon or multipolygon; only its ring structure is read here.
        columns: Fractional column of each of its vertices, in vertex order.
        rows: Fractional row of each of its vertices.

    Raises:
        ValueError: If the geometry is empty.
    """
    if not len(columns):
        raise ValueError("an empty geometry covers no cell")
    x, y = _round(columns), _round(rows)
    window = _window(x, y)
    x, y = x - window.col, y - window.row
    start, sign = _edges(geometry, x, y)
    pieces = _split_rows(x[start], y[start], x[start + 1], y[start + 1], sign)
    row, col, height, area = _split_columns(*pieces)
    order = np.argsort(row, kind="stable")
    return Outline(window, row[order], col[order], height[order], area[order])


def _window(x: Floats, y: Floats) -> Window:
    col, row = int(np.floor(x.min())), int(np.floor(y.min()))
    width, height = int(np.ceil(x.max())) - col, int(np.ceil(y.max())) - row
    return Window(row, col, max(height, 1), max(width, 1))


def _edges(geometry: shapely.MultiPolygon, x: Floats, y: Floats) -> tuple[Ints, Floats]:
    """Index of the first vertex of every edge, and +1 or -1 for the side it bounds.

    Signs follow from each ring's role, shell or hole, so that the direction in which a ring
    was drawn does not matter.
    """
    rings, polygon = shapely.get_rings(shapely.get_parts(geometry), return_index=True)
    vertices = shapely.get_num_coordinates(rings)
    ring, place = _repeat(vertices)
    start = np.flatnonzero(place < vertices[ring] - 1)
    # Measured from each ring's first vertex: seen from afar, a small ring's turn would drown.
    first = np.arange(len(x)) - place
    x, y = x - x[first], y - y[first]
    cross = x[start] * y[start + 1] - x[start + 1] * y[start]
    ring = ring[start]
    turn = np.sign(grouped_sum(ring, cross, len(rings)))
    is_shell = np.diff(polygon, prepend=-1) != 0
    return start, np.where(is_shell, -turn, turn)[ring]


def _repeat(counts: Ints) -> tuple[Ints, Ints]:
    """Owner of each item, and its running number within the owner."""
    owner = np.repeat(np.arange(len(counts)), counts)
    first = np.cumsum(counts) - counts
    return owner, np.arange(len(owner)) - first[owner]


def _split_rows(
    x0: Floats, y0: Floats, x1: Floats, y1: Floats, sign: Floats
) -> tuple[Ints, Floats, Floats, Floats, Floats, Floats]:
    """Cut edges at whole rows: (row, x and y at the top, x and y at the bottom, sign).

    Each edge is cut from its top end whichever way it was drawn, so the two polygons on its
    sides get the same points.
    """
    keep = y0 != y1
    x0, y0, x1, y1, sign = x0[keep], y0[keep], x1[keep], y1[keep], sign[keep]
    up = y0 > y1
    x0, x1 = np.where(up, x1, x0), np.where(up, x0, x1)
    y0, y1 = np.where(up, y1, y0), np.where(up, y0, y1)
    sign = np.where(up, -sign, sign)
    first = np.floor(y0)
    owner, step = _repeat((np.ceil(y1) - first).astype(np.int64))
    row = first[owner] + step
    ax, ay, bx, by = x0[owner], y0[owner], x1[owner], y1[owner]
    top, bottom = np.maximum(row, ay), np.minimum(row + 1.0, by)
    slope = (bx - ax) / (by - ay)
    x_top = np.where(top == ay, ax, _along(ax, (top - ay) * slope, bx))
    x_bottom = np.where(bottom == by, bx, _along(ax, (bottom - ay) * slope, bx))
    return row.astype(np.int64), x_top, top, x_bottom, bottom, sign[owner]


def _along(first: Floats, step: Floats, last: Floats) -> Floats:
    """Coordinate a step away from the first end, kept between the ends.

    The step is rounded, not the sum, so the point does not depend on where the window starts.
    """
    return np.clip(first + _round(step), np.minimum(first, last), np.maximum(first, last))


def _split_columns(
    row: Ints, x0: Floats, y0: Floats, x1: Floats, y1: Floats, sign: Floats
) -> tuple[Ints, Ints, Floats, Floats]:
    """Cut pieces at whole columns: (row, column, signed height, signed area)."""
    back = x0 > x1
    sign = np.where(back, -sign, sign)
    x0, x1 = np.where(back, x1, x0), np.where(back, x0, x1)
    y0, y1 = np.where(back, y1, y0), np.where(back, y0, y1)
    first = np.floor(x0)
    owner, step = _repeat(np.maximum(np.ceil(x1) - first, 1.0).astype(np.int64))
    col = first[owner] + step
    ax, ay, bx, by = x0[owner], y0[owner], x1[owner], y1[owner]
    left, right = np.maximum(col, ax), np.minimum(col + 1.0, bx)
    slope = np.divide(by - ay, bx - ax, out=np.zeros_like(ax), where=bx > ax)
    y_left = np.where(left == ax, ay, _along(ay, (left - ax) * slope, by))
    y_right = np.where(right == bx, by, _along(ay, (right - ax) * slope, by))
    height = sign[owner] * (y_right - y_left)
    area = height * (1.0 - ((left + right) / 2.0 - col))
    return row[owner], col.astype(np.int64), height, area
