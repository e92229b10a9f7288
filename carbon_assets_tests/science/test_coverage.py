"""What must hold for covered shares whatever the polygon: exactly, not nearly."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from shapely.geometry import MultiPolygon, Polygon, box

from carbon_assets.science.zonal import cells as cells_module
from carbon_assets.science.zonal.cells import place_outline
from carbon_assets.science.zonal.coverage import Outline, outline
from carbon_assets.science.zonal.grid import Lattice, Window
from carbon_assets_tests.science.drawn import SIDE, random_places, ring
from carbon_assets_tests.science.grids import GRIDS, Floats, dense, touched

WINDOW = Window(0, 0, SIDE, SIDE)


def plain(geometry: shapely.Geometry, east: int = 0, south: int = 0) -> Outline:
    """Outline of a polygon drawn in cells, rows downwards, shifted by whole cells."""
    whole = MultiPolygon(shapely.get_parts(geometry).tolist())
    points = shapely.get_coordinates(whole)
    return outline(whole, points[:, 0] + east, points[:, 1] + south)


def shares(geometry: shapely.Geometry, window: Window = WINDOW) -> Floats:
    return dense(plain(geometry), window)


@pytest.mark.parametrize("name", GRIDS)
def test_parts_cut_between_vertices_sum_exactly_to_the_whole(name: str) -> None:
    grid, random = GRIDS[name], np.random.default_rng(11)
    for _ in range(12):
        drawn = ring(random, 12.0, 12.0, 11.0)
        whole = grid.place(Polygon(drawn))
        corners = shapely.get_coordinates(whole)[:-1]
        centre = shapely.get_coordinates(grid.place(box(12, 12, 13, 13)))[0]
        cuts = np.sort(random.choice(len(corners), 3, replace=False))
        total = np.zeros((SIDE, SIDE))
        for start, stop in zip(cuts, [*cuts[1:], cuts[0] + len(corners)], strict=True):
            sector = corners[np.arange(start, stop + 1) % len(corners)]
            part = MultiPolygon([Polygon([centre, *sector])])
            total += dense(place_outline(part, grid.lattice), grid.window)
        expected = dense(place_outline(whole, grid.lattice), grid.window)
        assert total.tolist() == expected.tolist()


def test_neighbours_cut_their_common_edge_alike_though_their_windows_differ() -> None:
    # Points on an edge were once rounded where the window put them.
    top, bottom = (10.37, 0.2), (1500.81, 4000.6)
    east = plain(Polygon([top, bottom, (3000.0, 0.2)]))
    west = plain(Polygon([top, bottom, (-(2.0**20), 4000.6)]))

    def pieces(found: Outline) -> dict[tuple[int, int], tuple[float, float]]:
        return {
            (row, col + found.window.col): (height, area)
            for row, col, height, area in zip(
                found.rows.tolist(),
                found.cols.tolist(),
                found.heights.tolist(),
                found.areas.tolist(),
                strict=True,
            )
            if row < 3900
        }

    right, left = pieces(east), pieces(west)
    common = [cell for cell in left if cell[1] > 10]
    assert len(common) > 5000
    for cell in common:
        assert left[cell] == (-right[cell][0], -right[cell][1])


@pytest.mark.parametrize(("east", "south"), [(1, 0), (-40, 7), (190_000, -36_000)])
def test_a_shift_by_whole_cells_changes_nothing(east: int, south: int) -> None:
    for shape in random_places(2, 40):
        grid = shapely.transform(shape, lambda points: np.rint(points * 2**16) / 2**16)
        here, there = plain(grid), plain(grid, east, south)
        assert (there.window.col, there.window.row) == (
            here.window.col + east,
            here.window.row + south,
        )
        height = here.window.height
        assert there.coverage(0, height).tolist() == here.coverage(0, height).tolist()


def test_start_direction_and_order_of_rings_do_not_matter() -> None:
    for shape in random_places(4, 60):
        parts = []
        for part in shapely.get_parts(shape)[::-1]:
            shell = shapely.get_coordinates(part.exterior)[:-1]
            holes = [shapely.get_coordinates(hole)[::-1] for hole in part.interiors]
            parts.append(Polygon(np.roll(shell, 3, axis=0)[::-1], holes[::-1]))
        assert shares(MultiPolygon(parts)).tolist() == shares(shape).tolist()


def test_cells_inside_are_covered_exactly_once() -> None:
    assert (shares(box(2, 3, 9, 11))[3:11, 2:9] == 1.0).all()
    assert shares(box(2, 3, 9, 11)).sum() == 56.0
    for shape in random_places(6, 60):
        found = shares(shape)
        column, row = np.meshgrid(np.arange(SIDE), np.arange(SIDE))
        inside = shapely.covers(shape, shapely.box(column, row, column + 1, row + 1))
        assert (found[inside] == 1.0).all()
        assert found.min() >= 0.0
        assert found.max() <= 1.0


def test_halves_and_quarters_along_cell_lines_are_exact() -> None:
    found = shares(box(1.5, 2.0, 3.0, 3.25))
    assert found[2:4, 1:3].tolist() == [[0.5, 1.0], [0.125, 0.25]]
    assert found.sum() == 1.875


def test_a_diagonal_through_cell_corners_halves_its_cells() -> None:
    found = shares(Polygon([(0, 0), (8, 0), (8, 8)]))
    assert np.diag(found)[:8].tolist() == [0.5] * 8
    assert found.sum() == 32.0


def test_a_place_inside_one_cell_covers_its_own_area() -> None:
    found = touched(MultiPolygon([box(-0.7, 0.2, -0.6, 0.3)]), Lattice("EPSG:4326", 1.0, 1.0))
    assert len(found) == 1
    assert found[0].coverage.tolist() == pytest.approx([0.01], abs=1e-7)
    assert (found[0].window.row, found[0].window.col) == (-1, -1)


def test_a_border_on_a_cell_line_touches_one_side_only() -> None:
    lattice = Lattice("EPSG:4326", 0.5, 0.5)
    for west, south in ((0.0, 0.0), (-1.0, -1.0), (-0.5, 0.5)):
        (strip,) = touched(MultiPolygon([box(west, south, west + 0.5, south + 0.5)]), lattice)
        assert strip.coverage.tolist() == [1.0]


def test_holes_far_from_the_first_vertex_are_holes() -> None:
    # A hole's turn was once lost in the rounding of its distance from the window's corner.
    far, side = 9000.0, 2.0**-14
    hole = [(far, far), (far + side, far), (far + side, far + side), (far, far + side)]
    place = Polygon([(0, 0), (10_000, 0), (10_000, 10_000), (0, 10_000)], [hole])
    found = plain(place)
    assert found.coverage(9000, 1)[0, 9000] == 1.0 - side * side


def test_a_spike_narrower_than_the_rounding_covers_nothing_negative() -> None:
    spike = Polygon([(0, 0), (4, 0), (4, 4), (2 + 1e-9, 4), (2, 20), (2 - 1e-9, 4), (0, 4)])
    found = shares(spike)
    assert found.min() >= 0.0
    assert found.sum() == pytest.approx(16.0, abs=1e-6)


def test_a_part_that_vanishes_in_rounding_leaves_the_rest() -> None:
    dust = Polygon([(9, 9), (9 + 1e-9, 9), (9, 9 + 1e-9)])
    assert shares(MultiPolygon([box(1, 1, 3, 3), dust])).sum() == 4.0


def test_an_empty_geometry_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        outline(MultiPolygon(), np.zeros(0), np.zeros(0))


@pytest.mark.parametrize("name", GRIDS)
@pytest.mark.parametrize("strip_cells", [1, 40, 200])
def test_strips_hold_the_same_cells(
    name: str, strip_cells: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid = GRIDS[name]
    places = [grid.place(shape) for shape in random_places(8, 16)]
    whole = [touched(place, grid.lattice) for place in places]
    monkeypatch.setattr(cells_module, "STRIP_CELLS", strip_cells)
    for place, (expected,) in zip(places, whole, strict=True):
        strips = touched(place, grid.lattice)
        for field in ("coverage", "area_m2"):
            found = np.concatenate([getattr(strip, field) for strip in strips])
            assert found.tolist() == getattr(expected, field).tolist()
        rows = np.concatenate([strip.rows + strip.window.row for strip in strips])
        cols = np.concatenate([strip.cols + strip.window.col for strip in strips])
        assert rows.tolist() == (expected.rows + expected.window.row).tolist()
        assert cols.tolist() == (expected.cols + expected.window.col).tolist()


def test_parts_far_apart_skip_the_rows_between(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cells_module, "STRIP_CELLS", 5_000)
    lattice = Lattice("EPSG:4326", 0.01, 0.01)
    place = MultiPolygon([box(0, 0, 0.1, 0.1), box(9.9, 9.9, 10, 10)])
    strips = touched(place, lattice)
    assert len(strips) <= 6
    assert sum(strip.coverage.sum() for strip in strips) == pytest.approx(200.0, abs=1e-4)


def test_covered_area_is_share_times_cell_area() -> None:
    grid = GRIDS["mapbiomas_30m"]
    (strip,) = touched(grid.place(box(3, 3, 8, 9)), grid.lattice)
    full = strip.area_m2[strip.coverage > 0.999]
    assert full == pytest.approx(886.0, rel=0.01)
    half = grid.place(box(3, 3, 8, 5.5))
    (cut,) = touched(half, grid.lattice)
    assert cut.area_m2.sum() / strip.area_m2.sum() == pytest.approx(2.5 / 6.0, rel=1e-5)
