"""The batched event storage, and every undocumented name of Dagster that it leans on.

When a test here fails after an upgrade of Dagster, ``event_storage.py`` needs a look first.
"""

import inspect
from collections.abc import Sequence

import dagster as dg
import pytest
from dagster import DagsterEventType as Kind
from dagster._core.definitions import data_version
from dagster._core.events import AssetMaterializationPlannedData, DagsterEvent
from dagster_postgres import PostgresEventLogStorage
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy import text

from carbon_assets.orchestration import event_storage, events
from carbon_assets.orchestration.event_storage import (
    EVENTS_ALREADY_YIELDED,
    WORK_LIST_TAG,
    EventVersion,
    PooledEventLogStorage,
    latest_versions,
)
from carbon_assets.orchestration.partitions import (
    RANGE_END_TAG,
    RANGE_START_TAG,
    add_places,
    farm_partitions,
)
from carbon_assets_tests.orchestration.chain import PLACES, QUIET, Chain, Yielded

FARMS = [f"farm-{number}" for number in range(40)]
RANGE = {RANGE_START_TAG: FARMS[0], RANGE_END_TAG: FARMS[-1]}


@pytest.fixture
def chain(instance: dg.DagsterInstance) -> Chain:
    add_places(instance, FARMS)
    return Chain(instance)


def storage_of(instance: dg.DagsterInstance) -> PooledEventLogStorage:
    storage = instance.event_log_storage
    assert isinstance(storage, PooledEventLogStorage)
    return storage


def stored(
    instance: dg.DagsterInstance, run_id: str, kind: Kind, key: dg.AssetKey
) -> list[str | None]:
    """Partitions of the stored events of a kind, in the order of the log."""
    events_of_run = [entry.get_dagster_event() for entry in instance.all_logs(run_id, of_type=kind)]
    return [found.partition for found in events_of_run if found.asset_key == key]


def test_events_are_stored_once_in_order_with_their_tags(chain: Chain) -> None:
    result = chain.run(PLACES, tags=RANGE)
    assert stored(chain.instance, result.run_id, Kind.ASSET_MATERIALIZATION, PLACES) == FARMS
    planned = stored(chain.instance, result.run_id, Kind.ASSET_MATERIALIZATION_PLANNED, PLACES)
    assert sorted(str(farm) for farm in planned) == sorted(FARMS)
    assert chain.instance.get_materialized_partitions(PLACES) == set(FARMS)
    latest = chain.instance.get_latest_materialization_event(PLACES)
    assert latest is not None
    assert latest.asset_materialization.partition == FARMS[-1]
    kinds = [
        entry.get_dagster_event().event_type
        for entry in chain.instance.all_logs(result.run_id)
        if entry.is_dagster_event
    ]
    assert kinds.index(Kind.STEP_START) < kinds.index(Kind.ASSET_MATERIALIZATION)
    assert kinds[::-1].index(Kind.STEP_SUCCESS) < kinds[::-1].index(Kind.ASSET_MATERIALIZATION)


def test_planned_events_differ_in_the_partition_alone(instance: dg.DagsterInstance) -> None:
    odd = ["plain-1", 'so-"called"-2', "são-josé-3", "back\\slash-4"]
    add_places(instance, odd)
    tags = {RANGE_START_TAG: odd[0], RANGE_END_TAG: odd[-1]}
    result = Chain(instance).run(PLACES, tags=tags)
    planned = [
        entry.get_dagster_event()
        for entry in instance.all_logs(result.run_id, of_type=Kind.ASSET_MATERIALIZATION_PLANNED)
    ]
    assert len(planned) == len(odd)
    assert {found.event_specific_data for found in planned} == {
        AssetMaterializationPlannedData(PLACES, partition=key) for key in odd
    }
    common = [found._replace(event_specific_data=None) for found in planned]
    assert common == common[:1] * len(odd)


