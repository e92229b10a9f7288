"""The closed-form answers against a second way of finding them: cell by cell, from the files."""

from collections import defaultdict
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest
import rasterio
import rasterio.transform
import shapely
from pyproj import Geod, Transformer

from carbon_assets.demo import truth
from carbon_assets.demo.design import load_design
from carbon_assets.demo.edits import edited_farm
from carbon_assets.demo.vectors import polygon

DESIGN = load_design()
PLACES = list(DESIGN.places)
CHECKED = ["north-02", "north-03", "north-05", "north-06", "north-08", "south-05", "south-06"]
TO_EQUAL_AREA = Transformer.from_crs("EPSG:4326", "+proj=cea +ellps=WGS84", always_xy=True)


class Overlay(NamedTuple):
    """Cells of a raster that share area with a place."""

    value: np.ndarray  # raw value
    covered_ha: np.ndarray  # area of the shared part
    coverage: np.ndarray  # covered fraction, in degrees
    cell_ha: np.ndarray  # area of the whole cell
    lon: np.ndarray  # centre
    lat: np.ndarray


def hectares(shapes):
    def project(xy):
        return np.column_stack(TO_EQUAL_AREA.transform(xy[:, 0], xy[:, 1]))

    return shapely.area(shapely.transform(shapes, project)) / 10_000


