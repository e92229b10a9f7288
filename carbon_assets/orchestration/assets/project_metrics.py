"""L2: metrics of projects, over the farm metrics of their farms.

Annotations are not postponed: Dagster reads that of ``context`` as it stands.
"""

import dagster as dg

from carbon_assets.metrics.projects_tables import PROJECT_METRICS as METRICS
from carbon_assets.orchestration.assets.partitioned import Yielded, bring_up_to_date
from carbon_assets.orchestration.events import Upstream
from carbon_assets.orchestration.fresh_check import fresh_spec
from carbon_assets.orchestration.metadata import code_references, table_schema
from carbon_assets.orchestration.names import (
    FARM_METRICS,
    OWNERS,
    PROJECT_METRICS,
    PROJECT_METRICS_GROUP,
)
from carbon_assets.orchestration.partitions import VINTAGE
from carbon_assets.orchestration.row_check import CHECK_NAME
from carbon_assets.orchestration.store import CarbonStore, projects_by_partition
from carbon_assets.provenance.code import code_hash
from carbon_assets.provenance.expectation import SUM_UP
from carbon_assets.provenance.graph import PROJECT_METRICS as ASSET

ALL_FARMS = dg.MultiPartitionMapping(
    {VINTAGE: dg.DimensionPartitionMapping(VINTAGE, dg.IdentityPartitionMapping())}
)
"""What Dagster draws: any farm of the same vintage. Which farms belong to a project is in the
table ``farms``, and staleness follows that."""


def project_metrics_asset(partitions: dg.MultiPartitionsDefinition) -> dg.AssetsDefinition:
    """Build the asset of project metrics.

    Args:
        partitions: Project × vintage.
    """

    @dg.asset(
        key=PROJECT_METRICS,
        deps=[dg.AssetDep(FARM_METRICS, partition_mapping=ALL_FARMS)],
        partitions_def=partitions,
        group_name=PROJECT_METRICS_GROUP,
        owners=OWNERS,
        kinds={"postgres", "python"},
        code_version=code_hash(SUM_UP)[:19],
        backfill_policy=dg.BackfillPolicy.single_run(),
        description=(
            "Areas, forest cover, carbon densities and stocks per project and vintage, over its "
            "active farms. Areas and stocks are sums; densities and shares are ratios of sums. "
            "Farms without data are counted beside the value, never taken as zero. Each metric "
            "names its farm metrics in `project_metric_sources`, each computation its farms in "
            "`project_members`. Rows: `project_metrics`, which never change."
        ),
        check_specs=[
            dg.AssetCheckSpec(
                CHECK_NAME,
                asset=PROJECT_METRICS,
                blocking=True,
                description=(
                    "Every current metric of the run's partitions obeys the rules of its column "
                    "and its row; stocks of the strata sum to that of the whole."
                ),
            ),
            fresh_spec(PROJECT_METRICS),
        ],
        metadata={
            "dagster/column_schema": table_schema(METRICS),
            "dagster/table_name": "public.project_metrics",
            "dagster/code_references": code_references(__name__, SUM_UP),
        },
    )
    def project_metrics(
        context: dg.AssetExecutionContext, store: dg.ResourceParam[CarbonStore]
    ) -> Yielded:
        yield from bring_up_to_date(context, store, ASSET, [_farms(store, context.run)])

    return project_metrics


def _farms(store: CarbonStore, run: dg.DagsterRun) -> Upstream:
    """The farm metrics of a project's members, as they stand when the step starts."""
    companies = store.companies(run)
    members = {
        key: [farm.partition_key for one in companies for farm in one.members(project.id)]
        for key, project in projects_by_partition(companies).items()
    }

    def read(partition: str) -> list[str]:
        project, _, vintage = partition.rpartition("|")
        return [f"{farm}|{vintage}" for farm in members.get(project, ())]

    return Upstream(FARM_METRICS, reads=read)
