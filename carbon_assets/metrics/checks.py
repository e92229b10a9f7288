"""Which rows of a frame are bad, and why: the blocking checks of the assets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd
import pandera.pandas as pa

from carbon_assets.metrics.land_cover import CLASS_HISTOGRAM
from carbon_assets.metrics.row_rules import METRIC_KEY, RECEIPT_KEY
from carbon_assets.metrics.tables import BIOMASS_RECEIPTS, FARM_METRICS, LAND_COVER_RECEIPTS


def check_receipts(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the bad rows of a frame of receipts, each with a reason; empty when all is well.

    Class histograms and statistics may stand in one frame. One dict per row and reason holds
    what tells the row from others, ``value``, ``reason`` and ``column`` (None for a rule of
    whole rows).
    """
    shown = (*RECEIPT_KEY, "value")
    if "aggregate_method" not in frame:
        return failures(BIOMASS_RECEIPTS, frame, shown)
    is_histogram = frame["aggregate_method"] == CLASS_HISTOGRAM
    return [
        *failures(LAND_COVER_RECEIPTS, frame[is_histogram], shown),
        *failures(BIOMASS_RECEIPTS, frame[~is_histogram], shown),
    ]


def check_metrics(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the bad rows of a frame of metrics, each with a reason; empty when all is well.

    See :func:`check_receipts` for their form, with ``value_canonical`` as the value.
    """
    return failures(FARM_METRICS, frame, (*METRIC_KEY, "value_canonical"))


def failures(
    schema: pa.DataFrameSchema, frame: pd.DataFrame, shown: Sequence[str]
) -> list[dict[str, Any]]:
    """Return the rows of a frame that break a schema, each with a reason.

    Args:
        schema: Columns and rules.
        frame: The rows.
        shown: Columns that tell a row from others.
    """
    frame = frame.reset_index(drop=True)
    try:
        schema.validate(frame, lazy=True)
    except pa.errors.SchemaErrors as invalid:
        return _bad_rows(frame, invalid.failure_cases, shown)
    return []


def _bad_rows(
    frame: pd.DataFrame, cases: pd.DataFrame, shown: Sequence[str]
) -> list[dict[str, Any]]:
    known = [name for name in shown if name in frame]
    bad: dict[tuple[Any, ...], dict[str, Any]] = {}
    for case in cases.to_dict("records"):
        row = None if pd.isna(case["index"]) else int(case["index"])
        # pandera lists a rule of whole rows once per column.
        of_column = case["schema_context"] == "Column"
        column = case["column"] if of_column else None
        if row is None:
            facts = {"reason": f"{case['check']}: {case['failure_case']}"}
        else:
            facts = {name: _plain(frame.at[row, name]) for name in known}
            facts["reason"] = str(case["check"])
        bad.setdefault((row, column, facts["reason"]), facts | {"column": column})
    return list(bad.values())


def _plain(value: Any) -> Any:
    """A cell as JSON can hold it."""
    if isinstance(value, dict):
        return value
    if pd.isna(value):
        return None
    value = value.item() if hasattr(value, "item") else value
    return str(value) if value in (math.inf, -math.inf) else value
