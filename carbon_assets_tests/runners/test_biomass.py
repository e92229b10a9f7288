"""Carbon and biomass receipts: strata, conversions, uncertainty, epochs, no data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from pyproj import Transformer
from shapely.geometry import box

from carbon_assets.errors import CatalogueError, RasterError
from carbon_assets.reference.biomes import biome, root_to_shoot
from carbon_assets.reference.legend import load_legend
from carbon_assets.reference.strata_map import load_strata
from carbon_assets.runners.biomass import BIOMASS
from carbon_assets.runners.bound import BoundRunner
from carbon_assets.runners.declaration import Setting
from carbon_assets.science.zonal.grid import Lattice, Window
from carbon_assets_tests.rasters.writing import registered, write
from carbon_assets_tests.runners.world import (
    CARBON_WINDOW,
    CLASS_WINDOW,
    COARSE,
    FINE,
    VINTAGES,
    World,
    carbon_values,
    class_maps,
    class_values,
    compute,
    dry_matter_version,
    find,
    hgb,
    hgb_maps,
    mapbiomas,
    places,
    task,
    world,
)
from carbon_assets_tests.science.grids import touched

INSIDE = box(30.3, 40.2, 120.7, 150.9)
"""A place that lies inside the class maps."""


def ground(shape: Any, year: int, values: Any) -> tuple[Any, Any, Any]:
    """Carbon (raw), forest type and covered area of each touched cell, by plain numpy."""
    (cells,) = touched(shapely.from_wkb(task(shape).wkb), FINE)
    row, col = cells.rows + cells.window.row, cells.cols + cells.window.col
    lon, lat = (col + 0.5) * FINE.cell_width, -(row + 0.5) * FINE.cell_height
    coarse_row = np.floor(-lat * 360).astype(int) - CARBON_WINDOW.row
    coarse_col = np.floor(lon * 360).astype(int) - CARBON_WINDOW.col
    ids = class_values(year)[row - CLASS_WINDOW.row, col - CLASS_WINDOW.col]
    terms = {
        i: t.get("forest_type") for i, t in load_strata("mapbiomas-brazil-col-8").terms.items()
    }
    unseen = set(load_legend("mapbiomas-brazil-col-8").ids_in("not_observed"))
    names = np.array(["not_observed" if i in unseen else terms[i] for i in range(34) if i in terms])
    known = [i for i in range(34) if i in terms]
    kind = names[np.searchsorted(known, ids)]
    return values[coarse_row, coarse_col], kind, cells.area_m2


def test_every_stratum_is_numpys(carbon_world: World) -> None:
    for made in compute(carbon_world.biomass, [task(INSIDE)]):
        raw, kind, area = ground(INSIDE, made.vintage, carbon_values(1))
        held = raw != 65535
        for stratum in [None, *np.unique(kind).tolist()]:
            here = held if stratum is None else held & (kind == stratum)
            value, weight = raw[here] * 0.1, area[here]
            mean = np.average(value, weights=weight)
            spread = np.sqrt(np.average((value - mean) ** 2, weights=weight))
            receipt = find(made, "agb_carbon_density", "mean", stratum)
            assert receipt.value == pytest.approx(mean, rel=1e-12)
            assert receipt.pixel_count - receipt.pixel_nodata_count == here.sum()
            assert receipt.valid_area_ha == pytest.approx(weight.sum() / 1e4, rel=1e-12)
            receipt = find(made, "agb_carbon_density", "std", stratum)
            assert receipt.value == pytest.approx(spread, rel=1e-11)
            receipt = find(made, "agb_carbon_stock", "sum", stratum)
            assert receipt.value == pytest.approx((value * weight).sum() / 1e4, rel=1e-12)
            assert receipt.value_unit == "tC"


def test_strata_sum_to_the_whole(carbon_world: World) -> None:
    for made in compute(carbon_world.biomass, places()):
        for metric in ("agb_carbon_stock", "bgb_carbon_stock"):
            parts = [
                r for r in made.receipts if r.metric_code == metric and r.stratum_filter is not None
            ]
            whole = find(made, metric, "sum")
            for field in ("covered_area_ha", "valid_area_ha", "weighted_pixel_count", "value"):
                total = sum(getattr(part, field) or 0.0 for part in parts)
                assert total == pytest.approx(getattr(whole, field), rel=1e-12)
            for field in ("pixel_count", "pixel_nodata_count"):
                assert sum(getattr(part, field) for part in parts) == getattr(whole, field)


def test_the_covered_area_is_the_land_covers(carbon_world: World) -> None:
    carbon = compute(carbon_world.biomass, places())
    cover = compute(carbon_world.land_cover, places())
    for ours, theirs in zip(carbon, cover, strict=True):
        stock = find(ours, "agb_carbon_stock", "sum")
        assert stock.covered_area_ha == pytest.approx(theirs.receipts[0].covered_area_ha, rel=1e-13)
        assert stock.pixel_count == theirs.receipts[0].pixel_count


def test_carbon_density_is_never_multiplied_by_a_fraction(carbon_world: World) -> None:
    settings = [Setting(), Setting("cerrado", "tropical_rainforest_americas")]
    plain, with_biome = (
        compute(carbon_world.biomass, [task(INSIDE, 1, setting)], [2020])[0] for setting in settings
    )
    assert plain == with_biome
    for receipt in plain.receipts:
        assert receipt.context["carbon_fraction"] is None


def test_a_static_map_states_its_epoch(carbon_world: World) -> None:
    for made in compute(carbon_world.biomass, [task(INSIDE)]):
        for receipt in made.receipts:
            assert receipt.context["epoch"] == 2010
            assert str(made.vintage) in receipt.context["static"]
    stocks = [
        find(made, "agb_carbon_stock", "sum").value
        for made in compute(carbon_world.biomass, [task(INSIDE)])
    ]
    assert stocks == pytest.approx([stocks[0]] * len(VINTAGES), rel=1e-13)


def test_every_raster_that_takes_part_is_named_with_its_role(carbon_world: World) -> None:
    (made,) = compute(carbon_world.biomass, [task(INSIDE)], [2020])
    bands = [(1, "value"), (2, "uncertainty"), (3, "value"), (4, "uncertainty")]
    assert sorted(made.inputs) == sorted([*bands, (2, "mask")])
    for receipt, read in zip(made.receipts, made.read, strict=True):
        own = bands[:2] if receipt.metric_code.startswith("agb") else bands[2:]
        assert sorted(read) == sorted([*own, (2, "mask")])


def test_standard_errors_do_not_shrink_with_the_number_of_cells(carbon_world: World) -> None:
    (made,) = compute(carbon_world.biomass, [task(INSIDE)], [2020])
    raw, kind, area = ground(INSIDE, 2020, carbon_values(1))
    error, _, _ = ground(INSIDE, 2020, carbon_values(2, 50, 400))
    for stratum in (None, "natural_forest"):
        here = np.ones(len(raw), bool) if stratum is None else kind == stratum
        value = here & (raw != 65535)
        both = value & (error != 65535)
        mean = np.average(raw[value] * 0.1, weights=area[value])
        mean_error = np.average(error[both] * 0.1, weights=area[both])
        for method, metric in (("mean", "agb_carbon_density"), ("sum", "agb_carbon_stock")):
            receipt = find(made, metric, method, stratum)
            expected = 100 * 1.959963984540054 * mean_error / mean
            assert receipt.uncertainty_pct_ci95 == pytest.approx(expected, rel=1e-12)
            assert receipt.uncertainty_method == "raster_layer"
        spread = find(made, "agb_carbon_density", "std", stratum)
        assert (spread.uncertainty_pct_ci95, spread.uncertainty_method) == (None, "none")


def dry_matter(
    folder: Path, values: Any, cv: float | None = 15.0, lattice: Lattice = COARSE, **fields: Any
) -> BoundRunner:
    """A biomass runner on a map of dry matter, alone or with a constant coefficient."""
    version = dry_matter_version(**fields)
    paths = {("agb", 2020): write(folder / "agb.tif", values, lattice, CARBON_WINDOW, nodata=-1.0)}
    if cv is None:
        band = version.bands[0].model_copy(update={"uncertainty": None})
        version = version.model_copy(update={"bands": (band,)})
    else:
        constant = np.full(values.shape, cv, dtype=np.float32)
        paths["cv", 2020] = write(folder / "cv.tif", constant, lattice, CARBON_WINDOW)
    return world(class_maps(folder), paths, version).biomass


@pytest.fixture
def biomass_values() -> Any:
    random = np.random.default_rng(8)
    shape = (CARBON_WINDOW.height, CARBON_WINDOW.width)
    values = random.uniform(0.0, 320.0, shape).astype(np.float32)
    values[random.random(shape) < 0.1] = -1.0
    values[2, 3] = np.nan
    return values


def test_dry_matter_becomes_carbon_by_the_biomes_fraction(
    tmp_path: Path, biomass_values: Any
) -> None:
    bound = dry_matter(tmp_path, biomass_values)
    (made,) = compute(bound, [task(INSIDE, setting=Setting("cerrado"))], [2020])
    fraction = biome("cerrado").carbon_fraction
    for stratum in (None, "natural_forest", "water"):
        mass = find(made, "agb_density_mg_ha", "mean", stratum)
        carbon = find(made, "agb_carbon_density", "mean", stratum)
        assert carbon.value == pytest.approx(fraction * (mass.value or 0.0), rel=1e-12)
        assert carbon.context["carbon_fraction"] == fraction
        assert "cerrado" in carbon.context["carbon_fraction_source"]
        assert mass.context["carbon_fraction"] is None
        assert (mass.value_unit, carbon.value_unit) == ("Mg/ha", "tC/ha")
    assert not [r for r in made.receipts if r.metric_code.startswith("bgb")]


def test_roots_follow_each_cells_own_biomass(tmp_path: Path, biomass_values: Any) -> None:
    zone = "tropical_dry_americas"
    setting = Setting("caatinga", zone)
    (made,) = compute(dry_matter(tmp_path, biomass_values), [task(INSIDE, setting=setting)], [2020])
    raw, _, area = ground(INSIDE, 2020, biomass_values.astype(np.float64))
    held = np.isfinite(raw) & (raw != -1.0)
    ratio = root_to_shoot(zone)
    factor = np.where(raw[held] <= ratio.threshold_mg_ha, ratio.r_low, ratio.r_high)
    expected = np.average(raw[held] * factor * 0.47, weights=area[held])
    roots = find(made, "bgb_carbon_density", "mean")
    assert roots.value == pytest.approx(expected, rel=1e-12)
    assert roots.uncertainty_method == "none"
    assert roots.context["root_to_shoot"] == {"low": ratio.r_low, "high": ratio.r_high}


def test_a_constant_coefficient_of_variation_is_the_uncertainty(
    tmp_path: Path, biomass_values: Any
) -> None:
    (made,) = compute(dry_matter(tmp_path, biomass_values), [task(INSIDE)], [2020])
    for metric in ("agb_density_mg_ha", "agb_carbon_density"):
        for stratum in (None, "natural_forest", "non_forest"):
            receipt = find(made, metric, "mean", stratum)
            expected = 15.0 * 1.959963984540054
            assert receipt.uncertainty_pct_ci95 == pytest.approx(expected, rel=1e-7)


def test_without_a_layer_the_uncertainty_is_none_and_not_zero(
    tmp_path: Path, biomass_values: Any
) -> None:
    (made,) = compute(dry_matter(tmp_path, biomass_values, cv=None), [task(INSIDE)], [2020])
    assert {(r.uncertainty_pct_ci95, r.uncertainty_method) for r in made.receipts} == {
        (None, "none")
    }


def test_no_data_is_none_and_never_zero(tmp_path: Path, biomass_values: Any) -> None:
    empty = np.full_like(biomass_values, -1.0)
    (made,) = compute(dry_matter(tmp_path, empty), [task(INSIDE)], [2020])
    for receipt in made.receipts:
        assert receipt.value is None
        assert receipt.valid_area_ha == 0.0
        assert receipt.covered_area_ha > 0.0
        assert receipt.pixel_nodata_count == receipt.pixel_count > 0
        assert receipt.uncertainty_pct_ci95 is None


def test_zero_is_a_value(tmp_path: Path, biomass_values: Any) -> None:
    (made,) = compute(dry_matter(tmp_path, np.zeros_like(biomass_values)), [task(INSIDE)], [2020])
    stock = find(made, "agb_stock_mg", "sum")
    assert (stock.value, stock.pixel_nodata_count) == (0.0, 0)
    assert stock.uncertainty_pct_ci95 is None


def test_a_constant_has_no_spread(tmp_path: Path, biomass_values: Any) -> None:
    (made,) = compute(
        dry_matter(tmp_path, np.full_like(biomass_values, 123.4)), [task(INSIDE)], [2020]
    )
    for receipt in made.receipts:
        if receipt.aggregate_method == "std":
            assert receipt.value == 0.0
        if receipt.metric_code == "agb_density_mg_ha" and receipt.aggregate_method == "mean":
            assert receipt.value == float(np.float32(123.4))


def test_scaling_the_raster_scales_the_mean(tmp_path: Path, biomass_values: Any) -> None:
    doubled = np.where(biomass_values == -1.0, -1.0, biomass_values * 2).astype(np.float32)
    once, twice = (
        compute(dry_matter(tmp_path, values), [task(INSIDE)], [2020])[0]
        for values in (biomass_values, doubled)
    )
    for one, two in zip(once.receipts, twice.receipts, strict=True):
        assert two.value == 2.0 * (one.value or 0.0)
        assert two.covered_area_ha == one.covered_area_ha


def test_a_coarse_grid_of_another_system_is_looked_up(tmp_path: Path) -> None:
    lattice = Lattice("EPSG:32722", 250.0, 250.0)
    change = Transformer.from_crs("EPSG:4326", lattice.crs, always_xy=True)
    x, y = change.transform(FINE.x(CLASS_WINDOW.col), FINE.y(CLASS_WINDOW.row))
    window = Window(int(lattice.rows(y)) - 3, int(lattice.columns(x)) - 3, 40, 45)
    values = np.random.default_rng(4).uniform(1, 300, (40, 45)).astype(np.float32)
    version = dry_matter_version()
    band = version.bands[0].model_copy(update={"uncertainty": None})
    version = version.model_copy(update={"bands": (band,)})
    paths = {("agb", 2020): write(tmp_path / "agb.tif", values, lattice, window)}
    bound = world(class_maps(tmp_path), paths, version).biomass
    (made,) = compute(bound, [task(INSIDE)], [2020])
    (cells,) = touched(shapely.from_wkb(task(INSIDE).wkb), FINE)
    lon = (cells.cols + cells.window.col + 0.5) * FINE.cell_width
    lat = -(cells.rows + cells.window.row + 0.5) * FINE.cell_height
    x, y = change.transform(lon, lat)
    row = np.floor(-y / 250.0).astype(int) - window.row
    col = np.floor(x / 250.0).astype(int) - window.col
    expected = np.average(values[row, col].astype(float), weights=cells.area_m2)
    assert find(made, "agb_density_mg_ha", "mean").value == pytest.approx(expected, rel=1e-12)


def test_an_unknown_class_in_the_mask_is_refused(tmp_path: Path) -> None:
    values = class_values(2020)
    values[60, 60:64] = 63
    classes = {("class", 2020): write(tmp_path / "c.tif", values, FINE, CLASS_WINDOW)}
    bound = world(classes, hgb_maps(tmp_path), hgb()).biomass
    with pytest.raises(RasterError) as caught:
        compute(bound, [task(INSIDE)], [2020])
    assert caught.value.code == "UNKNOWN_CLASS"
    assert caught.value.where == str(tmp_path / "c.tif")
    assert caught.value.details == {"unknown": {"63": 4}}


@pytest.mark.parametrize("nodata", [255, 60])
def test_the_masks_own_nodata_tag_is_its_own_stratum(tmp_path: Path, nodata: int) -> None:
    # A tag of 255 once overflowed the byte raster's table of strata.
    values = class_values(2020)
    values[60:70, 60:70] = nodata
    classes = {
        ("class", 2020): write(tmp_path / "c.tif", values, FINE, CLASS_WINDOW, nodata=nodata)
    }
    bound = world(classes, hgb_maps(tmp_path), hgb()).biomass
    (made,) = compute(bound, [task(box(60.1, 60.1, 69.9, 69.9))], [2020])
    assert {str(r.stratum_filter) for r in made.receipts} == {
        "None",
        "{'forest_type': 'not_observed'}",
    }


def test_a_runner_refuses_a_source_of_another_kind(carbon_world: World) -> None:
    classes = carbon_world.land_cover.sources["land_cover"]
    with pytest.raises(CatalogueError) as caught:
        BoundRunner(BIOMASS, {"biomass": classes, "land_cover": classes})
    assert caught.value.code == "SOURCE_UNFIT"


def test_a_mask_without_a_map_to_strata_is_refused(carbon_world: World, tmp_path: Path) -> None:
    unmapped = mapbiomas().model_copy(update={"strata": None})
    classes = registered(unmapped, class_maps(tmp_path))
    bound = BoundRunner(
        BIOMASS, {"biomass": carbon_world.biomass.sources["biomass"], "land_cover": classes}
    )
    with pytest.raises(CatalogueError) as caught:
        compute(bound, [task(INSIDE)], [2020])
    assert caught.value.code == "STRATA_MAP_MISSING"
