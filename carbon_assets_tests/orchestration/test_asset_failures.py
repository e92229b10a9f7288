"""What stops a run, what stays of it, and what the next run does about it."""

from __future__ import annotations

from typing import Any

import dagster as dg
import pytest
from sqlalchemy import text

from carbon_assets.demo.edits import apply_edit
from carbon_assets.errors import RasterError
from carbon_assets.orchestration.assets import partitioned
from carbon_assets.orchestration.assets.failures import explained
from carbon_assets.orchestration.refresh import bring_up_to_date
from carbon_assets.orchestration.store import CarbonStore
from carbon_assets.provenance import materialize
from carbon_assets.store.engines import owner_engine
from carbon_assets_tests.orchestration.farmland import (
    BIOMASS,
    CHAIN,
    LAND_COVER,
    MAPBIOMAS,
    METRICS,
    PLACES,
    Farmland,
    told,
    versions,
)

ONE = "north-01-1|2020"


def spoil(farmland: Farmland) -> None:
    """Add a row that no code of ours would write to the current receipts."""
    copied = [
        row[0]
        for row in farmland.rows(
            "SELECT column_name FROM information_schema.columns WHERE table_name ="
            " 'raster_aggregates' AND column_name NOT IN ('id', 'valid_area_ha', 'stratum_filter')"
        )
    ]
    names = ", ".join(copied)
    with owner_engine(farmland.database).begin() as connection:
        connection.execute(
            text(
                f"INSERT INTO raster_aggregates ({names}, valid_area_ha, stratum_filter)"
                f' SELECT {names}, covered_area_ha * 2, \'{{"forest_type": "none"}}\''
                " FROM raster_aggregates WHERE runner_key LIKE 'land_cover.%'"
            )
        )


def failures(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    return {e.step_key: e.step_failure_data for e in result.all_events if e.is_step_failure}


def test_a_failing_check_stops_what_is_downstream_and_shows_the_row(farmland: Farmland) -> None:
    assert farmland.run([LAND_COVER], ONE).success
    spoil(farmland)
    result = farmland.run(CHAIN, ONE)
    assert not result.success
    assert list(failures(result)) == ["raster_aggregates__land_cover"]
    assert told(result, METRICS) == {}
    assert farmland.count("farm_metrics") == 0
    checks = result.get_asset_check_evaluations()
    [check] = [
        one
        for one in checks
        if one.asset_key == LAND_COVER and one.check_name == "rows_obey_the_rules"
    ]
    assert not check.passed
    assert check.description == "1 of 2 rows break a rule (1 partitions)"
    [bad] = check.metadata["bad rows"].records
    assert bad.data["vintage_year"] == 2020
    assert bad.data["reason"] == "Area with data is a part of the covered area"


def test_an_edit_of_one_farm_goes_stale_one_level_at_a_time(farmland: Farmland) -> None:
    chosen = {"north-01", "north-02"}
    bring_up_to_date(
        farmland.store, farmland.instance, choose=lambda p, v: p.key in chosen and v == 2020
    )
    both = ["north-01-1|2020", "north-02-2|2020"]
    assert [farmland.stale(key, both) for key in CHAIN] == [[], [], []]
    edited = apply_edit(farmland.portfolio.parent)
    farmland.load()
    [place] = [one for one in farmland.places if one.startswith(edited.farm_key)]
    mine = f"{place}|2020"
    assert mine in both
    assert farmland.run([PLACES], farmland.places[0], farmland.places[-1]).success
    assert [farmland.stale(key, both) for key in CHAIN] == [[mine], [mine], []]
    assert farmland.run([LAND_COVER, BIOMASS], *both).success
    assert [farmland.stale(key, both) for key in CHAIN] == [[], [], [mine]]
    result = farmland.run([METRICS], *both)
    assert [farmland.stale(key, both) for key in CHAIN] == [[], [], []]
    actions = {k: e.metadata["action"].value for k, e in told(result, METRICS).items()}
    assert actions == {one: "computed" if one == mine else "fresh" for one in both}
    assert told(result, METRICS)[mine].metadata["cause"].value == "upstream"


def test_what_was_committed_but_not_told_is_told_by_the_next_run(
    farmland: Farmland, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(partitioned, "_fingerprints", killed)
        assert not farmland.run([LAND_COVER], ONE).success
    assert set(farmland.current(LAND_COVER)) == {ONE}
    assert farmland.instance.get_materialized_partitions(LAND_COVER) == set()
    receipts = farmland.count("raster_aggregates")

    def again() -> str | None:
        return bring_up_to_date(
            farmland.store,
            farmland.instance,
            assets=["raster_aggregates/land_cover"],
            choose=lambda place, vintage: place.key == "north-01" and vintage == 2020,
        ).run_id

    assert again() is not None
    assert farmland.instance.get_materialized_partitions(LAND_COVER) == {ONE}
    assert farmland.count("raster_aggregates") == receipts
    assert farmland.rows("SELECT history_id FROM asset_announcements") == farmland.rows(
        "SELECT max(id) FROM partition_history"
    )
    assert again() is None


def test_a_later_chunk_that_fails_leaves_the_earlier_ones_told(
    farmland: Farmland, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(materialize, "CHUNK_PARTITIONS", 1)
    compute, calls = farmland.store.compute, []

    def second_fails(*given: Any) -> Any:
        calls.append(given)
        if len(calls) == 2:
            raise RasterError("RASTER_CHANGED", "the file changed", where="a.tif", do="import it")
        return compute(*given)

    farmland.store.compute = second_fails
    result = farmland.run([LAND_COVER], "north-01-1|2020", "north-02-2|2020")
    assert not result.success
    assert versions(result, LAND_COVER) == farmland.current(LAND_COVER)
    assert len(farmland.current(LAND_COVER)) == 1


@pytest.mark.parametrize("key", [LAND_COVER, PLACES, MAPBIOMAS], ids=lambda key: key.path[-1])
def test_an_error_that_a_user_can_act_on_says_what_to_do(
    farmland: Farmland, key: dg.AssetKey
) -> None:
    (farmland.portfolio.parent / "rasters" / "brazil_coverage_2020.tif").unlink()
    partition = {LAND_COVER: ONE, PLACES: "north-01-1", MAPBIOMAS: None}[key]
    result = farmland.run([key], partition)
    assert not result.success
    [failure] = failures(result).values()
    facts = {name: value.value for name, value in failure.user_failure_data.metadata.items()}
    [error] = farmland.store.errors
    assert facts["code"] == error.code
    assert facts["where"].endswith("brazil_coverage_2020.tif")
    assert facts["do"] == error.do
    with pytest.raises(RasterError) as raised:
        bring_up_to_date(farmland.store, farmland.instance)
    assert raised.value.code == error.code


def test_such_an_error_is_not_retried_and_others_pass_unchanged() -> None:
    store = CarbonStore()
    error = RasterError("RASTER_CHANGED", "the file changed")
    with pytest.raises(dg.Failure) as raised, explained(store):
        raise error
    assert raised.value.allow_retries is False
    assert raised.value.__cause__ is error
    assert store.errors == [error]
    with pytest.raises(ZeroDivisionError), explained(store):
        raise ZeroDivisionError
