"""Other processes that use an embedded server, and homes for them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from carbon_assets.store.server import stop_server

_USER = """
import sys
from pathlib import Path
from carbon_assets.store.server import keep_running, use_server
server = use_server(Path(sys.argv[1]))
if sys.argv[2:] == ["keep"]:
    keep_running(server)
print(server.port, flush=True)
sys.stdin.readline()
"""


class User:
    """Another process that uses the server of ``home`` until it is told to end."""

    def __init__(self, home: Path, *arguments: str) -> None:
        environment = {k: v for k, v in os.environ.items() if k != "CARBON_DATABASE_URL"}
        self.process = subprocess.Popen(
            [sys.executable, "-c", _USER, str(home), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        )

    def port(self) -> int:
        """Wait until the process has the server; return its port."""
        assert self.process.stdout is not None
        return int(self.process.stdout.readline())

    def end(self) -> None:
        """Let the process end in order."""
        self.process.communicate("\n", timeout=30)

    def kill(self) -> None:
        """Kill it without warning."""
        self.process.kill()
        self.process.communicate(timeout=30)


def wait_for(condition: Callable[[], bool], seconds: float = 15.0) -> bool:
    """Wait until the condition holds; return whether it does."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@contextmanager
def scratch_home(mode: int = 0o755) -> Iterator[Path]:
    """Give a new home; stop its server and remove everything at the end."""
    folder = Path(tempfile.mkdtemp(prefix="carbon-assets-home-"))
    folder.chmod(mode)
    home = folder / "home"
    home.mkdir()
    try:
        yield home
    finally:
        stop_server(home)
        shutil.rmtree(folder)
