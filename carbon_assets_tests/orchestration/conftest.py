"""A Dagster instance per test, on a database of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from carbon_assets.orchestration.instance import open_instance
from carbon_assets.orchestration.storage import URL_VARIABLE
from carbon_assets.store.database import Database


@pytest.fixture
def instance(
    fresh_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dg.DagsterInstance]:
    """An instance without runs; its environment variables end with the test."""
    monkeypatch.setenv(URL_VARIABLE, "")
    monkeypatch.setenv("DAGSTER_HOME", "")
    with open_instance(fresh_database, tmp_path / "dagster") as opened:
        yield opened
