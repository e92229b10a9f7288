"""Log lines: text for people, or one JSON object per line for a log collector.

``CARBON_LOG=json`` chooses JSON, ``CARBON_LOG_LEVEL`` (``info`` by default) how much. The lines
of commands, servers and runs go to stderr or to the log file of a server; what a command
prints as its result never changes. Passwords in URLs are masked in either form.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from carbon_assets.errors import CarbonAssetsError

FORMAT_VARIABLE = "CARBON_LOG"
LEVEL_VARIABLE = "CARBON_LOG_LEVEL"
LEVELS = ("debug", "info", "warning", "error", "critical")
FACTS = "carbon_facts"
"""Attribute of a log record that holds counts, seconds and keys."""

_PASSWORD = re.compile(r"(?<=://)([^\s:/@]*):[^\s@]+(?=@)")
_RUN_FACTS = ("run_id", "job_name", "step_key")
_logger = logging.getLogger("carbon_assets")


def as_json() -> bool:
    """Tell whether log lines are JSON.

    Raises:
        CarbonAssetsError: ``LOG_INVALID``.
    """
    return _setting(FORMAT_VARIABLE, ("text", "json")) == "json"


def level() -> str:
    """Return the least severe level that is logged, in small letters.

    Raises:
        CarbonAssetsError: ``LOG_INVALID``.
    """
    return _setting(LEVEL_VARIABLE, ("info", *LEVELS))


def dagster_log_options() -> list[str]:
    """Return the options that let a server of Dagster log in the same way."""
    return ["--log-format", "json" if as_json() else "colored", "--log-level", level()]


def masked(text: str) -> str:
    """Replace the passwords of URLs in a text."""
    return _PASSWORD.sub(r"\1:***", text)


def configure() -> None:
    """Let commands write JSON lines to stderr, if that is chosen; without it they stay silent."""
    if as_json() and not configured():
        _logger.addHandler(JsonHandler())
        _logger.setLevel(level().upper())
        _logger.propagate = False


def configured() -> bool:
    """Tell whether commands write JSON lines to stderr."""
    return any(isinstance(one, JsonHandler) for one in _logger.handlers)


def log_error(error: CarbonAssetsError) -> None:
    """Write a line about an error that ends a command."""
    known = {name: value for name, value in error.as_dict().items() if value}
    _logger.error(known.pop("what"), extra=facts(**known))


def log(message: str, **known: Any) -> None:
    """Write a line about a command or an asset; no-op unless JSON is chosen.

    Args:
        message: What happened.
        known: Counts, seconds and keys, as JSON knows them.
    """
    _logger.info(message, extra=facts(**known))


def facts(**known: Any) -> dict[str, Any]:
    """Return the ``extra`` of a log call with which a line carries facts.

    Args:
        known: Counts, seconds and keys, as JSON knows them.
    """
    return {FACTS: known}


class JsonFormatter(logging.Formatter):
    """One JSON object per line: time, level, logger, message, and what the record knows."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record.

        Args:
            record: Of our own loggers or of Dagster's.
        """
        document = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_run_facts(record),
            **getattr(record, FACTS, {}),
        }
        if record.exc_info:
            document["traceback"] = self.formatException(record.exc_info)
        return masked(json.dumps(document, ensure_ascii=False, default=str))


class JsonHandler(logging.Handler):
    """Writes JSON lines to stderr, as it is at that moment."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(JsonFormatter())

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record.

        Args:
            record: What to write.
        """
        try:
            sys.stderr.write(self.format(record) + "\n")
            sys.stderr.flush()
        except (OSError, ValueError, TypeError):
            self.handleError(record)


class RunHandler(JsonHandler):
    """Writes what happens in runs as JSON lines, if that is chosen; see ``dagster.yaml``.

    Dagster logs nearly all of its events as debugging; when a run starts and ends is told anyway.
    """

    def __init__(self) -> None:
        super().__init__()
        self._least = logging.getLevelNamesMapping()[level().upper()] if as_json() else None

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, if it weighs enough.

        Args:
            record: Of a run.
        """
        if self._least is None:
            return
        if record.levelno >= self._least or (
            self._least <= logging.INFO and _event_of(record).startswith("PIPELINE_")
        ):
            super().emit(record)


def _event_of(record: logging.LogRecord) -> str:
    event = getattr(record, "dagster_meta", {}).get("dagster_event")
    return str(event.event_type_value) if event is not None else ""


def _run_facts(record: logging.LogRecord) -> dict[str, Any]:
    """What Dagster knows of a record: run, job, step, asset and partition."""
    metadata: Mapping[str, Any] = getattr(record, "dagster_meta", {})
    found = {name: metadata[name] for name in _RUN_FACTS if metadata.get(name)}
    if "orig_message" in metadata:
        found["message"] = metadata["orig_message"]
    event = metadata.get("dagster_event")
    if event is not None:
        found["event"] = event.event_type_value.replace("PIPELINE_", "RUN_")
        if event.asset_key is not None:
            found["asset"] = event.asset_key.to_user_string()
    return found


def _setting(variable: str, allowed: tuple[str, ...]) -> str:
    given = os.environ.get(variable, "").strip().lower() or allowed[0]
    if given not in allowed:
        raise CarbonAssetsError(
            "LOG_INVALID",
            f"{variable} is {given!r}, not one of {', '.join(sorted(set(allowed)))}.",
            do=f"correct or unset {variable}",
        )
    return given