def overlay(shape, path) -> Overlay:
    """Intersect a polygon with each cell of a raster, one by one."""
    with rasterio.open(path) as dataset:
        t = dataset.transform
        minx, miny, maxx, maxy = shape.bounds
        cols = np.arange(int((minx - t.c) / t.a) - 1, int((maxx - t.c) / t.a) + 2)
        rows = np.arange(int((maxy - t.f) / t.e) - 1, int((miny - t.f) / t.e) + 2)
        values = dataset.read(1)[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
    col, row = np.meshgrid(cols, rows)
    x0, x1 = t.c + col * t.a, t.c + (col + 1) * t.a
    y0, y1 = t.f + (row + 1) * t.e, t.f + row * t.e
    cells = shapely.box(x0, y0, x1, y1)
    shapely.prepare(shape)
    within = shapely.contains_properly(shape, cells)  # cutting the others only is much quicker
    shared = np.where(within, cells, None)
    shared[~within] = shapely.intersection(cells[~within], shape)
    hit = shapely.area(shared) > 0
    return Overlay(
        values[hit],
        hectares(shared[hit]),
        shapely.area(shared[hit]) / shapely.area(cells[hit]),
        hectares(cells[hit]),
        (x0 + x1)[hit] / 2,
        (y0 + y1)[hit] / 2,
    )


def land_cover(landscape, key, year) -> Overlay:
    place = truth.place(key)
    return overlay(polygon(place), landscape / f"rasters/brazil_coverage_{year}.tif")


def by_value(values, amounts) -> dict[int, float]:
    sums = defaultdict(float)
    for value in np.unique(values):
        sums[int(value)] = float(np.sum(amounts[values == value]))
    return dict(sums)


@pytest.mark.parametrize("year", [2014, 2019, 2023])
@pytest.mark.parametrize("key", CHECKED)
def test_class_areas_cell_by_cell(landscape, key, year):
    found = land_cover(landscape, key, year)
    assert truth.class_area_ha(key, year) == pytest.approx(
        by_value(found.value, found.covered_ha), rel=1e-8
    )


@pytest.mark.parametrize("key", [*CHECKED, "north-01"])
def test_even_area_within_a_cell_stays_within_the_stated_tolerance(landscape, key):
    found = land_cover(landscape, key, 2019)
    weighted = by_value(found.value, found.coverage * found.cell_ha)
    tolerance = truth.SUB_CELL_TOLERANCE if key == "north-06" else truth.RELATIVE_TOLERANCE
    assert weighted == pytest.approx(truth.class_area_ha(key, 2019), rel=tolerance)


@pytest.mark.parametrize("key", CHECKED)
def test_cell_counts(landscape, key):
    found = land_cover(landscape, key, 2019)
    expected = truth.class_cells(key, 2019)
    touched = {int(v): int(np.sum(found.value == v)) for v in np.unique(found.value)}
    assert {value: cells.touched for value, cells in expected.items()} == touched
    weighted = {value: cells.weighted for value, cells in expected.items()}
    assert by_value(found.value, found.coverage) == pytest.approx(weighted, rel=1e-8)
    assert truth.cells(key).touched == len(found.value)


@pytest.mark.parametrize("band", ["agb", "bgb_uncertainty"])
@pytest.mark.parametrize("key", [*CHECKED, "north-01", "south-02"])
def test_carbon_by_class_with_the_coarse_cell_at_the_centre(landscape, key, band):
    found = land_cover(landscape, key, 2018)
    with rasterio.open(landscape / DESIGN.products["hgb"].bands[band]) as dataset:
        rows, cols = rasterio.transform.rowcol(dataset.transform, found.lon, found.lat)
        dn = dataset.read(1)[np.asarray(rows, int), np.asarray(cols, int)]
        valid = dn != dataset.nodata
    for value, total in truth.band_totals(key, 2018, "hgb", band).items():
        here = found.value == value
        amounts = dn[here & valid] * 0.1 * found.covered_ha[here & valid]
        assert total.amount == pytest.approx(float(amounts.sum()), rel=1e-8)
        assert total.valid_ha == pytest.approx(
            float(found.covered_ha[here & valid].sum()), rel=1e-8
        )
        assert total.nodata_ha == pytest.approx(
            float(found.covered_ha[here & ~valid].sum()), rel=1e-8
        )


@pytest.mark.parametrize(("product", "band"), [("hgb", "agb"), ("esa_cci", "agb_sd")])
@pytest.mark.parametrize("key", ["north-01", "north-03", "north-08", "south-05"])
def test_totals_on_the_product_s_own_grid(landscape, key, product, band):
    designed = DESIGN.products[product]
    found = overlay(polygon(truth.place(key)), landscape / designed.bands[band])
    valid = ~np.isin(found.value, list(designed.unobserved))
    amount = np.sum(found.value[valid] * float(designed.scale) * found.covered_ha[valid])
    total = truth.native_band_total(key, product, band)
    assert total.amount == pytest.approx(amount, rel=1e-8)
    assert total.nodata_ha == pytest.approx(float(found.covered_ha[~valid].sum()), rel=1e-8)


@pytest.mark.parametrize("product", ["hgb", "esa_cci"])
def test_no_cell_centre_is_near_an_edge_of_the_coarse_grid(product):
    assert truth.centre_margin_degrees(product) > 1e-9


@pytest.mark.parametrize("key", PLACES)
def test_classes_add_up_to_the_place(key):
    area = truth.area_ha(key)
    for year in DESIGN.years:
        assert sum(truth.class_area_ha(key, year).values()) == pytest.approx(area, rel=1e-12)


@pytest.mark.parametrize("key", PLACES)
def test_area_agrees_with_the_geodesic_area(key):
    place = truth.place(key)
    geodesic = abs(Geod(ellps="WGS84").geometry_area_perimeter(polygon(place))[0]) / 10_000
    assert truth.area_ha(place) == pytest.approx(geodesic, rel=truth.GEODESIC_TOLERANCE)


def test_transitions_have_the_class_areas_as_margins():
    moves = truth.transition_area_ha("north-01", 2014, 2023)
    assert {before for before, _ in moves} == {3, 15}
    for vintage, side in ((2014, 0), (2023, 1)):
        margin = defaultdict(float)
        for classes, area in moves.items():
            margin[classes[side]] += area
        assert dict(margin) == pytest.approx(truth.class_area_ha("north-01", vintage), rel=1e-12)


def test_front_takes_the_same_forest_every_year():
    forest = [truth.class_area_ha("north-01", year)[3] for year in DESIGN.years]
    loss = [before - after for before, after in pairwise(forest)]
    six_of_two_hundred_columns = truth.area_ha("north-01") * 6 / 200
    assert loss == pytest.approx([six_of_two_hundred_columns] * 9, rel=1e-5)


def test_a_forest_of_one_density_has_that_density():
    total = truth.carbon_stock_tc("north-03", 2014, [3])
    assert total.mean == pytest.approx(148.5, rel=1e-12)
    assert truth.carbon_stock_tc("north-03", 2014, [3], "agb_uncertainty").mean == pytest.approx(
        31.2
    )


def test_unobserved_classes_are_left_out_of_the_observed_stock():
    clouds = truth.class_area_ha("north-07", 2019)[27]
    seen = truth.carbon_stock_tc("north-07", 2019)
    assert seen.valid_ha + seen.nodata_ha == pytest.approx(truth.area_ha("north-07") - clouds)
    assert truth.carbon_stock_tc("north-07", 2019, [27]).valid_ha == pytest.approx(clouds)


def test_stock_of_a_class_that_is_absent_is_nothing_and_has_no_mean():
    total = truth.carbon_stock_tc("north-06", 2019, [39])
    assert (total.valid_ha, total.nodata_ha, total.amount, total.mean) == (0, 0, 0, None)


def test_neighbours_that_share_cells_have_exactly_their_joint_area(landscape):
    pair = shapely.union(*(polygon(truth.place(key)) for key in ("south-04", "south-06")))
    found = overlay(pair, landscape / "rasters/brazil_coverage_2019.tif")
    joint = truth.area_ha("south-04") + truth.area_ha("south-06")
    assert joint == pytest.approx(float(found.covered_ha.sum()), rel=1e-8)
    counted = truth.cells("south-04").touched + truth.cells("south-06").touched
    assert counted > len(found.value)  # both count the cells on their common edge


def test_answers_exist_for_the_edited_farm(landscape):
    edited = edited_farm()
    found = overlay(polygon(edited), landscape / "rasters/brazil_coverage_2021.tif")
    assert truth.class_area_ha(edited, 2021) == pytest.approx(
        by_value(found.value, found.covered_ha), rel=1e-8
    )
