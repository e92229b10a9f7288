"""Harvested wood and delayed release: published numbers and closed forms."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from carbon_assets.science.wood_products import (
    WoodProduct,
    carbon_in_use,
    decay_constant,
    released_by,
)


@pytest.mark.parametrize(
    ("half_life", "constant"), [(35.0, 0.019804), (25.0, 0.027726), (2.0, 0.346574)]
)
def test_decay_constants(half_life: float, constant: float) -> None:
    assert decay_constant(half_life) == pytest.approx(constant, abs=1e-6)


def test_sawnwood_of_a_tropical_country_after_a_century() -> None:
    sawnwood = WoodProduct(waste=0.24, short_lived=0.2, oxidised=0.84)
    assert sawnwood.retained(10.0) == pytest.approx(0.97280)
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        WoodProduct(waste=1.2, short_lived=0.0, oxidised=0.0)


def test_a_single_harvest_halves_in_its_half_life() -> None:
    stock = list(carbon_in_use([100.0] + [0.0] * 35, 35.0))
    assert stock[35] == pytest.approx(stock[0] / 2)


def test_a_steady_inflow_reaches_its_steady_stock() -> None:
    *_, last = carbon_in_use([1.0] * 2000, 25.0)
    assert last == pytest.approx(1.0 / decay_constant(25.0))
    assert list(carbon_in_use([], 25.0)) == []
    with pytest.raises(ValueError, match="positive"):
        list(carbon_in_use([1.0], 0.0))


def test_a_pool_is_released_in_equal_yearly_parts_and_no_more() -> None:
    shares = [released_by(year, 10) for year in range(-1, 12)]
    assert shares[0] == 0.0
    assert shares[-1] == 1.0
    yearly = [after - before for before, after in pairwise(shares)]
    assert yearly[:10] == pytest.approx([0.1] * 10)
    assert math.fsum(yearly) == 1.0
    assert released_by(0, 1) == 1.0
    with pytest.raises(ValueError, match="year or more"):
        released_by(0, 0)
