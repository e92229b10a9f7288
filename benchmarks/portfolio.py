"""The generated scenario as a user's files: rasters, a vector file, a catalogue, a portfolio.

Everything follows from the seed of :mod:`scenario`, so two runs work on the same bytes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas
import shapely
import yaml
from scenario import NODATA, SCALE, Size, build
from shapely.affinity import scale

BLOCK = 256
COMPANY = "benchmark"
PROJECTS = ("north", "south")
ZONE = {"biome": "amazon", "ecological_zone": "tropical_rainforest_americas"}


def write_portfolio(folder: Path, size: Size, block: int = BLOCK) -> Path:
    """Write the files of a portfolio with farms of two projects.

    Args:
        folder: Where they go.
        size: Grid, farms, vintages and hectares.
        block: Edge of a raster block in cells.

    Returns:
        Path of the portfolio file.
    """
    made = build(folder, size, block)
    write_farms(folder, [shapely.from_wkb(place.wkb) for place in made.places])
    _dump(folder / "carbon.yaml", _carbon(made.biomass_map))
    portfolio = folder / "portfolio.yaml"
    _dump(portfolio, _portfolio(made.vintages))
    return portfolio


def write_farms(folder: Path, shapes: list[Any]) -> None:
    """Write polygons as farms ``farm-00001`` …; the first half belongs to the first project."""
    half = len(shapes) // 2
    table = geopandas.GeoDataFrame(
        {
            "farm_key": [f"farm-{number:05d}" for number in range(1, len(shapes) + 1)],
            "project_key": [PROJECTS[number >= half] for number in range(len(shapes))],
        },
        geometry=shapes,
        crs="EPSG:4326",
    )
    path = folder / "farms.gpkg"
    path.unlink(missing_ok=True)
    table.to_file(path, driver="GPKG", engine="pyogrio", layer="farms")


def edit_farm(folder: Path, number: int, factor: float) -> str:
    """Shrink one farm of the vector file towards its centre; return its key.

    Args:
        folder: Folder of a written portfolio.
        number: Which farm, from 0.
        factor: New length over old length.
    """
    table = geopandas.read_file(folder / "farms.gpkg")
    shapes = list(table.geometry)
    shapes[number] = scale(shapes[number], factor, factor)
    write_farms(folder, shapes)
    return str(table["farm_key"][number])


def _portfolio(vintages: list[int]) -> dict[str, Any]:
    return {
        "company": {"key": COMPANY, "name": "Generated"},
        "vintages": f"{vintages[0]}-{vintages[-1]}",
        "catalogue": ["carbon.yaml"],
        "sources": {
            "land_cover": {
                "source": "mapbiomas-brazil",
                "version": "col-8",
                "hrefs": {"class": "classes_{vintage}.tif"},
            },
            "biomass": {"source": "benchmark-carbon", "version": "1"},
        },
        "projects": [{"key": key, "name": key, **ZONE} for key in PROJECTS],
        "places": [
            {"file": "farms.gpkg", "kind": "farm", "key": "farm_key", "project": "project_key"}
        ],
    }


def _carbon(path: str) -> dict[str, Any]:
    band = {
        "name": "agb",
        "href": path,
        "pool": "agb",
        "unit": "MgC/ha",
        "dtype": "uint16",
        "header_nodata": NODATA,
        "nodata": [],
        "scale": SCALE,
    }
    return {
        "key": "benchmark-carbon",
        "family": "benchmark",
        "title": "Generated carbon density",
        "licence": "none",
        "citation": "generated",
        "versions": [
            {"version": "1", "quantity": "carbon_density", "epoch": 2010, "bands": [band]}
        ],
    }


def _dump(path: Path, document: dict[str, Any]) -> None:
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
