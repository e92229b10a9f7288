"""A landscape that sensors look after: just imported, or computed and seen by every sensor.

Both are made once per worker. A test gets a copy of the database, and the files as they were in
the one folder that the database knows.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from carbon_assets.orchestration.instance import open_instance
from carbon_assets.orchestration.storage import URL_VARIABLE
from carbon_assets.store.engines import dispose_engines
from carbon_assets_tests.orchestration.automation.daemon import Daemon
from carbon_assets_tests.orchestration.farmland import Farmland
from carbon_assets_tests.scratch import Host, scratch_database

VARIABLES = (
    "CARBON_WEBSERVER_URL",
    "CARBON_MIRROR",
    "CARBON_TICK_PARTITIONS",
    "CARBON_ANNUAL_CRON",
)


@dataclass(frozen=True)
class Prepared:
    """A database to copy, with what the daemon knew when it was made."""

    database: str
    cursors: dict[str, str | None]
    folder: Path
    pristine: Path

    def restore(self) -> Path:
        """Put the files back; return the portfolio."""
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self.pristine, self.folder)
        return self.folder / "portfolio.yaml"


@contextmanager
def dagster_variables() -> Iterator[None]:
    before = {name: os.environ.get(name) for name in (URL_VARIABLE, "DAGSTER_HOME")}
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


@contextmanager
def prepared(
    host: Host, template: str, landscape: Path, home: Path, *, settled: bool
) -> Iterator[Prepared]:
    folder = home / "landscape"
    shutil.copytree(landscape, folder)
    with scratch_database(host, template) as (name, database):
        with dagster_variables(), open_instance(database, home / "dagster") as instance:
            daemon = Daemon(Farmland(database, instance, folder / "portfolio.yaml"))
            if settled:
                daemon.settle()
        dispose_engines(database)
        yield Prepared(name, daemon.cursors, folder, landscape)


@pytest.fixture(scope="session")
def imported(
    database_host: Host,
    template_database: str,
    landscape: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Prepared]:
    home = tmp_path_factory.mktemp("imported")
    with prepared(database_host, template_database, landscape, home, settled=False) as found:
        yield found


@pytest.fixture(scope="session")
def computed(
    database_host: Host,
    template_database: str,
    landscape: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Prepared]:
    home = tmp_path_factory.mktemp("computed")
    with prepared(database_host, template_database, landscape, home, settled=True) as found:
        yield found


@contextmanager
def daemon_of(host: Host, state: Prepared, home: Path) -> Iterator[Daemon]:
    portfolio = state.restore()
    with (
        scratch_database(host, state.database) as (_, database),
        dagster_variables(),
        open_instance(database, home / "dagster") as instance,
    ):
        yield Daemon(Farmland(database, instance, portfolio), dict(state.cursors))


@pytest.fixture(autouse=True)
def _own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARBON_INBOX", str(tmp_path / "inbox"))
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def daemon(database_host: Host, imported: Prepared, tmp_path: Path) -> Iterator[Daemon]:
    """The demo landscape just imported; nothing computed, no sensor ever evaluated."""
    with daemon_of(database_host, imported, tmp_path) as found:
        yield found


@pytest.fixture
def settled(database_host: Host, computed: Prepared, tmp_path: Path) -> Iterator[Daemon]:
    """The same with everything computed, and every sensor has seen it."""
    with daemon_of(database_host, computed, tmp_path) as found:
        yield found
