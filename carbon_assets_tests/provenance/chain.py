"""The chain over the demo company, without Dagster."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import text

from carbon_assets.provenance.expectation import expect
from carbon_assets.provenance.graph import GRAPH, PLACE_ASSETS, PROJECT_METRICS, level_of
from carbon_assets.provenance.materialize import Outcome, materialize
from carbon_assets.provenance.plan import Key, lock_asset, plan
from carbon_assets.provenance.record import record_history
from carbon_assets.provenance.status import stale_partitions
from carbon_assets.provenance.world import CompanyWorld, load_companies
from carbon_assets.store.database import Database
from carbon_assets.store.engines import transaction

LAND_COVER, BIOMASS = "raster_aggregates/land_cover", "raster_aggregates/biomass"
METRICS = "farm_metrics"
VINTAGES = range(2014, 2024)


def load(database: Database, company: str = "demo") -> CompanyWorld:
    with transaction(database) as connection:
        (world,) = load_companies(connection, company)
    return world


def partitions(world: CompanyWorld, asset: str = METRICS) -> list[Key]:
    if level_of(asset) == "project":
        return [(i, vintage) for i, one in world.projects.items() for vintage in one.vintages]
    return [(i, vintage) for i, place in world.places.items() for vintage in place.vintages]


def bring_up(
    database: Database, assets: Iterable[str] = (LAND_COVER, BIOMASS, METRICS)
) -> dict[str, list[Outcome]]:
    """Materialize every partition of some assets; return the outcomes by asset."""
    world = load(database)
    return {
        asset: [
            one
            for chunk in materialize(database, world, asset, partitions(world, asset))
            for one in chunk
        ]
        for asset in assets
    }


def actions(outcomes: Iterable[Outcome]) -> Counter[str]:
    return Counter(one.action for one in outcomes)


def record_only(database: Database, company: str = "demo") -> None:
    """Say that everything was computed, without computing it: enough to ask what is stale."""
    world = load(database, company)
    for node in GRAPH:
        with transaction(database) as connection:
            lock_asset(connection, node.key)
            steps = plan(connection, world, node.key, partitions(world, node.key))
            record_history(connection, steps, None)


def stale(database: Database, company: str = "demo") -> dict[tuple[str, str, int], tuple[str, ...]]:
    """Causes by asset, place key and vintage, of the assets of places."""
    world = load(database, company)
    with transaction(database) as connection:
        found = stale_partitions(connection, [world], expect([world], assets=PLACE_ASSETS))
    return {(one.asset, world.places[one.subject_id].key, one.vintage): one.causes for one in found}


def stale_projects(
    database: Database, company: str = "demo"
) -> dict[tuple[str, int], tuple[str, ...]]:
    """Causes by project key and vintage."""
    world = load(database, company)
    with transaction(database) as connection:
        found = stale_partitions(connection, [world], expect([world]))
    return {
        (world.projects[one.subject_id].key, one.vintage): one.causes
        for one in found
        if one.asset == PROJECT_METRICS
    }


@contextmanager
def edited(portfolio: Path) -> Iterator[dict[str, Any]]:
    """Change a portfolio file."""
    document = yaml.safe_load(portfolio.read_text(encoding="utf-8"))
    yield document
    portfolio.write_text(yaml.safe_dump(document), encoding="utf-8")


def count(database: Database, table: str, where: str = "true") -> int:
    with transaction(database) as connection:
        return int(
            connection.execute(text(f"SELECT count(*) FROM {table} WHERE {where}")).scalar_one()
        )
