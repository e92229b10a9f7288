"""The demo landscape, and databases in which its company is imported or computed.

``landscape``
    The files, written once; not to be changed.
``own_landscape``
    A copy of the files that a test may change.
``imported``
    A database of the test's own with the demo company, from ``own_landscape``.
``computed``
    The same with every place computed, from ``landscape``.
``shared_summed``
    The same with the projects, too, for tests that only read.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from carbon_assets.demo.landscape import write_landscape
from carbon_assets.portfolio import import_portfolio
from carbon_assets.provenance.graph import PROJECT_METRICS
from carbon_assets.store.database import Database
from carbon_assets.store.engines import dispose_engines
from carbon_assets_tests.provenance.chain import bring_up
from carbon_assets_tests.scratch import Host, scratch_database


@pytest.fixture(scope="session")
def landscape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the demo landscape."""
    return write_landscape(tmp_path_factory.mktemp("landscape")).parent


@pytest.fixture
def own_landscape(landscape: Path, tmp_path: Path) -> Path:
    """A copy of the demo landscape."""
    return Path(shutil.copytree(landscape, tmp_path / "own"))


@pytest.fixture
def imported(fresh_database: Database, own_landscape: Path) -> Database:
    """The demo company, nothing computed."""
    import_portfolio(fresh_database, own_landscape / "portfolio.yaml")
    return fresh_database


@pytest.fixture(scope="session")
def computed_template(
    database_host: Host, template_database: str, landscape: Path
) -> Iterator[str]:
    """Name of a database with the computed demo company that is only ever copied."""
    with scratch_database(database_host, template_database) as (name, database):
        import_portfolio(database, landscape / "portfolio.yaml")
        bring_up(database)
        dispose_engines(database)
        yield name


@pytest.fixture
def computed(database_host: Host, computed_template: str) -> Iterator[Database]:
    """The computed demo company in a database of the test's own."""
    with scratch_database(database_host, computed_template) as (_, database):
        yield database


@pytest.fixture(scope="session")
def shared_computed(database_host: Host, computed_template: str) -> Iterator[Database]:
    """The computed demo company for tests that only read."""
    with scratch_database(database_host, computed_template) as (_, database):
        yield database


@pytest.fixture(scope="session")
def shared_summed(database_host: Host, computed_template: str) -> Iterator[Database]:
    """The computed demo company with its project metrics, for tests that only read."""
    with scratch_database(database_host, computed_template) as (_, database):
        bring_up(database, [PROJECT_METRICS])
        yield database
