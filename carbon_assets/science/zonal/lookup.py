"""Which cell of another grid lies under the centre of each cell: looked up, not interpolated."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from pyproj import CRS, Transformer

from carbon_assets.science.zonal.cells import Cells
from carbon_assets.science.zonal.grid import Floats, Lattice, Window

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Lookup:
    """Where the touched cells of a strip find their value on another lattice.

    Attributes:
        window: Window of the other lattice that holds all of them.
        index: Flat position in that window for each touched cell.
    """

    window: Window
    index: Ints


def look_up(cells: Cells, fine: Lattice, other: Lattice) -> Lookup:
    """Find the cell of ``other`` that holds the centre of each touched cell of ``fine``.

    A centre on a border belongs to the cell to its right or below.
    """
    if other == fine:
        return Lookup(cells.window, cells.index)
    if other.crs == fine.crs or _same_coordinates(fine.crs, other.crs):
        rows, cols = _separable(cells, fine, other)
    else:
        rows, cols = _transformed(cells, fine, other)
    top, left = int(rows.min()), int(cols.min())
    window = Window(top, left, int(rows.max()) - top + 1, int(cols.max()) - left + 1)
    return Lookup(window, (rows - top) * window.width + (cols - left))


def _floor(values: Floats) -> Ints:
    return np.floor(values).astype(np.int64)


def _separable(cells: Cells, fine: Lattice, other: Lattice) -> tuple[Ints, Ints]:
    window = cells.window
    y = fine.y(np.arange(window.row, window.stop_row) + 0.5)
    x = fine.x(np.arange(window.col, window.stop_col) + 0.5)
    return _floor(other.rows(y))[cells.rows], _floor(other.columns(x))[cells.cols]


def _transformed(cells: Cells, fine: Lattice, other: Lattice) -> tuple[Ints, Ints]:
    x = fine.x(cells.cols + cells.window.col + 0.5)
    y = fine.y(cells.rows + cells.window.row + 0.5)
    x, y = _transformer(fine.crs, other.crs).transform(x, y)
    return _floor(other.rows(y)), _floor(other.columns(x))


@lru_cache(maxsize=64)
def _transformer(source: str, target: str) -> Transformer:
    return Transformer.from_crs(source, target, always_xy=True)


@lru_cache(maxsize=64)
def _same_coordinates(first: str, second: str) -> bool:
    """Whether two names mean the same coordinate reference system."""
    return bool(CRS.from_user_input(first).equals(CRS.from_user_input(second)))
