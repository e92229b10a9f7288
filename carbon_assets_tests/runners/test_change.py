"""Deforestation and fire: beside plain numpy on ellipsoidal areas, and in both PRODES codings."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import rasterio
import shapely

import carbon_assets_tests
from carbon_assets.errors import CatalogueError, RasterError
from carbon_assets.places.geometry import PlaceGeometry
from carbon_assets.reference.catalogue import SourceVersion, load_catalogue
from carbon_assets.reference.change_legend import load_change_legend
from carbon_assets.runners.bound import BoundRunner
from carbon_assets.runners.compute import PlaceTask
from carbon_assets.runners.declaration import Runner, Setting
from carbon_assets.runners.deforestation import DEFORESTATION
from carbon_assets.runners.fire import FIRE
from carbon_assets.science.zonal.area import row_areas
from carbon_assets_tests.rasters.writing import registered, write
from carbon_assets_tests.runners.world import CLASS_WINDOW, FINE, compute, find, places, task

Array = npt.NDArray[Any]
EDGE = {"rel": 2e-8}
"""The place's corners are rounded to 1e-9 degree; the cells along the border feel it."""
PATTERN = Path("br-rondonia") / "br-rondonia_prodes_2021_v20220606.tif"


def bind(
    runner: Runner, version: SourceVersion, folder: Path, maps: Mapping[int, Array]
) -> BoundRunner:
    (band,) = version.value_bands
    loose = band.model_copy(update={"dtype": None})
    entry = version.model_copy(
        update={"bands": (loose,), "tiles": None, "crs": None, "resolution": None}
    )
    paths = {
        (band.name, year): write(folder / f"{year}.tif", values, FINE, CLASS_WINDOW)
        for year, values in maps.items()
    }
    return BoundRunner(runner, {runner.value_slot: registered(entry, paths)})


def drawn(ids: list[int], seed: int = 3) -> Array:
    random = np.random.default_rng(seed)
    return random.choice(np.array(ids, dtype=np.uint8), (CLASS_WINDOW.height, CLASS_WINDOW.width))


def hectares(values: Array, ids: set[int]) -> float:
    """Plain numpy: cells of the whole map, each with the area of its row."""
    area = row_areas(FINE, CLASS_WINDOW.row, CLASS_WINDOW.height)[:, np.newaxis]
    return float((np.isin(values, sorted(ids)) * area).sum() / 1e4)


def everything() -> PlaceTask:
    """A place that is the map."""
    return task(shapely.box(0, 0, CLASS_WINDOW.width, CLASS_WINDOW.height))


@pytest.mark.parametrize(
    ("version", "years"),
    [("brazil-2023", (2010, 2018, 2023)), ("regional-2021", (2010, 2018, 2021))],
)
def test_prodes_by_year_in_both_codings(
    version: str, years: tuple[int, ...], tmp_path: Path
) -> None:
    entry = load_catalogue().get("prodes", version)
    assert entry.legend is not None
    assert entry.epoch is not None
    legend = load_change_legend(entry.legend)
    values = drawn(list(legend.ids))
    bound = bind(DEFORESTATION, entry, tmp_path, {entry.epoch: values})
    cloud = set(legend.ids) - legend.observed_ids
    for made in compute(bound, [everything()], years):
        cleared = find(made, "deforestation_area", "sum")
        wanted = hectares(values, set(legend.ids_of(["deforestation"], made.vintage)))
        assert cleared.value == pytest.approx(wanted, **EDGE)
        late = find(made, "late_detected_deforestation_area", "sum")
        wanted = hectares(values, set(legend.ids_of(["late_detection"], made.vintage)))
        assert late.value == pytest.approx(wanted, **EDGE)
        assert cleared.pixel_nodata_count >= np.isin(values, sorted(cloud)).sum() > 0
        assert cleared.covered_area_ha - cleared.valid_area_ha == pytest.approx(
            hectares(values, cloud), abs=1e-3
        )
        assert cleared.context["period"] == [f"{made.vintage - 1}-08-01", f"{made.vintage}-07-31"]


def test_the_years_sum_to_what_was_ever_cleared(tmp_path: Path) -> None:
    entry = load_catalogue().get("hansen-gfc", "1.12")
    values, years = drawn(list(range(25))), range(2001, 2025)
    ever = np.minimum(values, 1)  # all loss moved into the first year
    for name in ("dated", "ever"):
        (tmp_path / name).mkdir()
    bound = bind(DEFORESTATION, entry, tmp_path / "dated", {2024: values})
    merged = bind(DEFORESTATION, entry, tmp_path / "ever", {2024: ever})
    for place in places()[:4]:
        found = [find(one, "deforestation_area", "sum") for one in compute(bound, [place], years)]
        (whole,) = compute(merged, [place], [2001])
        parts = [one.value for one in found if one.value is not None]
        assert len(parts) == len(years)
        expected = find(whole, "deforestation_area", "sum").value
        assert sum(parts) == pytest.approx(expected, rel=1e-12)
        (alone,) = compute(bound, [place], [2010])
        assert find(alone, "deforestation_area", "sum") == found[9]


