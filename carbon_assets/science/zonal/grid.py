"""Grids as value types: an endless lattice of cells, and integer windows on it.

A raster file is a window on a lattice. Cells are named by their integer (row, column) on
the lattice, never by a file's own origin, so a clip of a raster names its cells as the whole
raster does and every number computed from them is the same to the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from pyproj import CRS

Floats = npt.NDArray[np.float64]

PHASE_QUANTUM = 2.0**-20
"""Lattice phases are rounded to this share of a cell (30 µm at 30 m): more than the rounding
noise in a file's header, far less than any georeferencing accuracy."""


def _phase(origin: float, size: float) -> float:
    """Offset of an origin from the multiple of the cell size before it, in cells, in [0, 1)."""
    cells = origin / size
    return float(np.rint((cells - np.floor(cells)) / PHASE_QUANTUM) * PHASE_QUANTUM % 1.0)


@dataclass(frozen=True)
class Window:
    """A rectangle of cells: first row and column on the lattice, and its extent in cells."""

    row: int
    col: int
    height: int
    width: int

    @property
    def stop_row(self) -> int:
        """Row after the last one."""
        return self.row + self.height

    @property
    def stop_col(self) -> int:
        """Column after the last one."""
        return self.col + self.width

    def intersection(self, other: Window) -> Window | None:
        """Return the common cells, or None if there are none."""
        row, col = max(self.row, other.row), max(self.col, other.col)
        height = min(self.stop_row, other.stop_row) - row
        width = min(self.stop_col, other.stop_col) - col
        return Window(row, col, height, width) if height > 0 and width > 0 else None

    def contains(self, other: Window) -> bool:
        """Whether every cell of the other window lies in this one."""
        return self.intersection(other) == other

    def slices_in(self, outer: Window) -> tuple[slice, slice]:
        """Array slices of this window inside an array that holds the outer window."""
        row, col = self.row - outer.row, self.col - outer.col
        return slice(row, row + self.height), slice(col, col + self.width)


@dataclass(frozen=True)
class Lattice:
    """A regular north-up grid without bounds.

    Attributes:
        crs: Coordinate reference system, as an authority code or WKT.
        cell_width: Cell size along x in CRS units, positive.
        cell_height: Cell size along y in CRS units, positive.
        phase_x: Offset of the cell edges from whole multiples of ``cell_width``, in cells,
            in [0, 1).
        phase_y: The same along the downward axis.

    Column ``j`` spans x from ``(j + phase_x) · cell_width``; row ``i`` spans y from
    ``-(i + phase_y) · cell_height`` downwards.
    """

    crs: str
    cell_width: float
    cell_height: float
    phase_x: float = 0.0
    phase_y: float = 0.0

    @classmethod
    def from_origin(
        cls, crs: str, cell_width: float, cell_height: float, x: float, y: float
    ) -> Lattice:
        """Return the lattice that has a cell corner at (x, y)."""
        if not (cell_width > 0 and cell_height > 0):
            raise ValueError("cell sizes must be positive")
        phase_x, phase_y = _phase(x, cell_width), _phase(-y, cell_height)
        return cls(crs, cell_width, cell_height, phase_x, phase_y)

    @cached_property
    def projection(self) -> CRS:
        """The coordinate reference system as a pyproj object."""
        return CRS.from_user_input(self.crs)

    @property
    def geographic(self) -> bool:
        """Whether x and y are longitude and latitude in degrees."""
        return bool(self.projection.is_geographic)

    @property
    def cell_size_m(self) -> float:
        """Nominal cell height in metres, to tell the finer of two grids."""
        metres_per_unit = 111_194.9 if self.geographic else self._metres_per_unit
        return self.cell_height * metres_per_unit

    @property
    def _metres_per_unit(self) -> float:
        axis = self.projection.axis_info[0]
        return float(axis.unit_conversion_factor)

    def columns(self, x: Any) -> Floats:
        """Fractional column of each x."""
        return np.asarray(x, dtype=np.float64) / self.cell_width - self.phase_x

    def rows(self, y: Any) -> Floats:
        """Fractional row of each y; rows grow downwards."""
        return -np.asarray(y, dtype=np.float64) / self.cell_height - self.phase_y

    def x(self, column: Any) -> Floats:
        """Coordinate x of each fractional column."""
        return (np.asarray(column, dtype=np.float64) + self.phase_x) * self.cell_width

    def y(self, row: Any) -> Floats:
        """Coordinate y of each fractional row."""
        return -(np.asarray(row, dtype=np.float64) + self.phase_y) * self.cell_height

    def window_at(self, x: float, y: float, height: int, width: int) -> Window:
        """Return the window whose top left corner is nearest to (x, y)."""
        row, col = float(self.rows(y)), float(self.columns(x))
        return Window(round(row), round(col), height, width)

    def bounds(self, window: Window) -> tuple[float, float, float, float]:
        """Outer edges of a window as (min x, min y, max x, max y)."""
        return (
            float(self.x(window.col)),
            float(self.y(window.stop_row)),
            float(self.x(window.stop_col)),
            float(self.y(window.row)),
        )
