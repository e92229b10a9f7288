"""The Dagster instance of a ``CARBON_HOME``.

Its home is ``CARBON_HOME/dagster``: ``dagster.yaml`` and ``workspace.yaml``, which are written
here and hold no secret, local artifacts, and the logs of runs. Events, runs and schedules are
in PostgreSQL, see :mod:`carbon_assets.orchestration.storage`. The files of the same names at
the root of a checkout say the same for ``dagster dev``, which finds them when ``DAGSTER_HOME``
is not set.
"""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from dagster import DagsterInstance

from carbon_assets.orchestration.storage import URL_VARIABLE
from carbon_assets.store.database import Database
from carbon_assets.store.home import carbon_home

COMPANY_TAG = "carbon_assets/company"
"""Tag of a run that works for one company; see ``tag_concurrency_limits``."""


def instance_config() -> dict[str, Any]:
    """Return the content of ``dagster.yaml``, without any path or secret."""
    text = files("carbon_assets.orchestration").joinpath("instance.yaml").read_text("utf-8")
    return dict(yaml.safe_load(text))


def workspace_config() -> dict[str, Any]:
    """Return the content of ``workspace.yaml``: where Dagster finds the definitions."""
    module = {"module_name": "carbon_assets.definitions", "location_name": "carbon_assets"}
    return {"load_from": [{"python_module": module}]}


def write_home(home: Path | None = None) -> Path:
    """Write ``dagster.yaml`` and ``workspace.yaml`` of the Dagster home and return that home.

    Args:
        home: Dagster home; by default ``CARBON_HOME/dagster``.
    """
    home = home or carbon_home() / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    _write(home / "dagster.yaml", instance_config())
    _write(home / "workspace.yaml", workspace_config())
    return home


def _write(target: Path, document: dict[str, Any]) -> None:
    """Write a YAML file in one step, unless it says the same already."""
    content = yaml.safe_dump(document, sort_keys=False)
    if not target.exists() or target.read_text(encoding="utf-8") != content:
        draft = target.with_name(f".{target.name}.{os.getpid()}")
        draft.write_text(content, encoding="utf-8")
        draft.replace(target)


def open_instance(database: Database, home: Path | None = None) -> DagsterInstance:
    """Open the Dagster instance that keeps its events in a database.

    Sets ``CARBON_DAGSTER_URL`` and ``DAGSTER_HOME`` for this process, so that the processes
    which Dagster starts open the same instance. Close it with ``dispose()`` or a ``with``.

    Args:
        database: Open database.
        home: Dagster home; by default ``CARBON_HOME/dagster``.
    """
    home = write_home(home)
    os.environ[URL_VARIABLE] = database.dagster_url
    os.environ["DAGSTER_HOME"] = str(home)
    return DagsterInstance.from_config(str(home))
