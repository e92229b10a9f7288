"""Dagster's web server and daemon as child processes that end with the command."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from carbon_assets.errors import CarbonAssetsError

HOST = "127.0.0.1"
START_SECONDS = 300.0
STOP_SECONDS = 15.0
POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Child:
    """A child process in a process group of its own, with a log file."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def require_alive(self) -> None:
        """Refuse to go on when the process has ended.

        Raises:
            CarbonAssetsError: ``UI_STOPPED``.
        """
        if (status := self.process.poll()) is not None:
            raise CarbonAssetsError(
                "UI_STOPPED",
                f"the {self.name} ended with status {status}",
                where=str(self.log),
                do="read the end of this log file",
            )


@dataclass(frozen=True)
class Served:
    """Running servers.

    Attributes:
        address: Where the web server answers.
        children: The processes.
    """

    address: str
    children: tuple[Child, ...]

    def wait(self) -> None:
        """Wait for Ctrl-C or a signal to terminate; refuse to go on when a process ends."""
        while True:
            for child in self.children:
                child.require_alive()
            time.sleep(POLL_SECONDS)


@contextmanager
def serving(home: Path, port: int, *, daemon: bool) -> Iterator[Served]:
    """Run the web server, and the daemon, until the block ends; ``DAGSTER_HOME`` must be set.

    Args:
        home: Dagster home with its ``workspace.yaml``; logs go to its folder ``ui``.
        port: Port of the web server.
        daemon: Whether to run the daemon.

    Raises:
        CarbonAssetsError: ``UI_PORT_TAKEN``; ``UI_STOPPED``, ``UI_SILENT``.
    """
    _require_free(port)
    logs = home / "ui"
    logs.mkdir(parents=True, exist_ok=True)
    workspace = ["-w", str(home / "workspace.yaml")]
    web = ["dagster_webserver", "-h", HOST, "-p", str(port), *workspace]
    with ExitStack() as stack:
        stack.enter_context(_terminable())
        children = [stack.enter_context(_child("webserver", web, logs))]
        if daemon:
            command = ["dagster._daemon", "run", *workspace]
            children.append(stack.enter_context(_child("daemon", command, logs)))
        address = f"http://{HOST}:{port}"
        _wait_for(f"{address}/server_info", children)
        yield Served(address, tuple(children))


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as taken:
            raise CarbonAssetsError(
                "UI_PORT_TAKEN",
                f"port {port} cannot be used: {taken.strerror}",
                do="choose another with --port",
            ) from taken


@contextmanager
def _terminable() -> Iterator[None]:
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


@contextmanager
def _child(name: str, module: list[str], logs: Path) -> Iterator[Child]:
    log = logs / f"{name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - this interpreter, constant arguments
            [sys.executable, "-W", "ignore", "-m", *module],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches this command alone, which stops them in order
        )
    try:
        yield Child(name, process, log)
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End a child and what it started: gently, then without asking."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    _end_group(process.pid)


def _end_group(group: int) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + STOP_SECONDS / 3
        while time.monotonic() < deadline:
            try:
                os.killpg(group, number)
            except ProcessLookupError:
                return
            time.sleep(POLL_SECONDS)


def _wait_for(url: str, children: list[Child]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        for child in children:
            child.require_alive()
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - http on this machine
                return
        except (urllib.error.URLError, OSError):
            time.sleep(POLL_SECONDS)
    raise CarbonAssetsError(
        "UI_SILENT",
        f"the web server has not answered within {START_SECONDS:.0f} s",
        where=str(children[0].log),
        do="read the end of this log file",
    )
