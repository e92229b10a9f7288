"""Lattices and windows: cells keep their names whatever part of a raster a file holds."""

from __future__ import annotations

import numpy as np
import pytest

from carbon_assets.science.zonal.grid import Lattice, Window
from carbon_assets_tests.science.drawn import MAPBIOMAS
from carbon_assets_tests.science.grids import GRIDS


@pytest.mark.parametrize("name", GRIDS)
def test_coordinates_and_cells_are_inverse(name: str) -> None:
    lattice, window = GRIDS[name].lattice, GRIDS[name].window
    at = np.array([window.col, window.col + 0.5, window.stop_col])
    np.testing.assert_allclose(lattice.columns(lattice.x(at)), at, atol=1e-9)
    np.testing.assert_allclose(lattice.rows(lattice.y(at)), at, atol=1e-9)


@pytest.mark.parametrize("offset", [0.0, 0.5, 0.25, 0.999999999999, 1e-13, -1e-13, 0.3])
def test_a_clips_origin_gives_the_same_lattice(offset: float) -> None:
    lattices = {
        Lattice.from_origin("EPSG:4326", MAPBIOMAS, MAPBIOMAS, x, -x)
        for shift in (0, 1, 7, 1000, 123_456)
        for x in [(offset - 190_000 + shift) * MAPBIOMAS]
    }
    assert len(lattices) == 1
    assert 0.0 <= lattices.pop().phase_x < 1.0


def test_cell_sizes_must_be_positive() -> None:
    with pytest.raises(ValueError, match="positive"):
        Lattice.from_origin("EPSG:4326", 0.1, -0.1, 0.0, 0.0)


def test_the_finer_of_two_grids_is_told_across_units() -> None:
    sizes = {name: grid.lattice.cell_size_m for name, grid in GRIDS.items()}
    assert min(sizes, key=lambda name: sizes[name]) == "mapbiomas_30m"
    assert sizes["utm_30m"] == 30.0
    assert sizes["mid_latitude_1_1125"] == pytest.approx(98.8, abs=0.1)
    assert Lattice("EPSG:2263", 100.0, 100.0).cell_size_m == pytest.approx(30.48, abs=0.01)


def test_windows_intersect_and_slice() -> None:
    one, other = Window(-3, 5, 10, 10), Window(2, 0, 10, 8)
    common = one.intersection(other)
    assert common == Window(2, 5, 5, 3)
    assert common.slices_in(one) == (slice(5, 10), slice(0, 3))
    assert one.contains(common)
    assert not one.contains(other)
    assert one.intersection(Window(7, 5, 1, 1)) is None


def test_bounds_are_the_outer_edges() -> None:
    lattice = Lattice.from_origin("EPSG:32722", 30.0, 30.0, 399_980.0, 8_600_020.0)
    window = lattice.window_at(399_980.0, 8_600_020.0, 2, 3)
    assert lattice.bounds(window) == pytest.approx((399_980, 8_599_960, 400_070, 8_600_020))
