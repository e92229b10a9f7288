"""The source catalogue: what ships, what a user may add, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from carbon_assets.errors import CatalogueError
from carbon_assets.reference.catalogue import Catalogue, Tiles, load_catalogue
from carbon_assets.reference.change_legend import load_change_legend
from carbon_assets.reference.legend import load_legend
from carbon_assets.reference.packaged import packaged
from carbon_assets.reference.strata_map import load_strata
from carbon_assets.reference.units import check_unit

OWN = """\
key: own
family: own
title: Own map
licence: own
citation: own
versions:
  - version: "1"
    quantity: biomass
    epoch: 2020
    bands:
      - {name: agb, href: agb.tif, pool: agb, unit: Mg/ha}
"""


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue()


def load(tmp_path: Path, text: str) -> Catalogue:
    path = tmp_path / "own.yaml"
    path.write_text(text, encoding="utf-8")
    return load_catalogue([path])


def refused(tmp_path: Path, text: str) -> str:
    with pytest.raises(CatalogueError) as caught:
        load(tmp_path, text)
    assert caught.value.code == "CATALOGUE_INVALID"
    return caught.value.what.removeprefix(str(tmp_path / "own.yaml"))


def test_shipped_sources_refer_to_shipped_tables(catalogue: Catalogue) -> None:
    keys = {source.key for source in catalogue}
    assert {path.stem for path in packaged("sources").glob("*.yaml")} == keys
    for source in catalogue:
        assert source.facts
        for band in source.bands:
            check_unit(band.unit)
        if source.quantity == "change_map":
            load_change_legend(str(source.legend))
        elif source.legend is not None:
            load_strata(source.strata or source.legend, source.legend)
            nodata = source.value_bands[0].nodata
            legend = load_legend(source.legend)
            assert set(nodata) == set(legend.ids) - legend.observed_ids


def test_get_lists_what_exists(catalogue: Catalogue) -> None:
    assert catalogue.get("hgb", "2010").quantity == "carbon_density"
    with pytest.raises(CatalogueError) as caught:
        catalogue.get("mapbiomas-brazil", "col8")
    assert caught.value.code == "SOURCE_UNKNOWN"
    assert "did you mean 'col-8'" in caught.value.what
    assert "hgb 2010" in str(caught.value.do)
    with pytest.raises(CatalogueError, match="no source hbg; did you mean 'hgb'"):
        catalogue.get("hbg", "2010")


def test_yearly_product_answers_for_its_years_only(catalogue: Catalogue) -> None:
    source = catalogue.get("mapbiomas-brazil", "col-8")
    assert source.available(2022)
    assert not source.available(2023)
    assert source.href("class", 2013).endswith(
        "/collection_8/lclu/coverage/brasil_coverage_2013.tif"
    )
    with pytest.raises(CatalogueError, match="no data for 2023; it has 1985-2022"):
        source.href("class", 2023)
    with pytest.raises(CatalogueError, match="BAND_UNKNOWN"):
        source.band("clas")


def test_product_with_gaps(catalogue: Catalogue) -> None:
    source = catalogue.get("esa-cci-biomass", "6.0")
    assert [source.available(year) for year in (2010, 2011, 2015)] == [True, False, True]


def test_static_product_answers_with_its_epoch(catalogue: Catalogue) -> None:
    source = catalogue.get("hgb", "2010")
    assert source.available(1999)
    assert source.vintage_for(2022) == 2010
    assert [band.name for band in source.value_bands] == ["agb", "bgb"]
    assert {band.scale for band in source.bands} == {0.1}
    with pytest.raises(CatalogueError) as caught:
        source.href("agb", 2022)
    assert caught.value.code == "HREF_MISSING"


def test_tiles_are_named_after_their_north_west_corner(catalogue: Catalogue) -> None:
    source = catalogue.get("esa-cci-biomass", "5.01")
    assert source.tiles_for_bounds(-60.2, -3.5, -60.2, -3.5) == ("N00W070",)
    assert source.href("agb_sd", 2020, "N00W070").endswith(
        "/v5.01/geotiff/2020/N00W070_ESACCI-BIOMASS-L4-AGB_SD-MERGED-100m-2020-fv5.0.tif"
    )
    with pytest.raises(CatalogueError, match="TILE_REQUIRED"):
        source.href("agb", 2020)
    assert catalogue.get("hgb", "2010").tiles_for_bounds(0, 0, 1, 1) == ()


@pytest.mark.parametrize(
    ("bounds", "names"),
    [
        ((-60.2, -3.5, -60.2, -3.5), ["00N_070W"]),
        ((-55.0, -12.3, -55.0, -12.3), ["10S_060W"]),
        ((-60.5, -1.0, -59.5, 1.0), ["10N_070W", "10N_060W", "00N_070W", "00N_060W"]),
        ((-70.0, -10.0, -60.0, 0.0), ["00N_070W"]),
        ((0.0, 10.0, 0.0, 10.0), ["10N_000E"]),
        ((180.0, -90.0, 180.0, -90.0), ["80S_170E"]),
        ((-180.0, 89.0, -175.0, 90.0), ["90N_180W"]),
    ],
)
def test_hansen_style_tiles(bounds: tuple[float, float, float, float], names: list[str]) -> None:
    tiles = Tiles(size_degrees=10, name="{lat:02d}{ns}_{lon:03d}{ew}")
    assert list(tiles.for_bounds(*bounds)) == names


def test_tiles_of_the_globe_are_all_different() -> None:
    names = Tiles(size_degrees=10, name="{ns}{lat:02d}{ew}{lon:03d}").for_bounds(-180, -90, 180, 90)
    assert len(set(names)) == len(names) == 18 * 36


@pytest.mark.parametrize("bounds", [(0, 0, 200, 1), (1, 0, 0, 1), (0, float("nan"), 1, 1)])
def test_boxes_off_the_globe_are_refused(bounds: tuple[float, float, float, float]) -> None:
    with pytest.raises(CatalogueError, match="TILE_BOUNDS_INVALID"):
        Tiles(size_degrees=10, name="{ns}{lat:02d}{ew}{lon:03d}").for_bounds(*bounds)


def test_own_file_with_relative_href(tmp_path: Path) -> None:
    source = load(tmp_path, OWN).get("own", "1")
    assert source.href("agb", 2013) == str(tmp_path / "agb.tif")
    assert source.crs is None
    assert source.band("agb").header_nodata is None


def test_extends_replaces_fields_and_merges_bands(tmp_path: Path) -> None:
    text = """\
