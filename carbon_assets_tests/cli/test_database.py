"""The ``database`` commands against a real embedded server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from carbon_assets.cli.database import app
from carbon_assets.errors import StoreError
from carbon_assets.orchestration.store import CarbonStore
from carbon_assets.store.database import Database
from carbon_assets.store.engines import owner_engine
from carbon_assets_tests.cli.command import carbon, environment
from carbon_assets_tests.store.processes import scratch_home


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with scratch_home() as folder:
        monkeypatch.setenv("CARBON_HOME", str(folder))
        monkeypatch.delenv("CARBON_DATABASE_URL", raising=False)
        yield folder


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout.strip()


def facts(command: str) -> dict[str, Any]:
    return json.loads(run(command, "--json"))


def test_the_life_of_the_server(home: Path) -> None:
    assert facts("status") == {
        "server": "embedded",
        "folder": None,
        "running": False,
        "kept": False,
        "port": None,
        "pid": None,
    }
    assert "until 'carbon-assets database stop'" in run("start")
    started = facts("status")
    assert (started["running"], started["kept"]) == (True, True)
    assert str(started["port"]) in facts("start")["place"]
    url = run("url")
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT current_user, count(*) FROM farms").fetchone() == (
            "carbon_assets_app",
            0,
        )
    assert facts("url") == {"url": url}
    assert url.split(":")[2].split("@")[0] not in run("status")
    assert facts("stop") == {"running": False}
    assert run("stop") == "PostgreSQL is stopped."
    assert facts("status")["running"] is False


def test_an_external_server_is_told_of_but_not_steered(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CARBON_DATABASE_URL", database.owner_url)
    told = facts("status")
    assert (told["server"], told["running"], told["place"]) == ("external", True, database.place)
    with psycopg.connect(run("url")) as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("carbon_assets_app",)
    for command in ("start", "stop"):
        with pytest.raises(StoreError) as caught:
            CliRunner().invoke(app, [command], catch_exceptions=False)
        assert caught.value.code == "DATABASE_NOT_EMBEDDED"


def test_pruning_says_what_would_go_and_what_stays(
    fresh_database: Database, tmp_path: Path
) -> None:
    store = CarbonStore(fresh_database)
    with environment(tmp_path, fresh_database):
        store.save_work_list("young", [(1, 2020)])
        assert carbon("database", "prune").stdout == "Nothing older than 180 days may go.\n"
        with owner_engine(fresh_database).begin() as connection:
            connection.execute(text("UPDATE work_lists SET created_at = now() - interval '9 days'"))
        document = carbon(
            "database", "prune", "--older-than", "8", "--dry-run", "--json"
        ).document()
        assert (document["dry_run"], document["events"], document["work_lists"]) == (True, {}, 1)
        assert (
            "Removed: older than 8 days" in carbon("database", "prune", "--older-than", "8").stdout
        )
        assert carbon("database", "prune", "--json").document()["work_lists"] == 0
