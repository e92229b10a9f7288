"""A portfolio that has nothing but a map of change: hectares per year, followed and repeated."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
import rasterio
import yaml
from rasterio.transform import from_origin
from shapely.geometry import box

import carbon_assets_tests
from carbon_assets.science.zonal.area import row_areas
from carbon_assets.science.zonal.grid import Lattice
from carbon_assets.store.database import Database
from carbon_assets_tests.cli.command import carbon, environment

CELL = 0.00027
WEST, NORTH = -62.6, -8.7
CLIP = Path("br-rondonia") / "br-rondonia_prodes_2021_v20220606.tif"
VINTAGES = (2019, 2020, 2021)
CLEARED = {2019: 27, 2020: 29, 2021: 33}
LATE = {2019: 28, 2020: 31, 2021: 34}


@pytest.fixture(autouse=True)
def own_database(fresh_database: Database, tmp_path: Path) -> Iterator[None]:
    with environment(tmp_path / "home", fresh_database):
        yield


def portfolio(folder: Path, raster: Path, farms: geopandas.GeoDataFrame) -> Path:
    farms.to_file(folder / "farms.gpkg")
    document = {
        "company": {"key": "c", "name": "C"},
        "vintages": list(VINTAGES),
        "sources": {
            "deforestation": {
                "source": "prodes",
                "version": "regional-2021",
                "hrefs": {"class": str(raster)},
            }
        },
        "projects": [{"key": "p", "name": "P"}],
        "places": [{"file": "farms.gpkg", "key": "key", "project_is": "p"}],
    }
    path = folder / "portfolio.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return path


def drawn(folder: Path) -> tuple[Path, Any]:
    random = np.random.default_rng(1)
    ids = np.array([1, 2, 3, 17, *CLEARED.values(), *LATE.values(), 32], dtype=np.uint8)
    values = random.choice(ids, (80, 100))
    path = folder / "prodes.tif"
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        dtype="uint8",
        count=1,
        height=80,
        width=100,
        crs="EPSG:4674",
        transform=from_origin(WEST, NORTH, CELL, CELL),
        nodata=255,
    ) as out:
        out.write(values, 1)
    return path, values


def squares(count: int) -> geopandas.GeoDataFrame:
    """Farms of whole cells, side by side, one cell inside the map."""
    side = 98 // count
    shapes = [
        box(
            WEST + (1 + n * side) * CELL,
            NORTH - 79 * CELL,
            WEST + (1 + (n + 1) * side) * CELL,
            NORTH - CELL,
        )
        for n in range(count)
    ]
    keys = [f"farm-{n + 1}" for n in range(count)]
    return geopandas.GeoDataFrame({"key": keys}, geometry=shapes, crs="EPSG:4326")


def value(farm: str, metric: str, vintage: int) -> float | None:
    found = carbon("metrics", "--vintage", str(vintage), "--json").document()
    [row] = [
        one
        for one in found["metrics"]
        if (one["farm"], one["metric"], one["stratum"]) == (farm, metric, None)
    ]
    return None if row["value"] is None else float(row["value"])


def test_hectares_per_year_followed_and_repeated(tmp_path: Path) -> None:
    raster, values = drawn(tmp_path)
    path = portfolio(tmp_path, raster, squares(2))
    done = carbon("run", path, "--json").document()["run"]
    assert set(done["assets"]) == {
        "raster_aggregates/deforestation",
        "farm_metrics",
        "project_metrics",
    }
    lattice = Lattice.from_origin("EPSG:4674", CELL, CELL, WEST, NORTH)
    first = round(-NORTH / CELL)
    area = np.repeat(row_areas(lattice, first, 80)[:, np.newaxis], 100, axis=1) / 1e4
    for vintage in VINTAGES:
        for n in range(2):
            inside = np.s_[1:79, 1 + n * 49 : 1 + (n + 1) * 49]
            for metric, code in (
                ("deforestation_area", CLEARED),
                ("late_detected_deforestation_area", LATE),
            ):
                wanted = area[inside][values[inside] == code[vintage]].sum()
                found = value(f"farm-{n + 1}", metric, vintage)
                assert found == pytest.approx(wanted, rel=1e-6)

    told = carbon("trace", "farm-1", "deforestation_area", "2020").stdout
    assert "prodes" in told
    assert "2019-08-01" in told
    again = carbon("reproduce", "--all", "--json").document()
    assert again["checked"] == again["equal"] == 2 * len(VINTAGES) * 2
    assert carbon("status", "--check", "--json").document()["total"]["stale"] == 0


def test_a_year_beyond_the_map_writes_nothing(tmp_path: Path) -> None:
    raster, _ = drawn(tmp_path)
    path = portfolio(tmp_path, raster, squares(1))
    text = path.read_text(encoding="utf-8").replace("- 2021", "- 2021\n- 2022")
    path.write_text(text, encoding="utf-8")
    error = carbon("run", path, "--json", status=1).document()["error"]
    assert error["code"] == "VINTAGE_UNAVAILABLE"
    assert "2007-2021" in error["what"]


def test_the_real_clip_of_rondonia(tmp_path: Path) -> None:
    beside = Path(carbon_assets_tests.__file__).parents[2] / "shared" / "data"
    raster = Path(os.environ.get("CARBON_SAMPLE_DATA", beside)) / CLIP
    if not raster.is_file():
        pytest.skip("no sample data: set CARBON_SAMPLE_DATA to its folder")
    with rasterio.open(raster) as dataset:
        values, bounds, step = dataset.read(1), dataset.bounds, dataset.transform
        edge = 5 * step.a
        farm = box(bounds.left + edge, bounds.bottom + edge, bounds.right - edge, bounds.top - edge)
    farms = geopandas.GeoDataFrame({"key": ["clip"]}, geometry=[farm], crs="EPSG:4326")
    carbon("run", portfolio(tmp_path, raster, farms), "--json")
    counted = {vintage: int((values == code).sum()) for vintage, code in CLEARED.items()}
    for vintage, cells in counted.items():
        found = value("clip", "deforestation_area", vintage)
        # A cell of 30 m near 8.7 degrees south has some 0.0886 ha; the rim is left out.
        assert found == pytest.approx(cells * 0.0886, rel=0.06)
