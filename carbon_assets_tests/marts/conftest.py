"""Four years of the demo landscape, computed once per worker, for the models to read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from carbon_assets.demo.landscape import write_landscape
from carbon_assets.demo.vectors import write_places
from carbon_assets.marts.apply import apply_models
from carbon_assets.marts.models import load_models
from carbon_assets.portfolio import import_portfolio
from carbon_assets.provenance.graph import GRAPH
from carbon_assets.provenance.materialize import materialize
from carbon_assets.provenance.world import load_companies
from carbon_assets.store.database import Database
from carbon_assets.store.engines import transaction
from carbon_assets_tests.marts.shared import UNCOMPUTED, VINTAGES, clouded
from carbon_assets_tests.scratch import Host, scratch_database


@pytest.fixture(scope="session")
def marts_database(
    database_host: Host, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    """The demo's data with the shipped models applied; for tests that only read."""
    with scratch_database(database_host, template_database) as (_, opened):
        import_portfolio(opened, four_years(tmp_path_factory.mktemp("landscape")))
        compute_all(opened)
        apply_models(opened, load_models())
        yield opened


def four_years(folder: Path) -> Path:
    """The demo's portfolio with fewer years and one farm more."""
    portfolio = write_landscape(folder)
    write_places(folder / "clouded.gpkg", [clouded()])
    section = "{file: clouded.gpkg, kind: farm, key: farm_key, name: name, project: project_key}"
    text = portfolio.read_text(encoding="utf-8")
    text = text.replace("vintages: 2014-2023", f"vintages: {VINTAGES[0]}-{VINTAGES[-1]}")
    portfolio.write_text(f"{text.rstrip()}\n  - {section}\n", encoding="utf-8")
    return portfolio


def compute_all(database: Database) -> None:
    with transaction(database) as connection:
        (world,) = load_companies(connection)
    keys = [
        (place.id, vintage)
        for place in world.places.values()
        for vintage in place.vintages
        if (place.key, vintage) != UNCOMPUTED
    ]
    for asset in (node.key for node in GRAPH if node.level == "place"):
        for _ in materialize(database, world, asset, keys):
            pass
