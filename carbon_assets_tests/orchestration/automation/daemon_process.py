"""A daemon of its own process, to be killed: evaluates every sensor that is due, once.

Arguments: Dagster home, minutes from now, and the point of Dagster's code at which it dies.
"""

from __future__ import annotations

import logging
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dagster._core.test_utils import freeze_time
from dagster._daemon.sensor import execute_sensor_iteration

from carbon_assets_tests.orchestration.user_interface import user_interface


def main(home: str, minutes: str, kill_at: str | None = None) -> None:
    flags = {"geometry_edits": {kill_at: int(signal.SIGKILL)}} if kill_at else None
    moment = datetime.now(UTC) + timedelta(minutes=int(minutes))
    with user_interface(Path(home)) as page, freeze_time(moment):
        logger = logging.getLogger("test.daemon")
        for error in execute_sensor_iteration(page.workspace, logger, None, None, None, flags):
            if error is not None:
                raise SystemExit(str(error))


if __name__ == "__main__":
    main(*sys.argv[1:])
