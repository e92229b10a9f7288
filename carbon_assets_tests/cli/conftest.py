"""The demo, brought up once per worker by the real command in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from carbon_assets.store.database import Database, open_database
from carbon_assets_tests.cli.command import environment
from carbon_assets_tests.store.processes import scratch_home


@dataclass(frozen=True)
class Demo:
    """A home in which the demo has run.

    Attributes:
        home: CARBON_HOME.
        document: What ``demo --json`` printed.
        stderr: What it said besides.
    """

    home: Path
    document: dict[str, Any]
    stderr: str

    @property
    def portfolio(self) -> Path:
        return self.home / "demo" / "portfolio.yaml"

    def database(self) -> Database:
        return open_database(self.home)


@pytest.fixture(scope="session")
def finished_demo() -> Iterator[Demo]:
    with scratch_home() as home:
        given = {k: v for k, v in os.environ.items() if k != "CARBON_DATABASE_URL"}
        done = subprocess.run(
            [sys.executable, "-m", "carbon_assets", "demo", "--json"],
            env=given | {"CARBON_HOME": str(home)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        with environment(home):
            open_database()  # a lease, so that the server stays up between two tests
        yield Demo(home, json.loads(done.stdout), done.stderr)


@pytest.fixture
def demo(finished_demo: Demo) -> Iterator[Demo]:
    """The demo's home as CARBON_HOME; for tests that only read, or that write nothing."""
    with environment(finished_demo.home):
        yield finished_demo
