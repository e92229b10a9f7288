"""Reference rows are added, corrected and left alone."""

from __future__ import annotations

from sqlalchemy import text

from carbon_assets.store.database import Database
from carbon_assets.store.engines import app_engine
from carbon_assets.store.seed import seed_reference
from carbon_assets_tests.store.samples import METRIC

BIOME = {
    "key": "cerrado",
    "label": "Cerrado",
    "carbon_fraction": 0.46,
    "description": None,
    "source": "test",
}


def test_only_differences_are_written(fresh_database: Database) -> None:
    def seed(**change: object) -> int:
        return seed_reference(fresh_database, metric_types=[METRIC | change], biomes=[BIOME])

    assert seed() == 2
    assert seed() == 0
    assert seed(label="Mean above-ground biomass") == 1
    with app_engine(fresh_database).connect() as connection:
        labels = connection.execute(text("SELECT label FROM lookup_metric_type")).scalars().all()
        fractions = connection.execute(text("SELECT carbon_fraction FROM lookup_biome")).scalars()
        assert (labels, list(fractions)) == (["Mean above-ground biomass"], [0.46])


def test_nothing_given_is_nothing_done(fresh_database: Database) -> None:
    assert seed_reference(fresh_database) == 0
