"""What pruning removes, what it keeps, and that it may be interrupted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pytest
from dagster._core.storage.event_log.schema import (
    AssetCheckExecutionsTable,
    AssetEventTagsTable,
    SqlEventLogStorageTable,
)
from dagster._core.storage.runs.schema import RunsTable
from dagster._core.test_utils import create_run_for_test
from sqlalchemy import Engine, text

from carbon_assets.errors import CarbonAssetsError
from carbon_assets.orchestration import retention, upkeep
from carbon_assets.orchestration.event_storage import WORK_LIST_TAG, latest_versions
from carbon_assets.orchestration.partitions import RANGE_END_TAG, RANGE_START_TAG, add_places
from carbon_assets.orchestration.retention import prune_events
from carbon_assets.orchestration.storage import dagster_url, pooled_engine
from carbon_assets.orchestration.store import CarbonStore
from carbon_assets.orchestration.store_resource import store_resource
from carbon_assets.store.database import Database
from carbon_assets.store.engines import transaction
from carbon_assets_tests.orchestration.chain import LAND_COVER, METRICS, PLACES, SOURCE, Chain

ALL = [SOURCE, PLACES, LAND_COVER, METRICS]
KEYS = ["a-1|2000", "a-1|2001", "b-2|2000", "b-2|2001"]
LATER = timedelta(hours=1)


@pytest.fixture
def chain(instance: dg.DagsterInstance) -> Chain:
    """The chain, run three times with different versions."""
    add_places(instance, ["a-1", "b-2"])
    chain = Chain(instance)
    for version in ("1", "2", "3"):
        chain.world.manifest = f"manifest-{version}"
        run(chain)
    return chain


@pytest.fixture
def engine(fresh_database: Database) -> Iterator[Engine]:
    engine = pooled_engine(dagster_url(fresh_database.dagster_url))
    yield engine
    engine.dispose()


def run(chain: Chain) -> None:
    places = {RANGE_START_TAG: "a-1", RANGE_END_TAG: "b-2"}
    assert chain.run(PLACES, tags=places).success
    both = {RANGE_START_TAG: KEYS[0], RANGE_END_TAG: KEYS[-1]}
    assert chain.run(SOURCE, LAND_COVER, METRICS, tags=both).success


def now() -> datetime:
    return datetime.now(UTC) + LATER


def told(chain: Chain) -> dict[str, Any]:
    """Everything that the UI and the next run read."""
    instance = chain.instance
    checks = instance.event_log_storage.get_latest_asset_check_execution_by_key(
        [dg.AssetCheckKey(LAND_COVER, "areas_sum")]
    )
    return {
        "versions": {key: latest_versions(instance, key, KEYS) for key in (LAND_COVER, METRICS)},
        "places": latest_versions(instance, PLACES, ["a-1", "b-2"]),
        "done": {key: instance.get_materialized_partitions(key) for key in ALL},
        "stale": [chain.status(key, KEYS) for key in (LAND_COVER, METRICS)],
        "runs": [(run.run_id, run.status, dict(run.tags)) for run in instance.get_runs()],
        "times": [(r.start_time, r.end_time) for r in instance.get_run_records()],
        "checks": {key: record.id for key, record in checks.items()},
    }


def count(engine: Engine, table: str) -> int:
    with engine.connect() as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


def test_what_is_superseded_goes_and_what_is_current_stays(chain: Chain, engine: Engine) -> None:
    before = told(chain)
    events = count(engine, "event_logs")
    tags = count(engine, "asset_event_tags")
    planned = prune_events(engine, now(), dry_run=True)
    assert count(engine, "event_logs") == events
    assert prune_events(engine, now()) == planned
    # Three runs of four partitions: the first two are superseded.
    assert planned["ASSET_MATERIALIZATION"] == 2 * (2 + 4 + 4)
    assert planned["CHECK_EXECUTION"] == 2
    assert planned["STEP_SUCCESS"] == 3 * 4
    assert not any(kind.startswith(("PIPELINE", "RUN")) for kind in planned)
    left = events - sum(planned.values()) + planned["CHECK_EXECUTION"]
    assert count(engine, "event_logs") == left
    assert count(engine, "asset_event_tags") < tags
    assert told(chain) == before
    assert prune_events(engine, now()) == {}
    chain.world.manifest = "manifest-4"
    assert set(chain.status(LAND_COVER, KEYS).values()) == {"FRESH"}
    run(chain)
    assert {
        one.data_version for one in latest_versions(chain.instance, LAND_COVER, KEYS).values()
    } == {chain.world.land_cover(KEYS[0])}


def test_what_a_kept_event_was_computed_from_stays(chain: Chain, engine: Engine) -> None:
    # The source is observed again, and nothing is computed from that.
    chain.world.manifest = "manifest-9"
    assert chain.run(SOURCE).success
    read = pointers(chain)
    assert len(read) == 1 + 2 + 4  # one source, two places, four receipts
    prune_events(engine, now())
    with engine.connect() as connection:
        there = text("SELECT count(*) FROM event_logs WHERE id = ANY (:ids)")
        assert connection.execute(there, {"ids": sorted(read)}).scalar_one() == len(read)


def pointers(chain: Chain) -> set[int]:
    """Events from which the latest materializations say that they were computed."""
    found: set[int] = set()
    for key in (LAND_COVER, METRICS):
        for partition in KEYS:
            wanted = dg.AssetRecordsFilter(key, asset_partitions=[partition])
            [record] = chain.instance.fetch_materializations(wanted, limit=1).records
            assert record.asset_materialization is not None
            tags = record.asset_materialization.tags or {}
            found |= {
                int(value)
                for name, value in tags.items()
                if name.startswith("dagster/input_event_pointer/")
            }
    return found


def test_young_events_and_runs_under_way_are_left_alone(chain: Chain, engine: Engine) -> None:
    assert prune_events(engine, datetime.now(UTC) - LATER) == {}
    with engine.connect() as connection:
        connection.execute(text("UPDATE runs SET status = 'STARTED'"))
    assert prune_events(engine, now()) == {}


def test_it_goes_on_where_it_was_interrupted(
    chain: Chain, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 3)
    before = told(chain)
    planned = sum(prune_events(engine, now(), dry_run=True).values())
    steps: list[int] = []

    def interrupt(done: int, _total: int) -> None:
        steps.append(done)
        if done >= 9:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prune_events(engine, now(), progress=interrupt)
    rest = sum(prune_events(engine, now()).values())
    assert steps[-1] + rest == planned
    assert told(chain) == before


def test_used_up_work_lists_go(
    fresh_database: Database, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = CarbonStore(fresh_database)
    gone, needed = store.save_work_list("old", [(1, 2020)]), store.save_work_list("old", [])
    with transaction(fresh_database) as connection:
        assert connection.execute(text("SELECT count(*) FROM work_list_items")).scalar_one() == 1
    create_run_for_test(
        instance, status=dg.DagsterRunStatus.STARTED, tags={WORK_LIST_TAG: str(needed)}
    )
    assert upkeep.prune(instance, fresh_database, 1).work_lists == 0
    for dry_run in (True, False):
        assert upkeep.prune(instance, fresh_database, -1, dry_run=dry_run).work_lists == 1
    with transaction(fresh_database) as connection:
        left = connection.execute(text("SELECT id FROM work_lists")).scalars().all()
        items = connection.execute(text("SELECT count(*) FROM work_list_items")).scalar_one()
    assert (list(left), items) == ([needed], 0)
    assert gone != needed


def test_the_job_says_what_it_removed(
    fresh_database: Database, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(upkeep.KEEP_VARIABLE, "30")
    store = CarbonStore(fresh_database)
    job = upkeep.upkeep_job()
    definitions = dg.Definitions(jobs=[job], resources={"store": store_resource(store)})
    result = definitions.resolve_job_def("upkeep").execute_in_process(instance=instance)
    assert result.success
    [output] = [event for event in result.all_events if event.is_successful_output]
    assert output.step_output_data.metadata["work lists"].value == 0
    assert upkeep.upkeep_schedule(job).cron_schedule == "17 3 * * 0"


@pytest.mark.parametrize("given", ["0", "-3", "soon", "1.5"])
def test_a_wrong_number_of_days_is_named(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(upkeep.KEEP_VARIABLE, given)
    with pytest.raises(CarbonAssetsError) as refused:
        upkeep.keep_days()
    assert refused.value.code == "KEEP_DAYS_INVALID"


def test_dagster_s_tables_are_as_they_are_used_here() -> None:
    used = {
        SqlEventLogStorageTable: {
            "id",
            "run_id",
            "dagster_event_type",
            "timestamp",
            "asset_key",
            "partition",
        },
        AssetEventTagsTable: {"event_id", "key", "value"},
        AssetCheckExecutionsTable: {
            "id",
            "asset_key",
            "check_name",
            "run_id",
            "create_timestamp",
            "evaluation_event_storage_id",
        },
        RunsTable: {"run_id", "status"},
    }
    names = {table.name for table in used}
    assert names == {"event_logs", "asset_event_tags", "asset_check_executions", "runs"}
    for table, columns in used.items():
        assert columns <= set(table.c.keys())
    kinds = {kind.value for kind in dg.DagsterEventType}
    assert set(retention._LATEST) <= kinds
    ended = {status.value for status in upkeep._ENDED}
    assert set(retention._UNDER_WAY) | ended >= {status.value for status in dg.DagsterRunStatus}
