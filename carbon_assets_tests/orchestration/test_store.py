"""All assets of a run see the companies as the run has found them."""

from __future__ import annotations

from carbon_assets.orchestration.store import CarbonStore
from carbon_assets_tests.orchestration.farmland import Farmland


def test_a_run_keeps_its_view_and_the_next_one_has_its_own(farmland: Farmland) -> None:
    store = CarbonStore(farmland.database)
    first = store.companies("run-1")
    farmland.lose("north-01")
    assert store.companies("run-1") is first
    second = store.companies("run-2")
    assert len(second[0].places) == len(first[0].places) - 1
    assert store.companies("run-2") is second


def test_without_a_run_the_view_is_new_each_time(farmland: Farmland) -> None:
    store = CarbonStore(farmland.database)
    before = store.companies()
    farmland.lose("north-01")
    assert len(store.companies()[0].places) == len(before[0].places) - 1
