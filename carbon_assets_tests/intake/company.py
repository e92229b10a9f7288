"""The files of a small company, which a test changes as it likes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import rasterio
import shapely
import yaml
from rasterio.transform import Affine

CELL = 0.001
WEST, NORTH = -52.0, -10.0
SIZE = 60

SOURCES = {
    "key": "own-map",
    "family": "own",
    "title": "A class map of our own",
    "licence": "CC0",
    "citation": "none",
    "versions": [
        {
            "version": "1",
            "quantity": "class_map",
            "crs": "EPSG:4326",
            "resolution": [CELL, CELL],
            "vintages": [2015, 2020],
            "legend": "mapbiomas-brazil-col-10",
            "strata": "mapbiomas-brazil-col-10",
            "bands": [
                {
                    "name": "class",
                    "href": "map_{vintage}.tif",
                    "unit": "class",
                    "dtype": "uint8",
                    "header_nodata": "none",
                    "nodata": [0],
                }
            ],
        }
    ],
}

PORTFOLIO = {
    "company": {"key": "acme", "name": "Acme"},
    "vintages": [2016, 2017],
    "catalogue": ["sources.yaml"],
    "sources": {"land_cover": {"source": "own-map", "version": "1"}},
    "projects": [
        {"key": "red", "name": "Red", "biome": "amazon"},
        {"key": "blue", "name": "Blue", "biome": "cerrado"},
    ],
    "places": [{"file": "farms.geojson", "kind": "farm", "key": "id", "project": "project"}],
}


def square(column: int, row: int, cells: float = 8.0) -> shapely.Polygon:
    """A square of whole cells, counted from the map's corner."""
    x, y = WEST + column * CELL, NORTH - row * CELL
    return shapely.box(x, y - cells * CELL, x + cells * CELL, y)


FARMS: dict[str, tuple[str | None, shapely.Polygon]] = {
    "a": ("red", square(2, 2)),
    "b": ("red", square(20, 2)),
    "c": ("blue", square(40, 40)),
}


@dataclass
class Files:
    """The folder with what belongs in it; :meth:`save` writes the parts that are texts.

    Attributes:
        folder: Where the files lie.
        portfolio: Document of ``portfolio.yaml``.
        sources: Document of ``sources.yaml``.
        farms: Project and polygon by key.
    """

    folder: Path
    portfolio: dict[str, Any] = field(default_factory=dict)
    sources: dict[str, Any] = field(default_factory=dict)
    farms: dict[str, tuple[str | None, shapely.Polygon]] = field(default_factory=dict)

    @classmethod
    def write(cls, folder: Path) -> Files:
        """Write the company as it is at first."""
        folder.mkdir()
        copied = yaml.safe_load(yaml.safe_dump([PORTFOLIO, SOURCES]))
        files = cls(folder, *copied, farms=dict(FARMS))
        for year in (2016, 2017, 2018):
            files.map(year, 3 if year < 2018 else 15)
        files.save()
        return files

    @property
    def path(self) -> Path:
        """The portfolio file."""
        return self.folder / "portfolio.yaml"

    def save(self) -> None:
        """Write portfolio, catalogue and farms."""
        self.path.write_text(yaml.safe_dump(self.portfolio), encoding="utf-8")
        text = yaml.safe_dump(self.sources)
        (self.folder / "sources.yaml").write_text(text, encoding="utf-8")
        write_farms(self.folder / "farms.geojson", self.farms)

    def map(self, year: int, value: int, **profile: Any) -> Path:
        """Write a class map of one class."""
        path = self.folder / f"map_{year}.tif"
        write_raster(path, np.full((SIZE, SIZE), value), **profile)
        return path


def write_raster(path: Path, values: np.ndarray[Any, Any], **profile: Any) -> None:
    """Write a raster with its corner at the company's."""
    options: dict[str, Any] = {
        "driver": "GTiff",
        "dtype": "uint8",
        "crs": "EPSG:4326",
        "transform": Affine(CELL, 0, WEST, 0, -CELL, NORTH),
        "height": values.shape[0],
        "width": values.shape[1],
        "count": 1,
    } | profile
    with rasterio.open(path, "w", **options) as dataset:
        dataset.write(values.astype(options["dtype"]), 1)


def write_farms(path: Path, farms: Mapping[str, tuple[str | None, shapely.Polygon]]) -> None:
    """Write places with the columns ``id`` and ``project``."""
    table = geopandas.GeoDataFrame(
        {"id": list(farms), "project": [project for project, _ in farms.values()]},
        geometry=[polygon for _, polygon in farms.values()],
        crs="EPSG:4326",
    )
    path.unlink(missing_ok=True)
    table.to_file(path, driver="GeoJSON", engine="pyogrio")
