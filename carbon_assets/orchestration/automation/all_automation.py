"""Everything that automation adds to the definitions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from carbon_assets.marts.models import load_models
from carbon_assets.orchestration.automation.annual_run import add_vintage_job, annual_schedule
from carbon_assets.orchestration.automation.requests import (
    MARTS_JOB,
    PLACES_JOB,
    PROJECTS_JOB,
    selection,
)
from carbon_assets.orchestration.automation.sensors import (
    follow_up_sensor,
    geometry_edits_sensor,
    new_vintages_sensor,
    raster_versions_sensor,
    uploads_sensor,
)
from carbon_assets.orchestration.automation.take_uploads import take_uploads_job
from carbon_assets.orchestration.names import mart_key
from carbon_assets.provenance.graph import PLACE_ASSETS, PROJECT_ASSETS


@dataclass(frozen=True)
class Automation:
    """Jobs, sensors and schedules.

    Attributes:
        jobs: What sensors and schedules start.
        sensors: All of them run by default.
        schedules: The annual run.
    """

    jobs: list[Any]
    sensors: list[dg.SensorDefinition]
    schedules: list[dg.ScheduleDefinition]


def build_automation(years: Sequence[int]) -> Automation:
    """Build everything that runs by itself.

    Args:
        years: Vintages of the definitions that are being built.
    """
    places = dg.define_asset_job(
        PLACES_JOB,
        selection=selection(PLACE_ASSETS),
        description="Brings place × vintage partitions up to date that a change made stale.",
    )
    projects = dg.define_asset_job(
        PROJECTS_JOB,
        selection=selection(PROJECT_ASSETS),
        description="Brings project × vintage partitions up to date after their farms.",
    )
    marts = dg.define_asset_job(
        MARTS_JOB,
        selection=[mart_key(model.name) for model in load_models().models],
        description="Makes the marts again that would change.",
    )
    uploads, annual = take_uploads_job(), add_vintage_job()
    return Automation(
        jobs=[places, projects, marts, uploads, annual],
        sensors=[
            geometry_edits_sensor(places, years),
            raster_versions_sensor(places, years),
            new_vintages_sensor(places, years),
            follow_up_sensor([projects, marts], years),
            uploads_sensor(uploads),
        ],
        schedules=[annual_schedule(annual)],
    )
