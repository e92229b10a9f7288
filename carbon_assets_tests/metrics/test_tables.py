"""Frames of receipts and metrics, and the checks that block a bad one."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest

from carbon_assets.metrics.checks import check_metrics, check_receipts
from carbon_assets.metrics.model import Metric, PartitionMetrics, ReceiptRow
from carbon_assets.metrics.tables import (
    BIOMASS_RECEIPTS,
    FARM_METRICS,
    LAND_COVER_RECEIPTS,
    metrics_frame,
    receipts_frame,
)
from carbon_assets.runners.receipts import PartitionReceipts, Receipt
from carbon_assets_tests.metrics.rows import derive, histogram, statistic

FOREST, PASTURE = {"forest_type": "natural_forest"}, {"forest_type": "non_forest"}
HALF: dict[str, Any] = {"covered_area_ha": 50.0, "valid_area_ha": 50.0, "pixel_count": 20}


def receipt_rows() -> list[ReceiptRow]:
    """A good partition: a histogram, and both pools whole and by stratum."""
    rows = [histogram({3: 50.0, 15: 40.0, 27: 4.0}, outside=6.0)]
    for pool, density in (("agb", 80.0), ("bgb", 20.0)):
        stated = {"uncertainty_pct_ci95": 25.0, "uncertainty_method": "raster_layer"}
        rows += [
            statistic(f"{pool}_carbon_density", "mean", density, **stated),
            statistic(f"{pool}_carbon_density", "std", 3.0),
            statistic(f"{pool}_carbon_stock", "sum", 100 * density, **stated),
            statistic(f"{pool}_carbon_stock", "sum", 75 * density, stratum_filter=FOREST, **HALF),
            statistic(f"{pool}_carbon_stock", "sum", 25 * density, stratum_filter=PASTURE, **HALF),
        ]
    return rows


def as_receipt(row: ReceiptRow) -> Receipt:
    """The receipt as a runner makes it, before it has a row."""
    names = set(Receipt._fields)
    facts = {name: value for name, value in vars(row).items() if name in names}
    return Receipt(weighted_pixel_count=row.pixel_count * 0.9, **facts)


def receipts(*rows: ReceiptRow) -> pd.DataFrame:
    """Frame of one partition, the good rows where none are given."""
    made = tuple(as_receipt(row) for row in rows or receipt_rows())
    return receipts_frame([PartitionReceipts(7, 2020, made, ())])


def metrics(*changed: Metric) -> pd.DataFrame:
    """Frame of one partition."""
    made = changed or tuple(derive(*receipt_rows()).values())
    return metrics_frame([PartitionMetrics(7, 2020, tuple(made))])


def position(frame: pd.DataFrame, code: str) -> int:
    """Row number of the whole place's metric, the first one."""
    found = (frame["metric_code"] == code) & frame["stratum_filter"].isna()
    return int(frame.index[found][0])


def reasons(bad: list[dict[str, Any]]) -> set[str]:
    return {row["reason"] for row in bad}


def test_good_frames_pass() -> None:
    assert check_receipts(receipts()) == []
    assert check_metrics(metrics()) == []


def test_several_places_and_years_stay_apart() -> None:
    made = tuple(as_receipt(row) for row in receipt_rows())
    parts = [PartitionReceipts(p, v, made, ()) for p in (1, 2) for v in (2019, 2020)]
    assert check_receipts(receipts_frame(parts)) == []
    numbers = tuple(derive(*receipt_rows()).values())
    frame = metrics_frame(PartitionMetrics(p, v, numbers) for p in (1, 2) for v in (2019, 2020))
    assert check_metrics(frame) == []
    frame.loc[position(frame, "total_area"), "value_canonical"] = 101.0
    (bad,) = [row for row in check_metrics(frame) if row["metric_code"] == "total_area"]
    assert (bad["farm_id"], bad["vintage_year"], bad["value_canonical"]) == (1, 2019, 101.0)


def test_empty_frames_pass() -> None:
    assert check_receipts(receipts_frame([])) == []
    assert check_metrics(metrics_frame([])) == []


def test_a_place_without_any_data_passes() -> None:
    rows = [histogram({27: 100.0})] + [
        statistic(f"{pool}_carbon_{kind}", method, None, stratum_filter=stratum)
        for pool in ("agb", "bgb")
        for kind, method in (("density", "mean"), ("stock", "sum"))
        for stratum in (None, {"forest_type": "not_observed"})
    ]
    assert check_receipts(receipts(*rows)) == []
    assert check_metrics(metrics(*derive(*rows).values())) == []


def test_a_stratum_without_data_adds_nothing() -> None:
    rows = [
        statistic("agb_carbon_stock", "sum", 500.0, valid_area_ha=50.0, pixel_nodata_count=20),
        statistic("agb_carbon_stock", "sum", 500.0, stratum_filter=FOREST, **HALF),
        statistic(
            "agb_carbon_stock",
            "sum",
            None,
            stratum_filter=PASTURE,
            **{**HALF, "valid_area_ha": 0.0, "pixel_nodata_count": 20},
        ),
    ]
    assert check_receipts(receipts(*rows)) == []
    assert check_metrics(metrics(*derive(*rows).values())) == []


STOCK, HISTOGRAM = "agb_carbon_stock", "land_cover_area"


