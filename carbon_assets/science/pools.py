"""Carbon pools of a hectare, and what is emitted when its land use changes.

``EF = [(AGB + BGB + DW + LI + SOC) before − (the same) after − HWP] · 44/12``, and the fire's
gases other than CO2 on top, in tCO2e per hectare. Stocks are tC/ha. The stock after is the
long-run average of the land use that follows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from carbon_assets.science.propagation import Correlation, Estimate, difference, total

CO2_PER_CARBON = 44.0 / 12.0
"""tCO2 per tC, by molar mass (IPCC 2006 Guidelines vol. 4 ch. 2); never rounded to 3.67."""

POOLS = ("agb", "bgb", "dead_wood", "litter", "soc")
"""Above- and below-ground biomass, dead wood, litter, soil organic carbon."""

NOTHING = Estimate(0.0, 0.0)


@dataclass(frozen=True)
class Stocks:
    """Carbon of a hectare by pool.

    Attributes:
        pools: tC/ha by name in :data:`POOLS`. A pool that is not there is not accounted; one
            that is empty is there with a value of zero.
    """

    pools: Mapping[str, Estimate]

    def __post_init__(self) -> None:
        unknown = set(self.pools) - set(POOLS)
        if unknown:
            raise ValueError(f"not a carbon pool: {', '.join(sorted(unknown))}")

    def total(self, correlation: Correlation = "none") -> Estimate:
        """All pools together, tC/ha."""
        return total(self.pools.values(), correlation)


@dataclass(frozen=True)
class EmissionFactor:
    """Emission of a hectare whose land use changes, tCO2e/ha.

    Attributes:
        by_pool: Emission of each pool's change, before wood products.
        wood_products: What stays in harvested wood, as a negative emission.
        fire: Gases other than CO2 of the fire that clears the land.
        total: All of it.
        correlation: How the errors of the parts were taken to go together.
    """

    by_pool: Mapping[str, Estimate]
    wood_products: Estimate
    fire: Estimate
    total: Estimate
    correlation: Correlation


def emission_factor(
    before: Stocks,
    after: Stocks,
    *,
    wood_products: Estimate = NOTHING,
    fire: Estimate = NOTHING,
    correlation: Correlation = "none",
) -> EmissionFactor:
    """Emission factor of one change of land use in one stratum.

    Args:
        before: Stocks of the land that is converted.
        after: Stocks of the land use that follows.
        wood_products: Carbon that stays in harvested wood, tC/ha.
        fire: CH4 and N2O of a clearing fire, tCO2e/ha. The fire's CO2 is the change in stock
            already and is never added.
        correlation: How the errors of the pools go together.

    Raises:
        ValueError: If a pool is accounted after the change and not before: its gain would
            lower the emission without a stock that could have been lost.
    """
    if extra := set(after.pools) - set(before.pools):
        raise ValueError(f"accounted after the change only: {', '.join(sorted(extra))}")
    by_pool = {
        pool: difference(before.pools[pool], after.pools.get(pool, NOTHING)).scaled(CO2_PER_CARBON)
        for pool in POOLS
        if pool in before.pools
    }
    kept = wood_products.scaled(-CO2_PER_CARBON)
    whole = total([*by_pool.values(), kept, fire], correlation)
    return EmissionFactor(by_pool, kept, fire, whole, correlation)


@dataclass(frozen=True)
class FireGas:
    """A gas that burning biomass gives off.

    Attributes:
        name: ``CH4``, ``N2O``, …; CO2 is refused, as it is the change in stock.
        g_per_kg: Emission factor, g per kg of dry matter burnt.
        gwp: Global warming potential over 100 years.
    """

    name: str
    g_per_kg: float
    gwp: float

    def __post_init__(self) -> None:
        if self.name.upper() == "CO2":
            raise ValueError("the CO2 of a fire is the change in stock: it would count twice")


def fire_emission(fuel: Estimate, combustion_factor: float, gases: Sequence[FireGas]) -> Estimate:
    """Gases other than CO2 of a fire, tCO2e/ha.

    ``E = M_B · C_f · G_ef / 1000 · GWP`` (IPCC 2006 Guidelines vol. 4 ch. 2, eq. 2.27).

    Args:
        fuel: Dry matter that could burn, Mg/ha.
        combustion_factor: Share of it that burns.
        gases: The gases; each once.

    Raises:
        ValueError: For a combustion factor outside [0, 1], or a gas that is named twice.
    """
    if not 0.0 <= combustion_factor <= 1.0:
        raise ValueError("a combustion factor is a share in [0, 1]")
    if len({gas.name for gas in gases}) < len(gases):
        raise ValueError("a gas is named twice")
    per_tonne = sum(gas.g_per_kg / 1000.0 * gas.gwp for gas in gases)
    return fuel.scaled(combustion_factor * per_tonne)
