"""A Dagster instance per test, on a database of its own; and one with the demo landscape."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from carbon_assets.demo.landscape import write_landscape
from carbon_assets.orchestration.instance import open_instance
from carbon_assets.orchestration.storage import URL_VARIABLE
from carbon_assets.store.database import Database
from carbon_assets_tests.orchestration.farmland import VINTAGES, Farmland


@pytest.fixture
def instance(
    fresh_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dg.DagsterInstance]:
    """An instance without runs; its environment variables end with the test."""
    monkeypatch.setenv(URL_VARIABLE, "")
    monkeypatch.setenv("DAGSTER_HOME", "")
    with open_instance(fresh_database, tmp_path / "dagster") as opened:
        yield opened


@pytest.fixture(scope="session")
def landscape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the demo landscape, cut to three vintages; to be copied, not changed."""
    portfolio = write_landscape(tmp_path_factory.mktemp("landscape"))
    text = portfolio.read_text(encoding="utf-8")
    years = f"vintages: {VINTAGES[0]}-{VINTAGES[-1]}"
    portfolio.write_text(text.replace("vintages: 2014-2023", years), encoding="utf-8")
    return portfolio.parent


@pytest.fixture
def farmland(
    fresh_database: Database, instance: dg.DagsterInstance, landscape: Path, tmp_path: Path
) -> Farmland:
    """The demo landscape, imported, in files that the test may change."""
    folder = shutil.copytree(landscape, tmp_path / "landscape")
    return Farmland(fresh_database, instance, folder / "portfolio.yaml")
