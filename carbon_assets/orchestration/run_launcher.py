"""Runs in the code server, and the daemon's question whether a run still lives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dagster import DagsterRun, DefaultRunLauncher
from dagster._core.launcher.base import CheckRunHealthResult, WorkerStatus
from dagster._serdes import ConfigurableClassData

from carbon_assets.orchestration.workers import workers
from carbon_assets.store.database import Database, open_database
from carbon_assets.store.engines import transaction


class CarbonRunLauncher(DefaultRunLauncher):
    """Launches runs as Dagster does by default, and knows when their process has died.

    The daemon's run monitoring asks it about every run that is under way, those of the
    command line included, and fails a run whose process is gone.
    """

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(inst_data)
        self._database: Database | None = None

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]
    ) -> CarbonRunLauncher:
        """Build the launcher from ``dagster.yaml``; it takes no settings.

        Args:
            inst_data: How Dagster loaded this class.
            config_value: Nothing.
        """
        return cls(inst_data, **config_value)

    @property
    def supports_check_run_worker_health(self) -> bool:
        """True: see :meth:`check_run_worker_health`."""
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Tell whether the process of a run lives.

        Args:
            run: A run that has started.
        """
        if self._database is None:
            self._database = open_database()
        with transaction(self._database) as connection:
            worker = workers(connection).get(run.run_id)
        if worker is not None and worker.verdict() == "dead":
            return CheckRunHealthResult(WorkerStatus.NOT_FOUND, worker.obituary())
        return CheckRunHealthResult(WorkerStatus.RUNNING)
