"""Real land: 48 farms that fill a protected area, against the area's own boundary.

The farms are a subdivision of the boundary, so the class histograms of all of them must sum to
the boundary's own, cell by cell along every shared edge.
"""

from __future__ import annotations

import math
import os
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import text

import carbon_assets_tests
from carbon_assets.portfolio import import_portfolio
from carbon_assets.provenance.materialize import materialize
from carbon_assets.store.database import Database
from carbon_assets.store.engines import transaction
from carbon_assets_tests.provenance.chain import BIOMASS, LAND_COVER, METRICS, load
from carbon_assets_tests.scratch import Host, scratch_database

VINTAGES = (2013, 2022)
TOLERANCE = 1e-9
"""Of the whole area; the corners of the subdivision are rounded on their own."""

BIOMASS_MAP = {
    "key": "globbiomass",
    "family": "globbiomass",
    "title": "GlobBiomass above-ground biomass 2010, aggregated to 0.25 degree",
    "licence": "not verified",
    "citation": "Santoro et al. 2018, doi:10.1594/PANGAEA.894711",
    "versions": [
        {
            "version": "2010-25km",
            "quantity": "biomass",
            "crs": "EPSG:4326",
            "resolution": [0.25, 0.25],
            "epoch": 2010,
            "bands": [
                {
                    "name": "agb",
                    "href": "south-america_globbiomass_agb_2010_25km.tif",
                    "pool": "agb",
                    "unit": "Mg/ha",
                    "dtype": "float32",
                    "header_nodata": 0,
                }
            ],
        }
    ],
}


def portfolio(data: Path) -> dict[str, Any]:
    zone = "tropical_rainforest_americas"
    return {
        "company": {"key": "maroaga", "name": "Maroaga"},
        "vintages": list(VINTAGES),
        "catalogue": ["sources.yaml"],
        "sources": {
            "land_cover": {
                "source": "mapbiomas-brazil",
                "version": "col-8",
                "hrefs": {"class": str(data / "br-maroaga_mapbiomas8_{vintage}.tif")},
            },
            "biomass": {
                "source": "globbiomass",
                "version": "2010-25km",
                "hrefs": {"agb": str(data / "south-america_globbiomass_agb_2010_25km.tif")},
            },
        },
        "projects": [
            {"key": "maroaga-redd", "name": "M", "biome": "amazon", "ecological_zone": zone}
        ],
        "places": [
            {
                "file": str(data / "farms.gpkg"),
                "key": "farm_key",
                "name": "name",
                "project": "project_key",
            },
            {
                "file": str(data / "br-maroaga_apa.gpkg"),
                "kind": "project_boundary",
                "key": "Nome",
                "project_is": "maroaga-redd",
            },
        ],
    }


@pytest.fixture(scope="module")
def maroaga(
    database_host: Host, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Any:
    beside = Path(carbon_assets_tests.__file__).resolve().parents[2] / "shared" / "data"
    data = Path(os.environ.get("CARBON_SAMPLE_DATA", beside)) / "br-maroaga"
    if not data.is_dir():
        pytest.skip("no sample data: set CARBON_SAMPLE_DATA to its folder")
    folder = tmp_path_factory.mktemp("maroaga")
    (folder / "sources.yaml").write_text(yaml.safe_dump(BIOMASS_MAP), encoding="utf-8")
    (folder / "portfolio.yaml").write_text(yaml.safe_dump(portfolio(data)), encoding="utf-8")
    with scratch_database(database_host, template_database) as (_, database):
        import_portfolio(database, folder / "portfolio.yaml")
        world = load(database, "maroaga")
        for asset in (LAND_COVER, BIOMASS, METRICS):
            keys = [(place, vintage) for place in world.places for vintage in VINTAGES]
            for _chunk in materialize(database, world, asset, keys):
                pass
        yield database


def query(database: Database, statement: str) -> list[Any]:
    with transaction(database) as connection:
        return list(connection.execute(text(statement)).all())


def histograms(database: Database, vintage: int, kind: str) -> list[dict[str, Any]]:
    found = query(
        database,
        "SELECT histogram FROM current_raster_aggregates WHERE metric_code = 'land_cover_area'"
        f" AND geometry_kind = '{kind}' AND vintage_year = {vintage}",
    )
    return [row.histogram for row in found]


@pytest.mark.parametrize("vintage", VINTAGES)
def test_farms_sum_to_the_boundary_class_by_class(maroaga: Database, vintage: int) -> None:
    farms = histograms(maroaga, vintage, "farm")
    (boundary,) = histograms(maroaga, vintage, "project_boundary")
    assert len(farms) == 48
    parts: dict[str, list[float]] = defaultdict(list)
    for histogram in farms:
        for class_id, entry in histogram.items():
            parts[class_id].append(entry["ha"])
    whole = math.fsum(entry["ha"] for entry in boundary.values())
    assert parts.keys() == boundary.keys()
    differences = {i: abs(math.fsum(parts[i]) - boundary[i]["ha"]) for i in boundary}
    worst = max(differences[i] / boundary[i]["ha"] for i in boundary)
    assert max(differences.values()) <= TOLERANCE * whole, differences
    assert sum(differences.values()) <= TOLERANCE * whole
    assert worst <= 100 * TOLERANCE, "of the rarest class, by its own area"


def test_biomass_is_of_the_epoch_and_converted_with_the_biome_s_fraction(maroaga: Database) -> None:
    found = query(
        maroaga,
        "SELECT d.value AS dry, c.value AS carbon, c.context, c.vintage_year"
        " FROM current_raster_aggregates AS d JOIN current_raster_aggregates AS c"
        " ON c.geometry_id = d.geometry_id AND c.vintage_year = d.vintage_year"
        " AND c.stratum_filter IS NULL AND d.stratum_filter IS NULL"
        " AND d.metric_code = 'agb_stock_mg' AND c.metric_code = 'agb_carbon_stock'"
        " AND d.aggregate_method = 'sum' AND c.aggregate_method = 'sum'",
    )
    assert len(found) == 49 * len(VINTAGES)
    for row in found:
        assert row.context["epoch"] == 2010
        assert row.carbon == pytest.approx(row.dry * row.context["carbon_fraction"], rel=1e-12)


def test_a_source_without_an_error_layer_states_none(maroaga: Database) -> None:
    found = query(
        maroaga,
        "SELECT DISTINCT uncertainty_method, uncertainty_pct_ci95 FROM current_raster_aggregates"
        " WHERE runner_key = 'biomass.globbiomass'",
    )
    assert [tuple(row) for row in found] == [("none", None)]
