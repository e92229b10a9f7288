"""Grids, and the independent engines that the kernel is measured against on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import geopandas
import numpy as np
import numpy.typing as npt
import shapely
from exactextract import exact_extract
from exactextract.raster import NumPyRasterSource
from pyproj import CRS, Transformer
from shapely.geometry import MultiPolygon

from carbon_assets.places.geometry import normalise
from carbon_assets.science.zonal.cells import Cells, place_outline, strips
from carbon_assets.science.zonal.coverage import Outline
from carbon_assets.science.zonal.grid import Lattice, Window
from carbon_assets_tests.science.drawn import MAPBIOMAS, SIDE

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Grid:
    """A lattice and the window of it that a raster fills."""

    lattice: Lattice
    window: Window

    def to_cells(self, geometry: Any) -> Any:
        """The geometry in units of cells from the raster's lower left corner, y upwards."""
        if not self.lattice.geographic:
            geometry = shapely.segmentize(geometry, 0.001)

        def change(points: Floats) -> Floats:
            crs = CRS.from_user_input(self.lattice.crs)
            transformer = Transformer.from_crs("EPSG:4326", crs, always_xy=True)
            x, y = transformer.transform(points[:, 0], points[:, 1])
            west, south, _, _ = self.lattice.bounds(self.window)
            width, height = self.lattice.cell_width, self.lattice.cell_height
            return np.column_stack([(x - west) / width, (y - south) / height])

        return shapely.transform(geometry, change)

    def place(self, in_cells: Any) -> MultiPolygon:
        """The stored form of a place drawn in cells from the raster's lower left corner."""
        west, south, _, _ = self.lattice.bounds(self.window)

        def change(points: Floats) -> Floats:
            x = west + points[:, 0] * self.lattice.cell_width
            y = south + points[:, 1] * self.lattice.cell_height
            back = Transformer.from_crs(self.lattice.crs, "EPSG:4326", always_xy=True)
            return np.column_stack(back.transform(x, y))

        return normalise(shapely.transform(in_cells, change))


def _grid(crs: str, width: float, height: float, x: float, y: float) -> Grid:
    lattice = Lattice.from_origin(crs, width, height, x, y)
    return Grid(lattice, lattice.window_at(x, y, SIDE, SIDE))


GRIDS = {
    "mapbiomas_30m": _grid("EPSG:4326", MAPBIOMAS, MAPBIOMAS, -190_000 * MAPBIOMAS, -9.7018),
    "quarter_degree": _grid("EPSG:4326", 0.25, 0.25, -60.0, 3.0),
    "mid_latitude_1_1125": _grid("EPSG:4326", 1 / 1125, 1 / 1125, -73.2, -41.1),
    "utm_30m": _grid("EPSG:32722", 30.0, 30.0, 399_980.0, 8_600_020.0),
    "equal_area_1km": _grid("EPSG:6933", 1000.9, 1000.9, -5_000_000.0, -1_500_000.0),
}


def touched(geometry: MultiPolygon, lattice: Lattice) -> list[Cells]:
    """The touched cells, strip by strip."""
    return list(strips(place_outline(geometry, lattice), lattice))


def dense(found: Outline, window: Window) -> Floats:
    """Covered shares on a window that may be larger than the outline's."""
    values = np.zeros((window.height, window.width))
    common = found.window.intersection(window)
    if common is not None:
        shares = found.coverage(0, found.window.height)
        values[common.slices_in(window)] = shares[common.slices_in(found.window)]
    return values


def shapely_coverage(in_cells: Any) -> Floats:
    """Share of each cell of the raster that a polygon covers, by polygon intersection."""
    column, row = np.meshgrid(np.arange(SIDE), np.arange(SIDE)[::-1])
    cells = shapely.box(column, row, column + 1.0, row + 1.0)
    shapely.prepare(in_cells)
    share = np.zeros((SIDE, SIDE))
    near = shapely.intersects(in_cells, cells)
    share[near] = shapely.area(shapely.intersection(in_cells, cells[near]))
    return share


PLANE = CRS.from_epsg(3857).to_wkt()
"""Any projected system: exactextract wants both sides to have the same."""


def plane_source(values: npt.NDArray[Any], nodata: float | None = None) -> NumPyRasterSource:
    """A raster of SIDE × SIDE cells whose cells are the unit of length."""
    return NumPyRasterSource(values, 0, 0, SIDE, SIDE, nodata=nodata, srs_wkt=PLANE)


def plane_extract(
    values: Any, shapes: list[Any], operations: Any, weights: Any = None
) -> list[Any]:
    """The properties that exactextract gives for each shape."""
    frame = geopandas.GeoDataFrame(geometry=shapes, crs=PLANE)
    features = exact_extract(values, frame, operations, weights=weights)
    return [feature["properties"] for feature in features]
