"""Runs started by the command line, in this process, on the instance that the UI shows."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from dagster import (
    AssetKey,
    DagsterEvent,
    DagsterInstance,
    Definitions,
    EventLogEntry,
    ExecuteInProcessResult,
)

from carbon_assets.orchestration.event_storage import WORK_LIST_TAG
from carbon_assets.orchestration.partitions import (
    RANGE_END_TAG,
    RANGE_START_TAG,
    P,
    range_tags,
)

LOG_LEVEL = "CRITICAL"
OWN_TAGS = {"dagster/max_retries": "0"}
"""The daemon cannot repeat such a run; the next command goes on from where it ended."""


@dataclass(frozen=True)
class Launcher:
    """Starts runs of the assets of some definitions.

    Attributes:
        instance: Dagster instance.
        definitions: Where the assets are.
        on_event: Called with every event of a run while it runs, for a progress bar.
        log_level: Least severe message that reaches the terminal.
    """

    instance: DagsterInstance
    definitions: Definitions
    on_event: Callable[[DagsterEvent], None] | None = None
    log_level: str = LOG_LEVEL

    def run_places(self, keys: Collection[AssetKey], places: Sequence[str]) -> bool:
        """Run assets that are partitioned by place, over the stretch that holds the places.

        Args:
            keys: Assets, all partitioned by place alone.
            places: Partition keys that Dagster knows, in its order; first and last count.

        Returns:
            Whether the run succeeded.
        """
        tags = {RANGE_START_TAG: places[0], RANGE_END_TAG: places[-1]}
        return self._run(keys, tags).success

    def run_whole(self, keys: Collection[AssetKey]) -> bool:
        """Run assets without partitions.

        Args:
            keys: Assets, none of which is partitioned.

        Returns:
            Whether the run succeeded.
        """
        return self._run(keys, {}).success

    def run_partitions(
        self,
        keys: Collection[AssetKey],
        wanted: Iterable[P],
        work_list: int | None = None,
        why: Mapping[str, str] | None = None,
    ) -> ExecuteInProcessResult:
        """Run assets over a scattered list of partitions, in one run.

        Args:
            keys: Assets of one partition space, and assets without partitions.
            wanted: Partitions of that space that the run must cover.
            work_list: Id of the stored list that holds exactly ``wanted``; without it the run
                works on the whole rectangle around them.
            why: Further tags, which say in the run list why there is this run.

        Raises:
            ValueError: ``wanted`` is empty or names a place or project that Dagster does not
                know.
        """
        tags = dict(range_tags(self.instance, wanted, listed=work_list is not None))
        if work_list is not None:
            tags[WORK_LIST_TAG] = str(work_list)
        return self._run(keys, tags | dict(why or {}))

    def _run(self, keys: Collection[AssetKey], tags: dict[str, str]) -> ExecuteInProcessResult:
        run_id = str(uuid.uuid4())
        if self.on_event is not None:
            self.instance.add_event_listener(run_id, self._forward)
        return self.definitions.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=self.instance,
            asset_selection=list(keys),
            tags=OWN_TAGS | tags,
            run_id=run_id,
            run_config={"loggers": {"console": {"config": {"log_level": self.log_level}}}},
            raise_on_error=False,
        )

    def _forward(self, entry: EventLogEntry) -> None:
        if self.on_event is not None and entry.dagster_event is not None:
            self.on_event(entry.dagster_event)
