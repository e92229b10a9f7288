"""Asset keys and groups, in the order of the chain."""

from __future__ import annotations

import dagster as dg

from carbon_assets.reference.catalogue import load_catalogue
from carbon_assets.runners.declaration import Runner

SOURCES_GROUP = "l0_raster_sources"
PLACES_GROUP = "l0_places"
RECEIPTS_GROUP = "l1_receipts"
METRICS_GROUP = "l2_farm_metrics"
PROJECT_METRICS_GROUP = "l2_project_metrics"
MARTS_GROUP = "marts"
OWNERS = ["team:carbon-data"]
RASTER_POOL = "raster_reading"
"""Pool of what reads rasters: few runs at a time, see docs/operation.md."""

PLACE_GEOMETRIES = dg.AssetKey("place_geometries")
FARM_METRICS = dg.AssetKey("farm_metrics")
PROJECT_METRICS = dg.AssetKey("project_metrics")
OWN_SOURCES = "own_sources"
"""Family name under which sources of users' own catalogues are shown."""


def source_key(family: str) -> dg.AssetKey:
    """Asset key of a source family."""
    return dg.AssetKey(["raster_sources", family])


def receipts_key(runner: Runner) -> dg.AssetKey:
    """Asset key of a runner's receipts."""
    return dg.AssetKey(["raster_aggregates", runner.name])


def mart_key(model: str) -> dg.AssetKey:
    """Asset key of a SQL model."""
    return dg.AssetKey(["marts", model])


def packaged_families() -> dict[str, tuple[str, set[str]]]:
    """Title and quantity kinds of every source family in the packaged catalogue."""
    families: dict[str, tuple[str, set[str]]] = {}
    for version in load_catalogue():
        _, kinds = families.setdefault(version.family, (version.title, set()))
        kinds.add(version.quantity)
    return dict(sorted(families.items()))


def families_for(runner: Runner) -> list[str]:
    """Source families that may feed a runner, own sources included."""
    wanted = set(runner.accepts) | ({"class_map"} if runner.strata_slot else set())
    packaged = [name for name, (_, kinds) in packaged_families().items() if kinds & wanted]
    return [*packaged, OWN_SOURCES]
