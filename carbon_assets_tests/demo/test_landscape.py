import hashlib
import re
from pathlib import Path

import pytest
import rasterio

from carbon_assets.demo.design import load_design
from carbon_assets.demo.landscape import write_landscape
from carbon_assets.demo.publish import published

DESIGN = load_design()
FILES = [
    (name, band, year, pattern.format(year=year))
    for name, product in DESIGN.products.items()
    for band, pattern in product.bands.items()
    for year in (DESIGN.years if "{year}" in pattern else [2014])
]


def snapshot(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_two_copies_have_the_same_bytes(landscape, tmp_path):
    copy = write_landscape(tmp_path / "new" / "copy").parent
    assert snapshot(copy) == snapshot(landscape)


def test_writing_again_touches_nothing_and_leaves_nothing_behind(tmp_path):
    folder = write_landscape(tmp_path).parent
    before = {path: path.stat() for path in folder.rglob("*")}
    write_landscape(folder)
    after = {path: path.stat() for path in folder.rglob("*")}
    assert before.keys() == after.keys()
    files = [path for path in before if path.is_file()]
    assert all(
        (before[p].st_mtime_ns, before[p].st_ino) == (after[p].st_mtime_ns, after[p].st_ino)
        for p in files
    )


def test_a_damaged_file_is_put_right(tmp_path):
    folder = write_landscape(tmp_path).parent
    good = snapshot(folder)
    (folder / "farms.gpkg").write_bytes(b"not a geopackage")
    (folder / "rasters" / "brazil_coverage_2019.tif").unlink()
    write_landscape(folder)
    assert snapshot(folder) == good


def test_nothing_is_published_when_writing_fails(tmp_path):
    (tmp_path / "a.txt").write_text("old")

    def fail_half_way() -> None:
        with published(tmp_path) as scratch:
            (scratch / "a.txt").write_text("new")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        fail_half_way()
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a.txt": "old"}


def test_the_landscape_is_small(landscape):
    assert sum(path.stat().st_size for path in landscape.rglob("*")) < 30e6


@pytest.mark.parametrize(("product", "band", "year", "name"), FILES)
def test_raster_is_a_cog_on_the_designed_grid(landscape, product, band, year, name):
    designed = DESIGN.products[product]
    grid = designed.grid
    with rasterio.open(landscape / name) as dataset:
        assert dataset.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert dataset.compression.name.lower() == designed.compress.lower()
        assert dataset.block_shapes == [(256, 256)]
        assert dataset.overviews(1) == [] or dataset.overviews(1)[0] == 2
        assert bool(dataset.overviews(1)) == (max(dataset.shape) > 256)
        assert (dataset.count, dataset.shape) == (1, (grid.rows, grid.cols))
        assert (dataset.dtypes[0], dataset.nodata) == (designed.dtype, designed.nodata)
        assert dataset.crs.to_epsg() == 4326
        assert dataset.transform.a == -dataset.transform.e == float(grid.cell)
        assert dataset.transform.c / dataset.transform.a == pytest.approx(grid.first_col, abs=1e-9)
        assert dataset.transform.f / dataset.transform.e == pytest.approx(grid.first_row, abs=1e-9)
        found = set(map(int, set(dataset.read(1).ravel().tolist())))
    assert found <= {value for _, value in designed.field(band, year).patches}


def test_overviews_come_before_the_full_resolution_in_the_file(landscape):
    with rasterio.open(landscape / "rasters/brazil_coverage_2019.tif") as dataset:
        full, overview = (
            int(dataset.get_tag_item("BLOCK_OFFSET_0_0", "TIFF", bidx=1, ovr=level))
            for level in (None, 0)
        )
    assert overview < full


def test_farms_file(landscape):
    import geopandas

    farms = geopandas.read_file(landscape / "farms.gpkg")
    assert list(farms.columns) == ["farm_key", "name", "project_key", "biome", "geometry"]
    assert list(farms.farm_key) == [farm.key for farm in DESIGN.farms()]
    assert farms.crs.to_epsg() == 4326
    assert set(farms.geom_type) == {"MultiPolygon"}
    boundaries = geopandas.read_file(landscape / "boundaries.gpkg")
    assert list(boundaries.project_key) == ["north", "south"]


def test_no_clock_in_the_farms_file(landscape):
    import sqlite3

    with sqlite3.connect(f"file:{landscape / 'farms.gpkg'}?mode=ro", uri=True) as database:
        dates = {row[0] for row in database.execute("select last_change from gpkg_contents")}
    assert dates == {"2024-01-01T00:00:00.000Z"}


def test_every_key_of_the_portfolio_is_explained(landscape):
    import yaml

    text = (landscape / "portfolio.yaml").read_text()
    for key in yaml.safe_load(text):
        assert re.search(rf"^#.*\n{key}:", text, flags=re.MULTILINE), key
