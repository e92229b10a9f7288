"""The class histogram: beside plain numpy, and what it says of cells without data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from shapely.geometry import box

from carbon_assets.errors import RasterError
from carbon_assets.places.geometry import geodesic_area_ha
from carbon_assets.rasters.reader import RasterFile
from carbon_assets.runners.bound import BoundRunner
from carbon_assets.runners.land_cover import LAND_COVER
from carbon_assets_tests.rasters.writing import registered, write
from carbon_assets_tests.runners.world import (
    CLASS_WINDOW,
    FINE,
    VINTAGES,
    World,
    class_values,
    compute,
    find,
    mapbiomas,
    places,
    task,
)
from carbon_assets_tests.science.grids import touched


def bind(folder: Path, values: Any, nodata: float | None = None) -> BoundRunner:
    """A runner on one class map of any integer type."""
    path = write(folder / "classes.tif", values, FINE, CLASS_WINDOW, nodata=nodata)
    band = mapbiomas().bands[0].model_copy(update={"dtype": None})
    entry = mapbiomas().model_copy(update={"bands": (band,)})
    return BoundRunner(LAND_COVER, {"land_cover": registered(entry, {("class", 2020): path})})


def test_the_histogram_is_numpys(carbon_world: World) -> None:
    tasks = places()
    for made in compute(carbon_world.land_cover, tasks):
        (cells,) = touched(shapely.from_wkb(tasks[made.place_id - 1].wkb), FINE)
        row = cells.rows + cells.window.row - CLASS_WINDOW.row
        col = cells.cols + cells.window.col - CLASS_WINDOW.col
        held = (row < CLASS_WINDOW.height) & (col < CLASS_WINDOW.width)
        ids = class_values(made.vintage)[row[held], col[held]]
        receipt = find(made, "land_cover_area", "class_histogram")
        assert receipt.histogram is not None
        assert set(receipt.histogram) == {str(i) for i in np.unique(ids)}
        for class_id, entry in receipt.histogram.items():
            here = ids == int(class_id)
            assert entry["cells"] == here.sum()
            assert entry["ha"] == pytest.approx(cells.area_m2[held][here].sum() / 1e4, rel=1e-12)
        missing = int((~held).sum() + np.isin(ids, [0, 27]).sum())
        assert (receipt.pixel_count, receipt.pixel_nodata_count) == (len(cells), missing)
        assert receipt.weighted_pixel_count == pytest.approx(cells.coverage.sum(), rel=1e-12)


def test_parts_sum_to_the_covered_area(carbon_world: World) -> None:
    for made in compute(carbon_world.land_cover, places()):
        (receipt,) = made.receipts
        assert receipt.histogram is not None
        parts = sum(entry["ha"] for entry in receipt.histogram.values())
        whole = parts + receipt.context["outside_raster_ha"]
        assert whole == pytest.approx(receipt.covered_area_ha, rel=1e-12)
        assert receipt.value == receipt.covered_area_ha
        unobserved = sum(receipt.histogram.get(i, {"ha": 0.0})["ha"] for i in ("0", "27"))
        assert receipt.valid_area_ha == pytest.approx(parts - unobserved, rel=1e-12)


def test_the_covered_area_is_the_geodesic_area_of_the_place(carbon_world: World) -> None:
    for place in places():
        made, *_ = compute(carbon_world.land_cover, [place], [2019])
        area = geodesic_area_ha(shapely.from_wkb(place.wkb))
        assert made.receipts[0].covered_area_ha == pytest.approx(area, rel=2e-6)


def test_what_lies_outside_the_raster_is_no_data(carbon_world: World) -> None:
    (made,) = compute(carbon_world.land_cover, [task(box(235, 100, 245, 110))], [2020])
    (receipt,) = made.receipts
    assert receipt.context["outside_raster_ha"] == pytest.approx(receipt.value / 2, rel=1e-6)
    assert receipt.valid_area_ha <= receipt.value / 2
    assert receipt.pixel_nodata_count >= 50


def test_every_vintage_reads_its_own_file(carbon_world: World) -> None:
    made = compute(carbon_world.land_cover, places()[:1])
    assert [one.vintage for one in made] == list(VINTAGES)
    assert [one.inputs for one in made] == [((number, "value"),) for number in (1, 2, 3)]
    assert len({str(one.receipts[0].histogram) for one in made}) == 3


def test_a_receipt_tells_its_source(carbon_world: World) -> None:
    made = compute(carbon_world.land_cover, places()[:1], [2021])
    assert carbon_world.land_cover.runner_key == "land_cover.mapbiomas"
    assert made[0].receipts[0].context["source"] == "mapbiomas-brazil col-8"
    assert made[0].receipts[0].value_unit == "ha"
    assert made[0].receipts[0].uncertainty_method == "none"


def test_an_unknown_class_names_raster_id_and_count(tmp_path: Path) -> None:
    values = class_values(2020)
    values[50, 60:63] = 99
    values[199, 239] = 98
    bound = bind(tmp_path, values)
    with pytest.raises(RasterError) as caught:
        compute(bound, [task(box(40, 40, 80, 80))], [2020])
    assert caught.value.code == "UNKNOWN_CLASS"
    assert caught.value.where == str(tmp_path / "classes.tif")
    assert caught.value.details == {"unknown": {"99": 3}}
    compute(bound, [task(box(0, 0, 40, 40))], [2020])


@pytest.mark.parametrize(
    ("dtype", "nodata"),
    [
        ("uint8", 255),
        ("int8", -1),
        ("int16", -1),
        ("int16", -9999),
        ("uint16", 65535),
        ("int32", -2147483648),
        ("uint32", 4294967295),
    ],
)
def test_any_integer_type_and_nodata_tag(tmp_path: Path, dtype: str, nodata: int) -> None:
    # A tag of 255 once overflowed the table of a byte raster; a negative one read its end.
    plain = class_values(2020)
    values = plain.astype(dtype)
    values[10:20, 10:20] = nodata
    (made,) = compute(bind(tmp_path, values, nodata), [task(box(5.1, 5.1, 39.9, 39.9))], [2020])
    (receipt,) = made.receipts
    assert receipt.histogram is not None
    assert receipt.histogram[str(nodata)]["cells"] == 100
    assert receipt.pixel_count == 35 * 35
    window = plain[5:40, 5:40].copy()
    window[5:15, 5:15] = 0
    assert receipt.pixel_nodata_count == np.isin(window, [0, 27]).sum()


@pytest.mark.parametrize(("dtype", "stray"), [("int16", -5), ("int16", 300), ("int32", 10**6)])
def test_a_stray_value_of_a_wide_type_is_unknown(tmp_path: Path, dtype: str, stray: int) -> None:
    values = class_values(2020).astype(dtype)
    values[10, 10] = stray
    with pytest.raises(RasterError) as caught:
        compute(bind(tmp_path, values, -1), [task(box(5.1, 5.1, 39.9, 39.9))], [2020])
    assert caught.value.details == {"unknown": {str(stray): 1}}


def test_a_corrupt_block_is_an_error_not_a_number(carbon_world: World, tmp_path: Path) -> None:
    source = carbon_world.land_cover.sources["land_cover"]
    cut = tmp_path / "cut.tif"
    content = Path(source.files[0].file.href).read_bytes()
    cut.write_bytes(content[: len(content) // 2])
    file: RasterFile = replace(source.files[0].file, href=str(cut))
    broken = replace(source, files=(replace(source.files[0], file=file),))
    with pytest.raises(RasterError) as caught:
        compute(BoundRunner(LAND_COVER, {"land_cover": broken}), places()[1:2], [2019])
    assert caught.value.code == "RASTER_UNREADABLE"
    assert caught.value.where == str(cut)
