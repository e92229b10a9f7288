"""The sensors as Dagster sees them; what a tick does stands in their modules and in ``ticks``.

Annotations are not postponed: Dagster reads that of ``store`` as it stands.
"""

from collections.abc import Callable, Sequence
from functools import partial
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
Tick = Callable[[dg.SensorEvaluationContext, CarbonStore], dg.SensorResult]


def geometry_edits_sensor(job: Job, years: Sequence[int]) -> dg.SensorDefinition:
    """Build the sensor of geometry edits.

    Args:
        job: Job of the place × vintage assets.
        years: Vintages of the loaded definitions.
    """
    return _sensor(
        geometry_edits.SENSOR,
        partial(geometry_tick, years=years),
        [job],
        seconds=10,
        description=(
            "Follows `geometry_edits`. Tells Dagster of new, changed and removed places, and asks "
            "for runs of exactly the partitions that an edit made stale, as each project's "
            "`staleness_policy` says. Decisions stand in `automation_decisions`."
        ),
    )


def raster_versions_sensor(job: Job, years: Sequence[int]) -> dg.SensorDefinition:
    """Build the sensor of raster versions.

    Args:
        job: Job of the place × vintage assets.
        years: Vintages of the loaded definitions.
    """
    return _sensor(
        raster_versions.SENSOR,
        partial(raster_tick, years=years),
        [job],
        seconds=60,
        description=(
            "Looks whether the files behind the bound addresses are those that were registered, "
            "registers again what changed, and asks for runs of the partitions that rest on it. A "
            "file that is missing holds up its own company alone."
        ),
    )


def new_vintages_sensor(job: Job, years: Sequence[int]) -> dg.SensorDefinition:
    """Build the sensor of new vintages.

    Args:
        job: Job of the place × vintage assets.
        years: Vintages of the loaded definitions.
    """
    return _sensor(
        new_vintages.SENSOR,
        partial(vintages_tick, years=years),
        [job],
        seconds=30,
        description=(
            "Loads the definitions again when projects have years that they lack, and then asks "
            "for what the new years lack."
        ),
    )


def follow_up_sensor(jobs: Sequence[Job], years: Sequence[int]) -> dg.SensorDefinition:
    """Build the sensor that follows runs.

    Args:
        jobs: Job of the project × vintage assets, and job of the marts.
        years: Vintages of the loaded definitions.
    """
    return _sensor(
        follow_up.SENSOR,
        partial(follow_up_tick, years=years),
        jobs,
        seconds=15,
        description=(
            "When runs have changed farm metrics, or places have left a project: asks for the "
            "project × vintage partitions whose farms are all up to date, then for the marts that "
            "would change."
        ),
    )


def uploads_sensor(job: Job) -> dg.SensorDefinition:
    """Build the sensor of uploads.

    Args:
        job: Job that takes them.
    """
    return _sensor(
        uploads.SENSOR,
        uploads_tick,
        [job],
        seconds=10,
        description=(
            "Watches `CARBON_INBOX/<company>/<kind>/`. A file that has not changed for two ticks "
            "becomes a row of `uploads`, and a run takes it whole or refuses it with a reason."
        ),
    )


def _sensor(
    name: str, tick: Tick, jobs: Sequence[Job], *, seconds: int, description: str
) -> dg.SensorDefinition:
    @dg.sensor(
        name=name,
        jobs=list(jobs),
        minimum_interval_seconds=seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=description,
    )
    def sensor(
        context: dg.SensorEvaluationContext, store: dg.ResourceParam[CarbonStore]
    ) -> dg.SensorResult:
        return tick(context, store)

    return sensor
