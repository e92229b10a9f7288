"""The frames that assets write: their columns, with meaning and unit, and what they obey."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from typing import Any, get_args

import pandas as pd
import pandera.pandas as pa

from carbon_assets.metrics import row_rules
from carbon_assets.metrics.land_cover import CLASS_HISTOGRAM
from carbon_assets.metrics.model import FLAGS, Metric, PartitionMetrics
from carbon_assets.reference.metric_types import load_metric_types
from carbon_assets.runners.declaration import Method
from carbon_assets.runners.receipts import PartitionReceipts, Receipt

RowRule = Callable[[pd.DataFrame], "pd.Series[bool]"]

METRIC_CODES = tuple(load_metric_types())


def receipts_frame(rows: Iterable[PartitionReceipts]) -> pd.DataFrame:
    """Return receipts as a frame with the column names of ``raster_aggregates``."""
    records = [
        (part.place_id, part.vintage, *receipt)
        for part in rows
        for receipt in part.receipts
    ]
    return _frame(records, ["geometry_id", "vintage_year", *Receipt._fields], BIOMASS_RECEIPTS)


def metrics_frame(rows: Iterable[PartitionMetrics]) -> pd.DataFrame:
    """Return metrics as a frame with the column names of ``farm_metrics``, and ``sources``."""
    names = [field.name for field in fields(Metric)]
    records = [
        (part.place_id, part.vintage, *(getattr(metric, name) for name in names))
        for part in rows
        for metric in part.metrics
    ]
    return _frame(records, ["farm_id", "vintage_year", *names], FARM_METRICS)


def _frame(
    records: Sequence[tuple[Any, ...]], names: Sequence[str], schema: pa.DataFrameSchema
) -> pd.DataFrame:
    # One column at a time: pandas would guess other types for an empty or half-empty column.
    columns = zip(*records, strict=True) if records else [()] * len(names)
    return pd.DataFrame(
        {
            name: pd.Series(list(column), dtype=str(schema.columns[name].dtype))
            for name, column in zip(names, columns, strict=True)
        }
    )


def _column(
    dtype: str,
    description: str,
    *checks: pa.Check,
    unit: str | None = None,
    nullable: bool = False,
) -> pa.Column:
    return pa.Column(
        dtype,
        list(checks),
        description=description,
        nullable=nullable,
        metadata={"unit": unit} if unit else None,
    )


def _rows(rule: RowRule) -> pa.Check:
    """A check of whole rows; the first line of the rule's docstring is what it says."""
    # With ignore_na, pandera would take every row with an empty cell for good.
    said = (rule.__doc__ or rule.__name__).splitlines()[0].rstrip(".")
    return pa.Check(rule, name=rule.__name__, error=said, ignore_na=False)


def _one_of(values: Iterable[str], what: str) -> pa.Check:
    return pa.Check.isin(list(values), error=f"Known {what}")


NOT_NEGATIVE = pa.Check.ge(0, error="Not negative")
FINITE = pa.Check(lambda column: column.abs() < float("inf"), error="Finite")
SHARE = pa.Check.in_range(0, 1, error="Between 0 and 1")

