"""One function builds what Dagster loads; tests call it with a store of their own."""

from __future__ import annotations

import dagster as dg

from carbon_assets.orchestration.assets.farm_metrics import farm_metrics_asset
from carbon_assets.orchestration.assets.marts import marts_asset
from carbon_assets.orchestration.assets.places import place_geometries_asset
from carbon_assets.orchestration.assets.project_metrics import project_metrics_asset
from carbon_assets.orchestration.assets.raster_aggregates import receipts_asset
from carbon_assets.orchestration.assets.raster_sources import raster_sources_asset
from carbon_assets.orchestration.automation.all_automation import build_automation
from carbon_assets.orchestration.partitions import (
    ANY_VINTAGE,
    place_vintages,
    project_vintages,
)
from carbon_assets.orchestration.store import CarbonStore
from carbon_assets.orchestration.store_resource import store_resource
from carbon_assets.orchestration.upkeep import upkeep_job, upkeep_schedule
from carbon_assets.runners.all_runners import RUNNERS


def build_definitions(store: CarbonStore | None = None) -> dg.Definitions:
    """Return all assets with their resource, and what runs them by itself.

    The years of the partition space are read from the database: those that projects ask for
    when the definitions are built. After a portfolio has added a year, a Dagster UI that is
    already open shows it once its definitions are reloaded.

    Args:
        store: Database and callbacks; by default the database of ``CARBON_HOME`` or
            ``CARBON_DATABASE_URL``.

    Raises:
        StoreError: The database cannot be opened.
    """
    store = store or CarbonStore()
    vintages = store.vintages()
    partitions = place_vintages(vintages)
    automation = build_automation(vintages or ANY_VINTAGE)
    upkeep = upkeep_job()
    return dg.Definitions(
        assets=[
            raster_sources_asset(),
            place_geometries_asset(),
            *(receipts_asset(runner, partitions) for runner in RUNNERS),
            farm_metrics_asset(partitions),
            project_metrics_asset(project_vintages(vintages)),
            marts_asset(),
        ],
        jobs=[*automation.jobs, upkeep],
        sensors=automation.sensors,
        schedules=[*automation.schedules, upkeep_schedule(upkeep)],
        # One process per run: its steps share the database and the decoded blocks.
        executor=dg.in_process_executor,
        resources={
            "store": store_resource(store),
        },
    )
