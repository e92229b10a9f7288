"""The models that ship, on the demo's data: columns, units, and closed-form values."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any, get_args

import pytest

from carbon_assets.demo import truth
from carbon_assets.demo.design import load_design
from carbon_assets.marts.models import load_models
from carbon_assets.marts.reading import columns_of
from carbon_assets.reference.legend import Group, load_legend
from carbon_assets.reference.metric_types import load_metric_types
from carbon_assets.store.database import Database
from carbon_assets.store.engines import transaction
from carbon_assets_tests.marts.shared import UNCOMPUTED, VINTAGES, clouded, rows_of

SNAPSHOT = Path(__file__).parent / "columns.json"
FARM = "north-01"
YEAR = 2020
UNITS = {"_tc_ha": "tC/ha", "_mg_ha": "Mg/ha", "_pct": "%", "_tc": "tC", "_mg": "Mg", "_ha": "ha"}
"""Ending of a column name → unit, the longest first."""


def near(value: float) -> Any:
    return pytest.approx(value, rel=truth.RELATIVE_TOLERANCE)


def groups(classes: dict[int, float]) -> dict[str, float]:
    """Hectares by legend group; zero for a group that does not occur."""
    found: dict[str, float] = {}
    for group, ids in load_legend("mapbiomas-brazil-col-10").groups.items():
        if group != "not_observed":
            found[str(group)] = math.fsum(classes.get(i, 0.0) for i in ids)
    return found


def wide(database: Database, farm: str, vintage: int) -> Any:
    (row,) = rows_of(
        database,
        "SELECT * FROM marts.farm_metrics_wide WHERE farm_key = :farm AND vintage = :vintage",
        farm=farm,
        vintage=vintage,
    )
    return row


def test_the_columns_are_those_of_the_snapshot(marts_database: Database) -> None:
    """After an intended change: REFRESH_SNAPSHOTS=1 pytest carbon_assets_tests/marts."""
    with transaction(marts_database) as connection:
        found = {m.name: dict(columns_of(connection, m.name)) for m in load_models().models}
    if os.environ.get("REFRESH_SNAPSHOTS"):
        SNAPSHOT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    assert found == json.loads(SNAPSHOT.read_text(encoding="utf-8"))


def test_a_column_name_tells_the_canonical_unit_of_its_metric(marts_database: Database) -> None:
    with transaction(marts_database) as connection:
        columns = dict(columns_of(connection, "farm_metrics_wide"))
    stated = {}
    for name in (name for name, kind in columns.items() if kind == "double precision"):
        ending = next(ending for ending in UNITS if name.endswith(ending))
        code = name if name in load_metric_types() else name.removesuffix(ending)
        stated[code] = UNITS[ending]
    assert stated == {code: load_metric_types()[code].unit for code in stated}
    assert len(stated) == 13


def test_one_row_per_computed_partition(marts_database: Database) -> None:
    pairs = rows_of(marts_database, "SELECT farm_key, vintage FROM marts.farm_metrics_wide")
    wanted = {(key, year) for key in (*load_design().places, "clouded") for year in VINTAGES}
    assert len(pairs) == len(set(map(tuple, pairs)))
    assert set(map(tuple, pairs)) == wanted - {UNCOMPUTED}
    planned = rows_of(marts_database, "SELECT farm_key, unnest(vintages) FROM marts.stg_places")
    assert set(map(tuple, planned)) == wanted


def test_metrics_of_a_farm_agree_with_the_closed_form(marts_database: Database) -> None:
    row = wide(marts_database, FARM, YEAR)
    area = truth.area_ha(FARM)
    forest = groups(truth.class_area_ha(FARM, YEAR))["natural_forest"]
    above, below = (truth.carbon_stock_tc(FARM, YEAR, band=band) for band in ("agb", "bgb"))
    assert row.total_area_ha == near(area)
    assert row.observed_area_ha == near(area)
    assert row.not_observed_area_ha == 0
    assert row.forest_cover_ha == near(forest)
    assert row.forest_cover_pct == near(100 * forest / area)
    assert row.agb_carbon_stock_tc == near(above.amount)
    assert row.agb_carbon_density_tc_ha == near(above.mean or 0)
    assert row.total_carbon_stock_tc == near(above.amount + below.amount)
    assert row.agb_stock_mg is None  # a raster of carbon says nothing of dry matter
    assert row.flags["agb_carbon_stock"] == ["static_epoch"]
    assert "forest_cover" not in row.flags


def test_receipts_carry_the_names_of_place_and_source(marts_database: Database) -> None:
    (row,) = rows_of(
        marts_database,
        "SELECT * FROM marts.stg_receipts WHERE farm_key = :farm AND vintage = :vintage"
        " AND metric_code = 'land_cover_area'",
        farm=FARM,
        vintage=YEAR,
    )
    assert (row.project_name, row.farm_name) == ("North", "Block A1")
    assert row.source_key == "mapbiomas-brazil"
    assert row.value == near(truth.area_ha(FARM))


def test_change_is_the_difference_of_closed_forms(marts_database: Database) -> None:
    rows = rows_of(
        marts_database,
        "SELECT * FROM marts.land_cover_change WHERE farm_key = :farm AND vintage = :vintage",
        farm=FARM,
        vintage=YEAR,
    )
    now = groups(truth.class_area_ha(FARM, YEAR))
    before = groups(truth.class_area_ha(FARM, YEAR - 1))
    area = truth.area_ha(FARM)
    assert {row.land_cover_group for row in rows} == set(get_args(Group)) - {"not_observed"}
    for row in rows:
        group = row.land_cover_group
        change = now[group] - before[group]
        assert row.area_ha == near(now[group])
        assert row.previous_vintage == YEAR - 1
        assert row.change_ha == pytest.approx(change, abs=truth.RELATIVE_TOLERANCE * area)
    changed = {row.land_cover_group: row.change_ha for row in rows if abs(row.change_ha) > 1}
    assert changed.keys() == {"natural_forest", "pasture", "agriculture"}


def forest_changes(database: Database, farm: str) -> dict[int, tuple[float | None, float | None]]:
    rows = rows_of(
        database,
        "SELECT vintage, area_ha, change_ha FROM marts.land_cover_change"
        " WHERE farm_key = :farm AND land_cover_group = 'natural_forest'",
        farm=farm,
    )
    return {row.vintage: (row.area_ha, row.change_ha) for row in rows}


def test_clouds_are_no_clearing(marts_database: Database) -> None:
    """A7 never changes; a part of it is under clouds in 2019 and in 2021."""
    changes = forest_changes(marts_database, "north-07")
    assert {year: change for year, (_, change) in changes.items()} == dict.fromkeys(VINTAGES)
    assert changes[2021][0] == near(truth.class_area_ha("north-07", 2021)[3])


def test_nothing_observed_is_null_and_not_zero(marts_database: Database) -> None:
    area, change = forest_changes(marts_database, "clouded")[2021]
    assert (area, change) == (None, None)
    row = wide(marts_database, "clouded", 2021)
    assert (row.forest_cover_ha, row.forest_cover_pct) == (None, None)
    assert row.observed_area_ha == 0
    assert row.not_observed_area_ha == near(truth.area_ha(clouded()))
    assert "no_data" in row.flags["forest_cover"]
    # the carbon map is another product: it has no clouds, and says what it knows
    carbon = truth.carbon_stock_tc(clouded(), 2021, classes=[27]).amount
    assert row.agb_carbon_stock_tc == near(carbon)
    assert forest_changes(marts_database, "clouded")[2020][1] == 0


def test_what_is_not_computed_is_no_row_and_gives_no_change(marts_database: Database) -> None:
    farm, vintage = UNCOMPUTED
    changes = forest_changes(marts_database, farm)
    assert vintage not in changes
    assert changes[vintage + 1][1] is None
    assert changes[vintage + 2][1] is not None


def project(database: Database, key: str, vintage: int) -> Any:
    (row,) = rows_of(
        database,
        "SELECT * FROM marts.project_totals WHERE project_key = :key AND vintage = :vintage",
        key=key,
        vintage=vintage,
    )
    return row


def farms_of(key: str) -> list[Any]:
    return [farm for farm in load_design().farms() if farm.project == key]


def test_a_project_is_the_sum_of_its_farms_alone(marts_database: Database) -> None:
    row = project(marts_database, "south", YEAR)
    farms = farms_of("south")
    stock = math.fsum(truth.carbon_stock_tc(farm, YEAR).amount for farm in farms)
    assert (row.farms, row.farms_not_computed, row.farms_without_land_cover) == (6, 0, 0)
    assert row.total_area_ha == near(math.fsum(map(truth.area_ha, farms)))
    assert row.agb_carbon_stock_tc == near(stock)
    assert row.agb_stock_mg is None


def test_what_is_missing_from_a_sum_stands_beside_it(marts_database: Database) -> None:
    missing, vintage = UNCOMPUTED
    row = project(marts_database, "south", vintage)
    computed = [farm for farm in farms_of("south") if farm.key != missing]
    assert (row.farms, row.farms_not_computed, row.farms_without_carbon) == (6, 1, 0)
    assert row.total_area_ha == near(math.fsum(map(truth.area_ha, computed)))
    clouds = project(marts_database, "north", 2021)
    assert clouds.farms == len(farms_of("north")) + 1
    assert (clouds.farms_without_land_cover, clouds.farms_without_carbon) == (1, 0)
