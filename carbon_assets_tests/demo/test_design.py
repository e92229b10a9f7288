from fractions import Fraction
from itertools import combinations

import pytest
from shapely import box

from carbon_assets.demo.design import load_design
from carbon_assets.demo.vectors import polygon

DESIGN = load_design()
FARMS = DESIGN.farms()


def extent_degrees(product: str):
    grid = DESIGN.products[product].grid
    west, north = grid.first_col * grid.cell, -grid.first_row * grid.cell
    return box(
        float(west),
        float(north - grid.rows * grid.cell),
        float(west + grid.cols * grid.cell),
        float(north),
    )


def test_size_of_the_landscape():
    assert len(FARMS) >= 12
    assert {farm.project for farm in FARMS} == {"north", "south"}
    assert {place.project for place in DESIGN.boundaries()} == {"north", "south"}
    assert DESIGN.years == tuple(range(2014, 2024))


@pytest.mark.parametrize("product", DESIGN.products)
@pytest.mark.parametrize("place", DESIGN.places.values(), ids=lambda place: place.key)
def test_place_lies_well_inside_every_raster(place, product):
    margin = 2 * float(DESIGN.products["hgb"].grid.cell) if product == "hgb" else 0.001
    assert extent_degrees(product).buffer(-margin, join_style="mitre").covers(polygon(place))


@pytest.mark.parametrize(("a", "b"), list(combinations(FARMS, 2)), ids=lambda farm: farm.key)
def test_farms_do_not_overlap(a, b):
    assert polygon(a).intersection(polygon(b)).area == 0


def test_farms_lie_in_their_project():
    boundary = {place.project: polygon(place) for place in DESIGN.boundaries()}
    assert all(boundary[farm.project].covers(polygon(farm)) for farm in FARMS)


def test_shapes_that_the_farms_bring():
    shapes = {farm.key: polygon(farm) for farm in FARMS}
    corners = {key: len(shape.geoms[0].exterior.coords) - 1 for key, shape in shapes.items()}
    assert all(shape.is_valid for shape in shapes.values())
    assert corners["north-01"] == 4
    assert corners["north-02"] == 6
    assert len(shapes["north-03"].geoms[0].interiors) == 1
    assert len(shapes["north-04"].geoms) == 2
    assert shapes["north-06"].area < float(DESIGN.products["land_cover"].grid.cell) ** 2 / 4
    assert shapes["south-04"].intersection(shapes["south-06"]).length > 0.04


def test_corners_are_whole_nanodegrees():
    edges = {e for place in DESIGN.places.values() for b in (*place.adds, *place.cuts) for e in b}
    assert all((edge * 10**9).denominator == 1 for edge in edges)


def test_grids_lie_on_the_lattices_of_the_products():
    grids = {name: product.grid for name, product in DESIGN.products.items()}
    west = grids["land_cover"].first_col * grids["land_cover"].cell
    assert float(west) == pytest.approx(-53.004195, abs=1e-6)
    assert grids["land_cover"].first_col - -274_666 > 0  # column in the country file
    assert grids["hgb"].cell == Fraction(1, 360)
    assert grids["esa_cci"].cell * 11_250 == 10
    tile = extent_degrees("esa_cci")
    assert box(-60, -20, -50, -10).covers(tile)


def test_patches_are_whole_cells_with_values_of_their_type():
    limits = {"uint8": 255, "uint16": 65_535}
    for product in DESIGN.products.values():
        for patch in product.patches:
            assert all(edge.denominator == 1 for edge in patch.box)
            assert set(patch.values) == set(product.bands)
            assert all(0 <= dn <= limits[product.dtype] for dn in patch.values.values())


def test_patch_grows_from_its_first_year_and_exists_only_in_its_years():
    front = next(
        p for p in DESIGN.products["land_cover"].patches if p.years == (2018, 2023) and p.grow[0]
    )
    assert front.at(2017) is None
    assert front.at(2018) == front.box
    assert front.at(2021).x0 == front.box.x0 - 18
    assert front.at(2021).x1 == front.box.x1


def test_no_edge_is_so_near_to_a_cell_line_that_rounding_decides_what_is_touched():
    grid = DESIGN.products["land_cover"].grid
    places = (*DESIGN.places.values(), DESIGN.edited)
    edges = {e for place in places for b in (*place.adds, *place.cuts) for e in grid.to_cells(b)}
    assert min(abs(edge - round(edge)) for edge in edges) > 2**-24
