"""The chain in a process of its own, which may kill itself at a chosen point.

The process is forked: it is as real as any other, and starts at once.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

from carbon_assets.provenance import materialize as materializing
from carbon_assets.provenance.graph import GRAPH, PLACE_ASSETS
from carbon_assets.provenance.materialize import materialize
from carbon_assets.provenance.plan import Key
from carbon_assets.store.database import Database
from carbon_assets_tests.provenance.chain import load

POINTS = ("write_receipts", "write_metrics", "record_history")
CHUNK = 12


@dataclass(frozen=True)
class Death:
    """Where a process kills itself: at ``committed`` or one of :data:`POINTS`, after passing
    it some times."""

    point: str
    passes: int


class Worker:
    """A process that brings partitions of every asset up to date, in small chunks."""

    def __init__(self, database: Database, keys: Sequence[Key], death: Death | None = None) -> None:
        self._progress, told = get_context("fork").Pipe(duplex=False)
        self._process = get_context("fork").Process(target=_run, args=(database, keys, death, told))
        self._process.start()
        told.close()

    def first_chunk(self) -> None:
        """Wait until something is committed."""
        self._progress.poll(60)

    def kill(self) -> None:
        """Send SIGKILL."""
        self._process.kill()

    def finish(self) -> dict[str, int]:
        """Wait for the end; return how many partitions it computed, by asset."""
        computed: Counter[str] = Counter()
        try:
            while True:
                asset, number = self._progress.recv()
                computed[asset] += number
        except EOFError:
            self._process.join(60)
        return dict(computed)

    @property
    def exit_code(self) -> int | None:
        """Its exit code; a negative signal number for a process that was killed."""
        return self._process.exitcode


def _run(database: Database, keys: Sequence[Key], death: Death | None, told: Connection) -> None:
    materializing.CHUNK_PARTITIONS = CHUNK
    if death and death.point in POINTS:
        deadly = _dying(getattr(materializing, death.point), death.passes)
        setattr(materializing, death.point, deadly)
    world = load(database)
    chunks = 0
    for node in GRAPH:
        if node.key not in PLACE_ASSETS:
            continue
        for chunk in materialize(database, world, node.key, keys):
            chunks += 1
            if death and death.point == "committed" and chunks > death.passes:
                os.kill(os.getpid(), signal.SIGKILL)
            told.send((node.key, sum(one.action == "computed" for one in chunk)))


def _dying(function: Callable[..., Any], passes: int) -> Callable[..., Any]:
    """Let a function do its work, then kill the process before anything is committed."""
    left = passes

    def wrapped(*arguments: Any, **options: Any) -> Any:
        nonlocal left
        result = function(*arguments, **options)
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return wrapped