_RECEIPT_COLUMNS = {
    "geometry_id": _column("int64", "Place (farms.id)"),
    "vintage_year": _column("int64", "Calendar year the number is for"),
    "metric_code": _column("str", "What was measured", _one_of(METRIC_CODES, "metric")),
    "aggregate_method": _column(
        "str",
        "How cells were combined",
        _one_of([CLASS_HISTOGRAM, *get_args(Method)], "method"),
    ),
    "stratum_filter": _column(
        "object", "Stratum taxonomy terms; empty = the whole place", nullable=True
    ),
    "value": _column(
        "float64",
        "The number in value_unit; empty = no cell has data",
        FINITE,
        NOT_NEGATIVE,
        nullable=True,
    ),
    "value_unit": _column("str", "Unit of value"),
    "histogram": _column("object", "Per class id: hectares and cells", nullable=True),
    "pixel_count": _column("int64", "Touched cells", NOT_NEGATIVE, unit="cells"),
    "pixel_nodata_count": _column(
        "int64", "Touched cells without data", NOT_NEGATIVE, unit="cells"
    ),
    "weighted_pixel_count": _column(
        "float64", "Sum of the covered shares of cells", FINITE, NOT_NEGATIVE, unit="cells"
    ),
    "covered_area_ha": _column(
        "float64", "Covered ellipsoidal area", FINITE, NOT_NEGATIVE, unit="ha"
    ),
    "valid_area_ha": _column(
        "float64", "Part of it that has data", FINITE, NOT_NEGATIVE, unit="ha"
    ),
    "uncertainty_pct_ci95": _column(
        "float64",
        "Half-width of the 95 % interval in percent of the value; empty = not stated",
        FINITE,
        NOT_NEGATIVE,
        unit="%",
        nullable=True,
    ),
    "uncertainty_method": _column(
        "str", "Where the uncertainty comes from", _one_of(["raster_layer", "none"], "method")
    ),
    "context": _column("object", "Facts for the reader", nullable=True),
}

_RECEIPT_RULES = (
    row_rules.receipts_unique,
    row_rules.nodata_within_touched,
    row_rules.valid_within_covered,
    row_rules.error_where_stated,
    row_rules.unit_converts,
)

LAND_COVER_RECEIPTS = pa.DataFrameSchema(
    _RECEIPT_COLUMNS,
    checks=[_rows(rule) for rule in (*_RECEIPT_RULES, row_rules.histogram_sums)],
    name="land_cover_receipts",
    description="Class histograms, one per place and vintage",
)

BIOMASS_RECEIPTS = pa.DataFrameSchema(
    _RECEIPT_COLUMNS,
    checks=[
        _rows(rule)
        for rule in (
            *_RECEIPT_RULES,
            row_rules.value_where_data,
            row_rules.strata_stocks_sum,
            row_rules.strata_areas_sum,
        )
    ],
    name="biomass_receipts",
    description="Densities and stocks per place, vintage and stratum",
)

FARM_METRICS = pa.DataFrameSchema(
    {
        "farm_id": _column("int64", "Place (farms.id)"),
        "vintage_year": _column("int64", "Calendar year the number is for"),
        "metric_code": _column("str", "What was measured", _one_of(METRIC_CODES, "metric")),
        "stratum_filter": _column(
            "object", "Stratum taxonomy terms, or a class; empty = the whole place", nullable=True
        ),
        "value_canonical": _column(
            "float64",
            "The number in unit_canonical; empty = unknown",
            FINITE,
            NOT_NEGATIVE,
            nullable=True,
        ),
        "unit_canonical": _column("str", "Canonical unit of the metric"),
        "value_min_canonical": _column(
            "float64", "Lower end of the 95 % interval", FINITE, nullable=True
        ),
        "value_max_canonical": _column(
            "float64", "Upper end of the 95 % interval", FINITE, nullable=True
        ),
        "valid_share": _column(
            "float64", "Area with data by covered area", SHARE, unit="one", nullable=True
        ),
        "flags": _column(
            "object",
            "Reservations",
            pa.Check(
                lambda flags: set(flags) <= set(FLAGS), element_wise=True, error="Known flags"
            ),
        ),
        "source_tag": _column("str", "Readable label of the origin"),
        "raster_aggregate_id": _column("Int64", "The receipt, when it is one", nullable=True),
        "formula": _column("str", "How the value follows from its receipts"),
        "sources": _column("object", "Receipts and their roles"),
    },
    checks=[
        _rows(rule)
        for rule in (
            row_rules.metrics_unique,
            row_rules.unit_canonical,
            row_rules.interval_encloses,
            row_rules.share_within_bounds,
            row_rules.unknown_is_flagged,
            row_rules.linked_to_receipts,
            row_rules.groups_sum_to_total,
            row_rules.pools_sum_to_total,
            row_rules.strata_metrics_sum,
        )
    ],
    name="farm_metrics",
    description="Metrics of a place and vintage in canonical units, linked to their receipts",
)
