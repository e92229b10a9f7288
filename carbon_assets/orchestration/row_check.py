"""The blocking check of an asset: the rows that a run touched obey the rules of their table."""

from __future__ import annotations

from collections.abc import Collection
from itertools import islice
from typing import TYPE_CHECKING, Any

import dagster as dg

from carbon_assets.metrics.projects_tables import PROJECT_METRICS
from carbon_assets.metrics.tables import BIOMASS_RECEIPTS, FARM_METRICS, LAND_COVER_RECEIPTS
from carbon_assets.orchestration.metadata import table_metadata
from carbon_assets.provenance import graph
from carbon_assets.provenance.plan import Key
from carbon_assets.provenance.rows import current_frame
from carbon_assets.runners.all_runners import RUNNERS
from carbon_assets.store.database import Database
from carbon_assets.store.engines import transaction

if TYPE_CHECKING:
    import pandera.pandas as pa

CHECK_NAME = "rows_obey_the_rules"
CHECK_BATCH = 2_000
"""Partitions whose rows are checked together: memory does not grow with the run."""


def schema_of(asset: str) -> pa.DataFrameSchema:
    """Return columns and rules of the rows that an asset writes.

    Args:
        asset: Asset key of project metrics, of farm metrics or of a runner's receipts.
    """
    derived = {graph.FARM_METRICS: FARM_METRICS, graph.PROJECT_METRICS: PROJECT_METRICS}
    if asset in derived:
        return derived[asset]
    histograms = {runner.asset for runner in RUNNERS if runner.histogram_metric}
    return LAND_COVER_RECEIPTS if asset in histograms else BIOMASS_RECEIPTS


def check_result(
    database: Database, asset: str, key: dg.AssetKey, done: Collection[Key]
) -> dg.AssetCheckResult:
    """Check the current rows of some partitions.

    Args:
        database: The database.
        asset: Asset key with slashes.
        key: The same as Dagster's type.
        done: Partitions whose rows are looked at.
    """
    from carbon_assets.metrics.checks import check_metrics, check_receipts
    from carbon_assets.metrics.projects_tables import check_project_metrics

    schema = schema_of(asset)
    derived = {
        graph.FARM_METRICS: check_metrics,
        graph.PROJECT_METRICS: check_project_metrics,
    }
    check = derived.get(asset, check_receipts)
    bad: list[dict[str, Any]] = []
    rows = 0
    ahead = iter(sorted(done))
    while batch := list(islice(ahead, CHECK_BATCH)):
        with transaction(database) as connection:
            frame = current_frame(connection, asset, batch, list(schema.columns))
        rows += len(frame)
        bad += check(frame.astype({n: str(c.dtype) for n, c in schema.columns.items()}))
    return dg.AssetCheckResult(
        check_name=CHECK_NAME,
        asset_key=key,
        passed=not bad,
        description=_verdict(rows, len(bad), len(done)),
        metadata={"rows": rows, "bad rows": table_metadata(bad)} if bad else {"rows": rows},
    )


def _verdict(rows: int, bad: int, partitions: int) -> str:
    found = f"{bad} of {rows:,} rows break a rule" if bad else f"{rows:,} rows obey the rules"
    return f"{found} ({partitions:,} partitions)"
