"""Assets that compute nothing and tell Dagster of every partition, as the project's own do.

Annotations are not postponed: Dagster reads that of ``context`` as it stands.
"""

import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import dagster as dg

from carbon_assets.orchestration.events import PartitionEvents, Upstream, wanted_partitions
from carbon_assets.orchestration.partitions import PlaceVintage, place_vintages

VINTAGES = range(2013, 2023)
SPACE = place_vintages(VINTAGES)
ROOTS = 6
Yielded = Iterator[dg.AssetMaterialization | dg.MaterializeResult[Any]]


@dataclass
class Clock:
    """Seconds that the assets spend on their own, which no bookkeeping has part in."""

    own_s: float = 0.0


def chain_of_assets(count: int, clock: Clock) -> list[dg.AssetsDefinition]:
    """Build assets that follow from one another: six roots, then each reads two before it."""
    return [_asset(number, clock) for number in range(count)]


def key_of(number: int) -> dg.AssetKey:
    """Asset key of an asset by its number."""
    return dg.AssetKey(["layer", f"asset_{number:02d}"])


def _asset(number: int, clock: Clock) -> dg.AssetsDefinition:
    reads = [] if number < ROOTS else [key_of((number - 1) // 2), key_of(number - ROOTS)]
    upstreams = [Upstream(key) for key in dict.fromkeys(reads)]

    @dg.asset(
        key=key_of(number),
        deps=[upstream.key for upstream in upstreams],
        partitions_def=SPACE,
        code_version="1",
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def asset(context: dg.AssetExecutionContext) -> Yielded:
        wanted = wanted_partitions(context, _no_work_list)
        events = PartitionEvents(context, [one.key for one in wanted], upstreams)
        for one in wanted:
            started = time.perf_counter()
            version = hashlib.sha256(f"{number} {one.place} {one.vintage}".encode()).hexdigest()
            facts = {"place": one.place, "action": "computed", "dagster/partition_row_count": 10}
            clock.own_s += time.perf_counter() - started
            yield events.materialization(str(one.key), f"sha256:{version}", facts)
        yield events.finished({"partitions": len(wanted)})

    return asset


def _no_work_list(number: int) -> list[PlaceVintage]:
    raise LookupError(f"no work list {number}: the run covers its whole range")
