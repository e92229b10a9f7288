"""Receipts do not depend on how many processes compute them."""

from __future__ import annotations

from pathlib import Path

import pytest

from carbon_assets.demo.landscape import write_landscape
from carbon_assets.errors import ProvenanceError
from carbon_assets.portfolio import import_portfolio
from carbon_assets.provenance.materialize import compute_here
from carbon_assets.provenance.parallel import WORKERS_VARIABLE, compute_with, configured_compute
from carbon_assets.provenance.world import load_companies
from carbon_assets.store.database import Database
from carbon_assets.store.engines import transaction

VINTAGES = [2016, 2019]


def test_two_processes_give_the_receipts_of_one(fresh_database: Database, tmp_path: Path) -> None:
    import_portfolio(fresh_database, write_landscape(tmp_path))
    with transaction(fresh_database) as connection:
        (world,) = load_companies(connection)
        tasks = world.tasks(connection, world.places)
    vintages = dict.fromkeys(world.places, VINTAGES)
    for bound in world.runners.values():
        alone = list(compute_here(bound, tasks, vintages))
        spread = list(compute_with(2)(bound, tasks[::-1], vintages))
        assert len(alone) == len(tasks) * len(VINTAGES)
        assert spread == alone


@pytest.mark.parametrize("given", ["0", "-1", "two", "", "1.5"])
def test_a_wrong_number_of_workers_is_refused(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(WORKERS_VARIABLE, given)
    with pytest.raises(ProvenanceError) as caught:
        configured_compute()
    assert caught.value.code == "WORKERS_INVALID"


def test_one_worker_is_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(WORKERS_VARIABLE, raising=False)
    assert configured_compute() is compute_here
