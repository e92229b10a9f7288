"""The models as Dagster sees and runs them."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg
import pytest

from carbon_assets.marts.models import load_models
from carbon_assets.orchestration.assets.marts import PREVIEW_ROWS, marts_asset
from carbon_assets.orchestration.build import build_definitions
from carbon_assets.orchestration.launch import Launcher
from carbon_assets.orchestration.names import mart_key
from carbon_assets.orchestration.refresh_marts import outdated_marts, refresh_marts
from carbon_assets.orchestration.store import CarbonStore
from carbon_assets.store.database import Database
from carbon_assets.store.engines import transaction
from carbon_assets_tests.marts.shared import UNCOMPUTED, VINTAGES

NAMES = [model.name for model in load_models().models]


@pytest.fixture
def ephemeral() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def test_every_model_is_an_asset_whose_lineage_is_that_of_its_sql(marts_database: Database) -> None:
    definitions = build_definitions(CarbonStore(marts_database))
    graph = definitions.resolve_asset_graph()
    marts = {key for key in graph.get_all_asset_keys() if key.path[0] == "marts"}
    assert marts == {mart_key(name) for name in NAMES}
    parents = {key.path[-1]: graph.get(key).parent_keys for key in marts}
    assert parents["project_totals"] == {
        mart_key("stg_places"),
        mart_key("farm_metrics_wide"),
    }
    assert dg.AssetKey("farm_metrics") in parents["stg_farm_metrics"]
    assert dg.AssetKey(["raster_aggregates", "biomass"]) in parents["stg_receipts"]
    for key in set().union(*parents.values()):
        assert graph.get(key).is_executable, f"{key} is no asset of ours"


def test_a_run_shows_rows_columns_and_a_version(
    marts_database: Database, ephemeral: dg.DagsterInstance
) -> None:
    result = dg.materialize(
        [marts_asset()],
        resources={"store": CarbonStore(marts_database)},
        selection=[mart_key("farm_metrics_wide")],
        instance=ephemeral,
    )
    (event,) = result.get_asset_materialization_events()
    found = event.materialization.metadata
    columns = found["dagster/column_schema"].value.columns
    # 14 farms, one more under clouds, two boundaries; one partition is not computed
    assert found["dagster/row_count"].value == 17 * len(VINTAGES) - len([UNCOMPUTED])
    assert columns[8].name == "total_area_ha"
    assert columns[8].type == "double precision"
    assert len(found["first rows"].records) == PREVIEW_ROWS
    version = event.materialization.tags["dagster/data_version"]  # type: ignore[index]
    assert version == next(m.digest for m in load_models().models if m.name == "farm_metrics_wide")


def test_models_run_once_and_then_only_when_something_would_change(
    marts_database: Database, ephemeral: dg.DagsterInstance
) -> None:
    store = CarbonStore(marts_database)
    launcher = Launcher(ephemeral, build_definitions(store))
    assert outdated_marts(store, launcher.instance) == NAMES  # this instance was not told of any
    assert refresh_marts(store, launcher)
    assert outdated_marts(store, launcher.instance) == []
    assert refresh_marts(store, launcher)
    assert len(ephemeral.get_runs()) == 1


def test_a_refused_model_fails_the_run_with_its_code(
    fresh_database: Database, ephemeral: dg.DagsterInstance
) -> None:
    with transaction(fresh_database) as connection:
        connection.exec_driver_sql("CREATE TABLE marts.farm_metrics_wide (mine int)")
    store = CarbonStore(fresh_database)
    result = dg.materialize(
        [marts_asset()], resources={"store": store}, instance=ephemeral, raise_on_error=False
    )
    assert not result.success
    assert [error.code for error in store.errors] == ["MART_NAME_TAKEN"]
