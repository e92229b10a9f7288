"""L1: receipts, one asset per runner.

Annotations are not postponed: Dagster reads that of ``context`` as it stands.
"""

import dagster as dg

from carbon_assets.orchestration.assets.partitioned import Yielded, bring_up_to_date
from carbon_assets.orchestration.events import Upstream
from carbon_assets.orchestration.fresh_check import fresh_spec
from carbon_assets.orchestration.metadata import code_references, table_schema
from carbon_assets.orchestration.names import (
    OWNERS,
    PLACE_GEOMETRIES,
    RASTER_POOL,
    RECEIPTS_GROUP,
    families_for,
    receipts_key,
    source_key,
)
from carbon_assets.orchestration.partitions import parse_key
from carbon_assets.orchestration.row_check import CHECK_NAME, schema_of
from carbon_assets.orchestration.store import CarbonStore
from carbon_assets.provenance.expectation import COMPUTE, code_of
from carbon_assets.runners.declaration import Runner


def receipts_asset(runner: Runner, partitions: dg.MultiPartitionsDefinition) -> dg.AssetsDefinition:
    """Build the asset of a runner's receipts.

    Args:
        runner: The declaration of what is computed.
        partitions: Place × vintage.
    """
    key = receipts_key(runner)
    sources = [source_key(family) for family in families_for(runner)]
    upstreams = [
        Upstream(PLACE_GEOMETRIES, reads=lambda partition: (parse_key(partition).place,)),
        *(Upstream(source, reads=None) for source in sources),
    ]

    @dg.asset(
        key=key,
        deps=[
            dg.AssetDep(
                PLACE_GEOMETRIES,
                partition_mapping=dg.MultiToSingleDimensionPartitionMapping("farm"),
            ),
            *sources,
        ],
        partitions_def=partitions,
        group_name=RECEIPTS_GROUP,
        owners=OWNERS,
        kinds={"postgres", "python"},
        code_version=code_of(runner)[:19],
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool=RASTER_POOL,
        description=f"{runner.description} Rows: `raster_aggregates`, which never change.",
        check_specs=[_check(key), fresh_spec(key)],
        metadata={
            "dagster/column_schema": table_schema(schema_of(runner.asset)),
            "dagster/table_name": "public.raster_aggregates",
            "dagster/code_references": code_references(__name__, runner.module, COMPUTE),
        },
    )
    def receipts(
        context: dg.AssetExecutionContext, store: dg.ResourceParam[CarbonStore]
    ) -> Yielded:
        yield from bring_up_to_date(context, store, runner.asset, upstreams)

    return receipts


def _check(key: dg.AssetKey) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        CHECK_NAME,
        asset=key,
        blocking=True,
        description=(
            "Every current receipt of the run's partitions obeys the rules of its column and its "
            "row; classes and strata sum to the whole place. A failure stops what is downstream."
        ),
    )
