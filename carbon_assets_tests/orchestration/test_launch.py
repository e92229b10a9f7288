"""Runs as the command line starts them."""

import dagster as dg
import pytest

from carbon_assets.orchestration.launch import Launcher
from carbon_assets.orchestration.partitions import PlaceVintage, add_places
from carbon_assets_tests.orchestration.chain import LAND_COVER, METRICS, PLACES, SOURCE, Chain


@pytest.fixture
def chain(instance: dg.DagsterInstance) -> Chain:
    add_places(instance, ["a-1", "b-2", "c-3"])
    return Chain(instance)


def test_a_scattered_list_takes_one_run_of_just_its_partitions(chain: Chain) -> None:
    seen: list[tuple[str, str | None]] = []

    def note(event: dg.DagsterEvent) -> None:
        if event.event_type == dg.DagsterEventType.ASSET_MATERIALIZATION and event.asset_key:
            seen.append((event.asset_key.path[-1], event.partition))

    launcher = Launcher(chain.instance, dg.Definitions(assets=chain.assets), on_event=note)
    assert launcher.run_places([PLACES], ["a-1", "c-3"])
    seen.clear()
    wanted = [PlaceVintage("a-1", 2003), PlaceVintage("c-3", 2001)]
    chain.world.work_lists[4] = wanted
    result = launcher.run_partitions([SOURCE, LAND_COVER, METRICS], wanted, work_list=4)
    assert result.success
    assert seen == [
        ("land_cover", "a-1|2003"),
        ("land_cover", "c-3|2001"),
        ("farm_metrics", "a-1|2003"),
        ("farm_metrics", "c-3|2001"),
    ]
    assert set(chain.status(METRICS, ["a-1|2003", "c-3|2001"]).values()) == {"FRESH"}
    run = chain.instance.get_run_by_id(result.run_id)
    assert run is not None
    assert run.status is dg.DagsterRunStatus.SUCCESS


def test_without_a_list_the_whole_rectangle_runs(chain: Chain) -> None:
    launcher = Launcher(chain.instance, dg.Definitions(assets=chain.assets))
    wanted = [PlaceVintage("a-1", 2000), PlaceVintage("b-2", 2001)]
    result = launcher.run_partitions([LAND_COVER], wanted)
    partitions = [event.partition for event in result.get_asset_materialization_events()]
    assert partitions == ["a-1|2000", "a-1|2001", "b-2|2000", "b-2|2001"]


def test_a_failing_check_is_a_failed_run(chain: Chain) -> None:
    chain.world.check_passes = False
    launcher = Launcher(chain.instance, dg.Definitions(assets=chain.assets))
    result = launcher.run_partitions([LAND_COVER, METRICS], [PlaceVintage("a-1", 2000)])
    assert not result.success
    assert [step.step_key for step in result.all_events if step.is_step_failure] == [
        "raster_aggregates__land_cover"
    ]
