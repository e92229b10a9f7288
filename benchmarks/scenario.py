"""A generated portfolio for the benchmark: farms, yearly class maps, one biomass map.

Everything follows from one seed, so two runs work on the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
import shapely
from rasterio.transform import from_origin

from carbon_assets.places.geometry import PlaceGeometry
from carbon_assets.rasters.header import read_header
from carbon_assets.rasters.reader import RasterFile
from carbon_assets.rasters.registered import RegisteredSource, SourceFile
from carbon_assets.reference.catalogue import SourceVersion, load_catalogue
from carbon_assets.runners.biomass import BIOMASS
from carbon_assets.runners.bound import BoundRunner
from carbon_assets.runners.compute import PlaceTask
from carbon_assets.runners.declaration import Setting
from carbon_assets.runners.land_cover import LAND_COVER

SEED = 20240229
CELL = 0.0002694945852358564
"""Cell size of MapBiomas Brazil, about 30 m."""
FIRST_COLUMN, FIRST_ROW = -190_000, 30_000
"""Where the grid lies on the MapBiomas lattice: 51.2° W, 8.1° S."""
CLASSES = np.array([3, 4, 6, 9, 15, 33], dtype=np.uint8)
"""Class ids of six strata: natural, savanna and floodable forest, plantation, pasture, water."""
NODATA = 65535
SCALE = 0.1


@dataclass(frozen=True)
class Size:
    """How large the scenario is.

    Attributes:
        cells: Rows and columns of the grid.
        farms: Number of farms.
        vintages: Number of class maps.
        hectares: Area of all farms together.
    """

    cells: int
    farms: int
    vintages: int
    hectares: float


FULL = Size(cells=8000, farms=200, vintages=10, hectares=300_000.0)
QUICK = Size(cells=2000, farms=24, vintages=4, hectares=36_000.0)


@dataclass(frozen=True)
class Scenario:
    """The generated portfolio.

    Attributes:
        places: The farms.
        vintages: Years of the class maps.
        class_maps: Path of the class map by year.
        biomass_map: Path of the biomass map.
        land_cover: The land cover runner, bound to the class maps.
        biomass: The biomass runner, bound to both.
    """

    places: list[PlaceTask]
    vintages: list[int]
    class_maps: dict[int, str]
    biomass_map: str
    land_cover: BoundRunner
    biomass: BoundRunner


def build(folder: Path, size: Size, block: int) -> Scenario:
    """Write the rasters into a folder and bind the runners to them."""
    random = np.random.default_rng(SEED)
    vintages = list(range(2013, 2013 + size.vintages))
    ground = _patches(random, size.cells)
    class_maps: dict[int, str] = {}
    for vintage in vintages:
        changed = ground + 0.04 * _patches(random, size.cells)
        ids = CLASSES[np.clip((changed * 6.2).astype(np.int64), 0, 5)]
        class_maps[vintage] = _write(folder / f"classes_{vintage}.tif", ids, block, None)
    carbon = (ground * 1400 + random.integers(0, 200, ground.shape)).astype(np.uint16)
    carbon[random.random(carbon.shape) < 0.02] = NODATA
    biomass_map = _write(folder / "carbon_2010.tif", carbon, block, NODATA)
    catalogue = load_catalogue()
    classes = catalogue.get("mapbiomas-brazil", "col-8")
    yearly = registered(classes, {("class", year): path for year, path in class_maps.items()})
    static = registered(_carbon_version(), {("agb", 2010): biomass_map})
    return Scenario(
        places=_farms(random, size),
        vintages=vintages,
        class_maps=class_maps,
        biomass_map=biomass_map,
        land_cover=BoundRunner(LAND_COVER, {"land_cover": yearly}),
        biomass=BoundRunner(BIOMASS, {"biomass": static, "land_cover": yearly}),
    )


def _patches(random: np.random.Generator, cells: int) -> npt.NDArray[np.float32]:
    """A field in [0, 1) with patches of many sizes, as land has."""
    field = np.zeros((cells, cells), dtype=np.float32)
    weight = 0.0
    for patch, share in ((400, 0.4), (80, 0.3), (16, 0.25), (1, 0.05)):
        count = -(-cells // patch)
        coarse = random.random((count, count), dtype=np.float32)
        grown = np.repeat(np.repeat(coarse, patch, axis=0), patch, axis=1)
        field += share * grown[:cells, :cells]
        weight += share
    return field / np.float32(weight)


def _write(path: Path, values: npt.NDArray[Any], block: int, nodata: int | None) -> str:
    height, width = values.shape
    profile: dict[str, Any] = {
        "driver": "GTiff",
        "dtype": values.dtype.name,
        "count": 1,
        "height": height,
        "width": width,
        "crs": "EPSG:4326",
        "transform": from_origin(FIRST_COLUMN * CELL, -FIRST_ROW * CELL, CELL, CELL),
        "tiled": True,
        "blockxsize": block,
        "blockysize": block,
        "compress": "deflate",
        "num_threads": "all_cpus",
    }
    with rasterio.open(path, "w", nodata=nodata, **profile) as out:
        out.write(values, 1)
    return str(path)


def _carbon_version() -> SourceVersion:
    band = {"name": "agb", "pool": "agb", "unit": "MgC/ha", "nodata": [NODATA], "scale": SCALE}
    return SourceVersion.model_validate(
        {
            "key": "benchmark-carbon",
            "family": "benchmark",
            "title": "Generated carbon density",
            "licence": "none",
            "citation": "generated",
            "version": "1",
            "quantity": "carbon_density",
            "epoch": 2010,
            "bands": [band],
        }
    )


def registered(version: SourceVersion, paths: dict[tuple[str, int], str]) -> RegisteredSource:
    """Register files as the store would, by (band, year)."""
    files = []
    for number, ((band, year), path) in enumerate(paths.items(), start=1):
        with rasterio.open(path) as dataset:
            header = read_header(dataset, 1, path)
        lattice = header.lattice(version)
        files.append(
            SourceFile(
                band=band,
                year=year,
                tile=None,
                file=RasterFile(
                    asset_id=number,
                    href=path,
                    index=1,
                    content_hash=f"sha256:{number:064x}",
                    lattice=lattice,
                    window=header.window(lattice),
                    dtype=header.dtype,
                    nodata=header.nodata,
                    block=(header.block_height, header.block_width),
                ),
            )
        )
    return RegisteredSource(1, version, tuple(files))


def _farms(random: np.random.Generator, size: Size) -> list[PlaceTask]:
    """Irregular outlines of 40 to 200 vertices, of mean area ``hectares / farms``."""
    shares = random.lognormal(0.0, 0.5, size.farms)
    areas = shares / shares.sum() * size.hectares
    return [_farm(random, number, area, size) for number, area in enumerate(areas, start=1)]


def _farm(random: np.random.Generator, number: int, hectares: float, size: Size) -> PlaceTask:
    radius = np.sqrt(hectares * 1e4 / np.pi) / 29.7
    count = int(random.integers(40, 200))
    angle = np.sort(random.random(count)) * 2.0 * np.pi
    reach = radius * (1.0 + 0.25 * np.sin(3 * angle + number) + random.uniform(-0.1, 0.1, count))
    column, row = random.uniform(2.0 * radius, size.cells - 2.0 * radius, 2)
    x = (FIRST_COLUMN + column + reach * np.cos(angle)) * CELL
    y = -(FIRST_ROW + row + reach * np.sin(angle)) * CELL
    stored = PlaceGeometry.from_geometry(shapely.Polygon(np.column_stack([x, y])))
    return PlaceTask(number, f"farm-{number:03d}", stored.wkb, stored.bbox, Setting())
