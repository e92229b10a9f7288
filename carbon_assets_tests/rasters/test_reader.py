"""Windows read from one file, from tiles, and from beyond them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from carbon_assets.errors import CatalogueError, RasterError
from carbon_assets.rasters import reader
from carbon_assets.rasters.reader import OpenRasters, RasterFile
from carbon_assets.science.zonal.grid import Lattice, Window
from carbon_assets_tests.rasters.writing import (
    raster_file,
    registered,
    source_version,
    write,
)

LATTICE = Lattice("EPSG:4326", 0.25, 0.25)
WHOLE = Window(-30, 100, 48, 64)
VALUES = np.random.default_rng(2).integers(1, 3000, (48, 64)).astype(np.uint16)


def version(**fields: Any) -> Any:
    band = {"name": "agb", "unit": "MgC/ha"}
    return source_version(**({"quantity": "carbon_density", "epoch": 2010} | fields), bands=[band])


def part(folder: Path, window: Window, name: str) -> RasterFile:
    values = VALUES[window.slices_in(WHOLE)]
    return raster_file(version(), "agb", write(folder / name, values, LATTICE, window))


@pytest.fixture
def tiles(tmp_path: Path) -> tuple[RasterFile, ...]:
    corners = [(-30, 100, 20, 30), (-30, 130, 20, 34), (-10, 100, 28, 30), (-10, 130, 28, 34)]
    return tuple(part(tmp_path, Window(*c), f"{n}.tif") for n, c in enumerate(corners))


def test_a_window_inside_a_file(tmp_path: Path) -> None:
    file = part(tmp_path, WHOLE, "a.tif")
    wanted = Window(-20, 111, 17, 33)
    with OpenRasters() as rasters:
        found, outside = rasters.read([file], wanted)
    assert outside is None
    assert found.dtype == np.uint16
    assert found.tolist() == VALUES[wanted.slices_in(WHOLE)].tolist()


@pytest.mark.parametrize("wanted", [WHOLE, Window(-15, 120, 20, 20), Window(-12, 128, 4, 4)])
def test_tiles_read_as_one_raster(tiles: tuple[RasterFile, ...], wanted: Window) -> None:
    with OpenRasters() as rasters:
        found, outside = rasters.read(tiles, wanted)
    assert outside is None
    assert found.tolist() == VALUES[wanted.slices_in(WHOLE)].tolist()


def test_cells_that_no_file_holds_are_outside_not_zero(tiles: tuple[RasterFile, ...]) -> None:
    wanted = Window(-35, 95, 20, 20)
    with OpenRasters() as rasters:
        found, outside = rasters.read(tiles[1:], wanted)
    assert outside is not None
    held = np.zeros((20, 20), dtype=bool)
    assert (outside == ~held).all()
    with OpenRasters() as rasters:
        found, outside = rasters.read(tiles, wanted)
    assert outside is not None
    held[5:, 5:] = True
    assert (outside == ~held).all()
    assert found[5:, 5:].tolist() == VALUES[:15, :15].tolist()


def test_many_files_share_few_handles(
    tiles: tuple[RasterFile, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "MAX_OPEN", 1)
    with OpenRasters() as rasters:
        for _ in range(2):
            found, _ = rasters.read(tiles, WHOLE)
            assert (found == VALUES).all()


def test_a_block_that_does_not_decode_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", VALUES, LATTICE, WHOLE, compress="lzw")
    file = raster_file(version(), "agb", path)
    content = bytearray(Path(path).read_bytes())
    content[len(content) // 2 :] = b"\xff" * (len(content) - len(content) // 2)
    Path(path).write_bytes(content)
    with OpenRasters() as rasters, pytest.raises(RasterError) as caught:
        rasters.read([file], WHOLE)
    assert caught.value.code == "RASTER_UNREADABLE"
    assert caught.value.where == path


def test_a_source_answers_with_the_files_of_a_year(tmp_path: Path) -> None:
    paths = {
        ("agb", year): write(tmp_path / f"{year}.tif", VALUES + year, LATTICE, WHOLE)
        for year in (2019, 2020)
    }
    source = registered(version(epoch=None, years=[2018, 2019, 2020]), paths)
    assert [f.file.href for f in source.files_for("agb", 2020)] == [paths["agb", 2020]]
    with pytest.raises(RasterError) as caught:
        source.files_for("agb", 2018)
    assert caught.value.code == "RASTER_NOT_REGISTERED"
    with pytest.raises(CatalogueError) as unavailable:
        source.files_for("agb", 2017)
    assert unavailable.value.code == "VINTAGE_UNAVAILABLE"


def test_a_static_source_answers_for_every_year(tmp_path: Path) -> None:
    source = registered(
        version(), {("agb", 2010): write(tmp_path / "a.tif", VALUES, LATTICE, WHOLE)}
    )
    assert source.files_for("agb", 2022) == source.files_for("agb", 2010)
    assert source.manifest(2022) == source.manifest(1999)
    assert source.manifest(2022)[0]["year"] == 2010


def test_a_manifest_tells_contents_and_no_paths(tmp_path: Path) -> None:
    manifests = []
    for folder in ("here", "there"):
        (tmp_path / folder).mkdir()
        path = write(tmp_path / folder / "a.tif", VALUES, LATTICE, WHOLE)
        manifests.append(registered(version(), {("agb", 2010): path}).manifest(2010))
    assert manifests[0] == manifests[1]
    assert "/" not in str(manifests[0])
