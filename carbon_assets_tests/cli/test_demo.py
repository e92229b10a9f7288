"""The demo: its figures against the closed-form answers, and what people see of it."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
import time

import pytest

from carbon_assets.demo import truth
from carbon_assets.demo.design import load_design
from carbon_assets.reference.legend import load_legend
from carbon_assets_tests.cli.command import carbon
from carbon_assets_tests.cli.conftest import Demo


@pytest.mark.parametrize("key", [farm.key for farm in load_design().farms()])
def test_the_table_of_metrics_holds_the_closed_form_answers(demo: Demo, key: str) -> None:
    found = demo.document["metrics"]
    (farm,) = [one for one in found["farms"] if one["farm"] == key]
    value = {code: metric["value"] for code, metric in farm["metrics"].items()}
    assert value["total_area"] == pytest.approx(truth.area_ha(key), rel=1e-7)
    forest = load_legend("mapbiomas-brazil-col-10").groups["natural_forest"]
    areas = truth.class_area_ha(key, found["vintage"])
    hectares = sum(ha for class_id, ha in areas.items() if class_id in forest)
    assert value["forest_cover"] == pytest.approx(hectares, rel=1e-6, abs=1e-9)
    pools = [truth.carbon_stock_tc(key, found["vintage"], band=band) for band in ("agb", "bgb")]
    above, below = (pool.amount for pool in pools)
    assert value["agb_carbon_stock"] == pytest.approx(above, rel=1e-6)
    assert value["total_carbon_stock"] == pytest.approx(above + below, rel=1e-6)


def test_everything_was_computed_once_and_is_fresh(demo: Demo) -> None:
    places, vintages = len(load_design().places), len(load_design().years)
    projects = len(load_design().boundaries())
    stale = {one["asset"]: one["partitions"] for one in demo.document["run"]["stale"]}
    assert stale.pop("project_metrics") == projects * vintages
    assert set(stale.values()) == {places * vintages}
    assert len(stale) == 3
    assert carbon("status", "--check", "--json").document()["total"] == {
        "expected": (3 * places + projects) * vintages,
        "fresh": (3 * places + projects) * vintages,
        "stale": 0,
        "missing": 0,
    }


def test_people_see_tables_and_where_to_look_next(demo: Demo) -> None:
    shown = carbon("demo").stdout
    for said in ("Nothing is stale", "Farm metrics of 2023", "north-01", "Block A1"):
        assert said in shown
    (suggested,) = [line for line in shown.splitlines() if "carbon-assets trace" in line]
    traced = carbon(*suggested.split()[1:5]).stdout
    for said in ("brazil_coverage_2023.tif", "sha256:", "geometry", "carbon fraction  none"):
        assert said in traced


def test_metrics_as_csv_hold_every_digit(demo: Demo) -> None:
    chosen = ("--metric", "total_carbon_stock", "--vintage", "2022-2023")
    rows = carbon("metrics", *chosen, "--json").document()["metrics"]
    text = carbon("metrics", *chosen, "--csv", "-").stdout
    table = list(csv.DictReader(io.StringIO(text)))
    assert len(table) == len(rows) > 28
    known = [float(row["value"]) if row["value"] else None for row in table]
    assert known == [row["value"] for row in rows]
    assert {row["vintage"] for row in table} == {"2022", "2023"}


def test_long_tables_say_how_to_get_all(demo: Demo) -> None:
    shown = carbon("metrics").stdout
    assert "more rows" in shown
    assert "--csv" in shown


def test_a_receipt_is_traced_and_reproduced_by_its_number(demo: Demo) -> None:
    document = carbon("trace", "north-02", "agb_carbon_stock", "2016", "--json").document()
    number = document["receipts"][0]["receipt"]["id"]
    assert f"Receipt #{number}" in carbon("trace", f"receipt:{number}").stdout
    again = carbon("reproduce", f"receipt:{number}", "--json").document()
    assert (again["checked"], again["equal"], again["different"]) == (1, 1, [])
    metric = document["metric"]["id"]
    traced = carbon("trace", f"metric:{metric}", "--json").document()
    assert traced["metric"]["value"] == document["metric"]["value"]


def test_reproduce_notices_a_raster_that_is_no_longer_what_it_was(demo: Demo) -> None:
    document = carbon("trace", "north-01", "forest_cover", "2014", "--json").document()
    number = document["receipts"][0]["receipt"]["id"]
    raster = demo.portfolio.parent / "rasters" / "brazil_coverage_2014.tif"
    original = raster.read_bytes()
    try:
        raster.write_bytes(original[:-1] + bytes([original[-1] ^ 1]))
        found = carbon("reproduce", str(number), "--json", status=1).document()
    finally:
        raster.write_bytes(original)
    assert [one["error"]["code"] for one in found["failed"]] == ["RASTER_CHANGED"]


def test_help_answers_without_the_heavy_libraries() -> None:
    heavy = ("dagster", "pandas", "rasterio", "geopandas", "sqlalchemy", "numpy", "pydantic")
    code = (
        "import sys; from carbon_assets.cli.main import app\n"
        "try: app(['--help'])\n"
        f"except SystemExit: print([n for n in {heavy} if n in sys.modules], file=sys.stderr)"
    )
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    assert done.stderr.strip() == "[]"
    assert "Start here" in done.stdout
    assert time.monotonic() - started < 5  # half a second on a machine that does nothing else
