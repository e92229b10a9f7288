"""Per-partition materializations: what they mean to Dagster's lineage and staleness."""

import dagster as dg
import pytest

from carbon_assets.orchestration import partitions
from carbon_assets.orchestration.event_storage import WORK_LIST_TAG, latest_versions
from carbon_assets.orchestration.events import PartitionEvents, Upstream, latest_version
from carbon_assets.orchestration.partitions import (
    RANGE_END_TAG,
    RANGE_START_TAG,
    PlaceVintage,
    add_places,
    parse_key,
    range_tags,
)
from carbon_assets_tests.orchestration.chain import (
    LAND_COVER,
    METRICS,
    PLACES,
    QUIET,
    SOURCE,
    SPACE,
    Chain,
    Yielded,
)

FARMS = ["a-1", "b-2", "c-3"]
ALL = [f"{farm}|{year}" for farm in FARMS for year in (2000, 2001)]
RANGE = {RANGE_START_TAG: "a-1|2000", RANGE_END_TAG: "c-3|2001"}


@pytest.fixture
def chain(instance: dg.DagsterInstance) -> Chain:
    """The whole chain, everything materialized and fresh."""
    add_places(instance, FARMS)
    chain = Chain(instance)
    assert chain.run(PLACES, tags={RANGE_START_TAG: "a-1", RANGE_END_TAG: "c-3"}).success
    assert chain.run(SOURCE, LAND_COVER, METRICS, tags=RANGE).success
    return chain


def partitions_of(result: dg.ExecuteInProcessResult, key: dg.AssetKey) -> list[str | None]:
    return sorted(
        event.partition
        for event in result.get_asset_materialization_events()
        if event.asset_key == key
    )


def stale(chain: Chain, key: dg.AssetKey) -> list[str]:
    return [name for name, status in chain.status(key, ALL).items() if status == "STALE"]


def test_a_range_run_stamps_every_partition_with_a_version_of_its_own(chain: Chain) -> None:
    chain.world.geometry["b-2"] = "g2"
    result = chain.run(LAND_COVER, METRICS, tags=RANGE)
    assert partitions_of(result, LAND_COVER) == ALL
    assert partitions_of(result, METRICS) == ALL
    versions = latest_versions(chain.instance, LAND_COVER, ALL)
    assert {name: found.data_version for name, found in versions.items()} == {
        name: f"manifest-1/{'g2' if name.startswith('b-2') else 'g1'}/" for name in ALL
    }


def test_everything_is_fresh_after_a_range_run(chain: Chain) -> None:
    assert set(chain.status(LAND_COVER, ALL).values()) == {"FRESH"}
    assert set(chain.status(METRICS, ALL).values()) == {"FRESH"}


def test_one_changed_partition_makes_exactly_its_child_stale_until_it_runs(chain: Chain) -> None:
    chain.world.extra["b-2|2001"] = "changed"
    assert chain.run(LAND_COVER, tags=RANGE).success
    assert stale(chain, METRICS) == ["b-2|2001"]
    assert stale(chain, LAND_COVER) == []

    assert chain.run(METRICS, partition="b-2|2001").success
    assert stale(chain, METRICS) == []


def test_an_edited_place_makes_exactly_its_own_partitions_stale(chain: Chain) -> None:
    chain.world.geometry["c-3"] = "g2"
    assert chain.run(PLACES, partition="c-3").success
    assert stale(chain, LAND_COVER) == ["c-3|2000", "c-3|2001"]
    assert chain.run(LAND_COVER, METRICS, tags=RANGE).success
    assert stale(chain, LAND_COVER) == stale(chain, METRICS) == []


def test_a_new_source_manifest_makes_all_stale_whether_observed_or_reported(chain: Chain) -> None:
    chain.instance.report_runless_asset_event(
        dg.AssetObservation(SOURCE, tags={"dagster/data_version": "manifest-2"})
    )
    assert stale(chain, LAND_COVER) == ALL
    assert stale(chain, METRICS) == []

    chain.world.manifest = "manifest-2"
    assert chain.run(SOURCE, LAND_COVER, METRICS, tags=RANGE).success
    assert stale(chain, LAND_COVER) == stale(chain, METRICS) == []
    assert latest_version(chain.instance, SOURCE).data_version == "manifest-2"


def test_the_same_versions_again_leave_everything_fresh(chain: Chain) -> None:
    assert chain.run(LAND_COVER, tags=RANGE).success
    assert stale(chain, METRICS) == []


def test_a_single_partition_runs_like_a_range(chain: Chain) -> None:
    chain.world.extra["a-1|2000"] = "changed"
    result = chain.run(LAND_COVER, METRICS, partition="a-1|2000")
    assert partitions_of(result, METRICS) == ["a-1|2000"]
    assert stale(chain, METRICS) == []


