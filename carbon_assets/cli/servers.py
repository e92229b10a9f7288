"""Dagster's code server, web server and daemon as child processes of one command.

The code server is a process of its own: when its definitions are loaded anew (a new vintage,
a button in the UI), the web server and the daemon both see it.
"""

from __future__ import annotations

import os
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from carbon_assets.cli.children import POLL_SECONDS, Child, started, terminable
from carbon_assets.errors import CarbonAssetsError
from carbon_assets.logs import dagster_log_options

HOST = "127.0.0.1"
LOCATION = "carbon_assets"
WEBSERVER_URL = "CARBON_WEBSERVER_URL"
"""Environment variable: where sensors ask the web server to load the definitions anew."""
START_SECONDS = 300.0


@dataclass(frozen=True)
class Served:
    """Running servers.

    Attributes:
        address: Where the web server answers.
        children: The processes.
    """

    address: str
    children: tuple[Child, ...]

    def wait(self, tell: Callable[[str], None]) -> None:
        """Wait for Ctrl-C or a signal to terminate; start again what ends.

        Args:
            tell: Who is told of a process that ended.

        Raises:
            CarbonAssetsError: ``UI_STOPPED`` when a process ends again and again.
        """
        while True:
            for child in self.children:
                if (told := child.tend()) is not None:
                    tell(told)
            time.sleep(POLL_SECONDS)


@contextmanager
def serving(home: Path, port: int, *, daemon: bool) -> Iterator[Served]:
    """Run the servers until the block ends; ``DAGSTER_HOME`` must be set.

    Args:
        home: Dagster home; logs and the workspace file go to its folder ``ui``.
        port: Port of the web server.
        daemon: Whether to run the daemon.

    Raises:
        CarbonAssetsError: ``UI_PORT_TAKEN``; ``UI_STOPPED``, ``UI_SILENT``.
    """
    _require_free(port)
    address = f"http://{HOST}:{port}"
    os.environ[WEBSERVER_URL] = address
    logs = home / "ui"
    logs.mkdir(parents=True, exist_ok=True)
    code_port = _free_port()
    workspace = ["-w", str(_write_workspace(logs, code_port)), *dagster_log_options()]
    with ExitStack() as stack:
        stack.enter_context(terminable())
        children = [stack.enter_context(started("code server", _code_server(code_port), logs))]
        _wait_until(lambda: _accepts(code_port), children)
        web = ["dagster_webserver", "-h", HOST, "-p", str(port), *workspace]
        children.append(stack.enter_context(started("webserver", web, logs)))
        if daemon:
            command = ["dagster._daemon", "run", *workspace]
            children.append(stack.enter_context(started("daemon", command, logs)))
        _wait_until(lambda: _answers(f"{address}/server_info"), children)
        yield Served(address, tuple(children))


def _code_server(port: int) -> list[str]:
    command = ["dagster", "code-server", "start", "-h", HOST, "-p", str(port)]
    command += ["-m", "carbon_assets.definitions", "--location-name", LOCATION]
    return [*command, "--use-python-environment-entry-point", *dagster_log_options()]


def _write_workspace(folder: Path, port: int) -> Path:
    server = {"host": HOST, "port": port, "location_name": LOCATION}
    path = folder / "workspace.yaml"
    path.write_text(yaml.safe_dump({"load_from": [{"grpc_server": server}]}), encoding="utf-8")
    return path


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


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _accepts(port: int) -> bool:
    try:
        with socket.create_connection((HOST, port), timeout=5):
            return True
    except OSError:
        return False


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - http on this machine
            return True
    except (urllib.error.URLError, OSError):
        return False


def _wait_until(ready: Callable[[], bool], children: Sequence[Child]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        for child in children:
            child.require_alive()
        if ready():
            return
        time.sleep(POLL_SECONDS)
    raise CarbonAssetsError(
        "UI_SILENT",
        f"the {children[-1].name} has not answered within {START_SECONDS:.0f} s",
        where=str(children[-1].log),
        do="read the end of this log file",
    )
