"""The schedule of the annual run, and the job that it starts.

Annotations are not postponed: Dagster reads that of ``context`` as it stands.
"""

from typing import Any

import dagster as dg

from carbon_assets.orchestration.assets.failures import explained
from carbon_assets.orchestration.automation import annual
from carbon_assets.orchestration.automation.requests import TAG_PREFIX, shortened
from carbon_assets.orchestration.automation.settings import annual_cron
from carbon_assets.orchestration.store import CarbonStore

ANNUAL_JOB = "add_vintage"
OP = "add"


def add_vintage_job() -> dg.JobDefinition:
    """Build the job that gives a vintage to projects."""

    @dg.op(
        name=OP,
        config_schema={
            "vintage": dg.Field(int, description="The new calendar year"),
            "companies": dg.Field([str], description="Keys of the companies"),
        },
        description=(
            "Looks whether the rasters of the vintage are there, copies remote ones where "
            "`CARBON_MIRROR` names a folder, and adds the vintage to the projects whose newest is "
            "the year before. The sensor new_vintages asks for the runs."
        ),
    )
    def add(context: dg.OpExecutionContext, store: dg.ResourceParam[CarbonStore]) -> None:
        vintage: int = context.op_config["vintage"]
        with explained(store):
            done, left = annual.add_vintage(store, vintage, context.op_config["companies"])
        annual.blocked(store, left, vintage)
        for one in left:
            context.log.warning(f"{one.company}: {one.trouble}")
        context.add_output_metadata(
            {
                "vintage": vintage,
                "projects": shortened(one.object for one in done) or "none",
                "left out": shortened(one.company for one in left) or "none",
            }
        )

    @dg.job(name=ANNUAL_JOB, description="Gives a new calendar year to projects.")
    def job() -> None:
        add()

    return job


def annual_schedule(job: Any) -> dg.ScheduleDefinition:
    """Build the schedule of the annual run.

    Args:
        job: Job that gives a vintage to projects.
    """

    @dg.schedule(
        name=annual.SCHEDULE,
        job=job,
        cron_schedule=annual_cron(),
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=(
            "Once a year, last year becomes a vintage of every project whose newest vintage is "
            "the year before that, if its rasters are there. `CARBON_ANNUAL_CRON` says when; "
            "several dates ask again, and change nothing where it is done."
        ),
    )
    def schedule(
        context: dg.ScheduleEvaluationContext, store: dg.ResourceParam[CarbonStore]
    ) -> dg.RunRequest | dg.SkipReason:
        return annual_tick(context, store)

    return schedule


def annual_tick(
    context: dg.ScheduleEvaluationContext, store: CarbonStore
) -> dg.RunRequest | dg.SkipReason:
    """Evaluate the schedule once; the year follows from the time that was scheduled."""
    when = context.scheduled_execution_time
    vintage = when.year - 1
    found = annual.due(store, vintage)
    troubled = annual.blocked(store, found, vintage)
    ready = [one for one in found if one.trouble is None]
    if not ready:
        reasons = "\n".join(f"{one.company}: {one.reason}" for one in troubled)
        return dg.SkipReason(reasons or f"no project waits for {vintage}")
    companies = [one.company for one in ready]
    tags = {
        "sensor": annual.SCHEDULE,
        "cause": annual.CAUSE,
        "object": shortened(companies),
        "old_version": str(vintage - 1),
        "new_version": str(vintage),
        "projects": shortened(key for one in ready for key in one.projects.values()),
    }
    return dg.RunRequest(
        run_key=f"{annual.SCHEDULE}:{vintage}:{when.date().isoformat()}",
        run_config={"ops": {OP: {"config": {"vintage": vintage, "companies": companies}}}},
        tags={TAG_PREFIX + name: value for name, value in tags.items()},
    )
