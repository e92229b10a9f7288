"""A small world of rasters and places on which the runners are tested."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry import Polygon

from carbon_assets.places.geometry import PlaceGeometry
from carbon_assets.rasters.opening import gdal_session
from carbon_assets.rasters.reader import OpenRasters
from carbon_assets.reference.catalogue import SourceVersion, load_catalogue
from carbon_assets.runners.biomass import BIOMASS
from carbon_assets.runners.bound import BoundRunner
from carbon_assets.runners.compute import PlaceTask, compute_place
from carbon_assets.runners.declaration import Setting
from carbon_assets.runners.land_cover import LAND_COVER
from carbon_assets.runners.receipts import PartitionReceipts, Receipt
from carbon_assets.science.zonal.grid import Lattice, Window
from carbon_assets_tests.rasters.writing import registered, source_version, write
from carbon_assets_tests.science.drawn import MAPBIOMAS, ring

Array = npt.NDArray[Any]

FINE = Lattice("EPSG:4326", MAPBIOMAS, MAPBIOMAS)
COARSE = Lattice("EPSG:4326", 1 / 360, 1 / 360)
CLASS_WINDOW = Window(37_000, -190_000, 200, 240)
"""The class maps: 6.0 by 7.1 km near 51.2° W, 10.0° S."""
CARBON_WINDOW = Window(3_587, -18_436, 24, 28)
"""Coarse cells under all of them."""
VINTAGES = (2019, 2020, 2021)
IDS = np.array([3, 4, 9, 15, 33, 27, 0], dtype=np.uint8)


def class_values(year: int) -> Array:
    """Classes in patches, with cells that were not observed."""
    random = np.random.default_rng(year)
    patches = random.choice(IDS, (20, 24), p=[0.4, 0.2, 0.05, 0.2, 0.1, 0.03, 0.02])
    values = np.repeat(np.repeat(patches, 10, axis=0), 10, axis=1)
    odd = random.random(values.shape) < 0.05
    values[odd] = random.choice(IDS, int(odd.sum()))
    return values


def carbon_values(seed: int = 1, low: int = 0, high: int = 2500) -> Array:
    """Carbon density in tenths of MgC/ha, with nodata."""
    random = np.random.default_rng(seed)
    shape = (CARBON_WINDOW.height, CARBON_WINDOW.width)
    values = random.integers(low, high, shape).astype(np.uint16)
    values[random.random(shape) < 0.05] = 65535
    return values


def class_maps(folder: Path, years: Iterable[int] = VINTAGES, **profile: Any) -> dict[Any, str]:
    """Write the class maps of some years; paths by band and year."""
    folder.mkdir(exist_ok=True)
    return {
        ("class", year): write(
            folder / f"classes_{year}.tif", class_values(year), FINE, CLASS_WINDOW, **profile
        )
        for year in years
    }


def mapbiomas() -> SourceVersion:
    """The catalogue's entry, as for a user's own clips."""
    entry = load_catalogue().get("mapbiomas-brazil", "col-8")
    return entry.with_hrefs({"class": "classes_{vintage}.tif"}, Path())


def hgb() -> SourceVersion:
    """The catalogue's entry of a map of carbon density with its standard errors."""
    return load_catalogue().get("hgb", "2010")


def hgb_maps(folder: Path) -> dict[Any, str]:
    """Write all four bands; paths by band and year."""
    folder.mkdir(exist_ok=True)
    layers = {
        "agb": carbon_values(1),
        "agb_uncertainty": carbon_values(2, 50, 400),
        "bgb": carbon_values(3, 0, 600),
        "bgb_uncertainty": carbon_values(4, 10, 90),
    }
    return {
        (band, 2010): write(folder / f"{band}.tif", values, COARSE, CARBON_WINDOW, nodata=65535)
        for band, values in layers.items()
    }


def dry_matter_version(**fields: Any) -> SourceVersion:
    """A yearly map of dry-matter biomass with a coefficient of variation."""
    bands = [
        {
            "name": "agb",
            "unit": "Mg/ha",
            "pool": "agb",
            "dtype": "float32",
            "uncertainty": {"band": "cv", "meaning": "CV"},
        },
        {"name": "cv", "unit": "%", "scale": 0.01},
    ]
    return source_version(**({"quantity": "biomass", "epoch": 2020, "bands": bands} | fields))


@dataclass
class World:
    """Bound runners and what they made."""

    land_cover: BoundRunner
    biomass: BoundRunner


def world(classes: Mapping[Any, str], carbon: Mapping[Any, str], version: SourceVersion) -> World:
    """Bind both runners."""
    yearly, static = registered(mapbiomas(), classes), registered(version, carbon)
    return World(
        BoundRunner(LAND_COVER, {"land_cover": yearly}),
        BoundRunner(BIOMASS, {"biomass": static, "land_cover": yearly}),
    )


def task(shape: Any, number: int = 1, setting: Setting | None = None) -> PlaceTask:
    """A place drawn in cells of the class maps from their upper left corner, rows downwards."""

    def change(points: Array) -> Array:
        columns, rows = points[:, 0] + CLASS_WINDOW.col, points[:, 1] + CLASS_WINDOW.row
        return np.column_stack([FINE.x(columns), FINE.y(rows)])

    stored = PlaceGeometry.from_geometry(shapely.transform(shape, change))
    return PlaceTask(number, f"place-{number}", stored.wkb, stored.bbox, setting or Setting())


def places() -> list[PlaceTask]:
    """Farms of several shapes, one of them half outside the class maps."""
    random = np.random.default_rng(12)
    centres = [(60, 50, 40), (150, 120, 60), (200, 40, 20), (120, 100, 3), (236, 190, 30)]
    return [
        task(Polygon(ring(random, x, y, radius)), number)
        for number, (x, y, radius) in enumerate(centres, start=1)
    ]


def compute(
    bound: BoundRunner, tasks: Sequence[PlaceTask], vintages: Iterable[int] = VINTAGES
) -> list[PartitionReceipts]:
    """Compute some places, each file opened once."""
    vintages = list(vintages)
    with gdal_session(), OpenRasters() as rasters:
        return [one for place in tasks for one in compute_place(bound, place, vintages, rasters)]


def find(made: PartitionReceipts, metric: str, method: str, stratum: str | None = None) -> Receipt:
    """The one receipt of a metric, method and forest type."""
    wanted = {"forest_type": stratum} if stratum else None
    (found,) = [
        receipt
        for receipt in made.receipts
        if (receipt.metric_code, receipt.aggregate_method) == (metric, method)
        and receipt.stratum_filter == wanted
    ]
    return found


def receipts_of(made: Iterable[PartitionReceipts]) -> dict[tuple[int, int], tuple[Receipt, ...]]:
    """Receipts by place and vintage, for comparing runs that read differently cut files."""
    return {(one.place_id, one.vintage): one.receipts for one in made}
