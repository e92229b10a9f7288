"""The numerics probe: the same in every process, another as soon as a digit changes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from carbon_assets.provenance import probe
from carbon_assets.provenance.probe import numerics_probe


@pytest.fixture(autouse=True)
def _computed_again() -> Iterator[None]:
    numerics_probe.cache_clear()
    yield
    numerics_probe.cache_clear()


def test_it_is_the_same_in_another_process() -> None:
    script = "from carbon_assets.provenance.probe import numerics_probe; print(numerics_probe())"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == numerics_probe()


def test_it_is_the_same_a_second_time() -> None:
    first = numerics_probe()
    numerics_probe.cache_clear()
    assert numerics_probe() == first


def test_the_last_digit_of_one_covered_share_changes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    before = numerics_probe()
    original = probe.strips

    def nudged(*arguments: Any) -> Iterator[Any]:
        for cells in original(*arguments):
            cells.coverage[0] = np.nextafter(cells.coverage[0], 2.0)
            yield cells

    monkeypatch.setattr(probe, "strips", nudged)
    numerics_probe.cache_clear()
    assert numerics_probe() != before


@pytest.mark.parametrize("function", ["percentile", "moments", "look_up"])
def test_it_rests_on_every_part_of_the_kernel(
    monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    before = numerics_probe()
    original = getattr(probe, function)

    def shifted(values: Any, *arguments: Any, **options: Any) -> Any:
        if function == "look_up":
            lookup = original(values, *arguments, **options)
            lookup.index[0] += 1
            return lookup
        if function == "moments":
            ((sample, by),) = values
            nudged = replace(sample, values=sample.values * (1 + 1e-15))
            return original([(nudged, by)], *arguments, **options)
        return original(values * (1 + 1e-15), *arguments, **options)

    monkeypatch.setattr(probe, function, shifted)
    numerics_probe.cache_clear()
    assert numerics_probe() != before
