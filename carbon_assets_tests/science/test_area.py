"""Cell areas beside the closed form, geodesic polygons and the whole ellipsoid."""

from __future__ import annotations

import numpy as np
import pytest
from pyproj import CRS, Geod, Transformer

from carbon_assets.science.zonal.area import projected_areas, row_areas
from carbon_assets.science.zonal.grid import Lattice
from carbon_assets_tests.science.drawn import SIDE
from carbon_assets_tests.science.grids import GRIDS

GEOGRAPHIC = [name for name, grid in GRIDS.items() if grid.lattice.geographic]
PROJECTED = [name for name, grid in GRIDS.items() if not grid.lattice.geographic]
Extended = np.longdouble
PI = Extended("3.14159265358979323846264338327950288")


def authalic_zone(crs: str, lat: np.ndarray) -> np.ndarray:
    """Area between the equator and a latitude, per radian of longitude, in extended precision.

    Snyder 1987, eq. 3-12: ``b²/2 · [sin φ / (1 − e² sin² φ) + atanh(e sin φ) / e]``.
    """
    ellipsoid = CRS.from_user_input(crs).ellipsoid
    assert ellipsoid is not None
    a, b = Extended(ellipsoid.semi_major_metre), Extended(ellipsoid.semi_minor_metre)
    e = np.sqrt(Extended(1) - (b / a) ** 2)
    sine = np.sin(lat * PI / 180)
    return b * b / 2 * (sine / (1 - (e * sine) ** 2) + np.arctanh(e * sine) / e)


def closed_form(lattice: Lattice, first: int, count: int) -> np.ndarray:
    edges = -(np.arange(first, first + count + 1).astype(Extended) + Extended(lattice.phase_y))
    zone = authalic_zone(lattice.crs, edges * Extended(lattice.cell_height))
    return -np.diff(zone) * Extended(lattice.cell_width) * PI / 180


@pytest.mark.skipif(np.finfo(Extended).eps > 1e-18, reason="needs 80-bit floating point")
@pytest.mark.parametrize("name", GEOGRAPHIC)
def test_rows_have_the_closed_forms_area(name: str) -> None:
    grid = GRIDS[name]
    ours = row_areas(grid.lattice, grid.window.row, SIDE)
    exact = closed_form(grid.lattice, grid.window.row, SIDE)
    np.testing.assert_allclose(ours, exact.astype(np.float64), rtol=2e-12)


@pytest.mark.skipif(np.finfo(Extended).eps > 1e-18, reason="needs 80-bit floating point")
@pytest.mark.parametrize("size", [1.0, 0.25])
def test_large_cells_have_the_closed_forms_area_up_to_the_poles(size: float) -> None:
    lattice = Lattice("EPSG:4326", size, size)
    first, count = round(-90 / size), round(180 / size)
    exact = closed_form(lattice, first, count).astype(np.float64)
    np.testing.assert_allclose(row_areas(lattice, first, count), exact, rtol=1e-12)


def test_the_whole_globe_has_the_ellipsoids_area() -> None:
    lattice = Lattice("EPSG:4326", 0.25, 0.25)
    globe = 1440.0 * float(row_areas(lattice, -360, 720).sum())
    assert globe == pytest.approx(510_065_621_724_088.44, rel=1e-13)


@pytest.mark.parametrize("name", GEOGRAPHIC)
def test_a_geographic_cell_has_the_area_of_its_densified_polygon(name: str) -> None:
    grid = GRIDS[name]
    west, south, east, north = grid.lattice.bounds(grid.window)
    steps = 2000 if name == "quarter_degree" else 200
    along = np.linspace(west, east, steps)
    area, _ = Geod(ellps="WGS84").polygon_area_perimeter(
        np.concatenate([along, along[::-1]]),
        np.concatenate([np.full(steps, south), np.full(steps, north)]),
    )
    ours = SIDE * float(row_areas(grid.lattice, grid.window.row, SIDE).sum())
    assert ours == pytest.approx(area, rel=1e-8)


@pytest.mark.parametrize("name", PROJECTED)
def test_a_projected_cell_has_the_area_of_its_densified_polygon(name: str) -> None:
    grid = GRIDS[name]
    row, col = grid.window.row + 3, grid.window.col + 7
    unit = np.linspace(0.0, 1.0, 100)
    zero, one = np.zeros(100), np.ones(100)
    x = grid.lattice.x(col + np.concatenate([unit, one, unit[::-1], zero]))
    y = grid.lattice.y(row + np.concatenate([one, unit[::-1], zero, unit]))
    lon, lat = Transformer.from_crs(grid.lattice.crs, "EPSG:4326", always_xy=True).transform(x, y)
    area, _ = Geod(ellps="WGS84").polygon_area_perimeter(lon, lat)
    ours = projected_areas(grid.lattice, np.array([row]), np.array([col]))
    assert ours[0] == pytest.approx(abs(area), rel=2e-7)


def test_equal_area_cells_keep_their_planar_area() -> None:
    grid = GRIDS["equal_area_1km"]
    rows, cols = np.arange(-7000, 7000, 500), np.arange(-17000, 17000, 1214)[:28]
    ours = projected_areas(grid.lattice, rows, cols)
    np.testing.assert_allclose(ours, 1000.9**2, rtol=1e-9)


def test_transverse_mercator_cells_differ_from_their_planar_area() -> None:
    grid = GRIDS["utm_30m"]
    centre = projected_areas(grid.lattice, np.array([-280_000]), np.array([500_000 // 30]))
    assert centre[0] == pytest.approx(900.0 / 0.9996**2, rel=1e-6)


def test_feet_are_converted() -> None:
    metres, feet = Lattice("EPSG:32118", 30.0, 30.0), Lattice("EPSG:2263", 30.0, 30.0)
    at = projected_areas(metres, np.array([-2000]), np.array([10000]))
    there = projected_areas(feet, np.array([-6562]), np.array([32808]))
    assert there[0] / at[0] == pytest.approx((1200 / 3937) ** 2, rel=1e-6)


def test_each_datum_has_its_own_ellipsoid() -> None:
    wgs84 = row_areas(Lattice("EPSG:4326", 0.01, 0.01), 1000, 1)[0]
    clarke = row_areas(Lattice("EPSG:4267", 0.01, 0.01), 1000, 1)[0]
    assert clarke / wgs84 == pytest.approx((6378206.4 / 6378137.0) ** 2, rel=1e-4)
    assert clarke != wgs84


def test_north_and_south_are_alike() -> None:
    lattice = Lattice("EPSG:4326", 0.25, 0.25)
    south = row_areas(lattice, 160, 40)[::-1]
    np.testing.assert_allclose(row_areas(lattice, -200, 40), south, rtol=1e-15)


@pytest.mark.parametrize("name", GEOGRAPHIC)
def test_a_rows_area_does_not_depend_on_the_window(name: str) -> None:
    lattice, first = GRIDS[name].lattice, GRIDS[name].window.row
    whole = row_areas(lattice, first, 37)
    for start in (0, 1, 5, 36):
        assert row_areas(lattice, first + start, 37 - start).tolist() == whole[start:].tolist()
