"""The graph that Dagster loads, as the snapshot has it.

After an intended change refresh the snapshot and look at the difference::

    REFRESH_SNAPSHOTS=1 pytest carbon_assets_tests/orchestration/test_definitions.py && git diff
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from carbon_assets.orchestration.build import build_definitions
from carbon_assets.orchestration.partitions import ANY_VINTAGE
from carbon_assets.orchestration.store import CarbonStore
from carbon_assets.store.database import Database
from carbon_assets_tests.orchestration.farmland import CHAIN, VINTAGES, Farmland

SNAPSHOT = Path(__file__).parent / "definitions.json"


@pytest.fixture
def definitions(fresh_database: Database) -> dg.Definitions:
    return build_definitions(CarbonStore(database=fresh_database))


def test_the_graph_is_that_of_the_snapshot(definitions: dg.Definitions) -> None:
    found = {
        "assets": {name(spec.key): asset(definitions, spec) for spec in sorted_specs(definitions)},
        "checks": checks(definitions),
        "schedules": sorted(one.name for one in definitions.schedules or ()),
        "sensors": sorted(one.name for one in definitions.sensors or ()),
        "resources": sorted(definitions.resources or ()),
    }
    if os.environ.get("REFRESH_SNAPSHOTS"):
        text = json.dumps(found, indent=1, ensure_ascii=False)
        SNAPSHOT.write_text(text + "\n", encoding="utf-8")
    expected = json.loads(SNAPSHOT.read_text(encoding="utf-8"))
    assert found["assets"].keys() == expected["assets"].keys()
    for key, facts in expected["assets"].items():
        assert found["assets"][key] == facts, key
    assert {**found, "assets": None} == {**expected, "assets": None}


def test_every_asset_says_what_it_is_and_whose(definitions: dg.Definitions) -> None:
    for spec in sorted_specs(definitions):
        assert spec.description, spec.key
        assert spec.owners == ["team:carbon-data"], spec.key
        assert spec.kinds, spec.key
        assert spec.group_name not in (None, "default"), spec.key


def test_years_are_those_of_the_projects(farmland: Farmland) -> None:
    for key in CHAIN:
        assert years(farmland.definitions, key) == [str(year) for year in VINTAGES]


def test_before_the_first_portfolio_every_year_is_offered(definitions: dg.Definitions) -> None:
    assert years(definitions, CHAIN[0]) == [str(year) for year in ANY_VINTAGE]


def years(definitions: dg.Definitions, key: dg.AssetKey) -> list[str]:
    space = definitions.resolve_assets_def(key).partitions_def
    assert isinstance(space, dg.MultiPartitionsDefinition)
    return list(space.get_partitions_def_for_dimension("vintage").get_partition_keys())


def name(key: dg.AssetKey) -> str:
    return key.to_user_string()


def sorted_specs(definitions: dg.Definitions) -> list[dg.AssetSpec]:
    return sorted(definitions.resolve_all_asset_specs(), key=lambda spec: spec.key)


def asset(definitions: dg.Definitions, spec: dg.AssetSpec) -> dict[str, Any]:
    node = definitions.resolve_asset_graph().get(spec.key)
    policy = node.backfill_policy
    return {
        "group": spec.group_name,
        "description": spec.description,
        "owners": list(spec.owners),
        "kinds": sorted(spec.kinds),
        "execution": node.execution_type.name.lower(),
        "deps": {name(dep.asset_key): mapping(dep.partition_mapping) for dep in ordered(spec.deps)},
        "partitions": dimensions(spec.partitions_def),
        "one run for a range": bool(policy and policy.policy_type.name == "SINGLE_RUN"),
        "has code version": spec.code_version is not None,
        "table": spec.metadata.get("dagster/table_name"),
        "columns": columns(spec.metadata.get("dagster/column_schema")),
        "code": sources(spec.metadata.get("dagster/code_references")),
    }


def ordered(deps: Iterable[dg.AssetDep]) -> list[dg.AssetDep]:
    return sorted(deps, key=lambda dep: dep.asset_key)


def mapping(found: dg.PartitionMapping | None) -> str:
    return type(found).__name__ if found else "same partition"


def dimensions(space: dg.PartitionsDefinition[Any] | None) -> dict[str, str] | str | None:
    if isinstance(space, dg.MultiPartitionsDefinition):
        return {one.name: kind(one.partitions_def) for one in space.partitions_defs}
    return kind(space) if space else None


def kind(space: dg.PartitionsDefinition[Any]) -> str:
    if isinstance(space, dg.DynamicPartitionsDefinition):
        return f"dynamic {space.name}"
    keys = space.get_partition_keys()
    return f"{keys[0]} to {keys[-1]}"


def columns(schema: dg.TableSchema | None) -> list[str] | None:
    return [f"{column.name}: {column.type}" for column in schema.columns] if schema else None


def sources(found: dg.CodeReferencesMetadataValue | None) -> list[str | None] | None:
    return [one.label for one in found.code_references] if found else None


def checks(definitions: dg.Definitions) -> dict[str, Any]:
    graph = definitions.resolve_asset_graph()
    specs = [graph.get_check_spec(key) for key in graph.asset_check_keys]
    return {
        f"{name(spec.asset_key)}:{spec.name}": {
            "blocking": spec.blocking,
            "description": spec.description,
        }
        for spec in sorted(specs, key=lambda spec: (spec.asset_key, spec.name))
    }
