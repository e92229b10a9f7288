"""What holds within and between the rows of a frame; each rule returns True for good rows.

Every function takes a frame and returns a Series of booleans with the frame's index. A rule
between rows marks the row that its others should sum to.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, get_args

import numpy as np
import pandas as pd

from carbon_assets.errors import CatalogueError
from carbon_assets.metrics.carbon import POOL_RULES, TOTAL_RULES
from carbon_assets.metrics.land_cover import TOLERANCE
from carbon_assets.metrics.model import Role, stratum_key
from carbon_assets.reference.legend import Group
from carbon_assets.reference.metric_types import load_metric_types
from carbon_assets.reference.units import convert

RECEIPT_KEY = ("geometry_id", "vintage_year", "metric_code", "aggregate_method", "stratum_filter")
METRIC_KEY = ("farm_id", "vintage_year", "metric_code", "stratum_filter")
PROJECT_KEY = ("project_id", "vintage_year", "metric_code", "stratum_filter")
UNKNOWN_FLAGS = frozenset({"no_data", "pool_missing", "pools_differ"})
"""Flags of a metric without a value."""
GROUP_AREAS = frozenset(f"{group}_area" for group in get_args(Group))


def valid_within_covered(frame: pd.DataFrame) -> pd.Series[bool]:
    """Area with data is a part of the covered area."""
    return frame["valid_area_ha"] <= frame["covered_area_ha"] * (1 + TOLERANCE)


def nodata_within_touched(frame: pd.DataFrame) -> pd.Series[bool]:
    """Cells without data are among the touched cells."""
    return frame["pixel_nodata_count"] <= frame["pixel_count"]


def value_where_data(frame: pd.DataFrame) -> pd.Series[bool]:
    """There is a value exactly where some cell has data."""
    return frame["value"].notna() == (frame["pixel_nodata_count"] < frame["pixel_count"])


def error_where_stated(frame: pd.DataFrame) -> pd.Series[bool]:
    """There is an uncertainty exactly where its method is not 'none'."""
    return frame["uncertainty_pct_ci95"].notna() == (frame["uncertainty_method"] != "none")


def unit_converts(frame: pd.DataFrame) -> pd.Series[bool]:
    """The unit measures what the metric measures."""
    pairs = set(zip(frame["metric_code"], frame["value_unit"], strict=True))
    good = {pair for pair in pairs if _converts(*pair)}
    return _each(frame, ("metric_code", "value_unit"), lambda *pair: pair in good)


def histogram_sums(frame: pd.DataFrame) -> pd.Series[bool]:
    """Hectares of the classes, and those beyond the raster, sum to value and covered area."""
    return _each(frame, ("histogram", "context", "value", "covered_area_ha"), _histogram_sums)


def receipts_unique(frame: pd.DataFrame) -> pd.Series[bool]:
    """No computation has two rows."""
    return _unique(frame, RECEIPT_KEY)


def strata_stocks_sum(frame: pd.DataFrame) -> pd.Series[bool]:
    """Stocks of the strata sum to the stock of the whole place."""
    stocks = frame[frame["aggregate_method"] == "sum"]
    return _strata_sum(frame, stocks, RECEIPT_KEY[:4], "value")


def strata_areas_sum(frame: pd.DataFrame) -> pd.Series[bool]:
    """Covered and valid areas of the strata sum to those of the whole place."""
    covered = _strata_sum(frame, frame, RECEIPT_KEY[:4], "covered_area_ha")
    return covered & _strata_sum(frame, frame, RECEIPT_KEY[:4], "valid_area_ha")


def metrics_unique(frame: pd.DataFrame) -> pd.Series[bool]:
    """No metric has two rows."""
    return _unique(frame, METRIC_KEY)


def unit_canonical(frame: pd.DataFrame) -> pd.Series[bool]:
    """The unit is the canonical unit of the metric."""
    units = {code: metric.unit for code, metric in load_metric_types().items()}
    return frame["unit_canonical"] == frame["metric_code"].map(units)


def interval_encloses(frame: pd.DataFrame) -> pd.Series[bool]:
    """Both ends of the interval or none; they enclose the value."""
    low, high = frame["value_min_canonical"], frame["value_max_canonical"]
    value = frame["value_canonical"]
    return (low.isna() & high.isna()) | ((low <= value) & (value <= high))


def share_within_bounds(frame: pd.DataFrame) -> pd.Series[bool]:
    """A percentage lies between 0 and 100."""
    return (frame["unit_canonical"] != "%") | ~(frame["value_canonical"] > 100.0)


def unknown_is_flagged(frame: pd.DataFrame) -> pd.Series[bool]:
    """There is no value exactly where a flag says why."""
    flagged = frame["flags"].map(lambda flags: bool(UNKNOWN_FLAGS & set(flags))).astype(bool)
    return frame["value_canonical"].isna() == flagged


def linked_to_receipts(frame: pd.DataFrame) -> pd.Series[bool]:
    """Every metric names its receipts, each in a known role, and the one if it is one."""
    return _each(frame, ("sources", "raster_aggregate_id"), _linked)


def groups_sum_to_total(frame: pd.DataFrame) -> pd.Series[bool]:
    """Areas of the groups and the area not observed sum to the total area."""
    return _parts_sum(frame, "total_area", GROUP_AREAS)


def pools_sum_to_total(frame: pd.DataFrame) -> pd.Series[bool]:
    """A total of pools is the sum of those pools."""
    good = _all_good(frame)
    for rule in TOTAL_RULES:
        good &= _parts_sum(frame, rule.code, frozenset(rule.pools))
    return good


def strata_metrics_sum(frame: pd.DataFrame) -> pd.Series[bool]:
    """Stocks of the strata sum to the stock of the whole place, where it is one receipt's."""
    kinds = frame["metric_code"].map(_kind)
    stocks = frame[(kinds == "stock") & frame["raster_aggregate_id"].notna()]
    return _strata_sum(frame, stocks, METRIC_KEY[:3], "value_canonical")