def test_a_work_list_narrows_the_rectangle(chain: Chain) -> None:
    wanted = [PlaceVintage("a-1", 2001), PlaceVintage("c-3", 2000)]
    chain.world.work_lists[7] = wanted
    tags = {**range_tags(chain.instance, wanted), WORK_LIST_TAG: "7"}
    assert tags[RANGE_START_TAG] == "a-1|2000"
    assert tags[RANGE_END_TAG] == "c-3|2001"
    result = chain.run(LAND_COVER, METRICS, tags=tags)
    assert partitions_of(result, LAND_COVER) == ["a-1|2001", "c-3|2000"]
    assert partitions_of(result, METRICS) == ["a-1|2001", "c-3|2000"]


def test_a_work_list_too_wide_for_a_rectangle_is_worked_on_whole(
    chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitions, "WIDEST_RANGE", 1)
    wanted = [PlaceVintage("a-1", 2001), PlaceVintage("c-3", 2000)]
    chain.world.work_lists[7] = wanted
    tags = {**range_tags(chain.instance, wanted, listed=True), WORK_LIST_TAG: "7"}
    assert tags[RANGE_START_TAG] == tags[RANGE_END_TAG] == "a-1|2001"
    result = chain.run(LAND_COVER, METRICS, tags=tags)
    assert result.success
    assert partitions_of(result, LAND_COVER) == ["a-1|2001", "c-3|2000"]
    assert partitions_of(result, METRICS) == ["a-1|2001", "c-3|2000"]


def test_a_failing_blocking_check_stops_what_is_downstream(chain: Chain) -> None:
    chain.world.check_passes = False
    result = chain.run(LAND_COVER, METRICS, tags=RANGE)
    assert not result.success
    assert partitions_of(result, LAND_COVER) == ALL
    assert partitions_of(result, METRICS) == []


def test_a_failing_check_of_its_own_step_stops_what_is_downstream_too(chain: Chain) -> None:

    @dg.asset_check(asset=LAND_COVER, blocking=True)
    def never_passes() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=False)

    chain.checks.append(never_passes)
    result = chain.run(LAND_COVER, METRICS, tags=RANGE)
    assert not result.success
    assert partitions_of(result, LAND_COVER) == ALL
    assert partitions_of(result, METRICS) == []


def test_upstreams_must_be_the_declared_ones(instance: dg.DagsterInstance) -> None:
    @dg.asset(partitions_def=SPACE, deps=[LAND_COVER])
    def wrong(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        return PartitionEvents(context, context.partition_keys, [Upstream(SOURCE)]).finished()

    add_places(instance, FARMS)
    with pytest.raises(ValueError, match="raster_aggregates/land_cover"):
        dg.materialize([wrong], instance=instance, partition_key=ALL[0], run_config=QUIET)


def test_a_change_anywhere_in_an_upstream_window_is_seen(chain: Chain) -> None:
    """A delayed pool reads last year's partition as well as its own."""
    years = SPACE.get_partitions_def_for_dimension("vintage").get_partition_keys()
    two_years = dg.StaticPartitionMapping(
        {year: {year, str(min(int(year) + 1, int(years[-1])))} for year in years}
    )
    mapping = dg.MultiPartitionMapping(
        {
            "vintage": dg.DimensionPartitionMapping("vintage", two_years),
            "farm": dg.DimensionPartitionMapping("farm", dg.IdentityPartitionMapping()),
        }
    )

    def both_years(key: str) -> list[str]:
        place, vintage = parse_key(key)
        return [f"{place}|{vintage - 1}", f"{place}|{vintage}"]

    key = dg.AssetKey("delayed_pool")

    @dg.asset(
        key=key,
        deps=[dg.AssetDep(LAND_COVER, partition_mapping=mapping)],
        partitions_def=SPACE,
        code_version="1",
    )
    def delayed_pool(context: dg.AssetExecutionContext) -> Yielded:
        events = PartitionEvents(
            context, context.partition_keys, [Upstream(LAND_COVER, both_years)]
        )
        for name in context.partition_keys:
            yield events.materialization(name, "v1")
        yield events.finished()

    chain.assets.append(delayed_pool)
    assert chain.run(key, tags=RANGE).success
    assert stale(chain, key) == []
    chain.world.extra["b-2|2000"] = "changed"
    assert chain.run(LAND_COVER, partition="b-2|2000").success
    assert stale(chain, key) == ["b-2|2000", "b-2|2001"]
    assert chain.run(key, partition="b-2|2001").success
    assert stale(chain, key) == ["b-2|2000"]
