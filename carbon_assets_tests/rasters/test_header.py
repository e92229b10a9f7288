"""Header facts, and what is said when they are not the catalogue's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.transform import Affine

from carbon_assets.errors import RasterError
from carbon_assets.rasters.header import Header, check_header, read_header
from carbon_assets.reference.catalogue import SourceVersion
from carbon_assets.science.zonal.grid import Lattice, Window
from carbon_assets_tests.rasters.writing import source_version, write

LATTICE = Lattice("EPSG:4326", 0.25, 0.25)
WINDOW = Window(10, -20, 32, 48)


def header_of(path: str, index: int = 1) -> Header:
    with rasterio.open(path) as dataset:
        return read_header(dataset, index, path)


@pytest.fixture
def header(tmp_path: Path) -> Header:
    values = np.zeros((32, 48), dtype=np.int16)
    return header_of(write(tmp_path / "a.tif", values, LATTICE, WINDOW, nodata=-1))


def version(**band: Any) -> SourceVersion:
    stated = {"dtype": "int16", "header_nodata": -1, "nodata": [-1], "pool": "agb"} | band
    return source_version(
        quantity="carbon_density",
        epoch=2010,
        crs="EPSG:4326",
        resolution=[0.25, 0.25],
        origin=[0.0, 0.0],
        bands=[{"name": "agb", "unit": "MgC/ha", **stated}],
    )


def refusal(header: Header, source: SourceVersion) -> RasterError:
    with pytest.raises(RasterError) as caught:
        check_header(header, source, source.band("agb"), "a.tif")
    assert caught.value.code == "HEADER_MISMATCH"
    assert caught.value.where == "a.tif"
    return caught.value


def test_a_header_is_read(header: Header) -> None:
    assert (header.crs, header.dtype, header.nodata) == ("EPSG:4326", "int16", -1.0)
    assert (header.height, header.width) == (32, 48)
    assert (header.block_height, header.block_width) == (16, 16)
    assert (header.left, header.top) == (-5.0, -2.5)


def test_a_file_finds_its_place_on_the_lattice(header: Header) -> None:
    source = version()
    assert header.lattice(source) == LATTICE
    assert header.window(header.lattice(source)) == WINDOW


def test_a_fitting_header_passes(header: Header) -> None:
    check_header(header, version(), version().band("agb"), "a.tif")


@pytest.mark.parametrize("nodata", [None, -9999.0, float("nan")])
def test_documents_keep_every_field(header: Header, nodata: float | None) -> None:
    changed = replace(header, nodata=nodata)
    document = changed.as_document()
    assert repr(Header.from_document(document)) == repr(changed)
    assert document["nodata"] == ("nan" if nodata != nodata else nodata)


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("crs", {"crs": "EPSG:4674"}),
        ("dtype", {"dtype": "uint8"}),
        ("nodata", {"nodata": None}),
        ("nodata", {"nodata": 0.0}),
        ("nodata", {"nodata": float("nan")}),
        ("resolution", {"cell_width": 0.2501}),
        ("resolution", {"cell_height": 0.2499}),
        ("origin", {"left": -5.1}),
        ("origin", {"top": -2.4}),
        ("scale", {"scale": 0.1}),
        ("offset", {"offset": 3.0}),
    ],
)
def test_a_mismatch_names_the_field(header: Header, field: str, change: dict[str, Any]) -> None:
    error = refusal(replace(header, **change), version())
    assert error.details["field"] == field
    assert f"`{field}`" in (error.do or "")
    assert error.details["header"] != error.details["catalogue"]


def test_a_scale_in_header_and_catalogue_agree(header: Header) -> None:
    scaled = version(scale=0.1)
    check_header(replace(header, scale=0.1), scaled, scaled.band("agb"), "a.tif")
    check_header(header, scaled, scaled.band("agb"), "a.tif")
    assert refusal(replace(header, scale=0.01), scaled).details["field"] == "scale"


@pytest.mark.parametrize(
    ("stated", "found", "fits"),
    [
        ("none", None, True),
        ("none", 0.0, False),
        (None, 0.0, True),
        (None, None, True),
        ("nan", float("nan"), True),
        ("nan", 0.0, False),
        ("nan", None, False),
        (0, 0.0, True),
    ],
)
def test_nodata_tags(header: Header, stated: Any, found: float | None, fits: bool) -> None:
    source, changed = version(header_nodata=stated), replace(header, nodata=found)
    if fits:
        check_header(changed, source, source.band("agb"), "a.tif")
    else:
        assert refusal(changed, source).details["field"] == "nodata"


def test_a_cell_size_may_be_written_with_fewer_digits(header: Header) -> None:
    # Over 48 columns the fourteenth digit leads nowhere; over a continent it would.
    near = replace(header, cell_width=0.2500001)
    check_header(near, version(), version().band("agb"), "a.tif")
    assert refusal(replace(near, width=200_000), version()).details["field"] == "resolution"


def test_a_class_map_is_made_of_whole_numbers(header: Header) -> None:
    classes = source_version(
        quantity="class_map",
        epoch=2010,
        legend="mapbiomas-brazil-col-8",
        bands=[{"name": "class", "unit": "class"}],
    )
    for dtype in ("float32", "float64"):
        with pytest.raises(RasterError) as caught:
            check_header(replace(header, dtype=dtype), classes, classes.bands[0], "a.tif")
        assert caught.value.details["field"] == "dtype"
    check_header(header, classes, classes.bands[0], "a.tif")


@pytest.mark.parametrize(
    ("field", "crs", "transform", "index"),
    [
        ("crs", None, Affine(1, 0, 5, 0, -1, 5), 1),
        ("transform", "EPSG:4326", Affine(0.1, 0.02, 0, 0.02, -0.1, 0), 1),
        ("transform", "EPSG:4326", Affine(0.1, 0, 0, 0, 0.1, 0), 1),
        ("bands", "EPSG:4326", Affine(1, 0, 5, 0, -1, 5), 2),
    ],
)
def test_unusable_headers_are_refused(
    tmp_path: Path, field: str, crs: str | None, transform: Affine, index: int
) -> None:
    path = str(tmp_path / "odd.tif")
    size = {"count": 1, "height": 4, "width": 4, "dtype": "uint8"}
    with rasterio.open(path, "w", driver="GTiff", crs=crs, transform=transform, **size):
        pass
    with pytest.raises(RasterError) as caught:
        header_of(path, index)
    assert caught.value.code == "HEADER_MISMATCH"
    assert caught.value.details["field"] == field
