"""What Dagster's daemon does with a tick, in this process, so that a test can stop in between."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import dagster as dg

from carbon_assets_tests.orchestration.chain import QUIET
from carbon_assets_tests.orchestration.farmland import CHAIN, Farmland

LIMIT = {"loggers": QUIET["loggers"]}
SENSOR_TAG, RUN_KEY_TAG = "dagster/sensor_name", "dagster/run_key"


@dataclass
class Tick:
    """What came of one evaluation.

    Attributes:
        requests: Requests that have not become a run before.
        repeated: Run keys of those that have.
        reason: Why there is no run.
        runs: Results of the runs, by run key.
    """

    requests: list[dg.RunRequest]
    repeated: list[str]
    reason: str | None
    runs: dict[str, dg.ExecuteInProcessResult] = field(default_factory=dict)

    @property
    def tags(self) -> dict[str, str]:
        """Our own tags of the only request."""
        (request,) = self.requests
        return {k.partition("/")[2]: v for k, v in request.tags.items() if "carbon_assets/" in k}

    def computed(self) -> dict[str, set[str]]:
        """Partitions that the runs told Dagster of, by asset."""
        found: dict[str, set[str]] = {}
        for run in self.runs.values():
            for event in run.get_asset_materialization_events():
                if event.partition is not None and event.asset_key is not None:
                    name = event.asset_key.to_user_string()
                    found.setdefault(name, set()).add(event.partition)
        return found


@dataclass
class Daemon:
    """Evaluates sensors, keeps their cursors and runs what they ask for."""

    land: Farmland
    cursors: dict[str, str | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.definitions = self.land.definitions

    def reload(self) -> None:
        """Load the definitions again."""
        self.definitions = self.land.definitions

    def tick(self, sensor: str, *, run: bool = True, killed: str | None = None) -> Tick:
        """Evaluate a sensor once.

        Args:
            sensor: Its name.
            run: Whether to execute what it asks for.
            killed: ``before`` Dagster hears of the result, or ``after`` it has started the runs
                but not kept the cursor.
        """
        instance = self.land.instance
        definition = self.definitions.resolve_sensor_def(sensor)
        context = dg.build_sensor_context(
            instance=instance,
            cursor=self.cursors.get(sensor),
            resources={"store": self.land.store},
        )
        data = definition.evaluate_tick(context)
        if killed == "before":
            return Tick([], [], None)
        for event in data.asset_events or ():
            instance.report_runless_asset_event(event)
        for change in data.dynamic_partitions_requests or ():
            self._change_partitions(change)
        requests = list(data.run_requests or ())
        known = {one.run_key for one in requests if self._is_known(sensor, one.run_key)}
        tick = Tick(
            [one for one in requests if one.run_key not in known],
            sorted(str(key) for key in known),
            data.skip_message,
        )
        if run:
            tick.runs = {str(one.run_key): self.run(sensor, one) for one in tick.requests}
        if killed != "after":
            self.cursors[sensor] = data.cursor
        return tick

    def run(
        self, sensor: str, request: dg.RunRequest, *, allowed_to_fail: bool = False
    ) -> dg.ExecuteInProcessResult:
        """Execute a requested run, which must succeed unless it is allowed to fail."""
        job = self.definitions.resolve_job_def(str(request.job_name))
        config: Any = {**request.run_config, **LIMIT}
        result = job.execute_in_process(
            instance=self.land.instance,
            asset_selection=list(request.asset_selection or ()) or None,
            tags={**request.tags, SENSOR_TAG: sensor, RUN_KEY_TAG: str(request.run_key)},
            run_config=config,
            raise_on_error=False,
        )
        failures = [event.step_failure_data for event in result.all_events if event.is_step_failure]
        causes = [one.error.cause or one.error for one in failures if one.error]
        assert result.success or allowed_to_fail, "\n".join(map(str, causes))[-3000:]
        return result

    def settle(self) -> None:
        """Tick until places are computed and every sensor has seen what there is."""
        for sensor in ("geometry_edits", "raster_versions", "new_vintages", "follow_up"):
            while self.tick(sensor).requests:
                pass

    def schedule(self, when: datetime) -> Any:
        """Evaluate the schedule of the annual run."""
        definition = self.definitions.resolve_schedule_def("annual_vintage")
        context = dg.build_schedule_context(
            instance=self.land.instance,
            scheduled_execution_time=when,
            resources={"store": self.land.store},
        )
        return definition.evaluate_tick(context)

    def _is_known(self, sensor: str, run_key: str | None) -> bool:
        tags = {SENSOR_TAG: sensor, RUN_KEY_TAG: str(run_key)}
        return bool(self.land.instance.get_run_ids(dg.RunsFilter(tags=tags)))

    def _change_partitions(self, change: Any) -> None:
        instance = self.land.instance
        name, keys = change.partitions_def_name, list(change.partition_keys)
        if isinstance(change, dg.AddDynamicPartitionsRequest):
            instance.add_dynamic_partitions(name, keys)
        else:
            for key in keys:
                instance.delete_dynamic_partition(name, key)

    def decisions(self, sensor: str) -> list[Any]:
        """Stored decisions of a sensor, oldest first."""
        query = "SELECT * FROM automation_decisions WHERE sensor = :sensor ORDER BY id"
        return self.land.rows(query, sensor=sensor)


ASSETS = {key.to_user_string() for key in CHAIN}