def test_a_range_opens_few_connections_and_sends_few_statements(chain: Chain) -> None:
    engine = storage_of(chain.instance)._engine
    connections: list[object] = []
    inserts: list[str] = []
    sqlalchemy_event.listen(engine, "connect", lambda *found: connections.append(found))

    def note(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
        if "INSERT INTO event_logs" in statement:
            inserts.append(statement)

    sqlalchemy_event.listen(engine, "before_cursor_execute", note)
    chain.run(PLACES, tags=RANGE)
    assert len(connections) <= 3
    assert len(inserts) < len(FARMS)


def test_a_reader_in_the_same_process_sees_what_is_held_back(chain: Chain) -> None:
    seen: list[dict[str, EventVersion]] = []

    @dg.asset(key="looking", partitions_def=farm_partitions)
    def looking(context: dg.AssetExecutionContext) -> Yielded:
        for key in context.partition_keys:
            yield dg.AssetMaterialization(
                "looking", partition=key, tags={"dagster/data_version": key}
            )
            seen.append(latest_versions(context.instance, dg.AssetKey("looking"), [key]))
        yield dg.MaterializeResult(metadata=EVENTS_ALREADY_YIELDED)

    dg.materialize([looking], instance=chain.instance, tags=RANGE, run_config=QUIET)
    assert [[found.data_version for found in look.values()] for look in seen] == [
        [farm] for farm in FARMS
    ]
    ids = [found.storage_id for look in seen for found in look.values()]
    assert ids == sorted(ids)


def test_events_survive_a_step_that_fails_after_yielding_them(chain: Chain) -> None:
    @dg.asset(key="half", partitions_def=farm_partitions)
    def half(context: dg.AssetExecutionContext) -> Yielded:
        for key in context.partition_keys[:10]:
            yield dg.AssetMaterialization("half", partition=key)
        raise RuntimeError("half way")

    result = dg.materialize(
        [half], instance=chain.instance, tags=RANGE, run_config=QUIET, raise_on_error=False
    )
    assert not result.success
    assert chain.instance.get_materialized_partitions(dg.AssetKey("half")) == set(FARMS[:10])
    failed = storage_of(
        chain.instance
    ).get_latest_asset_partition_materialization_attempts_without_materializations(
        dg.AssetKey("half")
    )
    assert set(failed) == set(FARMS[10:])


def test_a_failed_write_keeps_the_events_for_the_next_try(
    chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = storage_of(chain.instance)
    run = chain.run(PLACES, tags=RANGE)
    entries = chain.instance.all_logs(run.run_id, of_type=Kind.ASSET_MATERIALIZATION)

    def refuse(_self: PooledEventLogStorage, _events: Sequence[dg.EventLogEntry]) -> None:
        raise ConnectionError("gone")

    with monkeypatch.context() as broken:
        broken.setattr(PooledEventLogStorage, "_write", refuse)
        storage.store_event(entries[0])
        with pytest.raises(ConnectionError):
            storage.flush()
    storage.flush()
    count = len(chain.instance.all_logs(run.run_id, of_type=Kind.ASSET_MATERIALIZATION))
    assert count == len(FARMS) + 1


def test_dispose_writes_what_is_held_back(chain: Chain) -> None:
    run = chain.run(PLACES, tags=RANGE)
    storage = storage_of(chain.instance)
    storage.store_event(chain.instance.all_logs(run.run_id, of_type=Kind.ASSET_MATERIALIZATION)[0])
    storage.dispose()
    count = len(chain.instance.all_logs(run.run_id, of_type=Kind.ASSET_MATERIALIZATION))
    assert count == len(FARMS) + 1


@pytest.mark.parametrize("why", ["work list", "too many"])
def test_a_narrowed_or_huge_range_is_planned_once_per_asset(
    chain: Chain, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    tags = {**RANGE, WORK_LIST_TAG: "1"} if why == "work list" else RANGE
    if why == "too many":
        monkeypatch.setattr(event_storage, "PLANNED_LIMIT", len(FARMS) - 1)
    result = chain.run(PLACES, tags=tags)
    assert result.success
    planned = stored(chain.instance, result.run_id, Kind.ASSET_MATERIALIZATION_PLANNED, PLACES)
    assert planned == [None]


def test_commits_are_not_waited_for(instance: dg.DagsterInstance) -> None:
    with storage_of(instance).index_connection() as connection:
        assert connection.execute(text("SHOW synchronous_commit")).scalar() == "off"
        assert connection.execute(text("SELECT current_schema()")).scalar() == "dagster"


def test_never_materialized_partitions_are_left_out(instance: dg.DagsterInstance) -> None:
    assert latest_versions(instance, PLACES, ["nowhere"]) == {}
    assert latest_versions(instance, PLACES, []) == {}


# What follows pins Dagster itself.


def test_dagster_still_asks_these_methods_of_a_storage() -> None:
    used = ("_connect", "_event_to_row", "_store_asset_event_tags", "_store_asset_event")
    missing = [name for name in used if not hasattr(PostgresEventLogStorage, name)]
    assert missing == []
    parameters = {
        name: list(inspect.signature(getattr(PostgresEventLogStorage, name)).parameters)
        for name in used
    }
    assert parameters == {
        "_connect": ["self"],
        "_event_to_row": ["self", "event"],
        "_store_asset_event_tags": ["self", "conn", "events", "event_ids"],
        "_store_asset_event": ["self", "conn", "event", "event_id"],
    }


def test_dagster_events_are_still_named_tuples_with_these_fields() -> None:
    assert "event_specific_data" in DagsterEvent._fields
    assert "dagster_event" in dg.EventLogEntry._fields
    assert AssetMaterializationPlannedData._fields == (
        "asset_key",
        "partition",
        "partitions_subset",
    )


def test_a_marked_result_still_adds_no_event_and_still_starts_downstream(
    instance: dg.DagsterInstance,
) -> None:
    @dg.asset
    def marked() -> Yielded:
        yield dg.AssetMaterialization("marked", tags={"dagster/data_version": "mine"})
        yield dg.MaterializeResult(metadata=EVENTS_ALREADY_YIELDED)

    @dg.asset(deps=[marked])
    def after() -> None: ...

    result = dg.materialize([marked, after], instance=instance, run_config=QUIET)
    assert result.success
    found = result.get_asset_materialization_events()
    assert [event.asset_key.to_user_string() for event in found if event.asset_key] == [
        "marked",
        "after",
    ]


def test_the_tags_are_still_those_that_dagster_reads() -> None:
    key = dg.AssetKey(["raster_aggregates", "land_cover"])
    assert data_version.DATA_VERSION_TAG == event_storage.DATA_VERSION_TAG
    assert data_version.CODE_VERSION_TAG == events.CODE_VERSION_TAG
    assert data_version.DATA_VERSION_IS_USER_PROVIDED_TAG == events.USER_PROVIDED_TAG
    name = key.to_user_string()
    assert data_version.get_input_data_version_tag(key) == events.INPUT_VERSION_PREFIX + name
    assert data_version.get_input_event_pointer_tag(key) == events.INPUT_POINTER_PREFIX + name
    assert data_version.NULL_EVENT_POINTER == "NULL"
    assert data_version.DEFAULT_DATA_VERSION.value == events.NEVER_MATERIALIZED.data_version
