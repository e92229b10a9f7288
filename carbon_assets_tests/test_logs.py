"""Log lines as JSON: of commands, of runs, and never with a password.

Annotations are not postponed: Dagster reads that of ``context`` as it stands.
"""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from carbon_assets import logs
from carbon_assets.errors import CarbonAssetsError
from carbon_assets_tests.cli.command import carbon, environment


@pytest.fixture
def as_json(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv(logs.FORMAT_VARIABLE, "json")
    yield
    own = logging.getLogger("carbon_assets")
    own.handlers = [one for one in own.handlers if not isinstance(one, logs.JsonHandler)]
    own.propagate = True


def documents(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines() if line.strip()]


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("postgresql://u:p4ss@h/d", "postgresql://u:***@h/d"),
        ("at postgresql+x://u:p%40s:s@h:5/d?x=y now", "at postgresql+x://u:***@h:5/d?x=y now"),
        ("https://u@h/d and 12:30 a@b", "https://u@h/d and 12:30 a@b"),
    ],
)
def test_passwords_in_urls_are_masked(given: str, shown: str) -> None:
    assert logs.masked(given) == shown


def test_a_line_says_what_the_record_knows() -> None:
    record = logging.makeLogRecord(
        {"name": "x", "levelname": "INFO", "msg": "to %s", "args": ("h",)}
    )
    record.__dict__.update(logs.facts(asset="a", rows=3, url="postgresql://u:secret@h/d"))
    record.exc_info = (ValueError, ValueError("postgresql://u:secret@h/d"), None)
    text = logs.JsonFormatter().format(record)
    assert "\n" not in text
    assert "secret" not in text
    document = json.loads(text)
    assert (document["level"], document["message"], document["rows"]) == ("info", "to h", 3)
    assert document["traceback"] == "ValueError: postgresql://u:***@h/d"


def test_a_command_tells_how_it_ended(as_json: None, tmp_path: Path) -> None:
    with environment(tmp_path):
        [ended] = documents(carbon("version", "--json").stderr)
        failed = carbon("run", tmp_path / "none.yaml", status=1)
    assert (ended["message"], ended["command"], ended["status"]) == (
        "command ended",
        ["version"],
        0,
    )
    assert ended["seconds"] >= 0
    error, ended = documents(failed.stderr)
    assert (error["level"], error["code"]) == ("error", "PORTFOLIO_MISSING")
    assert ended["status"] == 1


def test_without_json_commands_are_silent_on_stderr(tmp_path: Path) -> None:
    with environment(tmp_path):
        assert carbon("version").stderr == ""


@pytest.mark.parametrize(
    ("variable", "value"), [(logs.FORMAT_VARIABLE, "xml"), (logs.LEVEL_VARIABLE, "loud")]
)
def test_a_wrong_setting_is_named(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(CarbonAssetsError) as refused:
        logs.dagster_log_options()
    assert refused.value.code == "LOG_INVALID"


def test_a_run_tells_its_id_asset_and_counts(
    as_json: None, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    handler = {"class": "carbon_assets.logs.RunHandler", "level": "DEBUG"}
    overrides = {
        "python_logs": {"dagster_handler_config": {"handlers": {"carbon_assets": handler}}}
    }

    @dg.asset
    def counted(context: dg.AssetExecutionContext) -> None:
        context.log.debug("not told")
        context.log.info("told", extra=logs.facts(company="acme", done=3))

    with dg.DagsterInstance.local_temp(str(tmp_path), overrides=overrides) as instance:
        quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
        result = dg.materialize([counted], instance=instance, run_config=quiet)
    lines = documents(capfd.readouterr().err)
    assert {line["run_id"] for line in lines} == {result.run_id}
    events = [line.get("event") for line in lines]
    assert (events[0], events[-1]) == ("RUN_START", "RUN_SUCCESS")
    [told] = [line for line in lines if line["message"] == "told"]
    assert (told["company"], told["done"], told["step_key"]) == ("acme", 3, "counted")
    assert "not told" not in {line["message"] for line in lines}