def test_a_yearly_map_tells_primary_from_secondary(tmp_path: Path) -> None:
    base = load_catalogue().get("mapbiomas-fire", "col-3")
    entry = base.model_copy(update={"legend": "mapbiomas-deforestation"})
    maps = {year: drawn(list(range(8)), year) for year in (2019, 2020)}
    bound = bind(DEFORESTATION, entry, tmp_path, maps)
    for made in compute(bound, [everything()], maps):
        primary, secondary, both = (
            find(made, f"{kind}deforestation_area", "sum").value
            for kind in ("primary_", "secondary_", "")
        )
        assert primary == pytest.approx(hectares(maps[made.vintage], {4}), **EDGE)
        assert secondary == pytest.approx(hectares(maps[made.vintage], {6}), **EDGE)
        assert primary is not None
        assert secondary is not None
        assert both == pytest.approx(primary + secondary, rel=1e-12)
        codes = {receipt.metric_code for receipt in made.receipts}
        assert "late_detected_deforestation_area" not in codes


def test_burned_area(tmp_path: Path) -> None:
    maps = {year: drawn([0, 0, 1], year) for year in (2019, 2020)}
    bound = bind(FIRE, load_catalogue().get("mapbiomas-fire", "col-3"), tmp_path, maps)
    for made in compute(bound, [everything()], maps):
        burned = find(made, "burned_area", "sum")
        assert burned.value == pytest.approx(hectares(maps[made.vintage], {1}), **EDGE)
        assert "period" not in burned.context


def test_an_event_that_the_map_has_no_class_for_in_a_year_is_unknown(tmp_path: Path) -> None:
    entry = load_catalogue().get("prodes", "regional-2021")
    values = drawn([1, 7, 18, 33])
    bound = bind(DEFORESTATION, entry, tmp_path, {2021: values})
    (old, new) = compute(bound, [everything()], [2008, 2010])
    assert find(old, "deforestation_area", "sum").value == pytest.approx(
        hectares(values, {7}), **EDGE
    )
    late = find(old, "late_detected_deforestation_area", "sum")
    assert (late.value, late.valid_area_ha) == (None, 0.0)
    assert find(new, "late_detected_deforestation_area", "sum").value == pytest.approx(
        hectares(values, {18}), **EDGE
    )
    assert find(new, "deforestation_area", "sum").value == 0.0


def test_a_map_of_another_change_is_refused(tmp_path: Path) -> None:
    fire, prodes = (
        load_catalogue().get(*name)
        for name in (("mapbiomas-fire", "col-3"), ("prodes", "brazil-2023"))
    )
    for runner, entry, year in ((FIRE, prodes, 2023), (DEFORESTATION, fire, 2020)):
        with pytest.raises(CatalogueError) as raised:
            bind(runner, entry, tmp_path, {year: drawn([0, 1])})
        assert raised.value.code == "SOURCE_UNFIT"


def test_nothing_but_cloud_is_not_zero(tmp_path: Path) -> None:
    entry = load_catalogue().get("prodes", "regional-2021")
    bound = bind(DEFORESTATION, entry, tmp_path, {2021: drawn([32])})
    (made,) = compute(bound, [everything()], [2020])
    cleared = find(made, "deforestation_area", "sum")
    assert cleared.value is None
    assert cleared.pixel_nodata_count == cleared.pixel_count


def test_an_unknown_code_is_named_with_its_cells(tmp_path: Path) -> None:
    entry = load_catalogue().get("prodes", "regional-2021")
    values = drawn([1, 33])
    values[5, 7:9] = 30
    bound = bind(DEFORESTATION, entry, tmp_path, {2021: values})
    with pytest.raises(RasterError) as raised:
        compute(bound, [everything()], [2021])
    assert raised.value.code == "UNKNOWN_CLASS"
    assert "30 (2 cells)" in raised.value.what
    assert "prodes-regional-2021" in raised.value.what


def test_a_year_beyond_the_map_is_refused(tmp_path: Path) -> None:
    entry = load_catalogue().get("prodes", "regional-2021")
    bound = bind(DEFORESTATION, entry, tmp_path, {2021: drawn([1])})
    with pytest.raises(CatalogueError) as raised:
        compute(bound, [everything()], [2022])
    assert raised.value.code == "VINTAGE_UNAVAILABLE"


def test_the_real_clip_of_rondonia() -> None:
    beside = Path(carbon_assets_tests.__file__).parents[2] / "shared" / "data"
    path = Path(os.environ.get("CARBON_SAMPLE_DATA", beside)) / PATTERN
    if not path.is_file():
        pytest.skip("no sample data: set CARBON_SAMPLE_DATA to its folder")
    entry = load_catalogue().get("prodes", "regional-2021")
    bound = BoundRunner(
        DEFORESTATION, {"deforestation": registered(entry, {("class", 2021): str(path)})}
    )
    with rasterio.open(path) as dataset:
        values, shape = dataset.read(1), dataset.bounds
    stored = PlaceGeometry.from_geometry(shapely.box(*shape).buffer(-0.01))
    place = PlaceTask(1, "clip", stored.wkb, stored.bbox, Setting())
    found = {}
    for made in compute(bound, [place], range(2007, 2022)):
        found[made.vintage] = find(made, "deforestation_area", "sum").value
    present = {year for year, value in found.items() if value}
    assert present == {2012, 2017, 2018, 2019, 2020, 2021}
    assert np.isin(values, [11, 16, 17, 27, 29, 33]).any()
