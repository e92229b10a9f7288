"""Files that do not hold what their header promises, and hashes of their bytes."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
import rasterio

from carbon_assets.errors import RasterError
from carbon_assets.rasters import integrity
from carbon_assets.rasters.hashing import content_hash, file_stamp
from carbon_assets.rasters.integrity import check_integrity
from carbon_assets.rasters.opening import open_raster
from carbon_assets.reference.legend import load_legend
from carbon_assets.science.zonal.grid import Lattice, Window
from carbon_assets_tests.rasters.writing import write

LATTICE = Lattice("EPSG:4326", 0.25, 0.25)
WINDOW = Window(0, 0, 64, 64)
LEGEND = load_legend("mapbiomas-brazil-col-8")


@pytest.fixture
def classes() -> np.ndarray:
    return np.random.default_rng(1).choice(np.array([3, 4, 15, 33], dtype=np.uint8), (64, 64))


def check(path: str, *, legend: bool = True) -> None:
    with open_raster(path) as dataset:
        size = Path(path).stat().st_size
        check_integrity(dataset, 1, path, size, LEGEND if legend else None)


def test_a_sound_file_passes(tmp_path: Path, classes: np.ndarray) -> None:
    classes[0, 0] = 255
    check(write(tmp_path / "a.tif", classes, LATTICE, WINDOW, compress="deflate", nodata=255))


@pytest.mark.parametrize("full_check", [True, False])
def test_a_truncated_file_is_refused(
    tmp_path: Path, classes: np.ndarray, full_check: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a.tif", classes, LATTICE, WINDOW)
    os.truncate(path, Path(path).stat().st_size - 300)
    if not full_check:
        monkeypatch.setattr(integrity, "FULL_CHECK_BYTES", 0)
    with pytest.raises(RasterError) as caught:
        check(path)
    assert caught.value.code == "RASTER_TRUNCATED"
    assert caught.value.where == path


def test_a_corrupt_block_is_refused(tmp_path: Path, classes: np.ndarray) -> None:
    path = write(tmp_path / "a.tif", classes, LATTICE, WINDOW, compress="deflate")
    with rasterio.open(path) as dataset:
        offset = int(dataset.get_tag_item("BLOCK_OFFSET_2_1", "TIFF", bidx=1))
    with Path(path).open("r+b") as file:
        file.seek(offset)
        file.write(b"\x00" * 40)
    with pytest.raises(RasterError) as caught:
        check(path)
    assert caught.value.code == "RASTER_UNREADABLE"


def test_an_unknown_class_is_named_with_its_count(tmp_path: Path, classes: np.ndarray) -> None:
    classes[3, 5:9] = 77
    path = write(tmp_path / "a.tif", classes, LATTICE, WINDOW)
    with pytest.raises(RasterError) as caught:
        check(path)
    assert caught.value.code == "UNKNOWN_CLASS"
    assert caught.value.details == {"unknown": {"77": 4}}
    assert "77 (4 cells)" in caught.value.what
    check(path, legend=False)


def test_an_id_that_the_catalogue_declares_nodata_is_known(
    tmp_path: Path, classes: np.ndarray
) -> None:
    classes[3, 5:9] = 77
    path = write(tmp_path / "a.tif", classes, LATTICE, WINDOW)
    with open_raster(path) as dataset:
        check_integrity(dataset, 1, path, Path(path).stat().st_size, LEGEND, [77.0])


def test_other_formats_and_missing_files_are_refused(tmp_path: Path) -> None:
    text = tmp_path / "a.tif"
    text.write_text("not a raster")
    with pytest.raises(RasterError) as caught:
        open_raster(str(text))
    assert caught.value.code == "RASTER_UNREADABLE"
    with pytest.raises(RasterError) as caught:
        open_raster(str(tmp_path / "b.tif"))
    assert caught.value.code == "RASTER_MISSING"
    with pytest.raises(RasterError) as caught:
        file_stamp(str(tmp_path / "b.tif"))
    assert caught.value.code == "RASTER_MISSING"


def test_only_geotiffs_are_opened(tmp_path: Path, classes: np.ndarray) -> None:
    path = str(tmp_path / "a.png")
    with rasterio.open(path, "w", driver="PNG", height=64, width=64, count=1, dtype="uint8") as out:
        out.write(classes, 1)
    with pytest.raises(RasterError) as caught:
        open_raster(path)
    assert caught.value.code == "RASTER_UNREADABLE"


def test_a_hash_is_of_the_bytes(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_bytes(b"x" * 3_000_000)
    other.write_bytes(one.read_bytes())
    os.utime(other, (0, 0))
    assert content_hash(str(one)) == "sha256:" + hashlib.sha256(b"x" * 3_000_000).hexdigest()
    assert content_hash(str(one)) == content_hash(str(other))
    before = file_stamp(str(other))
    other.write_bytes(b"x" * 2_999_999 + b"y")
    assert content_hash(str(one)) != content_hash(str(other))
    assert file_stamp(str(other)) != before
