"""All assets of a run see the companies as the run has found them, and no other companies."""

from __future__ import annotations

import shutil
from pathlib import Path

import dagster as dg
import pytest
from sqlalchemy import text

from carbon_assets.errors import RasterError
from carbon_assets.orchestration.event_storage import WORK_LIST_TAG
from carbon_assets.orchestration.launch import Launcher
from carbon_assets.orchestration.partitions import PlaceVintage, add_places
from carbon_assets.orchestration.store import CarbonStore
from carbon_assets.portfolio import import_portfolio
from carbon_assets.store.engines import transaction
from carbon_assets_tests.orchestration.farmland import LAND_COVER, MAPBIOMAS, Farmland


def run_of(number: str, **tags: str) -> dg.DagsterRun:
    return dg.DagsterRun(job_name="any", run_id=number, tags=tags)


def test_a_run_keeps_its_view_and_the_next_one_has_its_own(farmland: Farmland) -> None:
    store = CarbonStore(farmland.database)
    first = store.companies(run_of("run-1"))
    farmland.lose("north-01")
    assert store.companies(run_of("run-1")) is first
    second = store.companies(run_of("run-2"))
    assert len(second[0].places) == len(first[0].places) - 1
    assert store.companies(run_of("run-2")) is second


def second_company(farmland: Farmland, folder: Path) -> Path:
    """Import the same land for another company, from files of its own."""
    shutil.copytree(farmland.portfolio.parent, folder)
    portfolio = folder / farmland.portfolio.name
    written = portfolio.read_text(encoding="utf-8")
    assert "key: demo" in written
    portfolio.write_text(written.replace("key: demo", "key: other"), encoding="utf-8")
    import_portfolio(farmland.database, portfolio)
    add_places(farmland.instance, farmland.places)
    return portfolio


def test_a_raster_that_one_company_misses_stops_no_run_of_another(
    farmland: Farmland, tmp_path: Path
) -> None:
    portfolio = second_company(farmland, tmp_path / "other")
    query = text(
        "SELECT f.id, f.partition_key, c.key FROM farms AS f"
        " JOIN companies AS c ON c.id = f.company_id WHERE f.key = 'north-01' ORDER BY f.id"
    )
    with transaction(farmland.database) as connection:
        demo, other = connection.execute(query).all()
    whole = farmland.run([MAPBIOMAS])
    (portfolio.parent / "rasters" / "brazil_coverage_2020.tif").unlink()

    launcher = Launcher(farmland.instance, farmland.definitions)
    results = {}
    for farm in (demo, other):
        number = farmland.store.save_work_list("test", [(farm.id, 2020)])
        wanted = [PlaceVintage(farm.partition_key, 2020)]
        results[farm.key] = launcher.run_partitions([MAPBIOMAS, LAND_COVER], wanted, number)
    assert results["demo"].success
    assert not results["other"].success
    assert [error.code for error in farmland.store.errors] == ["RASTER_MISSING"]
    assert set(farmland.current(LAND_COVER)) == {f"{demo.partition_key}|2020"}
    assert version(results["demo"]) == version(whole)

    with pytest.raises(RasterError):
        CarbonStore(farmland.database).companies(run_of("everything"))
    nothing = farmland.store.save_work_list("test", [])
    narrow = run_of("nothing", **{WORK_LIST_TAG: str(nothing)})
    assert CarbonStore(farmland.database).companies(narrow) == []


def version(result: dg.ExecuteInProcessResult) -> str | None:
    """Data version that the observation of the source says."""
    [seen] = [
        e
        for e in result.all_events
        if e.event_type_value == "ASSET_OBSERVATION" and e.asset_key == MAPBIOMAS
    ]
    return seen.asset_observation_data.asset_observation.data_version
