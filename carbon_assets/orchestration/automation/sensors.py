"""The sensors as Dagster sees them; what a tick does stands in their modules and in ``ticks``.

Annotations are not postponed: Dagster reads that of ``store`` as it stands.
"""

from collections.abc import Sequence
from typing import Any

import dagster as dg

from carbon_assets.orchestration.automation import (
    follow_up,
    geometry_edits,
    new_vintages,
    raster_versions,
    uploads,
)
from carbon_assets.orchestration.automation.ticks import (
    follow_up_tick,
    geometry_tick,
    raster_tick,
    vintages_tick,
)
from carbon_assets.orchestration.automation.upload_tick import uploads_tick
from carbon_assets.orchestration.store import CarbonStore

Job = Any
"""A job definition; Dagster has no public name for one whose assets are not resolved yet."""
RUNNING = dg.DefaultSensorStatus.RUNNING
GEOMETRY_SECONDS = 10
RASTER_SECONDS = 60
UPLOAD_SECONDS = 10
VINTAGE_SECONDS = 30
FOLLOW_SECONDS = 15


def geometry_edits_sensor(job: Job, years: Sequence[int]) -> dg.SensorDefinition:
    """Build the sensor of geometry edits.

    Args:
        job: Job of the place × vintage assets.
        years: Vintages of the loaded definitions.
    """

    @dg.sensor(
        name=geometry_edits.SENSOR,
        job=job,
        minimum_interval_seconds=GEOMETRY_SECONDS,
        default_status=RUNNING,
        description=(
            "Follows `geometry_edits`. Tells Dagster of new, changed and removed places, and asks "
            "for runs of exactly the partitions that an edit made stale, as each project's "
            "`staleness_policy` says. Decisions stand in `automation_decisions`."
        ),
    )
    def sensor(
        context: dg.SensorEvaluationContext, store: dg.ResourceParam[CarbonStore]
    ) -> dg.SensorResult:
        return geometry_tick(context, store, years)

    return sensor


def raster_versions_sensor(job: Job, years: Sequence[int]) -> dg.SensorDefinition:
    """Build the sensor of raster versions.

    Args:
        job: Job of the place × vintage assets.
        years: Vintages of the loaded definitions.
    """

    @dg.sensor(
        name=raster_versions.SENSOR,
        job=job,
        minimum_interval_seconds=RASTER_SECONDS,
        default_status=RUNNING,
        description=(
            "Looks whether the files behind the bound addresses are those that were registered, "
            "registers again what changed, and asks for runs of the partitions that rest on it. A "
            "file that is missing holds up its own company alone."
        ),
    )
    def sensor(
        context: dg.SensorEvaluationContext, store: dg.ResourceParam[CarbonStore]
    ) -> dg.SensorResult:
        return raster_tick(context, store, years)

    return sensor


def new_vintages_sensor(job: Job, years: Sequence[int]) -> dg.SensorDefinition:
    """Build the sensor of new vintages.

    Args:
        job: Job of the place × vintage assets.
        years: Vintages of the loaded definitions.
    """

    @dg.sensor(
        name=new_vintages.SENSOR,
        job=job,
        minimum_interval_seconds=VINTAGE_SECONDS,
        default_status=RUNNING,
        description=(
            "Loads the definitions again when projects have years that they lack, and then asks "
            "for what the new years lack."
        ),
    )
    def sensor(
        context: dg.SensorEvaluationContext, store: dg.ResourceParam[CarbonStore]
    ) -> dg.SensorResult:
        return vintages_tick(context, store, years)

    return sensor


def follow_up_sensor(jobs: Sequence[Job], years: Sequence[int]) -> dg.SensorDefinition:
    """Build the sensor that follows runs.

    Args:
        jobs: Job of the project × vintage assets, and job of the marts.
        years: Vintages of the loaded definitions.
    """

    @dg.sensor(
        name=follow_up.SENSOR,
        jobs=list(jobs),
        minimum_interval_seconds=FOLLOW_SECONDS,
        default_status=RUNNING,
        description=(
            "When runs have changed farm metrics, or places have left a project: asks for the "
            "project × vintage partitions whose farms are all up to date, then for the marts that "
            "would change."
        ),
    )
    def sensor(
        context: dg.SensorEvaluationContext, store: dg.ResourceParam[CarbonStore]
    ) -> dg.SensorResult:
        return follow_up_tick(context, store, years)

    return sensor


def uploads_sensor(job: Job) -> dg.SensorDefinition:
    """Build the sensor of uploads.

    Args:
        job: Job that takes them.
    """

    @dg.sensor(
        name=uploads.SENSOR,
        job=job,
        minimum_interval_seconds=UPLOAD_SECONDS,
        default_status=RUNNING,
        description=(
            "Watches `CARBON_INBOX/<company>/<kind>/`. A file that has not changed for two ticks "
            "becomes a row of `uploads`, and a run takes it whole or refuses it with a reason."
        ),
    )
    def sensor(
        context: dg.SensorEvaluationContext, store: dg.ResourceParam[CarbonStore]
    ) -> dg.SensorResult:
        return uploads_tick(context, store)

    return sensor
