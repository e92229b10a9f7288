"""From dry-matter biomass to carbon, cell by cell.

``AGB · CF = AGC`` and ``BGB = AGB · R`` (IPCC 2006 vol. 4 ch. 2, eq. 2.15 and table 4.3). The
ratio is a step function of a cell's own biomass, so it is applied before any averaging: the
strata of a place then sum to the whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from carbon_assets.science.zonal.grid import Floats


class Conversion(Protocol):
    """What turns a raster's physical value into the quantity that is reported."""

    def apply(self, values: Floats) -> Floats:
        """Return the quantity for each cell."""

    def as_document(self) -> dict[str, Any]:
        """Return kind and parameters, as they enter a fingerprint."""


@dataclass(frozen=True)
class Unchanged:
    """The raster holds the quantity itself."""

    def apply(self, values: Floats) -> Floats:
        """Return the values as they are."""
        return values

    def as_document(self) -> dict[str, Any]:
        """Return the kind; there are no parameters."""
        return {"kind": "unchanged"}


@dataclass(frozen=True)
class CarbonOfBiomass:
    """Dry matter (Mg/ha) to carbon (tC/ha).

    Attributes:
        carbon_fraction: tC per t dry matter.
    """

    carbon_fraction: float

    def apply(self, values: Floats) -> Floats:
        """Return carbon density."""
        return values * self.carbon_fraction

    def as_document(self) -> dict[str, Any]:
        """Return the kind and the fraction."""
        return {"kind": "carbon_of_biomass", "carbon_fraction": repr(self.carbon_fraction)}


@dataclass(frozen=True)
class BelowGroundCarbon:
    """Above-ground dry matter (Mg/ha) to below-ground carbon (tC/ha) by root-to-shoot ratio.

    Attributes:
        carbon_fraction: tC per t dry matter.
        low: Ratio where above-ground biomass is at most ``threshold``.
        high: Ratio above it.
        threshold: Class border in Mg/ha of dry matter.
    """

    carbon_fraction: float
    low: float
    high: float
    threshold: float

    def apply(self, values: Floats) -> Floats:
        """Return below-ground carbon density."""
        ratio = np.where(values <= self.threshold, self.low, self.high)
        return values * ratio * self.carbon_fraction

    def as_document(self) -> dict[str, Any]:
        """Return the kind, ratios, class border and fraction."""
        return {
            "kind": "below_ground_carbon",
            "carbon_fraction": repr(self.carbon_fraction),
            "root_to_shoot": {
                "low": repr(self.low),
                "high": repr(self.high),
                "threshold_mg_ha": repr(self.threshold),
            },
        }
