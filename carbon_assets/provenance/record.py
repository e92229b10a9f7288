"""Writing receipts, metrics and history: many rows at once, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection

from carbon_assets.metrics.model import Metric
from carbon_assets.provenance.code import code_version
from carbon_assets.provenance.expectation import asset_ids
from carbon_assets.provenance.fingerprint import as_text
from carbon_assets.provenance.plan import Key, Step
from carbon_assets.runners.bound import BoundRunner
from carbon_assets.runners.receipts import PartitionReceipts, Receipt
from carbon_assets.store.copying import copy_rows, reserve_ids
from carbon_assets.store.models import (
    FarmMetric,
    FarmMetricSource,
    PartitionHistory,
    RasterAggregate,
    RasterAggregateInput,
)


@cache
def libraries() -> dict[str, str]:
    """Versions of the libraries that take part in the numbers."""
    import numpy
    import pyproj
    import rasterio
    import shapely

    return {
        "gdal": rasterio.__gdal_version__,
        "geos": shapely.geos_version_string,
        "numpy": numpy.__version__,
        "proj": pyproj.proj_version_str,
    }


def write_receipts(
    connection: Connection,
    bound: BoundRunner,
    steps: Mapping[Key, Step],
    made: Sequence[PartitionReceipts],
) -> dict[Key, int]:
    """Store the receipts of some partitions; return how many each has."""
    count = sum(len(one.receipts) for one in made)
    ids = iter(reserve_ids(connection, RasterAggregate, count))
    files = _files(bound)
    now = datetime.now(tz=UTC)
    rows: list[tuple[Any, ...]] = []
    inputs: list[tuple[int, int, str]] = []
    for one in made:
        step = steps[one.place_id, one.vintage]
        hrefs = sorted({files[asset_id] for asset_id, _ in one.inputs})
        shared = _shared(bound, step, hrefs, now)
        for receipt in one.receipts:
            row = next(ids)
            rows.append((row, *shared, *_own(receipt)))
            inputs += [(row, asset_id, role) for asset_id, role in one.inputs]
    copy_rows(connection, RasterAggregate, _RECEIPT_COLUMNS, rows)
    copy_rows(
        connection, RasterAggregateInput, ["raster_aggregate_id", "raster_asset_id", "role"], inputs
    )
    return {(one.place_id, one.vintage): len(one.receipts) for one in made}


def _files(bound: BoundRunner) -> dict[int, str]:
    return {f.file.asset_id: f.file.href for s in bound.sources.values() for f in s.files}


_SHARED_COLUMNS = [
    "company_id",
    "raster_source_id",
    "raster_version",
    "raster_asset_hrefs",
    "raster_asset_hash",
    "geometry_kind",
    "geometry_id",
    "geometry_version",
    "vintage_year",
    "code_version",
    "runner_key",
    "computed_at",
    "inputs_fingerprint",
]
_OWN_COLUMNS = [
    "stratum_filter",
    "aggregate_method",
    "metric_code",
    "value",
    "value_unit",
    "histogram",
    "pixel_count",
    "pixel_nodata_count",
    "weighted_pixel_count",
    "covered_area_ha",
    "valid_area_ha",
    "uncertainty_pct_ci95",
    "uncertainty_method",
    "context",
]
_RECEIPT_COLUMNS = ["id", *_SHARED_COLUMNS, *_OWN_COLUMNS]


def _shared(bound: BoundRunner, step: Step, hrefs: list[str], now: datetime) -> tuple[Any, ...]:
    source = bound.value_source
    files = source.files_for(
        source.version.value_bands[0].name,
        step.vintage,
        dict(bound.zone(step.place.setting, step.place.bounds).tiles).get(
            bound.runner.value_slot, ()
        ),
    )
    return (
        step.place.company_id,
        source.source_id,
        source.version.version,
        hrefs,
        files[0].file.content_hash if len(files) == 1 else None,
        step.place.kind,
        step.place.id,
        step.place.geometry_hash,
        step.vintage,
        code_version(),
        bound.runner_key,
        now,
        as_text(step.fingerprint),
    )


def _own(receipt: Receipt) -> tuple[Any, ...]:
    own = {**receipt.__dict__, "context": {**receipt.context, "libraries": libraries()}}
    return tuple(own[name] for name in _OWN_COLUMNS)


_METRIC_COLUMNS = [
    "id",
    "company_id",
    "farm_id",
    "vintage_year",
    "inputs_fingerprint",
    "code_version",
    "computed_at",
    "metric_code",
    "stratum_filter",
    "value_canonical",
    "unit_canonical",
    "value_min_canonical",
    "value_max_canonical",
    "valid_share",
    "flags",
    "source_tag",
    "raster_aggregate_id",
    "formula",
]


def write_metrics(
    connection: Connection, steps: Mapping[Key, Step], made: Mapping[Key, Sequence[Metric]]
) -> dict[Key, int]:
    """Store the farm metrics of some partitions; return how many each has."""
    ids = iter(reserve_ids(connection, FarmMetric, sum(len(one) for one in made.values())))
    now = datetime.now(tz=UTC)
    rows: list[tuple[Any, ...]] = []
    sources: list[tuple[int, int, str]] = []
    for key, metrics in made.items():
        step = steps[key]
        for metric in metrics:
            row = next(ids)
            head = (row, step.place.company_id, step.place.id, step.vintage)
            rows.append((*head, as_text(step.fingerprint), code_version(), now, *_values(metric)))
            sources += [(row, receipt, role) for receipt, role in metric.sources]
    copy_rows(connection, FarmMetric, _METRIC_COLUMNS, rows)
    copy_rows(
        connection, FarmMetricSource, ["farm_metric_id", "raster_aggregate_id", "role"], sources
    )
    return {key: len(metrics) for key, metrics in made.items()}


def _values(metric: Metric) -> tuple[Any, ...]:
    own = {**metric.__dict__, "flags": list(metric.flags)}
    return tuple(own[name] for name in _METRIC_COLUMNS[7:])


def record_history(connection: Connection, steps: Sequence[Step], run_id: str | None) -> None:
    """Say that the steps' computations are current from now on."""
    if not steps:
        return
    assets = asset_ids(connection, {step.asset for step in steps})
    copy_rows(
        connection,
        PartitionHistory,
        [
            "asset_id",
            "farm_id",
            "vintage",
            "geometry_version_id",
            "inputs_id",
            "upstream",
            "fingerprint",
            "cause",
            "run_id",
        ],
        [
            (
                assets[step.asset],
                step.place.id,
                step.vintage,
                step.geometry_version_id,
                step.inputs_id,
                step.upstream,
                step.fingerprint,
                ", ".join(step.causes),
                run_id,
            )
            for step in steps
        ],
    )
