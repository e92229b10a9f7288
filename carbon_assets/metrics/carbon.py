"""Densities and stocks of biomass and carbon: pools as they were measured, and their total."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from carbon_assets.metrics.building import Derived
from carbon_assets.metrics.model import ReceiptRow, Stratum
from carbon_assets.reference.metric_types import metric_type
from carbon_assets.reference.units import convert

VALID_AREA_TOLERANCE = 1e-9
"""Relative difference of valid areas up to which two pools speak of the same cells."""

ReceiptKey = tuple[str, str, Stratum]


@dataclass(frozen=True)
class PoolRule:
    """A metric that is the value of one receipt."""

    code: str
    method: str


@dataclass(frozen=True)
class TotalRule:
    """A metric that is the sum of pools measured by the same product over the same cells."""

    code: str
    method: str
    pools: tuple[str, ...]


POOL_RULES = (
    PoolRule("agb_density_mg_ha", "mean"),
    PoolRule("agb_stock_mg", "sum"),
    PoolRule("agb_carbon_density", "mean"),
    PoolRule("bgb_carbon_density", "mean"),
    PoolRule("agb_carbon_stock", "sum"),
    PoolRule("bgb_carbon_stock", "sum"),
)

TOTAL_RULES = (
    TotalRule("total_carbon_density", "mean", ("agb_carbon_density", "bgb_carbon_density")),
    TotalRule("total_carbon_stock", "sum", ("agb_carbon_stock", "bgb_carbon_stock")),
)


def carbon_metrics(receipts: Mapping[ReceiptKey, ReceiptRow]) -> Iterator[Derived]:
    """Yield pools and totals of the whole place, then of every stratum.

    A total is only made of pools that have the same product and valid area; otherwise it is
    unknown, and a flag says why.

    Args:
        receipts: By metric code, method and stratum.
    """
    for stratum in sorted({stratum for _, _, stratum in receipts}):
        for rule in POOL_RULES:
            receipt = receipts.get((rule.code, rule.method, stratum))
            if receipt is not None:
                yield _pool(rule, receipt)
        for total in TOTAL_RULES:
            found = [receipts.get((pool, total.method, stratum)) for pool in total.pools]
            pools = [receipt for receipt in found if receipt is not None]
            if pools:
                yield _total(total, pools)


def _pool(rule: PoolRule, receipt: ReceiptRow) -> Derived:
    return Derived(
        rule.code,
        receipt.value,
        receipt.value_unit,
        f"{rule.method} of primary",
        sources=((receipt, "primary"),),
        stratum_filter=receipt.stratum_filter,
        half_width=receipt.half_width,
        has_interval=True,
    )


def _total(rule: TotalRule, pools: list[ReceiptRow]) -> Derived:
    """Add the pools; pixel errors of one product are fully correlated, so half-widths add."""
    obstacles = _obstacles(rule, pools)
    unit = metric_type(rule.code).unit
    names = " + ".join(f"primary {pool}" for pool in rule.pools)
    return Derived(
        rule.code,
        None if obstacles else _sum(pools, [pool.value for pool in pools], unit),
        unit,
        f"{names}; interval: half-widths added, as errors of one product are taken as fully "
        "correlated",
        sources=tuple((pool, "primary") for pool in pools),
        stratum_filter=pools[0].stratum_filter,
        half_width=_sum(pools, [pool.half_width for pool in pools], unit),
        has_interval=True,
        obstacles=obstacles,
    )


def _obstacles(rule: TotalRule, pools: list[ReceiptRow]) -> frozenset[str]:
    if len(pools) < len(rule.pools):
        return frozenset({"pool_missing"})
    first = pools[0]
    same = all(
        (pool.runner_key, pool.raster_version) == (first.runner_key, first.raster_version)
        and pool.has_data == first.has_data
        and math.isclose(pool.valid_area_ha, first.valid_area_ha, rel_tol=VALID_AREA_TOLERANCE)
        for pool in pools
    )
    return frozenset() if same else frozenset({"pools_differ"})


def _sum(pools: list[ReceiptRow], numbers: list[float | None], unit: str) -> float | None:
    """Sum in a unit; None as soon as one number is unknown, never a partial sum."""
    known = [
        convert(number, pool.value_unit, unit)
        for pool, number in zip(pools, numbers, strict=True)
        if number is not None
    ]
    return math.fsum(known) if len(known) == len(pools) else None
