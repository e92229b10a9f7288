"""What is said of a whole place does not depend on what its cells are called that year."""

from __future__ import annotations

from pathlib import Path

from carbon_assets.demo.landscape import write_landscape
from carbon_assets.portfolio import import_portfolio
from carbon_assets.provenance.materialize import compute_here
from carbon_assets.provenance.world import load_companies
from carbon_assets.store.database import Database
from carbon_assets.store.engines import transaction

VINTAGES = [2014, 2018, 2023]


def test_area_and_static_stock_are_the_same_in_every_vintage(
    fresh_database: Database, tmp_path: Path
) -> None:
    import_portfolio(fresh_database, write_landscape(tmp_path))
    with transaction(fresh_database) as connection:
        (world,) = load_companies(connection)
        (place,) = [one for one in world.places.values() if one.key == "north-01"]
        tasks = world.tasks(connection, [place.id])
    covered, stocks = set(), set()
    for bound in world.runners.values():
        for part in compute_here(bound, tasks, {place.id: VINTAGES}):
            whole = [one for one in part.receipts if one.stratum_filter is None]
            covered |= {one.covered_area_ha for one in whole}
            stocks |= {one.value for one in whole if one.metric_code == "agb_carbon_stock"}
    assert len(covered) == 1
    assert len(stocks) == 1
