"""Child processes with a log each, which end with the command and are started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from carbon_assets.errors import CarbonAssetsError

STOP_SECONDS = 15.0
POLL_SECONDS = 0.2
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
MOST_ENDS = 5
ENDS_WITHIN_SECONDS = 600.0


@dataclass
class Child:
    """A Python module that runs in a process group of its own.

    Attributes:
        name: For messages and the log's name.
        command: Module and arguments.
        log: Where its output goes; what it said before it was started again stays.
    """

    name: str
    command: Sequence[str]
    log: Path
    _process: subprocess.Popen[bytes] | None = None
    _groups: list[int] = field(default_factory=list)
    _ends: deque[float] = field(default_factory=lambda: deque(maxlen=MOST_ENDS))
    _start_at: float = 0.0

    def start(self) -> None:
        """Start the process; its output is added to the log."""
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603 - this interpreter, our arguments
                [sys.executable, "-W", "ignore", "-m", *self.command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches this command alone, which stops them
            )
        self._groups.append(self._process.pid)

    def require_alive(self) -> None:
        """Refuse to go on when the process has ended.

        Raises:
            CarbonAssetsError: ``UI_STOPPED``.
        """
        if self._process is not None and (status := self._process.poll()) is not None:
            raise self._stopped(f"the {self.name} ended with status {status}")

    def tend(self) -> str | None:
        """Start the process again, after a pause, when it has ended.

        Runs that a code server has started outlive it and are left to finish.

        Returns:
            What happened, for people; None when nothing did.

        Raises:
            CarbonAssetsError: ``UI_STOPPED`` when it ends again and again.
        """
        now = time.monotonic()
        if self._process is not None and (status := self._process.poll()) is not None:
            self._process = None
            self._ends.append(now)
            self._require_patience(now)
            pause = min(FIRST_PAUSE_SECONDS * 2 ** (len(self._ends) - 1), LONGEST_PAUSE_SECONDS)
            self._start_at = now + pause
            return (
                f"The {self.name} ended with status {status}; it is started again in "
                f"{pause:.0f} s. Log: {self.log}"
            )
        if self._process is None and now >= self._start_at:
            self.start()
        return None

    def stop(self) -> None:
        """End the process and what it started: gently, then without asking."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        for group in self._groups:
            _end_group(group)

    def _require_patience(self, now: float) -> None:
        recent = [end for end in self._ends if now - end < ENDS_WITHIN_SECONDS]
        if len(recent) == MOST_ENDS:
            minutes = ENDS_WITHIN_SECONDS / 60
            raise self._stopped(
                f"the {self.name} ended {MOST_ENDS} times within {minutes:.0f} minutes"
            )

    def _stopped(self, what: str) -> CarbonAssetsError:
        return CarbonAssetsError(
            "UI_STOPPED", what, where=str(self.log), do="read the end of this log file"
        )


@contextmanager
def started(name: str, command: Sequence[str], logs: Path) -> Iterator[Child]:
    """Run a module until the block ends, with a new log.

    Args:
        name: For messages and the log's name.
        command: Module and arguments.
        logs: Folder of the log.
    """
    child = Child(name, command, logs / f"{name.replace(' ', '-')}.log")
    child.log.write_bytes(b"")
    child.start()
    try:
        yield child
    finally:
        child.stop()


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM and SIGINT end the command as Ctrl-C does, so that its children end too.

    A shell that starts a command in the background lets it ignore SIGINT, and so would its
    children; a handler of our own is undone in them, which leaves them the default.
    """

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {
        number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end_group(group: int) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + STOP_SECONDS / 3
        while time.monotonic() < deadline:
            try:
                os.killpg(group, number)
            except ProcessLookupError:
                return
            time.sleep(POLL_SECONDS)
