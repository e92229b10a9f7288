"""What the web page and the daemon do, in this process: GraphQL, and ticks of the backfills."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import yaml
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import InProcessWorkspaceLoadTarget
from dagster._daemon.backfill import execute_backfill_iteration
from dagster_graphql.cli import execute_query

LOCATION = "carbon_assets"
BACKFILL = """
mutation ($parameters: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $parameters) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
  }
}
"""
ENDED = """
query ($id: String!) {
  partitionBackfillOrError(backfillId: $id) {
    ... on PartitionBackfill { status runs { runId status } }
  }
}
"""
RUN = """
mutation ($parameters: ExecutionParams!) {
  launchPipelineExecution(executionParams: $parameters) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
  }
}
"""
STATISTICS = """
query ($key: AssetKeyInput!) {
  assetNodeOrError(assetKey: $key) {
    ... on AssetNode { partitionStats { numPartitions numMaterialized numFailed } }
  }
}
"""
TICKS = 8


@dataclass(frozen=True)
class UserInterface:
    """The page and the daemon of an instance."""

    workspace: WorkspaceProcessContext

    @property
    def instance(self) -> dg.DagsterInstance:
        return self.workspace.instance

    def ask(self, query: str, **variables: Any) -> Any:
        """Send a query as the page does; return its only field."""
        answer = execute_query(self.workspace, query, variables)
        assert "errors" not in answer, answer["errors"]
        [field] = answer["data"].values()
        return field

    def materialize_one(self, keys: Sequence[dg.AssetKey], partition: str) -> dg.DagsterRun:
        """Press "Materialize" with one partition selected: a run, without a backfill."""
        selector = {
            "repositoryLocationName": LOCATION,
            "repositoryName": "__repository__",
            "jobName": "__ASSET_JOB",
            "assetSelection": _paths(keys),
        }
        tags = [{"key": "dagster/partition", "value": partition}]
        for dimension, value in zip(("farm", "vintage"), partition.split("|"), strict=True):
            tags.append({"key": f"dagster/partition/{dimension}", "value": value})
        parameters = {"selector": selector, "mode": "default", "executionMetadata": {"tags": tags}}
        answer = self.ask(RUN, parameters=parameters)
        assert answer["__typename"] == "LaunchRunSuccess", answer
        run = self.instance.get_run_by_id(answer["run"]["runId"])
        assert run is not None
        return run

    def materialize(self, keys: Sequence[dg.AssetKey], partitions: Sequence[str]) -> dict[str, Any]:
        """Press "Materialize" with several partitions selected, and wait for the backfill."""
        parameters = {"assetSelection": _paths(keys), "partitionNames": list(partitions)}
        answer = self.ask(BACKFILL, parameters=parameters)
        assert answer["__typename"] == "LaunchBackfillSuccess", answer
        logger = logging.getLogger("test.backfill")
        for _ in range(TICKS):
            for error in execute_backfill_iteration(self.workspace, logger):
                assert error is None, error
            found = self.ask(ENDED, id=answer["backfillId"])
            if found["status"] != "REQUESTED":
                return dict(found)
        raise AssertionError(f"backfill does not end: {found}")

    def statistics(self, key: dg.AssetKey) -> Mapping[str, int]:
        """Numbers beside the asset in the catalogue."""
        return dict(self.ask(STATISTICS, key={"path": list(key.path)})["partitionStats"])


def _paths(keys: Sequence[dg.AssetKey]) -> list[dict[str, list[str]]]:
    return [{"path": list(key.path)} for key in keys]


@contextmanager
def user_interface(home: Path) -> Iterator[UserInterface]:
    """Serve ``carbon_assets.definitions`` on the instance of a Dagster home.

    Runs start at once and in this process, instead of through the queue in one of their own.
    """
    config = yaml.safe_load((home / "dagster.yaml").read_text(encoding="utf-8"))
    del config["concurrency"]
    config["run_coordinator"] = {
        "module": "dagster._core.run_coordinator",
        "class": "DefaultRunCoordinator",
    }
    config["run_launcher"] = {
        "module": "dagster._core.launcher.sync_in_memory_run_launcher",
        "class": "SyncInMemoryRunLauncher",
    }
    (home / "here.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    target = LoadableTargetOrigin(module_name="carbon_assets.definitions", attribute="defs")
    origin = InProcessCodeLocationOrigin(target, location_name=LOCATION)
    with (
        dg.DagsterInstance.from_config(str(home), config_filename="here.yaml") as instance,
        WorkspaceProcessContext(instance, InProcessWorkspaceLoadTarget([origin])) as workspace,
    ):
        yield UserInterface(workspace)
