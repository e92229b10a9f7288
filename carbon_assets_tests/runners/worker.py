"""What a worker process of a pool does: bind the rasters itself, compute one place."""

from __future__ import annotations

from pathlib import Path

from carbon_assets.runners.bound import BoundRunner
from carbon_assets.runners.receipts import PartitionReceipts
from carbon_assets_tests.runners.world import VINTAGES, World, compute, hgb, places, world

NAMES = ["land_cover", "biomass"]
"""Runners of the world; those on maps of change go through the same reducer."""


def bound_of(one: World, name: str) -> BoundRunner:
    """The bound runner of a name."""
    return {"land_cover": one.land_cover, "biomass": one.biomass}[name]


def compute_in_worker(folder: str, number: int) -> dict[str, list[PartitionReceipts]]:
    """Receipts of one place by runner, from rasters in a folder."""
    paths = Path(folder)
    classes = {("class", year): str(paths / f"classes_{year}.tif") for year in VINTAGES}
    bands = ("agb", "agb_uncertainty", "bgb", "bgb_uncertainty")
    carbon = {(band, 2010): str(paths / f"{band}.tif") for band in bands}
    one = world(classes, carbon, hgb())
    chosen = [place for place in places() if place.place_id == number]
    return {name: compute(bound_of(one, name), chosen) for name in NAMES}
