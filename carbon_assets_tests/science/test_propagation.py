"""Error propagation: published examples, and what must hold whatever the numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carbon_assets.science.propagation import (
    Estimate,
    SampledStratum,
    area_by_proportion,
    difference,
    product,
    stratified_proportion,
    total,
)

WIDTH = st.floats(0.0, 1e3)
VALUE = st.floats(-1e3, 1e3)
ESTIMATE = st.builds(Estimate, VALUE, WIDTH)


def pct(*terms: tuple[float, float]) -> list[Estimate]:
    return [Estimate.of_percent(value, share) for value, share in terms]


def test_a_product_of_10_and_20_percent() -> None:
    found = product(pct((1000.0, 10.0), (600.0, 20.0)))
    assert found.value == 600_000.0
    assert found.half_width_pct == pytest.approx(22.3607, abs=1e-4)


def test_a_sum_of_three_terms() -> None:
    found = total(pct((100.0, 10.0), (200.0, 20.0), (50.0, 30.0)))
    assert found.half_width_pct == pytest.approx(12.5357, abs=1e-4)


def test_two_pools_of_a_baseline() -> None:
    found = total(pct((100_000.0, 12.0), (50_000.0, 20.0)))
    assert found.half_width_pct == pytest.approx(10.4137, abs=1e-4)


def test_a_difference_is_less_certain_than_its_terms() -> None:
    found = difference(*pct((1000.0, 10.0), (600.0, 12.0)))
    assert found.value == 400.0
    assert found.half_width_pct == pytest.approx(30.8058, abs=1e-4)


def test_common_errors_add_in_a_sum_and_cancel_in_a_difference() -> None:
    first, second = pct((1000.0, 10.0), (600.0, 10.0))
    assert total([first, second], "full").half_width_pct == pytest.approx(10.0)
    assert difference(first, second, "full").half_width_pct == pytest.approx(10.0)
    assert difference(first, first, "full") == Estimate(0.0, 0.0)
    assert product(pct((3.0, 10.0), (7.0, 20.0)), "full").half_width_pct == pytest.approx(30.0)


def test_an_area_by_proportion() -> None:
    found = area_by_proportion(1_000_000.0, 0.012, 2000)
    assert found.value == 12_000.0
    assert found.half_width / 1.959963984540054 == pytest.approx(2435.36, abs=0.01)
    assert found.half_width_pct == pytest.approx(39.78, abs=0.01)


def test_a_map_corrected_by_its_reference_points() -> None:
    strata = [SampledStratum(0.95, 0.002, 500), SampledStratum(0.05, 0.90, 200)]
    found = stratified_proportion(strata)
    assert found.value == pytest.approx(0.0469)
    assert found.half_width / 1.959963984540054 == pytest.approx(0.0021773, abs=1e-7)
    with pytest.raises(ValueError, match="sum to 1"):
        stratified_proportion(strata[:1])


def test_propagation_agrees_with_a_simulation() -> None:
    random = np.random.default_rng(7)
    area, factor = pct((120.0, 8.0), (650.0, 15.0))
    draws = [
        random.normal(one.value, one.half_width / 1.959963984540054, 400_000)
        for one in (area, factor)
    ]
    low, high = np.quantile(draws[0] * draws[1], [0.025, 0.975])
    assert product([area, factor]).half_width == pytest.approx((high - low) / 2, rel=0.02)


@pytest.mark.parametrize("bad", [(math.nan, 1.0), (1.0, math.inf), (1.0, -1.0)])
def test_what_is_no_estimate(bad: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match=r"estimate|half-width"):
        Estimate(*bad)


def test_a_value_of_zero_has_an_uncertainty_but_no_percentage() -> None:
    found = difference(Estimate(5.0, 1.0), Estimate(5.0, 1.0))
    assert found == Estimate(0.0, math.sqrt(2.0))
    assert found.half_width_pct is None


@given(st.lists(ESTIMATE, min_size=1, max_size=6))
def test_independent_errors_never_exceed_common_ones(terms: list[Estimate]) -> None:
    loose, tight = total(terms), total(terms, "full")
    assert loose.value == tight.value
    assert loose.half_width <= tight.half_width * (1 + 1e-12) + 1e-12
    assert loose.half_width >= max(term.half_width for term in terms) * (1 - 1e-12)


@given(st.lists(ESTIMATE, min_size=2, max_size=5), st.floats(-10.0, 10.0))
def test_a_sum_scales(terms: list[Estimate], factor: float) -> None:
    scaled = total(one.scaled(factor) for one in terms)
    whole = total(terms).scaled(factor)
    assert scaled.value == pytest.approx(whole.value, rel=1e-9, abs=1e-9)
    assert scaled.half_width == pytest.approx(whole.half_width, rel=1e-9, abs=1e-9)
