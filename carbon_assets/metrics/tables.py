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
        (part.place_id, part.vintage, *receipt) for part in rows for receipt in part.receipts
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


def column(
    dtype: str,
    description: str,
    *checks: pa.Check,
    unit: str | None = None,
    nullable: bool = False,
) -> pa.Column:
    """Return a column with its meaning and, where it has one, its unit."""
    return pa.Column(
        dtype,
        list(checks),
        description=description,
        nullable=nullable,
        metadata={"unit": unit} if unit else None,
    )


def of_rows(rule: RowRule) -> pa.Check:
    """A check of whole rows; the first line of the rule's docstring is what it says."""
    # With ignore_na, pandera would take every row with an empty cell for good.
    said = (rule.__doc__ or rule.__name__).splitlines()[0].rstrip(".")
    return pa.Check(rule, name=rule.__name__, error=said, ignore_na=False)


def _one_of(values: Iterable[str], what: str) -> pa.Check:
    return pa.Check.isin(list(values), error=f"Known {what}")


def known_flags(known: Iterable[str]) -> pa.Check:
    """Return the check that lists of flags name known ones only."""
    names = set(known)
    return pa.Check(lambda flags: set(flags) <= names, element_wise=True, error="Known flags")


NOT_NEGATIVE = pa.Check.ge(0, error="Not negative")
FINITE = pa.Check(lambda column: column.abs() < float("inf"), error="Finite")
SHARE = pa.Check.in_range(0, 1, error="Between 0 and 1")

_RECEIPT_COLUMNS = {
    "geometry_id": column("int64", "Place (farms.id)"),
    "vintage_year": column("int64", "Calendar year the number is for"),
    "metric_code": column("str", "What was measured", _one_of(METRIC_CODES, "metric")),
    "aggregate_method": column(
        "str",
        "How cells were combined",
        _one_of([CLASS_HISTOGRAM, *get_args(Method)], "method"),
    ),
    "stratum_filter": column(
        "object", "Stratum taxonomy terms; empty = the whole place", nullable=True
    ),
    "value": column(
        "float64",
        "The number in value_unit; empty = no cell has data",
        FINITE,
        NOT_NEGATIVE,
        nullable=True,
    ),
    "value_unit": column("str", "Unit of value"),
    "histogram": column("object", "Per class id: hectares and cells", nullable=True),
    "pixel_count": column("int64", "Touched cells", NOT_NEGATIVE, unit="cells"),
    "pixel_nodata_count": column("int64", "Touched cells without data", NOT_NEGATIVE, unit="cells"),
    "weighted_pixel_count": column(
        "float64", "Sum of the covered shares of cells", FINITE, NOT_NEGATIVE, unit="cells"
    ),
    "covered_area_ha": column(
        "float64", "Covered ellipsoidal area", FINITE, NOT_NEGATIVE, unit="ha"
    ),
    "valid_area_ha": column("float64", "Part of it that has data", FINITE, NOT_NEGATIVE, unit="ha"),
    "uncertainty_pct_ci95": column(
        "float64",
        "Half-width of the 95 % interval in percent of the value; empty = not stated",
        FINITE,
        NOT_NEGATIVE,
        unit="%",
        nullable=True,
    ),
    "uncertainty_method": column(
        "str", "Where the uncertainty comes from", _one_of(["raster_layer", "none"], "method")
    ),
    "context": column("object", "Facts for the reader", nullable=True),
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
    checks=[of_rows(rule) for rule in (*_RECEIPT_RULES, row_rules.histogram_sums)],
    name="land_cover_receipts",
    description="Class histograms, one per place and vintage",
)

BIOMASS_RECEIPTS = pa.DataFrameSchema(
    _RECEIPT_COLUMNS,
    checks=[
        of_rows(rule)
        for rule in (
            *_RECEIPT_RULES,
            row_rules.value_where_data,
            row_rules.strata_stocks_sum,
            row_rules.strata_areas_sum,
        )
    ],
    name="biomass_receipts",
    description="Densities, stocks and areas per place, vintage and stratum",
)

FARM_METRICS = pa.DataFrameSchema(
    {
        "farm_id": column("int64", "Place (farms.id)"),
        "vintage_year": column("int64", "Calendar year the number is for"),
        "metric_code": column("str", "What was measured", _one_of(METRIC_CODES, "metric")),
        "stratum_filter": column(
            "object", "Stratum taxonomy terms, or a class; empty = the whole place", nullable=True
        ),
        "value_canonical": column(
            "float64",
            "The number in unit_canonical; empty = unknown",
            FINITE,
            NOT_NEGATIVE,
            nullable=True,
        ),
        "unit_canonical": column("str", "Canonical unit of the metric"),
        "value_min_canonical": column(
            "float64", "Lower end of the 95 % interval", FINITE, nullable=True
        ),
        "value_max_canonical": column(
            "float64", "Upper end of the 95 % interval", FINITE, nullable=True
        ),
        "valid_share": column(
            "float64", "Area with data by covered area", SHARE, unit="one", nullable=True
        ),
        "flags": column(
            "object",
            "Reservations",
            known_flags(FLAGS),
        ),
        "source_tag": column("str", "Readable label of the origin"),
        "raster_aggregate_id": column("Int64", "The receipt, when it is one", nullable=True),
        "formula": column("str", "How the value follows from its receipts"),
        "sources": column("object", "Receipts and their roles"),
    },
    checks=[
        of_rows(rule)
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
