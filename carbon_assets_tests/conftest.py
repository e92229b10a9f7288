"""Fixtures of the whole suite: databases.

One embedded server serves the session and all its xdist workers; each worker has databases
of its own. With ``CARBON_DATABASE_URL`` set, scratch databases are made on that server.

``database``
    One migrated database per worker, shared by its tests: for tests that only read, or that
    use keys of their own.
``fresh_database``
    An empty migrated database per test (a copy of a template).
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from carbon_assets.store import external
from carbon_assets.store.database import Database, external_url
from carbon_assets.store.server import stop_server
from carbon_assets_tests.scratch import EmbeddedHost, ExternalHost, Host, scratch_database

_HOME = "CARBON_ASSETS_TESTS_HOME"


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        home = Path(tempfile.mkdtemp(prefix="carbon-assets-tests-"))
        home.chmod(0o755)  # under root, PostgreSQL's account walks through it
        os.environ[_HOME] = str(home)


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput") and _HOME in os.environ:
        home = Path(os.environ.pop(_HOME))
        stop_server(home)
        shutil.rmtree(home)


@pytest.fixture(scope="session")
def database_host() -> Host:
    """The server on which the tests make their databases."""
    if url := external_url():
        return ExternalHost(external.parse_url(url))
    return EmbeddedHost.start(Path(os.environ[_HOME]))


@pytest.fixture(scope="session")
def template_database(database_host: Host) -> Iterator[str]:
    """Name of a migrated database that is only ever copied."""
    with scratch_database(database_host) as (name, _):
        yield name


@pytest.fixture(scope="session")
def database(database_host: Host, template_database: str) -> Iterator[Database]:
    """A migrated database shared by the tests of this worker."""
    with scratch_database(database_host, template_database) as (_, opened):
        yield opened


@pytest.fixture
def fresh_database(database_host: Host, template_database: str) -> Iterator[Database]:
    """An empty migrated database of the test's own."""
    with scratch_database(database_host, template_database) as (_, opened):
        yield opened
