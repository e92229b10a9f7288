"""Biomass and carbon density: stocks of the whole place and of every forest type.

A raster of carbon density is used as it is; a raster of dry-matter biomass is turned into
carbon with the biome's carbon fraction, and into below-ground carbon with the ecological
zone's root-to-shoot ratio.
"""

from __future__ import annotations

from typing import Any

from carbon_assets.reference.biomes import biome, root_to_shoot
from carbon_assets.reference.catalogue import Band, SourceVersion
from carbon_assets.reference.documents import as_document
from carbon_assets.runners.declaration import Output, Quantity, Runner, Setting
from carbon_assets.science.biomass import BelowGroundCarbon, CarbonOfBiomass


def _density_and_stock(pool: str) -> tuple[Output, ...]:
    return (
        Output(f"{pool}_carbon_density", "mean", "tC/ha"),
        Output(f"{pool}_carbon_density", "std", "tC/ha"),
        Output(f"{pool}_carbon_stock", "sum", "tC"),
    )


def _carbon_density(band: Band) -> Quantity:
    """A band that holds carbon already: no carbon fraction."""
    return Quantity(
        band=band,
        outputs=_density_and_stock(band.pool or "agb"),
        context={"carbon_fraction": None, "carbon_fraction_source": "the raster holds carbon"},
    )


def _biomass(band: Band, setting: Setting) -> list[Quantity]:
    """A band of above-ground dry matter: as it is, as carbon, and below ground if a zone is set."""
    region = biome(setting.biome)
    fraction = {
        "carbon_fraction": region.carbon_fraction,
        "carbon_fraction_source": f"biome {region.key}: {region.source}",
    }
    dry_matter = Quantity(
        band=band,
        outputs=(
            Output("agb_density_mg_ha", "mean", "Mg/ha"),
            Output("agb_density_mg_ha", "std", "Mg/ha"),
            Output("agb_stock_mg", "sum", "Mg"),
        ),
        context={"carbon_fraction": None, "carbon_fraction_source": "dry matter, not converted"},
    )
    carbon = Quantity(
        band=band,
        outputs=_density_and_stock("agb"),
        conversion=CarbonOfBiomass(region.carbon_fraction),
        context=fraction,
    )
    if setting.ecological_zone is None:
        return [dry_matter, carbon]
    ratio = root_to_shoot(setting.ecological_zone)
    below = Quantity(
        band=band,
        outputs=_density_and_stock("bgb"),
        conversion=BelowGroundCarbon(
            region.carbon_fraction, ratio.r_low, ratio.r_high, ratio.threshold_mg_ha
        ),
        context={
            **fraction,
            "root_to_shoot": {"low": ratio.r_low, "high": ratio.r_high},
            "root_to_shoot_source": f"{ratio.key}: {ratio.source}",
        },
        has_uncertainty=False,
    )
    return [dry_matter, carbon, below]


def _quantities(source: SourceVersion, setting: Setting) -> tuple[Quantity, ...]:
    if source.quantity == "carbon_density":
        return tuple(_carbon_density(band) for band in source.value_bands)
    return tuple(one for band in source.value_bands for one in _biomass(band, setting))


def _uses_setting(source: SourceVersion) -> bool:
    return source.quantity == "biomass"


def _reference(source: SourceVersion, setting: Setting) -> dict[str, Any]:
    if not _uses_setting(source):
        return {"carbon_fraction": None}
    zone = setting.ecological_zone
    return {
        "biome": as_document(biome(setting.biome)),
        "root_to_shoot": as_document(root_to_shoot(zone)) if zone else None,
    }


BIOMASS = Runner(
    name="biomass",
    title="Biomass and carbon stocks",
    description=(
        "Receipts per place, vintage and forest type: mean and standard deviation of biomass "
        "and carbon density, and the stock over the covered hectares. The strata come from the "
        "land cover map of the same vintage; every cell of that finer grid takes the value of "
        "the biomass cell under its centre. A static map states its epoch on every receipt."
    ),
    value_slot="biomass",
    accepts=frozenset({"biomass", "carbon_density"}),
    strata_slot="land_cover",
    strata_axis="forest_type",
    quantities=_quantities,
    reference=_reference,
    uses_setting=_uses_setting,
    module=__name__,
)
