"""Constants of biomass by region: carbon fraction and root-to-shoot ratio."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from carbon_assets.errors import CatalogueError
from carbon_assets.reference.packaged import packaged
from carbon_assets.reference.rows import Row, load_rows
from carbon_assets.reference.yaml_files import suggestion

DEFAULT_BIOME = "default"

Ratio = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Biome(Row):
    """A biome and the carbon fraction of its biomass.

    Attributes:
        key: Key.
        label: Name for people.
        carbon_fraction: Mass of carbon per mass of dry matter. Never applied to a raster
            that holds carbon already.
        low: Lower end of the published range.
        high: Upper end of the published range.
        description: What a reader should know about the choice of the number.
    """

    key: str
    label: str
    carbon_fraction: Annotated[float, Field(gt=0, lt=1)]
    low: float | None
    high: float | None
    description: str | None

    @model_validator(mode="after")
    def _within_range(self) -> Self:
        if not (self.low or 0) <= self.carbon_fraction <= (self.high or 1):
            raise ValueError("the carbon fraction lies outside its range")
        return self


class RootToShoot(Row):
    """Below-ground per above-ground dry matter of an ecological zone, in two steps.

    Attributes:
        key: Key of the zone, continent and origin.
        zone: Ecological zone.
        continent: Continent.
        origin: Natural or planted forest.
        threshold_mg_ha: Above-ground dry matter up to which the low ratio holds, Mg/ha.
        r_low: Ratio up to the threshold.
        r_low_uncertainty: Its uncertainty; None where the table states none.
        r_high: Ratio above the threshold.
        r_high_uncertainty: Its uncertainty; None where the table states none.
        uncertainty_kind: ``sd`` standard deviation of the ratio, ``percent`` plus or minus
            that share of the ratio, the default of the table.
    """

    key: str
    zone: str
    continent: str
    origin: Literal["natural", "planted"]
    threshold_mg_ha: Ratio
    r_low: Ratio
    r_low_uncertainty: Ratio | None
    r_high: Ratio
    r_high_uncertainty: Ratio | None
    uncertainty_kind: Literal["sd", "percent"] | None

    @model_validator(mode="after")
    def _kind_with_uncertainty(self) -> Self:
        stated = self.r_low_uncertainty is not None or self.r_high_uncertainty is not None
        if stated != (self.uncertainty_kind is not None):
            raise ValueError("uncertainty_kind goes with an uncertainty, and only with one")
        return self

    def ratio(self, agb_mg_ha: float) -> float:
        """Return the ratio at an above-ground dry matter in Mg/ha."""
        return self.r_low if agb_mg_ha <= self.threshold_mg_ha else self.r_high


@cache
def load_biomes() -> Mapping[str, Biome]:
    """Load all biomes by key."""
    return {row.key: row for row in load_rows(packaged("biomes.csv"), Biome, key="key")}


def biome(key: str | None) -> Biome:
    """Return a biome; the IPCC default where a place states none.

    Raises:
        CatalogueError: ``BIOME_UNKNOWN``.
    """
    known = load_biomes()
    name = DEFAULT_BIOME if key is None else key
    if name not in known:
        raise CatalogueError("BIOME_UNKNOWN", f"no biome {name}{suggestion(name, list(known))}")
    return known[name]


@cache
def load_root_to_shoot() -> Mapping[str, RootToShoot]:
    """Load all root-to-shoot ratios by key."""
    rows = load_rows(packaged("root_to_shoot.csv"), RootToShoot, key="key")
    return {row.key: row for row in rows}


def root_to_shoot(zone: str) -> RootToShoot:
    """Return the root-to-shoot ratios of an ecological zone, e.g. ``tropical_dry_asia``.

    Raises:
        CatalogueError: ``ECOLOGICAL_ZONE_UNKNOWN``.
    """
    known = load_root_to_shoot()
    if zone not in known:
        what = f"no ecological zone {zone}{suggestion(zone, list(known))}"
        raise CatalogueError("ECOLOGICAL_ZONE_UNKNOWN", what)
    return known[zone]
