"""The small company with its class maps on a server, and what is computed from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sqlalchemy import text

from carbon_assets.provenance.expectation import expect
from carbon_assets.provenance.materialize import Outcome, materialize
from carbon_assets.provenance.status import stale_partitions
from carbon_assets.provenance.world import CompanyWorld, load_companies
from carbon_assets.store.database import Database
from carbon_assets.store.engines import transaction
from carbon_assets_tests.intake.company import SIZE, Files, write_raster
from carbon_assets_tests.provenance.chain import LAND_COVER
from carbon_assets_tests.rasters.conftest import Bucket, Web

YEARS = (2016, 2017)
CLASSES = np.array([3, 4, 15, 33], dtype=np.uint8)
NOT_COMPARED = {"id", "raster_source_id", "run_id", "computed_at", "company_id"}
"""Columns that say when and as which row a receipt was written, not what it says."""
WHERE_READ = "raster_asset_hrefs"
"""The one column that says where the raster lies."""


def draw_maps(files: Files, cells: int = SIZE, **profile: Any) -> None:
    """Write tiled class maps whose every cell is drawn."""
    options = {"tiled": True, "blockxsize": 256, "blockysize": 256, "compress": "deflate"} | profile
    for year in YEARS:
        values = np.random.default_rng(year).choice(CLASSES, (cells, cells))
        write_raster(files.folder / f"map_{year}.tif", values, **options)


def serve_maps(files: Files, server: Web | Bucket) -> None:
    """Put the class maps on a server and name them there in the portfolio."""
    for year in YEARS:
        server.put(f"map_{year}.tif", (files.folder / f"map_{year}.tif").read_bytes())
    files.portfolio["sources"]["land_cover"]["hrefs"] = {"class": server.href("map_{vintage}.tif")}
    files.save()


def load(database: Database, company: str = "acme") -> CompanyWorld:
    with transaction(database) as connection:
        (world,) = load_companies(connection, company)
    return world


def compute(database: Database, places: set[str] | None = None) -> list[Outcome]:
    """Compute the land cover of some places, or all, in every vintage."""
    world = load(database)
    keys = [
        (place.id, year)
        for place in world.places.values()
        for year in place.vintages
        if places is None or place.key in places
    ]
    return [one for chunk in materialize(database, world, LAND_COVER, keys) for one in chunk]


def stale(database: Database) -> set[tuple[str, int, tuple[str, ...]]]:
    """Stale partitions of land cover, with their causes."""
    world = load(database)
    with transaction(database) as connection:
        found = stale_partitions(connection, [world], expect([world]))
    names = {place.id: place.key for place in world.places.values()}
    return {
        (names[one.subject_id], one.vintage, one.causes) for one in found if one.asset == LAND_COVER
    }


def rows(database: Database, query: str) -> list[tuple[Any, ...]]:
    with transaction(database) as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def receipts(database: Database) -> list[Mapping[str, Any]]:
    """Every current receipt, as it would be in any database."""
    query = text(
        "SELECT f.key AS place, r.* FROM current_raster_aggregates AS r"
        " JOIN farms AS f ON f.id = r.geometry_id"
        " ORDER BY f.key, r.vintage_year, r.metric_code, r.aggregate_method,"
        " r.stratum_filter::text NULLS FIRST"
    )
    with transaction(database) as connection:
        found = connection.execute(query).mappings()
        dropped = NOT_COMPARED | {WHERE_READ}
        return [{k: v for k, v in row.items() if k not in dropped} for row in found]
