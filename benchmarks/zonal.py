"""Zonal statistics of a portfolio: our runners beside decoding, coverage and exactextract.

``ours_s`` and ``exactextract_s`` do the same work: area, mean, standard deviation and count of
every stratum. ``with_land_cover_s`` is ours with the class histograms of the land cover runner on
top, in a second pass over the maps as the pipeline makes it.

Run with ``uv run python benchmarks/zonal.py`` (``--quick`` for a small scenario). The last
line of output is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from benchmarks import rivals
from benchmarks.scenario import CLASSES, FULL, QUICK, Scenario, build
from carbon_assets.rasters.opening import gdal_session
from carbon_assets.rasters.reader import OpenRasters
from carbon_assets.runners.bound import BoundRunner
from carbon_assets.runners.compute import compute_place, in_block_order
from carbon_assets.runners.receipts import PartitionReceipts, Receipt


def ours(scenario: Scenario, *bounds: BoundRunner) -> list[PartitionReceipts]:
    """Runners over all farms and vintages, as a batch of the pipeline does it."""
    made: list[PartitionReceipts] = []
    for bound in bounds:
        with gdal_session(), OpenRasters() as rasters:
            for place in in_block_order(bound, scenario.places):
                made += compute_place(bound, place, scenario.vintages, rasters)
    return made


def table_of(made: list[PartitionReceipts], scenario: Scenario) -> rivals.Table:
    """Our receipts as numbers of each stratum by farm and vintage."""
    strata = scenario.biomass.strata
    if strata is None:
        raise ValueError("the biomass runner is not stratified")
    groups = dict(strata.groups)
    order = {strata.terms[groups[int(i)]]: at for at, i in enumerate(CLASSES)}
    table: rivals.Table = {}
    for one in made:
        numbers = table.setdefault((one.place_id, one.vintage), _blank())
        for receipt in one.receipts:
            if receipt.stratum_filter is not None:
                _enter(numbers, receipt, order[receipt.stratum_filter["forest_type"]])
    return table


def _blank() -> dict[str, Any]:
    count = len(CLASSES)
    blank = {name: np.full(count, np.nan) for name in ("mean", "std")}
    return {"hectares": np.zeros(count), **blank, "count": np.zeros(count)}


def _enter(numbers: dict[str, Any], receipt: Receipt, at: int) -> None:
    if receipt.aggregate_method in ("mean", "std") and receipt.value is not None:
        numbers[receipt.aggregate_method][at] = receipt.value
    numbers["hectares"][at] = receipt.covered_area_ha
    numbers["count"][at] = receipt.pixel_count - receipt.pixel_nodata_count


def differences(first: rivals.Table, second: rivals.Table) -> dict[str, float]:
    """Largest difference of each kind of number.

    Hectares are relative to the farm's area, mean and deviation to the stratum's mean, counts
    are in cells: a cell that is covered by less than float32 can say may be in one and not in
    the other.
    """
    if first.keys() != second.keys():
        raise ValueError("the two tables do not have the same farms and vintages")
    found = {"hectares": 0.0, "mean": 0.0, "std": 0.0, "count": 0.0}
    for key, numbers in first.items():
        other = second[key]
        both = (numbers["count"] > 1) & (other["count"] > 1)
        scale = {
            "hectares": other["hectares"].sum(),
            "mean": np.abs(other["mean"][both]),
            "std": np.abs(other["mean"][both]),
            "count": 1.0,
        }
        for name, largest in found.items():
            chosen = both if name in ("mean", "std") else slice(None)
            apart = np.abs(numbers[name][chosen] - other[name][chosen]) / scale[name]
            found[name] = max(largest, float(apart.max(initial=0.0)))
    return found


@contextmanager
def _folder(kept: str | None) -> Iterator[Path]:
    if kept:
        Path(kept).mkdir(parents=True, exist_ok=True)
        yield Path(kept)
        return
    with tempfile.TemporaryDirectory(prefix="carbon-assets-benchmark-") as name:
        yield Path(name)


def _fastest(work: dict[str, Callable[[], Any]], rounds: int) -> tuple[dict[str, float], Any]:
    """Seconds of the fastest of some rounds of each piece of work, and the last one's result.

    The rounds go through all the work in turn, so a busy machine slows all of it alike.
    """
    best = dict.fromkeys(work, float("inf"))
    result = None
    for _ in range(rounds):
        for name, one in work.items():
            started = time.perf_counter()
            result = one()
            seconds = time.perf_counter() - started
            best[name] = min(best[name], seconds)
            print(f"{name:18s}{seconds:8.3f} s", flush=True)
    return best, result


def run(scenario: Scenario, rounds: int) -> dict[str, Any]:
    """Time everything once the files are in the system's cache; returns the measurements."""
    for file in rivals.rasters(scenario):
        Path(file.href).read_bytes()
    both = scenario.land_cover, scenario.biomass
    ours(replace(scenario, places=scenario.places[:1]), *both)
    work = {
        "decode_once_s": lambda: rivals.decode_needed_blocks(scenario),
        "coverage_s": rivals.exactextract_coverage(scenario),
        "own_coverage_s": lambda: rivals.own_coverage(scenario),
        "with_land_cover_s": lambda: ours(scenario, *both),
        "ours_s": lambda: ours(scenario, scenario.biomass),
    }
    best, made = _fastest(work, rounds)
    theirs, table = _fastest(
        {"exactextract_s": lambda: rivals.exactextract_everything(scenario)}, max(1, rounds // 2)
    )
    seconds = {**best, **theirs}
    apart = differences(table_of(made, scenario), table)
    floor = seconds["decode_once_s"] + seconds["coverage_s"]
    return {
        **seconds,
        "max_relative_difference": max(apart["hectares"], apart["mean"], apart["std"]),
        "differences": apart,
        "ours_over_floor": seconds["ours_s"] / floor,
        "speedup_over_exactextract": seconds["exactextract_s"] / seconds["ours_s"],
        "receipts": sum(len(one.receipts) for one in made),
    }


def main() -> None:
    """Build the scenario, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a small scenario, seconds")
    parser.add_argument("--block", type=int, default=256, choices=(256, 512))
    parser.add_argument("--rounds", type=int, default=3, help="of which the fastest counts")
    parser.add_argument("--folder", help="keep the generated rasters here")
    options = parser.parse_args()
    size = QUICK if options.quick else FULL
    with _folder(options.folder) as folder:
        started = time.perf_counter()
        scenario = build(folder, size, options.block)
        print(f"{'rasters written':24s} {time.perf_counter() - started:8.3f} s", flush=True)
        found = run(scenario, options.rounds)
    settings = {**asdict(size), "block": options.block, "cpus": os.cpu_count()}
    print(json.dumps({**found, "settings": settings}))


if __name__ == "__main__":
    main()
