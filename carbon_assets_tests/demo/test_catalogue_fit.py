"""The files are what the packaged source catalogue says, so that nothing demo-only is needed."""

import csv
from pathlib import Path

import pytest
import rasterio
import yaml

from carbon_assets.demo.design import load_design
from carbon_assets.reference.catalogue import load_catalogue
from carbon_assets.reference.packaged import packaged

DESIGN = load_design()


def rows_of(*parts: str) -> list[dict[str, str]]:
    """Read a packaged table, comment lines left out."""
    with packaged(*parts).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(line for line in file if not line.startswith("#")))


def bound(landscape: Path, runner: str):
    """Return a source version of the written portfolio, and the packaged one it builds on."""
    portfolio = yaml.safe_load((landscape / "portfolio.yaml").read_text())
    catalogue = load_catalogue([landscape / name for name in portfolio["catalogue"]])
    entry = portfolio["sources"][runner]
    own = catalogue.get(entry["source"], entry["version"])
    return catalogue.get(own.key, own.version.removesuffix("-demo")), own


def check_header(path: str, band, source) -> None:
    with rasterio.open(path) as dataset:
        assert source.crs is None or dataset.crs.to_string() == source.crs
        assert source.resolution is None or source.resolution == dataset.res
        assert band.dtype in (None, dataset.dtypes[0])
        if band.header_nodata == "none":
            assert dataset.nodata is None
        elif band.header_nodata is not None:
            assert dataset.nodata == band.header_nodata


@pytest.mark.parametrize("runner", ["land_cover", "biomass"])
def test_bound_sources_have_the_asserted_headers(landscape, runner):
    packaged, own = bound(landscape, runner)
    for band in packaged.bands:
        for year in DESIGN.years:
            check_header(own.href(band.name, year), band, packaged)


def test_scale_and_no_data_values_are_the_catalogue_s(landscape):
    for runner, product in (("land_cover", "land_cover"), ("biomass", "hgb")):
        _, own = bound(landscape, runner)
        designed = DESIGN.products[product]
        assert {band.name for band in own.bands} == set(designed.bands)
        for band in own.bands:
            assert band.scale == float(designed.scale)
            assert {int(raw) for raw in band.nodata} == set(designed.unobserved)


def test_alternative_biomass_source_is_ready_to_use(landscape):
    file = landscape / "catalogue" / "esa-cci-biomass.yaml"
    source = load_catalogue([file]).get("esa-cci-biomass", "5.01-demo")
    bounds = (-53.0, -10.5, -52.6, -10.25)
    (tile,) = source.tiles_for_bounds(*bounds)
    for band in source.bands:
        check_header(source.href(band.name, 2019, tile), band, source)
        assert (band.unit, band.scale) == ("Mg/ha", float(DESIGN.products["esa_cci"].scale))


def test_classes_are_leaves_of_the_legend_and_unobserved_ones_are_marked():
    source = load_catalogue().get("mapbiomas-brazil", "col-10")
    legend = {int(row["id"]): row for row in rows_of("legends", f"{source.legend}.csv")}
    land_cover = DESIGN.products["land_cover"]
    used = {patch.values["class"] for patch in land_cover.patches}
    assert all(legend[value]["group"] != "aggregate" for value in used)
    unobserved = {value for value in used if legend[value]["observed"] == "false"}
    assert unobserved == land_cover.unobserved


def test_biomes_and_ecological_zones_exist(landscape):
    projects = yaml.safe_load((landscape / "portfolio.yaml").read_text())["projects"]
    biomes = {row["key"] for row in rows_of("biomes.csv")}
    zones = {row["key"] for row in rows_of("root_to_shoot.csv")}
    assert {project["biome"] for project in projects} <= biomes
    assert {place.biome for place in DESIGN.places.values()} <= biomes
    assert {project["ecological_zone"] for project in projects} <= zones