@pytest.mark.parametrize(
    ("code", "column", "value", "reason"),
    [
        (STOCK, "value", 8000.1, "Stocks of the strata sum to the stock of the whole place"),
        (STOCK, "value", -8000.0, "Not negative"),
        (STOCK, "value", float("inf"), "Finite"),
        (STOCK, "value", None, "There is a value exactly where some cell has data"),
        (STOCK, "value_unit", "Mg", "The unit measures what the metric measures"),
        (STOCK, "value_unit", "furlong", "The unit measures what the metric measures"),
        (STOCK, "metric_code", "agb_stok", "Known metric"),
        (STOCK, "aggregate_method", "median", "Known method"),
        (STOCK, "valid_area_ha", 100.001, "Area with data is a part of the covered area"),
        (
            STOCK,
            "covered_area_ha",
            120.0,
            "Covered and valid areas of the strata sum to those of the whole place",
        ),
        (STOCK, "pixel_nodata_count", 41, "Cells without data are among the touched cells"),
        (
            STOCK,
            "uncertainty_pct_ci95",
            None,
            "There is an uncertainty exactly where its method is not 'none'",
        ),
        (
            HISTOGRAM,
            "value",
            100.001,
            "Hectares of the classes, and those beyond the raster, sum to value and covered area",
        ),
        (
            HISTOGRAM,
            "histogram",
            None,
            "Hectares of the classes, and those beyond the raster, sum to value and covered area",
        ),
    ],
)
def test_bad_receipts_are_named_with_a_reason(
    code: str, column: str, value: Any, reason: str
) -> None:
    frame = receipts()
    row = position(frame, code)
    frame.at[row, column] = value
    bad = check_receipts(frame)
    assert reason in reasons(bad)
    assert json.loads(json.dumps(bad, allow_nan=False))
    named = next(one for one in bad if one["reason"] == reason)
    assert (named["geometry_id"], named["vintage_year"]) == (7, 2020)
    assert named["metric_code"] == frame.at[row, "metric_code"]


def test_a_computation_that_stands_twice_is_bad() -> None:
    rows = receipt_rows()
    bad = check_receipts(receipts(*rows, rows[1]))
    assert [one["reason"] for one in bad] == ["No computation has two rows"] * 2


def test_a_missing_column_is_said_without_a_row() -> None:
    bad = check_receipts(receipts().drop(columns="value_unit"))
    assert any("value_unit" in one["reason"] for one in bad)
    assert check_receipts(receipts().drop(columns="aggregate_method"))


@pytest.mark.parametrize(
    ("code", "column", "value", "reason"),
    [
        (
            "pasture_area",
            "value_canonical",
            41.0,
            "Areas of the groups and the area not observed sum to the total area",
        ),
        ("forest_cover_pct", "value_canonical", 100.1, "A percentage lies between 0 and 100"),
        ("forest_cover", "value_canonical", -1.0, "Not negative"),
        ("forest_cover", "unit_canonical", "m2", "The unit is the canonical unit of the metric"),
        ("forest_cover", "metric_code", "forrest_cover", "Known metric"),
        ("forest_cover", "valid_share", 1.01, "Between 0 and 1"),
        ("forest_cover", "flags", ("doubtful",), "Known flags"),
        ("forest_cover", "flags", ("no_data",), "There is no value exactly where a flag says why"),
        (
            "forest_cover",
            "value_canonical",
            None,
            "There is no value exactly where a flag says why",
        ),
        (
            "forest_cover",
            "sources",
            (),
            "Every metric names its receipts, each in a known role, and the one if it is one",
        ),
        (
            "forest_cover",
            "raster_aggregate_id",
            -1,
            "Every metric names its receipts, each in a known role, and the one if it is one",
        ),
        (
            "agb_carbon_density",
            "value_min_canonical",
            81.0,
            "Both ends of the interval or none; they enclose the value",
        ),
        (
            "agb_carbon_density",
            "value_max_canonical",
            None,
            "Both ends of the interval or none; they enclose the value",
        ),
        (
            "total_carbon_density",
            "value_canonical",
            101.0,
            "A total of pools is the sum of those pools",
        ),
        (
            "agb_carbon_stock",
            "value_canonical",
            8001.0,
            "Stocks of the strata sum to the stock of the whole place, where it is one receipt's",
        ),
    ],
)
def test_bad_metrics_are_named_with_a_reason(
    code: str, column: str, value: Any, reason: str
) -> None:
    frame = metrics()
    frame.at[position(frame, code), column] = value
    bad = check_metrics(frame)
    assert reason in reasons(bad)
    assert json.loads(json.dumps(bad, allow_nan=False))
    assert all((one["farm_id"], one["vintage_year"]) == (7, 2020) for one in bad)


def test_a_bad_row_is_told_once_per_reason() -> None:
    frame = metrics()
    frame.at[position(frame, "forest_cover"), "unit_canonical"] = "m2"
    (bad,) = check_metrics(frame)
    assert bad == {
        "farm_id": 7,
        "vintage_year": 2020,
        "metric_code": "forest_cover",
        "stratum_filter": None,
        "value_canonical": 50.0,
        "reason": "The unit is the canonical unit of the metric",
        "column": None,
    }


@pytest.mark.parametrize("schema", [LAND_COVER_RECEIPTS, BIOMASS_RECEIPTS, FARM_METRICS])
def test_every_column_is_described_and_areas_state_their_unit(schema: Any) -> None:
    for name, column in schema.columns.items():
        assert column.description, name
        if name.endswith("_ha"):
            assert column.metadata == {"unit": "ha"}
    assert all(check.error for check in schema.checks)


def test_columns_have_one_type_whatever_the_rows() -> None:
    for some, none in ((receipts(), receipts_frame([])), (metrics(), metrics_frame([]))):
        assert some.dtypes.to_dict() == none.dtypes.to_dict()
