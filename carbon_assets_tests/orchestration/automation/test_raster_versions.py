"""Sensor of raster versions: the runners on changed bytes and what follows, and nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from carbon_assets.demo.landscape import write_landscape
from carbon_assets.portfolio import import_portfolio
from carbon_assets.provenance.world import load_companies
from carbon_assets.store.engines import transaction
from carbon_assets_tests.orchestration.automation.daemon import Daemon

SENSOR = "raster_versions"


def rasters(daemon: Daemon) -> Path:
    return daemon.land.portfolio.parent / "rasters"


def test_an_import_is_run_for_its_places_and_not_for_its_rasters_again(settled: Daemon) -> None:
    assert {one.decision for one in settled.decisions(SENSOR)} == {"nothing"}
    assert settled.tick(SENSOR).requests == []


def test_changed_bytes_run_the_runners_on_them_and_what_follows(settled: Daemon) -> None:
    biomass = rasters(settled) / "aboveground_biomass_carbon_2010.tif"
    with biomass.open("ab") as file:
        file.write(b"\0" * 16)  # another content, the same pixels
    tick = settled.tick(SENSOR)
    assert set(tick.computed()) == {"raster_aggregates/biomass", "farm_metrics"}
    assert tick.tags["cause"] == "raster_version"
    assert tick.tags["object"] == "biomass"
    assert tick.tags["old_version"] != tick.tags["new_version"]
    assert "hgb" in tick.tags["new_version"]
    assert settled.tick(SENSOR).requests == []


def test_one_year_of_a_yearly_source_is_that_year(settled: Daemon) -> None:
    folder = rasters(settled)
    shutil.copy(folder / "brazil_coverage_2020.tif", folder / "brazil_coverage_2021.tif")
    tick = settled.tick(SENSOR)
    years = {key.partition("|")[2] for keys in tick.computed().values() for key in keys}
    assert years == {"2021"}
    assert "raster_aggregates/land_cover" in tick.computed()
    assert settled.tick(SENSOR).requests == []


def test_a_change_that_a_run_registered_first_is_not_missed(settled: Daemon) -> None:
    folder = rasters(settled)
    shutil.copy(folder / "brazil_coverage_2020.tif", folder / "brazil_coverage_2021.tif")
    with transaction(settled.land.database) as connection:
        load_companies(connection)
    assert settled.tick(SENSOR).requests != []


def test_a_touched_file_with_the_same_bytes_is_no_change(settled: Daemon) -> None:
    for path in rasters(settled).glob("*.tif"):
        path.write_bytes(path.read_bytes())
    assert settled.tick(SENSOR).requests == []


def test_a_missing_file_is_told_once_and_others_go_on(settled: Daemon, tmp_path: Path) -> None:
    other = write_landscape(tmp_path / "other")
    said = other.read_text(encoding="utf-8").replace("vintages: 2014-2023", "vintages: 2020-2021")
    head, key, rest = said.partition("key: ")
    other.write_text(head + key + "other-" + rest, encoding="utf-8")
    import_portfolio(settled.land.database, other)
    settled.settle()
    raster = rasters(settled) / "brazil_coverage_2020.tif"
    raster.rename(raster.with_suffix(".away"))
    for _ in range(2):
        tick = settled.tick(SENSOR)
        assert tick.requests == []
        assert "RASTER_MISSING" in str(tick.reason)
    blocked = [one for one in settled.decisions(SENSOR) if one.decision == "blocked"]
    assert len(blocked) == 1
    assert "brazil_coverage_2020" in blocked[0].reason
    folder = other.parent / "rasters"
    shutil.copy(folder / "brazil_coverage_2020.tif", folder / "brazil_coverage_2021.tif")
    tick = settled.tick(SENSOR, run=False)
    assert tick.tags["company"].startswith("other-")


def test_a_file_that_is_back_is_looked_at_again(settled: Daemon) -> None:
    raster = rasters(settled) / "brazil_coverage_2020.tif"
    hidden = raster.rename(raster.with_suffix(".away"))
    settled.tick(SENSOR)
    hidden.rename(raster)
    tick = settled.tick(SENSOR)
    assert tick.requests == []
    assert [one.decision for one in settled.decisions(SENSOR)][-1] == "nothing"


@pytest.mark.parametrize("killed", ["before", "after"])
def test_a_daemon_that_is_killed_asks_once(settled: Daemon, killed: str) -> None:
    folder = rasters(settled)
    shutil.copy(folder / "brazil_coverage_2020.tif", folder / "brazil_coverage_2021.tif")
    struck = settled.tick(SENSOR, killed=killed)
    after = settled.tick(SENSOR)
    assert len(struck.runs) + len(after.runs) == 1


def test_a_binding_waits_until_the_runs_of_its_company_have_ended(settled: Daemon) -> None:
    folder = rasters(settled)
    shutil.copy(folder / "brazil_coverage_2020.tif", folder / "brazil_coverage_2021.tif")
    company = settled.land.rows("SELECT key FROM companies")[0][0]
    run = settled.land.instance.create_run_for_job(
        settled.definitions.resolve_job_def("take_uploads"),
        run_config={"ops": {"take": {"config": {"uploads": []}}}},
        tags={"carbon_assets/company": company},
    )
    tick = settled.tick(SENSOR)
    assert "waits until its runs have ended" in str(tick.reason)
    settled.land.instance.delete_run(run.run_id)
    assert len(settled.tick(SENSOR).requests) == 1
