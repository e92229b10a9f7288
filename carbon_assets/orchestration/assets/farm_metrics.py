"""L2: farm metrics in canonical units, each linked to its receipts.

Annotations are not postponed: Dagster reads that of ``context`` as it stands.
"""

import dagster as dg

from carbon_assets.metrics.tables import FARM_METRICS as METRICS
from carbon_assets.orchestration.assets.partitioned import Yielded, bring_up_to_date
from carbon_assets.orchestration.events import Upstream
from carbon_assets.orchestration.fresh_check import fresh_spec
from carbon_assets.orchestration.metadata import code_references, table_schema
from carbon_assets.orchestration.names import FARM_METRICS, METRICS_GROUP, OWNERS, receipts_key
from carbon_assets.orchestration.row_check import CHECK_NAME
from carbon_assets.orchestration.store import CarbonStore
from carbon_assets.provenance.code import code_hash
from carbon_assets.provenance.expectation import DERIVE
from carbon_assets.provenance.graph import FARM_METRICS as ASSET
from carbon_assets.runners.all_runners import RUNNERS


def farm_metrics_asset(partitions: dg.MultiPartitionsDefinition) -> dg.AssetsDefinition:
    """Build the asset of farm metrics.

    Args:
        partitions: Place × vintage.
    """
    upstreams = [Upstream(receipts_key(runner)) for runner in RUNNERS]

    @dg.asset(
        key=FARM_METRICS,
        deps=[upstream.key for upstream in upstreams],
        partitions_def=partitions,
        group_name=METRICS_GROUP,
        owners=OWNERS,
        kinds={"postgres", "python"},
        code_version=code_hash(DERIVE)[:19],
        backfill_policy=dg.BackfillPolicy.single_run(),
        description=(
            "Areas, forest cover, carbon densities and stocks per place and vintage, in "
            "canonical units. Each metric names the receipts that it follows from, with their "
            "roles, in `farm_metric_sources`. Rows: `farm_metrics`, which never change."
        ),
        check_specs=[
            dg.AssetCheckSpec(
                CHECK_NAME,
                asset=FARM_METRICS,
                blocking=True,
                description=(
                    "Every current metric of the run's partitions obeys the rules of its column "
                    "and its row; areas of the groups sum to the total, stocks of the strata to "
                    "that of the whole. A failure stops what is downstream."
                ),
            ),
            fresh_spec(FARM_METRICS),
        ],
        metadata={
            "dagster/column_schema": table_schema(METRICS),
            "dagster/table_name": "public.farm_metrics",
            "dagster/code_references": code_references(__name__, DERIVE),
        },
    )
    def farm_metrics(
        context: dg.AssetExecutionContext, store: dg.ResourceParam[CarbonStore]
    ) -> Yielded:
        yield from bring_up_to_date(context, store, ASSET, upstreams)

    return farm_metrics
