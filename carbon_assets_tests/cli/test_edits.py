"""Running again: nothing twice, just what an edit touches, and nothing for an edit undone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from carbon_assets.demo.edits import apply_edit, undo_edit
from carbon_assets.demo.landscape import write_landscape
from carbon_assets.store.database import Database
from carbon_assets.store.engines import transaction
from carbon_assets_tests.cli.command import carbon, contents, environment

VINTAGES = 2
ASSETS = [
    "raster_aggregates/land_cover",
    "raster_aggregates/biomass",
    "farm_metrics",
    "project_metrics",
]
EXPECTED = (3 * 16 + 2) * VINTAGES
"""Partitions of three assets of 16 places, and of one of two projects."""
README = Path(__file__).parents[2] / "README.md"


@pytest.fixture
def portfolio(fresh_database: Database, tmp_path: Path) -> Iterator[Path]:
    path = write_landscape(tmp_path / "landscape")
    written = path.read_text(encoding="utf-8")
    assert "vintages: 2014-2023" in written
    path.write_text(written.replace("2014-2023", "2022-2023"), encoding="utf-8")
    with environment(tmp_path / "home", fresh_database):
        yield path


def run(portfolio: Path) -> dict[str, Any]:
    return carbon("run", portfolio, "--json").document()


def rows(database: Database) -> dict[str, int]:
    return {name: count for name, (count, _) in contents(database).items()}


def history(database: Database, farm: str) -> list[tuple[int, int, int]]:
    """Rows of history, fingerprints and geometry versions per partition of an asset."""
    query = text(
        "SELECT count(*), count(DISTINCT h.fingerprint), count(DISTINCT h.geometry_version_id)"
        " FROM partition_history AS h JOIN farms AS f ON f.id = h.subject_id"
        " JOIN asset_keys AS a ON a.id = h.asset_id WHERE f.key = :farm AND a.key LIKE 'raster%'"
        " GROUP BY h.asset_id, h.vintage"
    )
    with transaction(database) as connection:
        return [tuple(row) for row in connection.execute(query, {"farm": farm})]


def test_the_life_of_a_portfolio(portfolio: Path, fresh_database: Database) -> None:
    first = run(portfolio)
    assert first["run"]["partitions"] == 16 * VINTAGES
    assert [one["causes"] for one in first["run"]["stale"]] == [["missing"]] * 4
    before = contents(fresh_database)

    again = run(portfolio)
    assert (again["run"]["run_id"], again["run"]["stale"]) == (None, [])
    assert contents(fresh_database) == before
    assert again["metrics"] == first["metrics"]

    os.utime(README)
    (portfolio.parent / "README.md").write_text("Notes.", encoding="utf-8")
    for raster in portfolio.parent.glob("rasters/*.tif"):
        raster.touch()  # the same bytes
    assert carbon("status", "--check", "--json").document()["total"]["stale"] == 0

    counted = rows(fresh_database)
    edit = apply_edit(portfolio.parent)
    changed = run(portfolio)
    assert changed["import"]["places"]["changed"] == [edit.farm_key] == ["north-01"]
    assert changed["import"]["places"]["unchanged"] == 15
    assert [(one["asset"], one["causes"]) for one in changed["run"]["stale"]] == [
        (ASSETS[0], ["geometry"]),
        (ASSETS[1], ["geometry"]),
        (ASSETS[2], ["upstream"]),
        (ASSETS[3], ["upstream"]),
    ]
    assert {one["partitions"] for one in changed["run"]["stale"]} == {VINTAGES}
    area = {farm["farm"]: farm["metrics"]["total_area"] for farm in changed["metrics"]["farms"]}
    assert area["north-01"]["value"] == pytest.approx(edit.after_ha, rel=1e-7)
    edited = rows(fresh_database)
    assert edited["partition_history"] - counted["partition_history"] == 4 * VINTAGES

    undo_edit(portfolio.parent)
    undone = run(portfolio)
    assert undone["run"]["assets"] == {
        asset: {"computed": 0, "confirmed": VINTAGES, "rows": 0} for asset in ASSETS
    }
    assert undone["metrics"] == first["metrics"]
    last = rows(fresh_database)
    for table in ("raster_aggregates", "farm_metrics", "geometry_versions"):
        assert last[table] == edited[table], table
    assert last["geometry_edits"] == counted["geometry_edits"] + 2
    assert history(fresh_database, "north-01") == [(3, 2, 2)] * 2 * VINTAGES
    assert history(fresh_database, "north-02") == [(1, 1, 1)] * 2 * VINTAGES


def test_a_batch_may_have_any_shape(portfolio: Path, fresh_database: Database) -> None:
    imported = carbon("farms", "import", portfolio, "--json").document()
    assert len(imported["places"]["added"]) == 16
    total = carbon("status", "--json").document()["total"]
    assert (total["missing"], total["fresh"]) == (EXPECTED, 0)
    carbon("status", "--check", status=1)
    chosen = ("--farms", "north-01", "--farms", "south-06", "--vintages", "2023")
    done = carbon("materialize", *chosen, "--select", "land_cover", "--json").document()
    assert done["stale"] == [{"asset": ASSETS[0], "causes": ["missing"], "partitions": 2}]
    assert {name: one["computed"] for name, one in done["assets"].items()} == {ASSETS[0]: 2}
    listed = carbon("status", "--list", "--json").document()["partitions"]
    fresh = {("north-01", 2023), ("south-06", 2023)}
    assert not fresh & {(p["place"], p["vintage"]) for p in listed if p["asset"] == ASSETS[0]}
    assert len(listed) == EXPECTED - 2
