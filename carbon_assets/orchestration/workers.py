"""Which process executes a run, and whether it still lives.

A run says "started" in Dagster's tables for ever when its process was killed. So each process
writes down which run it executes and gives a sign of life now and then. A process of this
machine is looked up by its number and the time of its start, so that a laptop that slept is
not taken for a crash; one elsewhere (another host or container) is taken for dead after
``SILENCE_SECONDS`` without a sign.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import psutil
from sqlalchemy import Connection, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError

from carbon_assets.store.database import Database
from carbon_assets.store.engines import transaction
from carbon_assets.store.models import RunWorker

SIGN_SECONDS = 15.0
SILENCE_SECONDS = 120.0
_CLOCK_SECONDS = 2.0
"""Two readings of one process's start may differ by a correction of the clock."""

Verdict = Literal["alive", "dead"]


@dataclass(frozen=True)
class Worker:
    """A process that took up a run.

    Attributes:
        run_id: Dagster run.
        host: Name of the machine, for messages.
        process_space: Where ``pid`` counts.
        pid: Process number.
        process_started: Start of the process, seconds since 1970.
        silent_seconds: Seconds since its last sign of life, by the database's clock.
    """

    run_id: str
    host: str
    process_space: str
    pid: int
    process_started: float
    silent_seconds: float = 0.0

    def verdict(self) -> Verdict:
        """Tell whether the process lives, as far as it can be known from here."""
        if self.process_space == process_space():
            return "alive" if _runs(self.pid, self.process_started) else "dead"
        return "dead" if self.silent_seconds > SILENCE_SECONDS else "alive"

    def obituary(self) -> str:
        """Say what happened to the process and what becomes of its work."""
        if self.process_space == process_space():
            reason = f"process {self.pid} on this machine no longer exists"
        else:
            reason = (
                f"process {self.pid} on {self.host} has given no sign of life for "
                f"{self.silent_seconds:.0f} s"
            )
        return (
            f"The run was left behind: {reason}. What it had committed stands; the next run "
            "computes the rest."
        )


@lru_cache(maxsize=1)
def process_space() -> str:
    """Name the space in which this process's number counts: host, boot, namespace."""
    parts = [socket.gethostname()]
    with suppress(OSError):  # only Linux tells these
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip())
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return " ".join(parts)


@contextmanager
def at_work(database: Database, run_id: str) -> Iterator[None]:
    """Record that this process executes a run, and give signs of life until the block ends.

    Args:
        database: Where the table ``run_workers`` is.
        run_id: Dagster run.
    """
    _take_up(database, run_id)
    done = threading.Event()
    signs = threading.Thread(target=_give_signs, args=(database, run_id, done), daemon=True)
    signs.start()
    try:
        yield
    finally:
        done.set()
        signs.join()
        with suppress(SQLAlchemyError):  # the run's own result matters more
            forget(database, [run_id])


def workers(connection: Connection) -> dict[str, Worker]:
    """Return the recorded workers by run."""
    silence = func.extract("epoch", func.clock_timestamp() - RunWorker.seen_at)
    query = select(
        RunWorker.run_id,
        RunWorker.host,
        RunWorker.process_space,
        RunWorker.pid,
        RunWorker.process_started,
        silence,
    )
    return {row[0]: Worker(*row[:5], float(row[5])) for row in connection.execute(query)}


def forget(database: Database, run_ids: list[str]) -> None:
    """Remove the records of runs that have ended.

    Args:
        database: Where the table is.
        run_ids: Dagster runs.
    """
    with transaction(database) as connection:
        connection.execute(delete(RunWorker).where(RunWorker.run_id.in_(run_ids)))


def _take_up(database: Database, run_id: str) -> None:
    facts = {
        "host": socket.gethostname(),
        "process_space": process_space(),
        "pid": os.getpid(),
        "process_started": psutil.Process().create_time(),
    }
    statement = insert(RunWorker).values(run_id=run_id, **facts)
    again = statement.on_conflict_do_update(
        index_elements=["run_id"], set_={**facts, "seen_at": func.clock_timestamp()}
    )
    with transaction(database) as connection:
        connection.execute(again)


def _give_signs(database: Database, run_id: str, done: threading.Event) -> None:
    sign = (
        update(RunWorker)
        .where(RunWorker.run_id == run_id)
        .values(seen_at=func.clock_timestamp())
        .execution_options(synchronize_session=False)
    )
    while not done.wait(SIGN_SECONDS):
        # The database may restart: the next sign tells that the run goes on.
        with suppress(SQLAlchemyError), transaction(database) as connection:
            connection.execute(sign)


def _runs(pid: int, started: float) -> bool:
    try:
        process = psutil.Process(pid)
        if abs(process.create_time() - started) > _CLOCK_SECONDS:
            return False
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True
