"""Coarse cells under fine ones: found by the fine cell's centre."""

from __future__ import annotations

import numpy as np
import pytest
from pyproj import Transformer

from carbon_assets.science.zonal.cells import Cells
from carbon_assets.science.zonal.grid import Lattice
from carbon_assets.science.zonal.lookup import look_up
from carbon_assets_tests.science.drawn import MAPBIOMAS, random_places
from carbon_assets_tests.science.grids import GRIDS, Floats, touched

OTHERS = {
    "300m": Lattice.from_origin("EPSG:4326", 1 / 360, 1 / 360, -180.0, 90.0),
    "not_aligned": Lattice.from_origin("EPSG:4326", 0.00123, 0.0007, -51.0, -9.0),
    "utm": Lattice.from_origin("EPSG:32722", 250.0, 300.0, 100.0, 50.0),
    "equal_area": Lattice.from_origin("EPSG:6933", 1000.9, 1000.9, 0.0, 0.0),
}


def centres(cells: Cells, lattice: Lattice) -> tuple[Floats, Floats]:
    x = (cells.window.col + cells.cols + 0.5 + lattice.phase_x) * lattice.cell_width
    y = -(cells.window.row + cells.rows + 0.5 + lattice.phase_y) * lattice.cell_height
    return x, y


@pytest.mark.parametrize("fine", ["mapbiomas_30m", "utm_30m"])
@pytest.mark.parametrize("other", OTHERS)
def test_the_cell_under_each_centre_is_found(fine: str, other: str) -> None:
    grid, coarse = GRIDS[fine], OTHERS[other]
    change = Transformer.from_crs(grid.lattice.crs, coarse.crs, always_xy=True)
    for shape in random_places(1, 24):
        (cells,) = touched(grid.place(shape), grid.lattice)
        found = look_up(cells, grid.lattice, coarse)
        rows, cols = np.divmod(found.index, found.window.width)
        x, y = change.transform(*centres(cells, grid.lattice))
        expected = np.floor(-y / coarse.cell_height - coarse.phase_y)
        assert (rows + found.window.row).tolist() == expected.tolist()
        expected = np.floor(x / coarse.cell_width - coarse.phase_x)
        assert (cols + found.window.col).tolist() == expected.tolist()
        assert found.index.max() < found.window.height * found.window.width


def test_the_own_grid_needs_no_search() -> None:
    grid = GRIDS["mapbiomas_30m"]
    (cells,) = touched(grid.place(random_places(1, 1)[0]), grid.lattice)
    found = look_up(cells, grid.lattice, grid.lattice)
    assert found.index is cells.index
    assert found.window == cells.window


def test_the_same_system_under_another_name_is_not_transformed() -> None:
    fine, named = GRIDS["mapbiomas_30m"], OTHERS["300m"]
    wkt = Lattice(fine.lattice.projection.to_wkt(), 1 / 360, 1 / 360)
    (cells,) = touched(fine.place(random_places(3, 1)[0]), fine.lattice)
    one, other = look_up(cells, fine.lattice, named), look_up(cells, fine.lattice, wkt)
    assert one.index.tolist() == other.index.tolist()
    assert one.window == other.window


def test_a_nested_grid_takes_the_parent_cell() -> None:
    fine = Lattice("EPSG:4326", MAPBIOMAS, MAPBIOMAS)
    coarse = Lattice("EPSG:4326", 10 * MAPBIOMAS, 10 * MAPBIOMAS)
    grid = GRIDS["mapbiomas_30m"]
    (cells,) = touched(grid.place(random_places(5, 1)[0]), fine)
    found = look_up(cells, fine, coarse)
    rows, cols = np.divmod(found.index, found.window.width)
    own_rows, own_cols = cells.rows + cells.window.row, cells.cols + cells.window.col
    assert (rows + found.window.row).tolist() == (own_rows // 10).tolist()
    assert (cols + found.window.col).tolist() == (own_cols // 10).tolist()
