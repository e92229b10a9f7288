"""Killed at random points of a run through Dagster, and started again: as if never disturbed."""

from __future__ import annotations

from pathlib import Path

from carbon_assets.orchestration.instance import open_instance
from carbon_assets.orchestration.refresh import bring_up_to_date
from carbon_assets.orchestration.store import CarbonStore
from carbon_assets.portfolio import import_portfolio
from carbon_assets.store.database import Database
from carbon_assets_tests.orchestration.farmland import Farmland
from carbon_assets_tests.orchestration.killing import (
    Ordeal,
    numbers,
    outstanding,
    twice_recorded,
    untold,
)
from carbon_assets_tests.scratch import Host, scratch_database

KILLS = 10


def test_many_kills_leave_the_receipts_of_an_undisturbed_run(
    farmland: Farmland, database_host: Host, template_database: str, tmp_path: Path
) -> None:
    ordeal = Ordeal(farmland.database, tmp_path / "killed", chunk=6, pause=0.3, seed=7)
    assert ordeal.suffer(KILLS) == KILLS
    assert ordeal.remaining == sorted(ordeal.remaining, reverse=True), "what is committed stands"
    assert 0 < ordeal.remaining[-1] < ordeal.remaining[0], "some chunks survive each time"
    assert ordeal.recover() == 0
    assert outstanding(farmland.database) == 0
    assert twice_recorded(farmland.database) == 0
    with open_instance(farmland.database, tmp_path / "killed") as instance:
        assert untold(farmland.database, instance) == 0
    with scratch_database(database_host, template_database) as (_, calm):
        assert numbers(farmland.database) == numbers(undisturbed(calm, farmland, tmp_path))


def undisturbed(database: Database, farmland: Farmland, folder: Path) -> Database:
    import_portfolio(database, farmland.portfolio)
    with open_instance(database, folder / "calm") as instance:
        bring_up_to_date(CarbonStore(database), instance)
    return database
