"""Writing receipts, metrics and history: many rows at once, in the caller's transaction."""

from __future__ import annotations

import hashlib
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
from carbon_assets.provenance.world import CompanyWorld, Place
from carbon_assets.rasters.reader import RasterFile
from carbon_assets.runners.bound import BoundRunner
from carbon_assets.runners.receipts import PartitionReceipts, Read, Receipt
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
    import scipy
    import shapely

    return {
        "gdal": rasterio.__gdal_version__,
        "geos": shapely.geos_version_string,
        "numpy": numpy.__version__,
        "proj": pyproj.proj_version_str,
        "scipy": scipy.__version__,
    }


def write_receipts(
    connection: Connection,
    world: CompanyWorld,
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
        shared = _shared(bound, world.places[step.subject_id], step, now)
        for receipt, read in zip(one.receipts, one.read, strict=True):
            row = next(ids)
            rows.append((row, *shared, *_files_read(files, read), *_own(receipt)))
            inputs += [(row, asset_id, role) for asset_id, role in read]
    copy_rows(connection, RasterAggregate, _RECEIPT_COLUMNS, rows)
    copy_rows(
        connection, RasterAggregateInput, ["raster_aggregate_id", "raster_asset_id", "role"], inputs
    )
    return {(one.place_id, one.vintage): len(one.receipts) for one in made}


def _files(bound: BoundRunner) -> dict[int, RasterFile]:
    return {f.file.asset_id: f.file for s in bound.sources.values() for f in s.files}


def _files_read(files: Mapping[int, RasterFile], read: Read) -> tuple[list[str], str]:
    """Addresses of all files that took part, and the hash of those that hold the value.

    The hash of several tiles is that of their hashes, one a line, in ascending order.
    """
    hrefs = sorted({files[asset_id].href for asset_id, _ in read})
    hashes = sorted({files[asset_id].content_hash for asset_id, role in read if role == "value"})
    if len(hashes) == 1:
        return hrefs, hashes[0]
    return hrefs, f"sha256:{hashlib.sha256(chr(10).join(hashes).encode()).hexdigest()}"


_SHARED_COLUMNS = [
    "company_id",
    "raster_source_id",
    "raster_version",
    "geometry_kind",
    "geometry_id",
    "geometry_version",
    "vintage_year",
    "code_version",
    "runner_key",
    "computed_at",
    "inputs_fingerprint",
]
_FILE_COLUMNS = ["raster_asset_hrefs", "raster_asset_hash"]
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
_RECEIPT_COLUMNS = ["id", *_SHARED_COLUMNS, *_FILE_COLUMNS, *_OWN_COLUMNS]


def _shared(bound: BoundRunner, place: Place, step: Step, now: datetime) -> tuple[Any, ...]:
    source = bound.value_source
    return (
        step.company_id,
        source.source_id,
        source.version.version,
        place.kind,
        place.id,
        place.geometry_hash,
        step.vintage,
        code_version(),
        bound.runner_key,
        now,
        as_text(step.fingerprint),
    )


def _own(receipt: Receipt) -> tuple[Any, ...]:
    own = {**receipt._asdict(), "context": {**receipt.context, "libraries": libraries()}}
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
            head = (row, step.company_id, step.subject_id, step.vintage)
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
            "subject_id",
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
                step.subject_id,
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
