"""Carbon in harvested wood products, and when the carbon of a pool is released."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass


def decay_constant(half_life_years: float) -> float:
    """Yearly first-order decay constant, ``k = ln 2 / HL``."""
    if half_life_years <= 0.0:
        raise ValueError("a half-life is positive")
    return math.log(2.0) / half_life_years


def carbon_in_use(inflow: Sequence[float], half_life_years: float) -> Iterator[float]:
    """Carbon in products at the end of each year, for a yearly inflow.

    ``C(t + 1) = e^−k C(t) + (1 − e^−k) / k · inflow(t)`` (IPCC 2006 vol. 4 ch. 12, eq. 12.1).

    Args:
        inflow: Carbon that goes into use in each year, tC.
        half_life_years: Half-life in use: 35 for sawnwood, 25 for panels, 2 for paper (the
            same chapter, table 12.2).
    """
    constant = decay_constant(half_life_years)
    stays = math.exp(-constant)
    stock = 0.0
    for amount in inflow:
        stock = stays * stock + (1.0 - stays) / constant * amount
        yield stock


@dataclass(frozen=True)
class WoodProduct:
    """A class of products as a credit methodology tells what of it lasts a century.

    Attributes:
        waste: Share lost in processing.
        short_lived: Share that is gone within three years.
        oxidised: Share of the rest that is oxidised between 3 and 100 years.
    """

    waste: float
    short_lived: float
    oxidised: float

    def __post_init__(self) -> None:
        if not all(0.0 <= one <= 1.0 for one in (self.waste, self.short_lived, self.oxidised)):
            raise ValueError("shares of a wood product lie in [0, 1]")

    def retained(self, extracted: float) -> float:
        """Carbon that is still in use after a century.

        ``C · (1 − WW) · (1 − SLF) · (1 − OF)``, the form of VMD0005.

        Args:
            extracted: Carbon in the wood that leaves the forest, tC.
        """
        return extracted * (1.0 - self.waste) * (1.0 - self.short_lived) * (1.0 - self.oxidised)


def released_by(years_since: int, over_years: int) -> float:
    """Share of a pool that has been released some years after the change of land use.

    Linear over the pool's time: below-ground biomass and dead wood over 10 years, soil carbon
    over 20; a pool of one year is released in the year of the change.

    Args:
        years_since: 0 in the year of the change.
        over_years: Years over which the pool is released.
    """
    if over_years < 1:
        raise ValueError("a pool takes a year or more to be released")
    return min(1.0, max(0.0, (years_since + 1) / over_years))
