"""Materializing from the Dagster UI: through its GraphQL API and its backfill daemon."""

from __future__ import annotations

import sys
from pathlib import Path

import dagster as dg
import pytest

from carbon_assets.orchestration import store as store_module
from carbon_assets.orchestration.partitions import forget_places
from carbon_assets_tests.orchestration.farmland import CHAIN, METRICS, VINTAGES, Farmland
from carbon_assets_tests.orchestration.user_interface import user_interface


@pytest.fixture
def home(farmland: Farmland, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Dagster home whose code location finds the test's database as its own."""
    monkeypatch.setattr(store_module, "open_database", lambda: farmland.database)
    monkeypatch.delitem(sys.modules, "carbon_assets.definitions", raising=False)
    return tmp_path / "dagster"


def test_one_then_a_rectangle_then_all_that_is_left(farmland: Farmland, home: Path) -> None:
    # One test for three launches: Dagster keeps a loaded module for as long as a process lives.
    with user_interface(home) as page:
        run = page.materialize_one(CHAIN, "north-01-1|2020")
        assert run.status is dg.DagsterRunStatus.SUCCESS
        assert page.statistics(METRICS) == {
            "numPartitions": 48,
            "numMaterialized": 1,
            "numFailed": 0,
        }

        rectangle = [f"{farm}|{year}" for farm in ("north-02-2", "north-03-3") for year in VINTAGES]
        done = page.materialize(CHAIN, rectangle)
        assert done["status"] == "COMPLETED_SUCCESS"
        assert farmland.instance.get_materialized_partitions(METRICS) == {
            "north-01-1|2020",
            *rectangle,
        }

        farmland.lose("north-08")
        assert forget_places(farmland.instance, farmland.places) == ["north-08-8"]
        everything = [f"{place}|{year}" for place in farmland.places for year in VINTAGES]
        done = page.materialize(CHAIN, everything)
        assert done["status"] == "COMPLETED_SUCCESS"
        assert {run["status"] for run in done["runs"]} == {"SUCCESS"}
        for key in CHAIN:
            assert page.statistics(key) == {
                "numPartitions": 45,
                "numMaterialized": 45,
                "numFailed": 0,
            }
