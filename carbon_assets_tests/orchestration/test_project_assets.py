"""Project metrics through Dagster: two runs, exact partitions, and the check ``fresh``."""

from __future__ import annotations

from typing import Any

import dagster as dg
import pytest
from sqlalchemy import text

from carbon_assets.demo.edits import apply_edit
from carbon_assets.orchestration import fresh_check
from carbon_assets.orchestration.event_storage import latest_versions
from carbon_assets.orchestration.fresh_check import CHECK_NAME, fresh_evaluations
from carbon_assets.orchestration.names import PROJECT_METRICS
from carbon_assets.orchestration.refresh import bring_up_to_date
from carbon_assets.provenance.world import load_companies
from carbon_assets.store.engines import owner_engine, transaction
from carbon_assets_tests.orchestration.farmland import CHAIN, VINTAGES, Farmland

KEYS = {f"{project}|{year}" for project in ("north-1", "south-2") for year in VINTAGES}


@pytest.fixture
def settled(farmland: Farmland) -> Farmland:
    """Everything computed, by the two runs of the command line."""
    done = bring_up_to_date(farmland.store, farmland.instance)
    assert done.run_id != done.project_run_id
    assert done.project_partitions == len(KEYS)
    return farmland


def recorded(land: Farmland) -> dict[str, str]:
    rows = land.rows(
        "SELECT p.partition_key || '|' || s.vintage AS key,"
        " 'sha256:' || encode(s.fingerprint, 'hex') AS mark FROM partition_state AS s"
        " JOIN asset_keys AS a ON a.id = s.asset_id JOIN projects AS p ON p.id = s.subject_id"
        " WHERE a.key = 'project_metrics'"
    )
    return {row.key: row.mark for row in rows}


def last_check(land: Farmland, key: dg.AssetKey) -> Any:
    check = dg.AssetCheckKey(key, CHECK_NAME)
    log = land.instance.event_log_storage
    (record,) = log.get_asset_check_execution_history(check, limit=1)
    assert record.event is not None
    return record.event.get_dagster_event().asset_check_evaluation_data


def by_asset(land: Farmland) -> dict[str, dg.AssetCheckEvaluation]:
    with transaction(land.database) as connection:
        found = fresh_evaluations(connection, load_companies(connection))
    return {one.asset_key.to_user_string(): one for one in found}


def test_a_second_run_makes_the_projects_and_dagster_knows_each_fingerprint(
    settled: Farmland,
) -> None:
    told = latest_versions(settled.instance, PROJECT_METRICS, KEYS)
    assert {key: one.data_version for key, one in told.items()} == recorded(settled)
    assert told.keys() == KEYS
    again = bring_up_to_date(settled.store, settled.instance)
    assert (again.run_id, again.project_run_id) == (None, None)


def test_every_asset_says_that_it_is_fresh_at_the_end_of_its_run(settled: Farmland) -> None:
    for key in (*CHAIN, PROJECT_METRICS):
        found = last_check(settled, key)
        assert found.passed, found.description
        assert not found.blocking
        assert found.severity is dg.AssetCheckSeverity.WARN
    assert all(one.passed for one in by_asset(settled).values())


def test_an_edit_of_one_farm_makes_its_project_again_and_leaves_the_other(
    settled: Farmland,
) -> None:
    before = recorded(settled)
    edit = apply_edit(settled.portfolio.parent)
    settled.load()
    found = by_asset(settled)["project_metrics"]
    assert found.description == "3 of 6 partitions are stale: upstream 3"
    listed = found.metadata["first stale partitions"].records
    assert [(row.data["project"], row.data["because"]) for row in listed] == [
        (edit.farm_key.split("-")[0], "upstream")
    ] * len(VINTAGES)

    done = bring_up_to_date(settled.store, settled.instance)
    assert (done.partitions, done.project_partitions) == (3, 3)
    changed = {key for key, mark in recorded(settled).items() if before[key] != mark}
    assert changed == {key for key in KEYS if key.startswith("north")}
    assert done.totals["project_metrics"]["partitions computed"] == 3


def test_a_removed_farm_is_a_changed_membership(settled: Farmland) -> None:
    settled.lose("south-02")
    found = by_asset(settled)
    assert found["project_metrics"].description == (
        "3 of 6 partitions are stale: membership 3, upstream 3"
    )
    assert found["farm_metrics"].passed
    done = bring_up_to_date(settled.store, settled.instance)
    assert (done.run_id, done.partitions) == (done.project_run_id, 0)
    assert all(one.passed for one in by_asset(settled).values())


def test_the_table_of_stale_partitions_is_bounded(
    farmland: Farmland, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fresh_check, "SHOWN", 5)
    found = by_asset(farmland)["farm_metrics"]
    expected = len(farmland.places) * len(VINTAGES)
    assert found.metadata["stale"].value == found.metadata["expected"].value == expected
    assert len(found.metadata["first stale partitions"].records) == 5 < expected


def test_a_run_that_was_killed_before_dagster_heard_is_told_by_the_next(
    settled: Farmland,
) -> None:
    with owner_engine(settled.database).begin() as connection:
        connection.execute(
            text(
                "UPDATE asset_announcements SET history_id = 0 WHERE asset_id ="
                " (SELECT id FROM asset_keys WHERE key = 'project_metrics')"
            )
        )
    done = bring_up_to_date(settled.store, settled.instance)
    assert (done.partitions, done.project_partitions) == (0, len(KEYS))
    assert done.totals["project_metrics"] == {"partitions fresh": len(KEYS), "rows": 0}
