"""How far the transfer of remote rasters is: bars on a terminal, lines elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from carbon_assets.cli.output import console

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from carbon_assets.rasters.remote.transfer import Progress

MEBIBYTE = 1024 * 1024


@contextmanager
def transfers(*, quiet: bool) -> Iterator[Progress]:
    """Give a callback (href, bytes done, bytes in all) that shows them on stderr.

    Args:
        quiet: Show nothing.
    """
    screen = console(error=True)
    if quiet:
        yield lambda _href, _done, _total: None
    elif screen.is_terminal:
        with _bars() as bars:
            yield _Shown(bars)
    else:
        yield _say_when_done


def _say_when_done(href: str, done: int, total: int) -> None:
    if done == total:
        text = f"{PurePosixPath(href).name}: {total / MEBIBYTE:.1f} MiB"
        console(error=True).print(text, markup=False, soft_wrap=True)


def _bars() -> Bars:
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=console(error=True),
    )


class _Shown:
    """One bar per file."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, href: str, done: int, total: int) -> None:
        if href not in self._tasks:
            self._tasks[href] = self._bars.add_task(PurePosixPath(href).name, total=total)
        self._bars.update(self._tasks[href], completed=done, total=total)
