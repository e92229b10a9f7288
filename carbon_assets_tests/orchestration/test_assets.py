"""The real assets on the demo landscape: what a run computes, and what it tells Dagster."""

from __future__ import annotations

import shutil

import dagster as dg
import pytest
from sqlalchemy import text

from carbon_assets.orchestration.events import latest_version
from carbon_assets.orchestration.partitions import PlaceVintage
from carbon_assets.orchestration.preview import SHOWN
from carbon_assets.orchestration.refresh import bring_up_to_date
from carbon_assets.provenance.graph import PLACE_ASSETS
from carbon_assets.store.engines import owner_engine
from carbon_assets_tests.orchestration.farmland import (
    BIOMASS,
    CHAIN,
    HGB,
    LAND_COVER,
    MAPBIOMAS,
    METRICS,
    PLACES,
    Farmland,
    observations,
    told,
    versions,
)

ONE = "north-01-1|2020"


def test_one_partition_names_its_version_its_code_and_what_it_read(farmland: Farmland) -> None:
    assert farmland.run([PLACES], "north-01-1").success
    assert farmland.run([MAPBIOMAS, HGB]).success
    result = farmland.run(CHAIN, ONE)
    assert result.success
    for key in CHAIN:
        assert versions(result, key) == farmland.current(key)
        assert list(versions(result, key)) == [ONE]
        tags = told(result, key)[ONE].tags or {}
        declared = farmland.definitions.resolve_assets_def(key).code_versions_by_key[key]
        assert tags["dagster/code_version"] == declared
    polygon = farmland.rows(
        "SELECT geometry_hash FROM geometry_versions v JOIN farms f ON f.id = v.farm_id"
        " WHERE f.partition_key = 'north-01-1'"
    )[0][0]
    read = told(result, LAND_COVER)[ONE].tags or {}
    assert read["dagster/input_data_version/place_geometries"] == polygon
    manifest = latest_version(farmland.instance, MAPBIOMAS).data_version
    assert manifest.startswith("sha256:")
    assert read["dagster/input_data_version/raster_sources/mapbiomas"] == manifest
    read = told(result, METRICS)[ONE].tags or {}
    for key in (LAND_COVER, BIOMASS):
        name = f"dagster/input_data_version/{key.to_user_string()}"
        assert read[name] == farmland.current(key)[ONE]


@pytest.mark.parametrize(
    ("first", "last", "places", "years"),
    [
        ("north-02-2|2020", "north-02-2|2022", ["north-02-2"], [2020, 2021, 2022]),
        (
            "north-02-2|2020",
            "north-04-4|2021",
            ["north-02-2", "north-03-3", "north-04-4"],
            [2020, 2021],
        ),
    ],
    ids=["vintages of a farm", "rectangle"],
)
def test_a_range_is_computed_and_nothing_beside_it(
    farmland: Farmland, first: str, last: str, places: list[str], years: list[int]
) -> None:
    result = farmland.run(CHAIN, first, last)
    assert result.success
    expected = {f"{place}|{year}" for place in places for year in years}
    for key in CHAIN:
        assert set(versions(result, key)) == expected
        assert farmland.instance.get_materialized_partitions(key) == expected
        assert farmland.current(key) == versions(result, key)


def test_everything_at_once_leaves_nothing_missing(farmland: Farmland) -> None:
    result = farmland.run(CHAIN, "north-01-1|2020", "south-boundary-16|2022")
    assert result.success
    for key in CHAIN:
        space = farmland.definitions.resolve_assets_def(key).partitions_def
        assert space is not None
        every = space.get_partition_keys(dynamic_partitions_store=farmland.instance)
        assert len(every) == 48
        assert farmland.instance.get_materialized_partitions(key) == set(every)
        check = farmland.instance.event_log_storage.get_asset_check_execution_history(
            dg.AssetCheckKey(key, "rows_obey_the_rules"), limit=1
        )
        assert check[0].status.value == "SUCCEEDED"
    shown = observations(result)
    assert {key: one.metadata["dagster/row_count"].value for key, one in shown.items()} == {
        LAND_COVER: 48,
        BIOMASS: farmland.count("raster_aggregates") - 48,
        METRICS: farmland.count("farm_metrics"),
    }
    for one in shown.values():
        assert one.metadata["vintage shown"].value == 2022
        assert len(one.metadata["places"].records) == 16
        assert str(one.metadata["map"].value).startswith("![")


