"""The cells that a polygon touches, with covered share and area: computed once, used often."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from pyproj import Transformer

from carbon_assets.science.zonal.area import projected_areas, row_areas
from carbon_assets.science.zonal.coverage import Outline, outline
from carbon_assets.science.zonal.densify import densify
from carbon_assets.science.zonal.grid import Floats, Lattice, Window

PLACE_CRS = "EPSG:4326"
"""Places are stored in longitude and latitude on WGS 84."""

MAX_EDGE_DEGREES = 0.001
"""Longest edge that is carried into a projected CRS by its ends alone: within 111 m a straight
edge on the map and its image in UTM part by less than a quarter of a millimetre."""

STRIP_CELLS = 4_000_000
"""Cells held at once: a larger window is worked through in strips of whole rows. The strips
follow from the polygon and the grid alone, so no setting changes a sum's order."""


@dataclass(frozen=True)
class Cells:
    """The touched cells of one strip, in row-major order.

    Attributes:
        window: The strip's window on the lattice.
        index: Flat position of each touched cell in the window, ascending.
        coverage: Covered share of each touched cell, in (0, 1].
        area_m2: Covered ellipsoidal area of each touched cell, in m².
    """

    window: Window
    index: npt.NDArray[np.int64]
    coverage: Floats
    area_m2: Floats

    def __len__(self) -> int:
        return len(self.index)

    @cached_property
    def columns(self) -> Floats:
        """Per cell: 1, covered share, covered area; what is summed to an extent."""
        return np.column_stack([np.ones(len(self)), self.coverage, self.area_m2])

    @cached_property
    def rows(self) -> npt.NDArray[np.int64]:
        """Row of each touched cell, relative to the window."""
        return self.index // self.window.width

    @cached_property
    def cols(self) -> npt.NDArray[np.int64]:
        """Column of each touched cell, relative to the window."""
        return self.index - self.rows * self.window.width


def place_outline(geometry: shapely.MultiPolygon, lattice: Lattice) -> Outline:
    """Outline of a stored place (longitude, latitude) on a lattice."""
    if not lattice.geographic:
        geometry = densify(geometry, MAX_EDGE_DEGREES)
    coordinates = shapely.get_coordinates(geometry)
    return outline(geometry, *on_lattice(coordinates[:, 0], coordinates[:, 1], lattice))


def on_lattice(lon: Any, lat: Any, lattice: Lattice) -> tuple[Floats, Floats]:
    """Fractional column and row of stored coordinates."""
    transformer = _transformer(lattice.crs)
    x, y = (lon, lat) if transformer is None else transformer.transform(lon, lat)
    return lattice.columns(x), lattice.rows(y)


@lru_cache(maxsize=32)
def _transformer(crs: str) -> Transformer | None:
    """Transformer from the stored coordinates, or None where they are used as they are."""
    if crs == PLACE_CRS:
        return None
    return Transformer.from_crs(PLACE_CRS, crs, always_xy=True)


def strips(outlined: Outline, lattice: Lattice) -> Iterator[Cells]:
    """Yield the touched cells strip by strip, top to bottom.

    A strip without a touched cell (between the parts of a multipolygon) is passed over.
    """
    window = outlined.window
    step = max(1, STRIP_CELLS // window.width)
    for first in range(0, window.height, step):
        count = min(step, window.height - first)
        share = outlined.coverage(first, count).ravel()
        index = np.flatnonzero(share > 0.0)
        if len(index):
            strip = Window(window.row + first, window.col, count, window.width)
            yield _cells(lattice, strip, index, share[index])


def _cells(
    lattice: Lattice, window: Window, index: npt.NDArray[np.int64], coverage: Floats
) -> Cells:
    rows = index // window.width
    if lattice.geographic:
        area = row_areas(lattice, window.row, window.height)[rows]
    else:
        cols = index - rows * window.width
        area = projected_areas(lattice, rows + window.row, cols + window.col)
    return Cells(window, index, coverage, coverage * area)
