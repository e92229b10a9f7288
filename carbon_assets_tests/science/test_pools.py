"""Emission factors: the worked stratum of the methodology, and what must hold of any."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carbon_assets.science.pools import (
    CO2_PER_CARBON,
    POOLS,
    EmissionFactor,
    FireGas,
    Stocks,
    emission_factor,
    fire_emission,
)
from carbon_assets.science.propagation import Estimate

AGB_MG_HA, CARBON_FRACTION = 307.1, 0.47
LITTER_FRACTION = 0.37


def exact(**pools: float) -> Stocks:
    return Stocks({pool: Estimate(value, 0.0) for pool, value in pools.items()})


def rainforest() -> Stocks:
    """Primary tropical rainforest of the Americas, wet lowland."""
    agb = AGB_MG_HA * CARBON_FRACTION
    return exact(
        agb=agb, bgb=0.221 * agb, dead_wood=0.06 * agb, litter=0.01 * AGB_MG_HA * LITTER_FRACTION
    )


def test_the_worked_stratum() -> None:
    stocks = rainforest()
    assert stocks.pools["agb"].value == pytest.approx(144.337, abs=1e-3)
    assert stocks.pools["bgb"].value == pytest.approx(31.898, abs=1e-3)
    assert stocks.pools["dead_wood"].value == pytest.approx(8.660, abs=1e-3)
    assert stocks.pools["litter"].value == pytest.approx(1.136, abs=1e-3)
    assert stocks.total().value == pytest.approx(186.032, abs=1e-3)
    bare = emission_factor(stocks, exact())
    assert bare.total.value == pytest.approx(682.117, abs=1e-3)
    pasture = emission_factor(stocks, exact(agb=15 * CARBON_FRACTION))
    assert pasture.total.value == pytest.approx(656.267, abs=1e-3)
    biomass = Stocks({pool: stocks.pools[pool] for pool in ("agb", "bgb")})
    assert emission_factor(biomass, exact()).total.value == pytest.approx(646.197, abs=1e-3)


def test_agb_of_150_is_258_and_a_half_tonnes_of_co2() -> None:
    assert emission_factor(exact(agb=150 * 0.47), exact()).total.value == pytest.approx(258.5)


def test_wood_products_lower_and_fire_raises_the_factor() -> None:
    stocks = rainforest()
    plain = emission_factor(stocks, exact())
    wood = emission_factor(stocks, exact(), wood_products=Estimate(6.0, 1.0))
    assert wood.total.value == pytest.approx(plain.total.value - 6.0 * CO2_PER_CARBON)
    assert wood.wood_products.half_width == pytest.approx(CO2_PER_CARBON)
    gases = [FireGas("CH4", 6.8, 28.0), FireGas("N2O", 0.20, 265.0)]
    fire = fire_emission(Estimate(AGB_MG_HA, 0.0), 0.36, gases)
    assert fire.value == pytest.approx(307.1 * 0.36 * (6.8 * 28.0 + 0.20 * 265.0) / 1000.0)
    burnt = emission_factor(stocks, exact(), fire=fire)
    assert burnt.total.value == pytest.approx(plain.total.value + fire.value)


def test_a_fires_co2_is_refused() -> None:
    with pytest.raises(ValueError, match="count twice"):
        FireGas("CO2", 1580.0, 1.0)
    with pytest.raises(ValueError, match="named twice"):
        fire_emission(Estimate(1.0, 0.0), 0.5, [FireGas("CH4", 1.0, 28.0)] * 2)
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        fire_emission(Estimate(1.0, 0.0), 1.5, [])


def test_pools_that_are_not_pools() -> None:
    with pytest.raises(ValueError, match="not a carbon pool: leaves"):
        exact(leaves=1.0)
    with pytest.raises(ValueError, match="after the change only: soc"):
        emission_factor(exact(agb=1.0), exact(agb=0.0, soc=40.0))


STOCKS = st.dictionaries(
    st.sampled_from(POOLS), st.builds(Estimate, st.floats(0, 400), st.floats(0, 80)), min_size=1
).map(Stocks)


def parts(found: EmissionFactor) -> float:
    change = sum(one.value for one in found.by_pool.values())
    return change + found.wood_products.value + found.fire.value


@given(STOCKS, st.builds(Estimate, st.floats(0, 50), st.floats(0, 9)))
def test_the_parts_sum_to_the_whole(before: Stocks, fire: Estimate) -> None:
    found = emission_factor(before, exact(), fire=fire)
    assert parts(found) == pytest.approx(found.total.value, rel=1e-12, abs=1e-9)
    tight = emission_factor(before, exact(), fire=fire, correlation="full")
    assert tight.total.value == found.total.value
    assert tight.total.half_width >= found.total.half_width * (1 - 1e-12)
    assert tight.correlation == "full"


@given(STOCKS)
def test_no_change_no_emission(stocks: Stocks) -> None:
    assert emission_factor(stocks, stocks).total.value == pytest.approx(0.0, abs=1e-9)