def projects_unique(frame: pd.DataFrame) -> pd.Series[bool]:
    """No metric of a project has two rows."""
    return _unique(frame, PROJECT_KEY)


def known_where_counted(frame: pd.DataFrame) -> pd.Series[bool]:
    """There is a value exactly where a farm is counted."""
    return frame["value_canonical"].notna() == (frame["farms_counted"] > 0)


def gaps_are_flagged(frame: pd.DataFrame) -> pd.Series[bool]:
    """Farms without data are flagged."""
    told = frame["flags"].map(lambda flags: "farms_without_data" in flags).astype(bool)
    return told == (frame["farms_without_data"] > 0)


def project_strata_sum(frame: pd.DataFrame) -> pd.Series[bool]:
    """Stocks of a project's strata sum to the stock of all of its farms."""
    pools = {rule.code for rule in POOL_RULES if rule.method == "sum"}
    stocks = frame[frame["metric_code"].isin(pools)]
    return _strata_sum(frame, stocks, PROJECT_KEY[:3], "value_canonical")


def linked_to_farm_metrics(frame: pd.DataFrame) -> pd.Series[bool]:
    """Every metric names at least as many farm metrics, in known roles, as it counts farms."""
    return _each(frame, ("sources", "farms_counted"), _covers)


def _covers(sources: Sequence[tuple[int, str]], counted: int) -> bool:
    known = all(role in get_args(Role) for _, role in sources)
    return known and len({metric for metric, _ in sources}) >= max(1, counted)


def _converts(code: str, unit: str) -> bool:
    metric = load_metric_types().get(code)
    try:
        return metric is not None and bool(convert(1.0, unit, metric.unit))
    except CatalogueError:
        return False


def _kind(code: str) -> str | None:
    metric = load_metric_types().get(code)
    return metric.kind if metric else None


def _histogram_sums(histogram: Any, context: Any, value: float, covered: float) -> bool:
    if not isinstance(histogram, Mapping):
        return False
    outside = (context or {}).get("outside_raster_ha") or 0.0
    found = math.fsum([*(one["ha"] for one in histogram.values()), outside])
    return all(math.isclose(found, stated, rel_tol=TOLERANCE) for stated in (value, covered))


def _linked(sources: Sequence[tuple[int, str]], one: Any) -> bool:
    ids = {receipt for receipt, _ in sources}
    known = all(role in get_args(Role) for _, role in sources)
    return bool(ids) and known and (ids == {one} if len(ids) == 1 else bool(pd.isna(one)))


def _all_good(frame: pd.DataFrame) -> pd.Series[bool]:
    return pd.Series(data=True, index=frame.index, dtype=bool)


def _each(frame: pd.DataFrame, columns: Sequence[str], rule: Any) -> pd.Series[bool]:
    rows = zip(*(frame[column] for column in columns), strict=True)
    return pd.Series([rule(*row) for row in rows], index=frame.index, dtype=bool)


def _strata(frame: pd.DataFrame) -> pd.Series[Any]:
    keys = [stratum_key(one) if isinstance(one, Mapping) else () for one in frame["stratum_filter"]]
    return pd.Series(keys, index=frame.index, dtype=object)


def _unique(frame: pd.DataFrame, key: Sequence[str]) -> pd.Series[bool]:
    return ~frame[list(key)].assign(stratum_filter=_strata(frame)).duplicated(keep=False)


def _strata_sum(
    frame: pd.DataFrame, rows: pd.DataFrame, key: Sequence[str], column: str
) -> pd.Series[bool]:
    """Compare whole places with the sums of their strata, axis by axis of the taxonomy.

    A stratum without data adds nothing; a whole without data needs strata without data.
    """
    strata = _strata(rows)
    is_part = strata.map(bool).astype(bool)
    axes = strata.map(lambda stratum: tuple(axis for axis, _ in stratum))
    parts = rows[is_part].assign(axes=axes[is_part])
    sums = parts.groupby([*key, "axes"], sort=False)[column].sum(min_count=1).reset_index()
    wholes = rows[~is_part][[*key, column]].rename_axis("row").reset_index()
    pairs = wholes.merge(sums, on=list(key), suffixes=("", "_strata"))
    return _equal(frame, pairs, column, f"{column}_strata")


def _parts_sum(frame: pd.DataFrame, total: str, parts: frozenset[str]) -> pd.Series[bool]:
    """Compare a metric that has a value with the sum of others of the same place and slice."""
    rows = frame.assign(stratum_filter=_strata(frame)).rename_axis("row").reset_index()
    key = ["farm_id", "vintage_year", "stratum_filter"]
    column = "value_canonical"
    of_parts = rows[rows["metric_code"].isin(parts)]
    sums = of_parts.groupby(key, sort=False)[column].sum().reset_index()
    wholes = rows[(rows["metric_code"] == total) & rows[column].notna()]
    pairs = wholes.merge(sums, on=key, suffixes=("", "_parts"))
    return _equal(frame, pairs, column, f"{column}_parts")


def _equal(frame: pd.DataFrame, pairs: pd.DataFrame, one: str, other: str) -> pd.Series[bool]:
    left, right = pairs[one].to_numpy(dtype=float), pairs[other].to_numpy(dtype=float)
    differ = ~np.isclose(left, right, rtol=TOLERANCE, atol=0.0, equal_nan=True)
    good = _all_good(frame)
    good[pairs.loc[differ, "row"].to_numpy()] = False
    return good