key: own-lulc
versions:
  - version: clip
    extends: {key: mapbiomas-brazil, version: col-10}
    vintages: [2013, 2022]
    bands:
      - {name: class, href: "rasters/lulc_{vintage}.tif"}
  - version: clip-2
    extends: {key: own-lulc, version: clip}
    title: Second clip
    epoch: 2020
"""
    catalogue = load(tmp_path, text)
    base, clip = catalogue.get("mapbiomas-brazil", "col-10"), catalogue.get("own-lulc", "clip")
    assert clip.family == "mapbiomas"
    assert (clip.licence, clip.legend, clip.resolution) == (
        base.licence,
        base.legend,
        base.resolution,
    )
    assert clip.vintages == (2013, 2022)
    assert clip.band("class").nodata == (0, 27)
    assert base.band("class").header_nodata == "none"
    assert clip.band("class").header_nodata is None
    assert clip.href("class", 2014) == str(tmp_path / "rasters/lulc_2014.tif")
    second = catalogue.get("own-lulc", "clip-2")
    assert second.title == "Second clip"
    assert second.href("class", 2014) == str(tmp_path / "rasters/lulc_2020.tif")


def test_extends_adds_a_band_and_keeps_the_others(tmp_path: Path) -> None:
    text = """\
key: own
versions:
  - version: "1"
    extends: {key: hgb, version: "2010"}
    bands:
      - {name: bgb, href: bgb.tif, scale: 1}
