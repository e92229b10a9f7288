"""Project metrics as pure functions: sums, ratios of sums, gaps, and what must not matter."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carbon_assets.metrics.derive import DERIVED_CODES
from carbon_assets.metrics.projects import RATIOS, SUMMED, derive_project_metrics
from carbon_assets.metrics.projects_model import FarmNumber, ProjectNumber
from carbon_assets.metrics.settings import MetricSettings
from carbon_assets.reference.metric_types import load_metric_types
from carbon_assets_tests.metrics.rows import PROPERTY

SETTINGS = MetricSettings()
_ids = itertools.count(1)
Farms = Mapping[str, Sequence[FarmNumber]]


def number(code: str, value: float | None, **fields: Any) -> FarmNumber:
    """A number over 100 ha, all of it valid unless the value is unknown."""
    valid = 0.0 if value is None else 100.0
    facts: dict[str, Any] = {
        "id": next(_ids),
        "stratum_filter": None,
        "low": None,
        "high": None,
        "valid_share": valid / 100,
        "valid_area_ha": valid,
        "covered_area_ha": 100.0,
        "flags": ("no_data",) if value is None else (),
        "source_tag": "hgb 2010",
    }
    return FarmNumber(metric_code=code, value=value, **facts | fields)


def farm(stock: float | None, density: float | None = 0.0, **fields: Any) -> list[FarmNumber]:
    """Stock and density of one farm."""
    return [
        number("agb_carbon_stock", stock, **fields),
        number("agb_carbon_density", None if stock is None else density, **fields),
    ]


def found(farms: Farms, code: str, **options: Any) -> ProjectNumber:
    (one,) = [
        made
        for made in derive_project_metrics(farms, settings=SETTINGS, **options)
        if made.metric_code == code and made.stratum_filter is None
    ]
    return one


def test_every_farm_metric_adds_up_or_has_a_ratio() -> None:
    kinds = {code: metric.kind for code, metric in load_metric_types().items()}
    assert kinds.keys() >= DERIVED_CODES
    assert {code for code in DERIVED_CODES if kinds[code] not in SUMMED} == RATIOS.keys()
    with pytest.raises(ValueError, match="does not add up"):
        derive_project_metrics({"a": [number("land_cover_area", 1.0)]}, settings=SETTINGS)


def test_a_density_is_stock_by_valid_area_and_not_a_mean_of_densities() -> None:
    farms = {
        "large": farm(9_000.0, 10.0, valid_area_ha=900.0, covered_area_ha=1_000.0),
        "small": farm(5_000.0, 50.0, valid_area_ha=100.0, covered_area_ha=100.0),
    }
    assert found(farms, "agb_carbon_stock").value_canonical == 14_000.0
    density = found(farms, "agb_carbon_density")
    assert density.value_canonical == 14.0
    assert density.unit_canonical == "tC/ha"
    assert density.valid_share == pytest.approx(1.0)
    assert {role for _, role in density.sources} == {"numerator"}


def test_a_share_is_area_by_area_over_the_farms_of_which_both_are_known() -> None:
    farms = {
        "forest": [number("forest_cover", 90.0), number("total_area", 100.0)],
        "field": [number("forest_cover", 0.0), number("total_area", 300.0)],
        "cloud": [number("forest_cover", None), number("total_area", 600.0)],
    }
    for numbers in farms.values():
        numbers.append(number("forest_cover_pct", numbers[0].value))
    share = found(farms, "forest_cover_pct")
    assert share.value_canonical == 22.5, "the clouded farm is in neither sum"
    assert (share.farms_counted, share.farms_without_data) == (2, 1)
    assert "farms_without_data" in share.flags
    assert {role for _, role in share.sources} == {"numerator", "denominator"}
    assert found(farms, "total_area").value_canonical == 1_000.0


def test_zero_unknown_and_absent_stay_apart() -> None:
    savanna = {"forest_type": "savanna"}
    farms = {
        "zero": [*farm(0.0), number("agb_carbon_stock", 0.0, stratum_filter=savanna)],
        "none of it": farm(7.0),
        "unknown": farm(None),
        "no metrics": [],
    }
    made = derive_project_metrics(farms, settings=SETTINGS)
    whole, part = (
        next(
            one
            for one in made
            if one.metric_code == "agb_carbon_stock" and one.stratum_filter == wanted
        )
        for wanted in (None, savanna)
    )
    assert (whole.value_canonical, whole.farms_counted, whole.farms_without_data) == (7.0, 2, 2)
    assert (part.value_canonical, part.farms_counted, part.farms_without_data) == (0.0, 1, 2)


def test_no_data_anywhere_is_unknown_and_never_zero() -> None:
    farms = {"a": farm(None), "b": farm(None)}
    for code in ("agb_carbon_stock", "agb_carbon_density"):
        one = found(farms, code)
        assert one.value_canonical is None
        assert one.flags == ("no_data", "low_valid_share", "farms_without_data")
        assert (one.farms_counted, one.farms_without_data) == (0, 2)
        assert len(one.sources) == 2
    assert derive_project_metrics({"a": [], "b": []}, settings=SETTINGS) == []


def test_a_class_that_a_farm_lacks_is_none_of_it_only_where_classes_are_observed() -> None:
    pasture = {"class": "15"}
    farms = {
        "a": [
            number("observed_area", 100.0),
            number("class_area", 40.0, stratum_filter=pasture),
        ],
        "b": [number("observed_area", 100.0)],
        "clouded": [number("observed_area", 0.0)],
    }
    (one,) = (
        made
        for made in derive_project_metrics(farms, settings=SETTINGS)
        if made.metric_code == "class_area"
    )
    assert (one.value_canonical, one.farms_counted, one.farms_without_data) == (40.0, 1, 1)


def test_ends_of_the_interval_are_summed_and_one_unstated_makes_it_unstated() -> None:
    stated = {
        "a": farm(100.0, 1.0, low=80.0, high=120.0),
        "b": farm(300.0, 3.0, low=150.0, high=450.0),
    }
    stock, density = found(stated, "agb_carbon_stock"), found(stated, "agb_carbon_density")
    assert (stock.value_min_canonical, stock.value_max_canonical) == (230.0, 570.0)
    assert (density.value_min_canonical, density.value_max_canonical) == (1.15, 2.85)
    assert "uncertainty_unstated" not in stock.flags
    unstated = found({**stated, "c": farm(1.0)}, "agb_carbon_stock")
    assert (unstated.value_min_canonical, unstated.value_max_canonical) == (None, None)
    assert "uncertainty_unstated" in unstated.flags


def test_flags_of_farms_are_counted_and_an_overlap_of_counted_farms_is_told() -> None:
    farms = {
        "a": farm(1.0, flags=("low_valid_share", "static_epoch")),
        "b": farm(2.0),
        "c": farm(None),
    }
    one = found(farms, "agb_carbon_stock", overlaps=[("a", "b")])
    assert one.farms_flagged == 1
    assert {"farms_flagged", "farms_overlap", "static_epoch"} <= set(one.flags)
    assert "farms_overlap" not in found(farms, "agb_carbon_stock", overlaps=[("b", "c")]).flags


def test_a_total_that_no_farm_could_make_says_why() -> None:
    farms = {"a": [number("total_carbon_stock", None, flags=("pools_differ",))]}
    flags = found(farms, "total_carbon_stock").flags
    assert "pools_differ" in flags
    assert "no_data" not in flags


STOCKS = st.dictionaries(
    st.text("abcdefgh", min_size=1, max_size=3),
    st.tuples(st.one_of(st.none(), st.floats(0, 1e9, allow_subnormal=False)), st.floats(0.01, 1e5)),
    min_size=2,
    max_size=12,
)


def drawn(stocks: Mapping[str, tuple[float | None, float]]) -> dict[str, list[FarmNumber]]:
    farms = {}
    for key, (stock, area) in stocks.items():
        valid = 0.0 if stock is None else area
        whole = farm(stock, valid_area_ha=valid, covered_area_ha=area)
        if stock is not None:
            whole = [replace(one, low=0.5 * stock, high=1.5 * stock) for one in whole]
        farms[key] = whole
    return farms


@PROPERTY
@given(STOCKS, st.randoms(use_true_random=False))
def test_order_of_the_farms_does_not_show_in_a_bit(stocks: Any, chance: random.Random) -> None:
    farms = drawn(stocks)
    keys = list(farms)
    chance.shuffle(keys)
    shuffled = {key: farms[key] for key in keys}
    assert derive_project_metrics(shuffled, settings=SETTINGS) == derive_project_metrics(
        farms, settings=SETTINGS
    )


@PROPERTY
@given(STOCKS, st.data())
def test_a_project_that_is_split_in_two_has_the_same_sums(stocks: Any, data: st.DataObject) -> None:
    farms = drawn(stocks)
    first = data.draw(st.sets(st.sampled_from(sorted(farms)), max_size=len(farms) - 1))
    parts = [
        {key: numbers for key, numbers in farms.items() if (key in first) == side}
        for side in (True, False)
    ]
    whole = found(farms, "agb_carbon_stock")
    halves = [found(part, "agb_carbon_stock") for part in parts if part]
    for name in ("value_canonical", "value_min_canonical", "value_max_canonical"):
        known = [v for v in (getattr(half, name) for half in halves) if v is not None]
        total = getattr(whole, name)
        assert math.fsum(known) == pytest.approx(total or 0.0, rel=1e-12)
    for name in ("farms_counted", "farms_without_data", "farms_flagged"):
        assert sum(getattr(half, name) for half in halves) == getattr(whole, name)


@PROPERTY
@given(STOCKS)
def test_a_density_lies_between_those_of_the_farms(stocks: Any) -> None:
    farms = drawn(stocks)
    each = [stock / area for stock, area in stocks.values() if stock is not None]
    value = found(farms, "agb_carbon_density").value_canonical
    if each:
        assert min(each) * (1 - 1e-12) <= value <= max(each) * (1 + 1e-12)
    else:
        assert value is None
