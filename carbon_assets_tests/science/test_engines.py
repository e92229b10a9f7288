"""The kernel beside two independent engines, on 200 random places and five grids."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest
import shapely

from carbon_assets.science.zonal.area import projected_areas, row_areas
from carbon_assets.science.zonal.cells import place_outline
from carbon_assets.science.zonal.statistics import Sample, extent, moments, percentile
from carbon_assets.science.zonal.sums import Grouping
from carbon_assets_tests.science.drawn import SIDE, random_places
from carbon_assets_tests.science.grids import (
    GRIDS,
    Floats,
    Grid,
    dense,
    plane_extract,
    plane_source,
    shapely_coverage,
)

PLACES = 200
NODATA = {"uint8": 7, "int16": -999, "float32": -3.4028234663852886e38}


@cache
def places(name: str) -> list[shapely.MultiPolygon]:
    return [GRIDS[name].place(shape) for shape in random_places(len(name), PLACES)]


@cache
def shapes_of(name: str) -> list[Any]:
    """The places in units of cells."""
    return [GRIDS[name].to_cells(place) for place in places(name)]


@cache
def engine_coverage(name: str) -> list[tuple[Any, Floats]]:
    """exactextract's cell numbers and shares, from a constant raster without nodata."""
    ones = plane_source(np.ones((SIDE, SIDE), dtype=np.uint8))
    found = plane_extract(ones, shapes_of(name), ["cell_id", "coverage"])
    return [(one["cell_id"], one["coverage"].astype(np.float64)) for one in found]


def areas(grid: Grid) -> Floats:
    """Cell areas of the raster, in m²."""
    window = grid.window
    if grid.lattice.geographic:
        return np.repeat(row_areas(grid.lattice, window.row, SIDE), SIDE).reshape(SIDE, SIDE)
    rows, cols = np.mgrid[window.row : window.stop_row, window.col : window.stop_col]
    return projected_areas(grid.lattice, rows.ravel(), cols.ravel()).reshape(SIDE, SIDE)


def raster(dtype: str) -> Any:
    """Values with some nodata; the classes are patchy enough for many to meet in a place."""
    random = np.random.default_rng(5)
    if dtype == "uint8":
        values = random.integers(0, 7, (SIDE, SIDE)).astype(dtype)
    elif dtype == "int16":
        values = random.integers(-300, 3000, (SIDE, SIDE)).astype(dtype)
    else:
        values = random.normal(120.0, 40.0, (SIDE, SIDE)).astype(dtype)
    values[random.random((SIDE, SIDE)) < 0.1] = NODATA[dtype]
    return values


@pytest.mark.parametrize("name", GRIDS)
def test_coverage_equals_polygon_intersection(name: str) -> None:
    grid = GRIDS[name]
    worst = 0.0
    for place, shape in zip(places(name), shapes_of(name), strict=True):
        ours = dense(place_outline(place, grid.lattice), grid.window)
        worst = max(worst, float(np.abs(ours - shapely_coverage(shape)).max()))
    assert worst < 1e-6


@pytest.mark.parametrize("name", GRIDS)
def test_coverage_equals_exactextracts(name: str) -> None:
    grid = GRIDS[name]
    for place, (cell, share) in zip(places(name), engine_coverage(name), strict=True):
        theirs = np.zeros(SIDE * SIDE)
        theirs[cell] = share
        ours = dense(place_outline(place, grid.lattice), grid.window).ravel()
        np.testing.assert_allclose(ours, theirs, rtol=0.0, atol=1e-6)


@pytest.mark.parametrize("dtype", NODATA)
@pytest.mark.parametrize("name", GRIDS)
def test_moments_equal_exactextracts(name: str, dtype: str) -> None:
    grid = GRIDS[name]
    values, area = raster(dtype), areas(grid)
    wanted = ["weighted_sum", "weighted_mean", "weighted_stdev", "min", "max", "count"]
    source = plane_source(values, NODATA[dtype])
    theirs = plane_extract(source, shapes_of(name), wanted, plane_source(area))
    compared = 0
    for numbers, share, covered, found in shared(name, values, area, dtype, theirs):
        one = moments([(Sample(numbers, covered), Grouping(np.zeros(len(numbers), np.int32), 1))])
        close = {"rel": 1e-9, "abs": 1e-9 * np.abs(numbers).max()}
        assert one.mean[0] == pytest.approx(found["weighted_mean"], **close)
        assert one.std[0] == pytest.approx(found["weighted_stdev"], **close)
        assert one.total[0] / covered.sum() == pytest.approx(
            found["weighted_sum"] / covered.sum(), **close
        )
        assert (one.minimum[0], one.maximum[0]) == (found["min"], found["max"])
        assert share.sum() == pytest.approx(found["count"], rel=1e-9)
        compared += 1
    assert compared > 0.9 * PLACES


@pytest.mark.parametrize("dtype", NODATA)
@pytest.mark.parametrize("name", GRIDS)
def test_percentiles_equal_exactextracts(name: str, dtype: str) -> None:
    grid = GRIDS[name]
    values = raster(dtype)
    wanted = [f"quantile(q={share})" for share in (0.05, 0.5, 0.95)]
    # As doubles, since exactextract gives a quantile in the raster's own type.
    source = plane_source(values.astype(np.float64), float(np.asarray(NODATA[dtype], dtype)))
    theirs = plane_extract(source, shapes_of(name), wanted)
    for numbers, share, _, found in shared(name, values, areas(grid), dtype, theirs):
        # exactextract takes equal values together; we do not, so that equal weights give the
        # common definition.
        distinct, of = np.unique(numbers, return_inverse=True)
        together = np.bincount(of, share)
        for percent in (5, 50, 95):
            ours = percentile(distinct, together, percent / 100)
            close = {"rel": 1e-9, "abs": 1e-9 * np.abs(numbers).max()}
            assert ours == pytest.approx(found[f"quantile_{percent}"], **close)


def shared(
    name: str, values: Any, area: Floats, dtype: str, theirs: list[Any]
) -> Iterator[tuple[Floats, Floats, Floats, Any]]:
    """Values, shares and covered areas of the cells with data, by exactextract's coverage."""
    for (cell, share), found in zip(engine_coverage(name), theirs, strict=True):
        raw = values.ravel()[cell]
        held = raw != np.asarray(NODATA[dtype], dtype=dtype)
        if held.any():
            covered = (share * area.ravel()[cell])[held]
            yield raw[held].astype(np.float64), share[held], covered, found


@pytest.mark.parametrize("name", GRIDS)
def test_class_areas_equal_exactextracts(name: str) -> None:
    grid = GRIDS[name]
    values, area = raster("uint8"), areas(grid)
    wanted = ["unique", "frac", "weighted_frac", "count"]
    theirs = plane_extract(plane_source(values), shapes_of(name), wanted, plane_source(area))
    for (cell, share), found in zip(engine_coverage(name), theirs, strict=True):
        group = values.ravel()[cell].astype(np.int32)
        columns = np.column_stack([np.ones(len(cell)), share, share * area.ravel()[cell]])
        ours = extent([Grouping(group, 8)], columns)
        present = np.flatnonzero(ours.cells)
        order = np.argsort(found["unique"])
        assert found["unique"][order].tolist() == present.tolist()
        weighted = found["weighted_frac"][order] * ours.area_m2.sum()
        np.testing.assert_allclose(ours.area_m2[present], weighted, rtol=1e-9)
        np.testing.assert_allclose(
            ours.coverage[present], found["frac"][order] * found["count"], rtol=1e-9
        )
        assert ours.cells.sum() == len(cell)