"""
    source = load(tmp_path, text).get("own", "1")
    assert {band.name for band in source.value_bands} == {"agb", "bgb"}
    assert (source.band("bgb").scale, source.band("agb").scale) == (1.0, 0.1)
    assert source.band("bgb").uncertainty is not None


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "    epoch: 2020",
            "    epoc: 2020",
            ":9 versions.0.epoc: unknown key; did you mean 'epoch'?",
        ),
        ("unit: Mg/ha", "unit: Mg/ha, scal: 2", ":11 versions.0.bands.0.scal: unknown key; did"),
        ("unit: Mg/ha", "unit: t/ha", ":11 versions.0.bands.0.unit: Input should be 'class', "),
        ("unit: Mg/ha", "unit: MgC/ha", ":7 versions.0: band agb: biomass is in Mg/ha, not MgC/ha"),
        ("unit: Mg/ha", "unit: Mg/ha, uncertainty: {band: e, meaning: SD}", ":7 versions.0: band"),
        (
            "unit: Mg/ha",
            "unit: Mg/ha, uncertainty: {band: agb, meaning: CV}",
            ":7 versions.0: band",
        ),
        ("unit: Mg/ha", "unit: Mg/ha, scale: 0", ":11 versions.0.bands.0: scale must not be 0"),
        ("unit: Mg/ha", "unit: Mg/ha, header_nodata: no", ":11 versions.0.bands.0.header_nodata"),
        ("unit: Mg/ha", "unit: Mg/ha, scale: yes", ":11 versions.0.bands.0.scale: Input should be"),
        ("unit: Mg/ha", "unit: Mg/ha, nodata: [.nan]", ":11 versions.0.bands.0.nodata.0: Input"),
        ("agb.tif", '"{year}.tif"', ":11 versions.0.bands.0.href: unknown placeholder {year}"),
        ("agb.tif", '"{tile}.tif"', ":7 versions.0: band agb: href has {tile}, but tiles is not"),
        ("epoch: 2020", "vintages: [2010, 2012]", ":7 versions.0: band agb: href lacks {vintage}"),
        ("epoch: 2020", "vintages: [2012, 2010]", ":7 versions.0: vintages runs from the first"),
        (
            "epoch: 2020",
            "crs: null",
            ":7 versions.0: give exactly one of vintages, years and epoch",
        ),
        ("epoch: 2020", "epoch: 2020\n    crs: EPSG:1", ":10 versions.0.crs: not a coordinate"),
        (
            "epoch: 2020",
            "epoch: 2020\n    legend: x",
            ":7 versions.0: a class_map or change_map has a legend",
        ),
        ("epoch: 2020", "epoch: 2020\n    resolution: [0, 1]", ":10 versions.0.resolution.0: "),
        (
            'version: "1"',
            "version: 1",
            ":7 versions.0.version: Input should be a valid string: write",
        ),
        ('version: "1"', 'version: "1"\n    key: x', ":8 versions.0.key: unknown key"),
        ("family: own\n", "family: Own Family\n", ":2 family: String should match pattern"),
        ("family: own\n", "", ":6 versions.0.family: is required"),
        ("licence: own\n", "license: own\n", ":4 license: unknown key; did you mean 'licence'?"),
        ("    quantity: biomass", "    quantity: soil", ":8 versions.0.quantity: Input should be"),
    ],
)
def test_bad_entries_name_line_and_field(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in OWN
    assert refused(tmp_path, OWN.replace(old, new)).startswith(message)


@pytest.mark.parametrize(
    ("meaning", "unit", "fits"),
    [
        ("meaning: SE", "Mg/ha", True),
        ("meaning: SE", "%", False),
        ("meaning: CV", "%", True),
        ("meaning: CV", "Mg/ha", False),
        ("meaning: interval_ratio, level: 0.9", "one", True),
    ],
)
def test_error_band_is_in_the_unit_of_its_meaning(
    tmp_path: Path, meaning: str, unit: str, fits: bool
) -> None:
    error = (
        f"unit: Mg/ha, uncertainty: {{band: err, {meaning}}}}}\n      - {{name: err, unit: '{unit}'"
    )
    text = OWN.replace("unit: Mg/ha", error)
    if fits:
        assert len(load(tmp_path, text).get("own", "1").value_bands) == 1
    else:
        assert "band agb: its error err is in" in refused(tmp_path, text)


@pytest.mark.parametrize(
    ("name", "size"), [("{lat}{lon}", 10), ("{lat:02d}", 10), ("{lat:02d}{lon:03d}", 36)]
)
def test_bad_tiles(tmp_path: Path, name: str, size: int) -> None:
    tiles = f'    tiles: {{size_degrees: {size}, name: "{name}"}}\n    bands:'
    assert refused(tmp_path, OWN.replace("    bands:", tiles)).startswith(
        ":10 versions.0.tiles: tile"
    )


def test_duplicate_version_names_both_lines(tmp_path: Path) -> None:
    text = OWN + "\n".join(OWN.split("\n")[6:])
    what = refused(tmp_path, text)
    assert what.startswith(":12 versions.1.version: own 1 is defined already, at ")
    assert what.endswith("own.yaml:7")


def test_a_user_cannot_replace_a_shipped_version(tmp_path: Path) -> None:
    text = OWN.replace("key: own", "key: hgb").replace('"1"', '"2010"')
    assert "hgb 2010 is defined already" in refused(tmp_path, text)


def test_extends_unknown_and_circular(tmp_path: Path) -> None:
    head = "key: own\nversions:\n"
    text = head + '  - {version: "1", extends: {key: hgb, version: "2011"}}\n'
    assert refused(tmp_path, text).startswith(":3 versions.0.extends: no source hgb 2011; did you")
    text = head + '  - {version: "1", extends: {key: own, version: "2"}}\n'
    text += '  - {version: "2", extends: {key: own, version: "1"}}\n'
    assert ":3 versions.0.extends: extends in a circle" in refused(tmp_path, text)


def test_own_copies_of_shipped_bands(tmp_path: Path, catalogue: Catalogue) -> None:
    tiled = catalogue.get("esa-cci-biomass", "6.0")
    own = tiled.with_hrefs({"agb": "agb_{vintage}.tif"}, tmp_path)
    assert own.href("agb", 2020) == str(tmp_path / "agb_2020.tif")
    assert own.band("agb_sd") == tiled.band("agb_sd")
    hgb = catalogue.get("hgb", "2010").with_hrefs({"agb": "https://example.org/agb.tif"}, tmp_path)
    assert hgb.href("agb", 2022) == "https://example.org/agb.tif"
    land = catalogue.get("mapbiomas-brazil", "col-10").with_hrefs(
        {"class": str(tmp_path / "lulc_{vintage}.tif")}, tmp_path / "elsewhere"
    )
    assert land.href("class", 2020) == str(tmp_path / "lulc_2020.tif")
    assert land.band("class").header_nodata is None


def test_own_copies_that_do_not_fit(tmp_path: Path, catalogue: Catalogue) -> None:
    source = catalogue.get("mapbiomas-brazil", "col-10")
    with pytest.raises(CatalogueError, match="BAND_UNKNOWN"):
        source.with_hrefs({"lulc": "x_{vintage}.tif"}, tmp_path)
    with pytest.raises(CatalogueError) as caught:
        source.with_hrefs({"class": "one-file.tif"}, tmp_path)
    assert caught.value.code == "HREF_INVALID"
    assert "href lacks {vintage}" in caught.value.what
