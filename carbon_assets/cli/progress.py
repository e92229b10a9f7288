"""How far a run is: bars on a terminal, lines elsewhere, nothing for programs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from carbon_assets import logs
from carbon_assets.cli.output import console

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from carbon_assets.orchestration.store import Progress as Told


SECONDS_BETWEEN_LINES = 10.0


@contextmanager
def shown(*, quiet: bool, unit: str = "partitions") -> Iterator[Told]:
    """Give a callback (asset, partitions done, partitions to do) that shows them on stderr.

    Args:
        quiet: Show nothing.
        unit: What is counted.
    """
    screen = console(error=True)
    if logs.configured():
        yield lambda asset, done, total: logs.log("progress", asset=asset, done=done, total=total)
    elif quiet:
        yield lambda _asset, _done, _total: None
    elif screen.is_terminal:
        with _bars(screen) as progress:
            yield _Bars(progress)
    else:
        yield _Lines(unit)


class _Lines:
    """A line when an asset is done, and now and then before."""

    def __init__(self, unit: str) -> None:
        self._unit = unit
        self._said = time.monotonic()

    def __call__(self, asset: str, done: int, total: int) -> None:
        now = time.monotonic()
        if done == total or now - self._said > SECONDS_BETWEEN_LINES:
            self._said = now
            text = f"{asset}: {done} of {total} {self._unit}"
            console(error=True).print(text, markup=False, soft_wrap=True)


def _bars(screen: Any) -> Progress:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=screen,
    )


class _Bars:
    """One bar per asset; an asset of several companies starts again with each."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, asset: str, done: int, total: int) -> None:
        if done == 0 or asset not in self._tasks:
            self._tasks[asset] = self._progress.add_task(asset, total=total)
        self._progress.update(self._tasks[asset], completed=done, total=total)
