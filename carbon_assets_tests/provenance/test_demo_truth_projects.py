"""Project metrics of the computed demo against the closed-form answers, every project and year."""

from __future__ import annotations

import math
from typing import Any

import pytest
from sqlalchemy import text

from carbon_assets.demo import truth
from carbon_assets.demo.design import load_design
from carbon_assets.reference.legend import load_legend
from carbon_assets.store.database import Database
from carbon_assets.store.engines import transaction

DESIGN = load_design()
LEGEND = load_legend("mapbiomas-brazil-col-10")
FARMS = {
    project: [farm.key for farm in DESIGN.farms() if farm.key.startswith(project)]
    for project in ("north", "south")
}
CASES = [(project, year) for project in FARMS for year in DESIGN.years]


@pytest.fixture(scope="module")
def rows(shared_summed: Database) -> dict[tuple[Any, ...], Any]:
    query = text(
        "SELECT p.key AS project, m.* FROM current_project_metrics AS m"
        " JOIN projects AS p ON p.id = m.project_id"
    )
    with transaction(shared_summed) as connection:
        found = connection.execute(query).all()
    keyed = {
        (r.project, r.vintage_year, r.metric_code, *(r.stratum_filter or {}).values()): r
        for r in found
    }
    assert len(keyed) == len(found)
    return keyed


def near(expected: float) -> Any:
    return pytest.approx(expected, rel=truth.RELATIVE_TOLERANCE, abs=1e-9)


def observed(farm: str, year: int) -> float:
    areas = truth.class_area_ha(farm, year).items()
    return math.fsum(ha for class_id, ha in areas if class_id in LEGEND.observed_ids)


@pytest.mark.parametrize(("project", "year"), CASES)
def test_areas(rows: dict[tuple[Any, ...], Any], project: str, year: int) -> None:
    farms = FARMS[project]
    total = rows[project, year, "total_area"]
    assert total.value_canonical == near(math.fsum(map(truth.area_ha, farms)))
    assert (total.farms_counted, total.farms_without_data) == (len(farms), 0)

    known = [farm for farm in farms if observed(farm, year)]
    forest = math.fsum(
        truth.class_area_ha(farm, year).get(class_id, 0.0)
        for farm in known
        for class_id in LEGEND.ids_in("natural_forest")
    )
    cover, share = (rows[project, year, code] for code in ("forest_cover", "forest_cover_pct"))
    assert cover.value_canonical == near(forest)
    assert share.value_canonical == near(100 * forest / math.fsum(map(truth.area_ha, known)))
    for one in (cover, share):
        assert (one.farms_counted, one.farms_without_data) == (
            len(known),
            len(farms) - len(known),
        )


@pytest.mark.parametrize(("project", "year"), CASES)
def test_carbon(rows: dict[tuple[Any, ...], Any], project: str, year: int) -> None:
    for pool in ("agb", "bgb"):
        totals = [
            band
            for farm in FARMS[project]
            for band in truth.band_totals(farm, year, "hgb", pool).values()
        ]
        stock = rows[project, year, f"{pool}_carbon_stock"]
        amount = math.fsum(band.amount for band in totals)
        assert stock.value_canonical == near(amount)
        density = rows[project, year, f"{pool}_carbon_density"]
        valid = math.fsum(band.valid_ha for band in totals)
        assert density.value_canonical == near(amount / valid)
        covered = math.fsum(map(truth.area_ha, FARMS[project]))
        assert stock.valid_share == near(valid / covered)


@pytest.mark.parametrize(("project", "year"), CASES)
def test_every_class_of_any_farm(rows: dict[tuple[Any, ...], Any], project: str, year: int) -> None:
    areas = [truth.class_area_ha(farm, year) for farm in FARMS[project]]
    for class_id in sorted(set().union(*areas)):
        expected = math.fsum(one.get(class_id, 0.0) for one in areas)
        found = rows[project, year, "class_area", str(class_id)]
        assert found.value_canonical == near(expected), class_id
        assert found.farms_counted == sum(class_id in one for one in areas)
