"""Bringing the marts up to date after a run, when something in them would change."""

from __future__ import annotations

from dagster import DagsterInstance

from carbon_assets.marts.models import load_models
from carbon_assets.marts.versions import relations, wanted_versions
from carbon_assets.orchestration.events import latest_version
from carbon_assets.orchestration.launch import Launcher
from carbon_assets.orchestration.names import mart_key
from carbon_assets.orchestration.store import CarbonStore
from carbon_assets.store.engines import transaction


def outdated_marts(store: CarbonStore, instance: DagsterInstance) -> list[str]:
    """Return the models that the database lacks as they should be, or Dagster was not told of.

    A view shows the data as they are: it is outdated only when its SQL changed. A table is when
    its data changed, too.
    """
    models = load_models()
    with transaction(store.opened()) as connection:
        wanted = wanted_versions(connection, models)
        found = relations(connection)
    return [
        name
        for name, version in wanted.items()
        if name not in found
        or found[name].version != version
        or latest_version(instance, mart_key(name)).data_version != version
    ]


def refresh_marts(store: CarbonStore, launcher: Launcher) -> bool:
    """Make outdated models again, in a run of their own; none runs when none is outdated.

    They have no partitions, and what a run of partitions changed stands even if a model fails.

    Returns:
        Whether all went well.
    """
    outdated = outdated_marts(store, launcher.instance)
    return not outdated or launcher.run_whole([mart_key(name) for name in outdated])
