"""Reducers: against plain numpy, and what must hold whatever the values."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carbon_assets.science.zonal.statistics import (
    Extent,
    Moments,
    Sample,
    extent,
    moments,
    percentile,
)
from carbon_assets.science.zonal.sums import Grouping
from carbon_assets_tests.places.shapes import PROPERTY
from carbon_assets_tests.science.grids import Floats

GROUPS = 6


def sample(seed: int, count: int = 5000) -> tuple[Floats, np.ndarray, Floats]:
    random = np.random.default_rng(seed)
    values = random.normal(150.0, 60.0, count)
    group = random.integers(0, GROUPS - 1, count, dtype=np.int32)
    return values, group, random.uniform(1e-4, 900.0, count)


def of(values: Floats, group: np.ndarray, area: Floats, groups: int) -> Moments:
    return moments([(Sample(values, area), Grouping(group, groups))])


def reach(group: np.ndarray, share: Floats, area: Floats, groups: int) -> Extent:
    return extent([Grouping(group, groups)], np.column_stack([np.ones(len(share)), share, area]))


def document(found: Moments | Extent) -> dict[str, list[float]]:
    return {field.name: getattr(found, field.name).tolist() for field in fields(found)}


def test_moments_equal_numpys() -> None:
    values, group, area = sample(1)
    found = of(values, group, area, GROUPS)
    for number in range(GROUPS - 1):
        x, w = values[group == number], area[group == number]
        mean = np.average(x, weights=w)
        assert found.cells[number] == len(x)
        assert found.area_m2[number] == pytest.approx(w.sum(), rel=1e-13)
        assert found.mean[number] == pytest.approx(mean, rel=1e-13)
        assert found.total[number] == pytest.approx((x * w).sum(), rel=1e-13)
        spread = np.sqrt(np.average((x - mean) ** 2, weights=w))
        assert found.std[number] == pytest.approx(spread, rel=1e-12)
        assert (found.minimum[number], found.maximum[number]) == (x.min(), x.max())


def test_an_empty_group_has_no_mean_rather_than_zero() -> None:
    found = of(*sample(1), GROUPS).select(slice(GROUPS - 1, GROUPS))
    assert found.cells[0] == 0
    assert np.isnan([found.mean[0], found.std[0], found.total[0]]).all()
    assert document(Moments.empty(2) + Moments.empty(2))["cells"] == [0, 0]


def test_a_group_does_not_depend_on_the_others() -> None:
    values, group, area = sample(2)
    merged = np.where(group == 3, 3, 0)
    apart = of(values, group, area, GROUPS).select(np.array([3]))
    together = of(values, merged, area, 4).select(np.array([3]))
    assert document(apart) == document(together)


def test_cells_without_data_are_left_out() -> None:
    values, group, area = sample(2)
    missing = np.flatnonzero(values > 200.0)
    held = np.delete(np.arange(len(values)), missing)
    filled, covered = values.copy(), area.copy()
    filled[missing], covered[missing] = values[held[0]], 0.0
    found = moments([(Sample(filled, covered, missing), Grouping(group, GROUPS))])
    expected = of(values[held], group[held], area[held], GROUPS)
    for name, wanted in document(expected).items():
        np.testing.assert_allclose(getattr(found, name), wanted, rtol=1e-12)
    assert found.cells.tolist() == expected.cells.tolist()


def test_parts_merge_to_the_whole() -> None:
    values, group, area = sample(3)
    whole = of(values, group, area, GROUPS)
    parts = [
        of(values[at], group[at], area[at], GROUPS)
        for at in (slice(0, 7), slice(7, 900), slice(900, None))
    ]
    merged = Moments.empty(GROUPS) + parts[0] + parts[1] + parts[2]
    for name, expected in document(whole).items():
        np.testing.assert_allclose(getattr(merged, name), expected, rtol=1e-12)


def test_strata_sum_to_the_whole() -> None:
    values, group, area = sample(4)
    strata = of(values, group, area, GROUPS)
    whole = of(values, np.zeros_like(group), area, 1)
    assert np.nansum(strata.total) == pytest.approx(whole.total[0], rel=1e-13)
    assert strata.area_m2.sum() == pytest.approx(whole.area_m2[0], rel=1e-13)
    assert strata.cells.sum() == whole.cells[0]
    chosen = document(whole.with_groups(strata.select(np.array([4, 1]))))
    for name, expected in document(strata).items():
        assert chosen[name] == [*document(whole)[name], expected[4], expected[1]]


@pytest.mark.parametrize("constant", [0.1, 65535.0, 1e-7, -3.3])
def test_a_constant_has_itself_as_mean_and_no_deviation(constant: float) -> None:
    _, group, area = sample(5)
    found = of(np.full(len(group), constant), group, area, GROUPS - 1)
    assert (found.mean == constant).all()
    assert (found.std == 0.0).all()
    assert ((found + found).mean == constant).all()
    assert ((found + found).std == 0.0).all()


def test_a_small_spread_on_a_large_offset_survives() -> None:
    values, group, area = sample(6)
    shifted = of(values / 1e3 + 1e9, group, area, GROUPS - 1)
    plain = of((values / 1e3 + 1e9) - 1e9, group, area, GROUPS - 1)
    np.testing.assert_allclose(shifted.std, plain.std, rtol=1e-9)


def test_a_group_of_small_spread_far_from_the_others_keeps_its_digits() -> None:
    values, group, area = sample(6)
    values = np.where(group == 2, 1e6 + values / 1e6, values)
    beside = of(values, group, area, GROUPS - 1).select(np.array([2]))
    at = group == 2
    alone = of(values[at] - 1e6, np.zeros(at.sum(), np.int32), area[at], 1)
    np.testing.assert_allclose(beside.std, alone.std, rtol=1e-5)
    steady = np.where(group == 2, 1e6, values)
    assert of(steady, group, area, GROUPS - 1).std[2] < 1e-8


def test_scaling_a_value_scales_its_statistics() -> None:
    values, group, area = sample(7)
    plain = of(values, group, area, GROUPS - 1)
    scaled = of(values * 4.0, group, area, GROUPS - 1)
    for name in ("mean", "std", "total", "minimum", "maximum"):
        assert (getattr(scaled, name) == 4.0 * getattr(plain, name)).all()


def test_extents_add_up() -> None:
    values, group, area = sample(8)
    share = area / 900.0
    whole = reach(group, share, area, GROUPS)
    split = reach(group[:99], share[:99], area[:99], GROUPS)
    split += reach(group[99:], share[99:], area[99:], GROUPS)
    np.testing.assert_allclose(split.area_m2, whole.area_m2, rtol=1e-13)
    assert split.cells.tolist() == whole.cells.tolist()
    assert whole.cells.sum() == len(values)
    assert whole.coverage.sum() == pytest.approx(share.sum(), rel=1e-13)


@pytest.mark.parametrize("share", [0.0, 0.05, 0.5, 0.95, 1.0])
def test_a_percentile_with_equal_weights_is_numpys(share: float) -> None:
    values, _, _ = sample(9, 101)
    for x in (values, np.round(values, -1)):
        ours = percentile(x, np.full(101, 0.7), share)
        assert ours == pytest.approx(np.quantile(x, share), rel=1e-12)


def test_percentiles_of_one_value_and_of_none() -> None:
    assert percentile(np.array([4.5]), np.array([0.2]), 0.95) == 4.5
    assert np.isnan(percentile(np.zeros(0), np.zeros(0), 0.5))


@PROPERTY
@given(st.data())
def test_a_percentile_does_not_depend_on_the_order_of_cells(data: st.DataObject) -> None:
    cell = st.tuples(st.integers(0, 5), st.integers(1, 64))
    cells = data.draw(st.lists(cell, min_size=1, max_size=20))
    shuffled = data.draw(st.permutations(cells))
    found = {
        percentile(
            np.array([float(value) for value, _ in order]),
            np.array([weight / 64 for _, weight in order]),
            0.5,
        )
        for order in (cells, shuffled)
    }
    assert len(found) == 1