def test_every_asset_that_computes_shows_a_map() -> None:
    assert set(SHOWN) == PLACE_ASSETS


def test_a_fresh_partition_again_writes_nothing_and_keeps_its_version(farmland: Farmland) -> None:
    first = farmland.run(CHAIN, ONE)
    counts = [farmland.count(table) for table in ("raster_aggregates", "farm_metrics")]
    history = farmland.count("partition_history")
    again = farmland.run(CHAIN, ONE)
    assert again.success
    assert [farmland.count(t) for t in ("raster_aggregates", "farm_metrics")] == counts
    assert farmland.count("partition_history") == history
    for key in CHAIN:
        assert versions(again, key) == versions(first, key)
        assert told(first, key)[ONE].metadata["action"].value == "computed"
        assert told(again, key)[ONE].metadata["action"].value == "fresh"


def test_a_place_that_is_gone_is_passed_over(farmland: Farmland) -> None:
    farmland.lose("north-02")
    result = farmland.run([LAND_COVER], "north-01-1|2020", "north-03-3|2020")
    assert result.success
    assert set(versions(result, LAND_COVER)) == {"north-01-1|2020", "north-03-3|2020"}
    assert farmland.run([PLACES], "north-02-2").success
    assert farmland.instance.get_materialized_partitions(PLACES) == set()


def test_a_project_with_fewer_years_takes_part_in_those_only(farmland: Farmland) -> None:

    with owner_engine(farmland.database).begin() as connection:
        connection.execute(text("UPDATE projects SET vintages = '{2022}' WHERE key = 'south'"))
    result = farmland.run([LAND_COVER], "north-08-8|2021", "south-01-9|2022")
    assert result.success
    assert set(versions(result, LAND_COVER)) == {
        "north-08-8|2021",
        "north-08-8|2022",
        "south-01-9|2022",
    }


def test_a_run_in_which_nothing_is_wanted_succeeds(farmland: Farmland) -> None:
    farmland.lose("north-02")
    result = farmland.run(CHAIN, "north-02-2|2020")
    assert result.success
    assert result.get_asset_materialization_events() == []
    assert observations(result) == {}


def test_a_scattered_list_is_one_run_of_just_its_partitions(farmland: Farmland) -> None:
    wanted = [PlaceVintage("north-01-1", 2022), PlaceVintage("south-02-10", 2020)]
    result = farmland.run_list(wanted)
    assert result.success
    for key in CHAIN:
        assert set(versions(result, key)) == {str(one.key) for one in wanted}
    assert farmland.instance.get_runs_count() == 1


def test_progress_is_told_per_asset(farmland: Farmland) -> None:
    seen: list[tuple[str, int, int]] = []
    farmland.store.progress = lambda *call: seen.append(call)
    assert farmland.run(CHAIN, "north-01-1|2020", "north-01-1|2021").success
    assert sorted(seen) == sorted(
        (key.to_user_string(), done, 2) for key in CHAIN for done in (0, 2)
    )
    assert [asset for asset, _, _ in seen][-1] == "farm_metrics"


def test_an_observation_carries_the_hash_of_the_manifest(farmland: Farmland) -> None:
    def observed() -> list[str]:
        result = farmland.run([MAPBIOMAS, HGB])
        assert result.success
        return [
            (one.tags or {})["dagster/data_version"]
            for _, one in sorted(observations(result).items())
        ]

    before = observed()
    assert all(version.startswith("sha256:") for version in before)
    assert len(set(before)) == 2
    assert observed() == before
    rasters = farmland.portfolio.parent / "rasters"
    shutil.copy(rasters / "brazil_coverage_2021.tif", rasters / "brazil_coverage_2020.tif")
    after = observed()
    assert [a == b for a, b in zip(after, before, strict=True)] == [True, False]  # hgb, mapbiomas


def test_refreshing_tells_dagster_once_of_everything(farmland: Farmland) -> None:
    chosen = {"north-01", "south-01"}
    refreshed = bring_up_to_date(
        farmland.store,
        farmland.instance,
        choose=lambda place, vintage: place.key in chosen and vintage != 2021,
    )
    assert refreshed.partitions == 4
    expected = {f"{p}|{v}" for p in ("north-01-1", "south-01-9") for v in (2020, 2022)}
    for key in CHAIN:
        assert farmland.instance.get_materialized_partitions(key) == expected
        assert farmland.stale(key, expected) == []
    assert farmland.instance.get_materialized_partitions(PLACES) == set(farmland.places)
