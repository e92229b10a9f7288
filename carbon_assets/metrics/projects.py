"""Metrics of a project and year from those of its farms: sums, and ratios of sums.

What adds up (areas, stocks) is summed over the farms of which it is known. What does not
(densities, shares) is made again from the sums behind it, never averaged. Sums are exact before
they are rounded once, so neither the order of the farms nor any chunking shows in a digit.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from carbon_assets.metrics.model import Role, Stratum, stratum_key
from carbon_assets.metrics.projects_model import PROJECT_FLAGS, FarmNumber, ProjectNumber
from carbon_assets.metrics.settings import MetricSettings
from carbon_assets.reference.metric_types import load_metric_types, metric_type
from carbon_assets.reference.units import convert

OBSTACLES = ("pool_missing", "pools_differ")
"""Flags that say why a farm has no value, other than missing data."""


@dataclass(frozen=True)
class Ratio:
    """How a metric that does not add up is made from sums over the same farms.

    Attributes:
        numerator: Metric that is summed.
        denominator: Metric that it is divided by; None for the valid area behind the numerator.
    """

    numerator: str
    denominator: str | None = None


RATIOS: Mapping[str, Ratio] = {
    "forest_cover_pct": Ratio("forest_cover", "total_area"),
    "agb_density_mg_ha": Ratio("agb_stock_mg"),
    "agb_carbon_density": Ratio("agb_carbon_stock"),
    "bgb_carbon_density": Ratio("bgb_carbon_stock"),
    "total_carbon_density": Ratio("total_carbon_stock"),
}
SUMMED = ("area", "stock")
"""Kinds of metrics that add up over farms."""
INTERVAL_KINDS = ("density", "stock")
"""Kinds of metrics that an interval is expected of."""


def derive_project_metrics(
    farms: Mapping[str, Sequence[FarmNumber]],
    *,
    settings: MetricSettings,
    overlaps: Collection[tuple[str, str]] = (),
) -> list[ProjectNumber]:
    """Derive the metrics of one project and vintage, in an order of their own.

    Args:
        farms: Metrics of each farm of the project, by the farm's key; of a farm without any
            they are empty.
        settings: The project's threshold for missing data.
        overlaps: Pairs of farms that share ground.

    Returns:
        A metric for each that some farm has, per slice. An unknown one is None, never zero.
    """
    table = _Table(farms)
    return [
        _build(_slice(table, code, stratum), settings, overlaps) for code, stratum in table.order()
    ]


class _Table:
    """Farm numbers by metric, slice and farm."""

    def __init__(self, farms: Mapping[str, Sequence[FarmNumber]]) -> None:
        self.farms = sorted(farms)
        self._cells: dict[tuple[str, Stratum], dict[str, FarmNumber]] = {}
        for farm in self.farms:
            for number in farms[farm]:
                key = number.metric_code, stratum_key(number.stratum_filter)
                self._cells.setdefault(key, {})[farm] = number

    def order(self) -> list[tuple[str, Stratum]]:
        """Metrics as the catalogue lists them; the whole before its slices."""
        position = {code: n for n, code in enumerate(load_metric_types())}
        return sorted(self._cells, key=lambda key: (position[key[0]], key[1]))

    def of(self, code: str, stratum: Stratum) -> Mapping[str, FarmNumber]:
        return self._cells.get((code, stratum), {})

    def is_known(self, code: str, farm: str) -> bool:
        """Whether a farm that lacks a slice of a metric is known to have nothing of it."""
        if code == "class_area":  # has no whole: the classes are known where any is observed
            observed = self.of("observed_area", ()).get(farm)
            return observed is not None and bool(observed.value)
        whole = self.of(code, ()).get(farm)
        return whole is not None and whole.value is not None


@dataclass(frozen=True)
class _Slice:
    """A metric of one slice over all farms.

    Attributes:
        code: The metric.
        stratum_filter: The slice.
        ratio: How it is made, if it does not add up.
        numbers: What is summed, by farm, unknown ones included.
        divisors: What that is divided by, for the farms counted of a ratio.
        divided_by: Rows of the divisors, where they are metrics.
        counted: Farms whose number is in the value.
        without_data: Number of farms of which it is unknown.
    """

    code: str
    stratum_filter: dict[str, str] | None
    ratio: Ratio | None
    numbers: Mapping[str, FarmNumber]
    divisors: Mapping[str, float]
    divided_by: Mapping[str, FarmNumber]
    counted: tuple[str, ...]
    without_data: int

    def total(self, end: Literal["value", "low", "high"]) -> float | None:
        """Sum over the farms counted, in the unit of what is summed; None if one is unknown."""
        found = [getattr(self.numbers[farm], end) for farm in self.counted]
        if not found or None in found:
            return None
        return math.fsum(found)

    def canonical(self, end: Literal["value", "low", "high"]) -> float | None:
        """The metric, or an end of its interval, in its canonical unit."""
        total, unit = self.total(end), metric_type(self.code).unit
        if self.ratio is None or total is None:
            return total
        quotient = total / math.fsum(self.divisors[farm] for farm in self.counted)
        if self.ratio.denominator is None:
            return convert(quotient, f"{metric_type(self.ratio.numerator).unit}/ha", unit)
        # Part and whole were summed in different orders: a whole part may exceed it by a digit.
        return convert(min(1.0, quotient), "one", unit)

    @property
    def valid_share(self) -> float | None:
        """Area with data by covered area, over all farms that have this slice."""
        shown = self.numbers.values()
        covered = math.fsum(number.covered_area_ha for number in shown)
        if not covered:
            return None
        valid = math.fsum(
            number.covered_area_ha * (number.valid_share or 0.0)
            for number in shown
            if number.value is not None
        )
        return min(1.0, valid / covered)

    def flagged(self, flag: str) -> int:
        """Number of farms counted whose own metric carries a flag."""
        return sum(flag in self.numbers[farm].flags for farm in self.counted)


def _slice(table: _Table, code: str, stratum: Stratum) -> _Slice:
    ratio = RATIOS.get(code)
    if ratio is None and metric_type(code).kind not in SUMMED:
        raise ValueError(f"{code} does not add up, and no ratio is given for it")
    summed = ratio.numerator if ratio else code
    numbers = table.of(summed, stratum)
    divided_by = table.of(ratio.denominator, stratum) if ratio and ratio.denominator else {}
    divisors = dict(_divisors(ratio, numbers, divided_by))
    counted = tuple(
        farm
        for farm, number in numbers.items()
        if number.value is not None and (ratio is None or divisors.get(farm))
    )
    others = sorted(set(table.farms).difference(counted))
    unknown = [farm for farm in others if farm in numbers or not table.is_known(summed, farm)]
    return _Slice(
        code,
        dict(stratum) or None,
        ratio,
        numbers,
        divisors,
        divided_by,
        counted,
        len(unknown),
    )


def _divisors(
    ratio: Ratio | None,
    numbers: Mapping[str, FarmNumber],
    divided_by: Mapping[str, FarmNumber],
) -> Iterator[tuple[str, float]]:
    for farm, number in numbers.items():
        if ratio is not None and ratio.denominator is None:
            yield farm, number.valid_area_ha
        elif farm in divided_by:
            yield farm, divided_by[farm].value or 0.0


def _build(
    one: _Slice,
    settings: MetricSettings,
    overlaps: Collection[tuple[str, str]],
) -> ProjectNumber:
    low, high = one.canonical("low"), one.canonical("high")
    has_interval = low is not None and high is not None
    tags = {number.source_tag for number in one.numbers.values()}
    return ProjectNumber(
        metric_code=one.code,
        stratum_filter=one.stratum_filter,
        value_canonical=one.canonical("value"),
        unit_canonical=metric_type(one.code).unit,
        value_min_canonical=low if has_interval else None,
        value_max_canonical=high if has_interval else None,
        farms_counted=len(one.counted),
        farms_without_data=one.without_data,
        farms_flagged=one.flagged("low_valid_share"),
        valid_share=one.valid_share,
        flags=_flags(one, settings, overlaps, has_interval=has_interval),
        source_tag=" + ".join(sorted(tags)),
        formula=_formula(one, has_interval=has_interval),
        sources=tuple(_sources(one)),
    )


def _flags(
    one: _Slice,
    settings: MetricSettings,
    overlaps: Collection[tuple[str, str]],
    *,
    has_interval: bool,
) -> tuple[str, ...]:
    share, counted = one.valid_share, set(one.counted)
    carried = {flag for number in one.numbers.values() for flag in number.flags}
    obstacles = {flag for flag in OBSTACLES if flag in carried and not counted}
    raised = {
        "no_data": not counted and not obstacles,
        "low_valid_share": share is not None and share < settings.min_valid_share,
        "static_epoch": "static_epoch" in carried,
        "uncertainty_unstated": (
            bool(counted) and not has_interval and metric_type(one.code).kind in INTERVAL_KINDS
        ),
        "farms_without_data": one.without_data > 0,
        "farms_flagged": one.flagged("low_valid_share") > 0,
        "farms_overlap": any(counted.issuperset(pair) for pair in overlaps),
    } | dict.fromkeys(obstacles, True)
    return tuple(flag for flag in PROJECT_FLAGS if raised.get(flag))


def _formula(one: _Slice, *, has_interval: bool) -> str:
    made = "sum over farms of primary"
    if one.ratio is not None:
        below = "denominator" if one.ratio.denominator else "the valid area behind numerator"
        made = f"sum over farms of numerator / sum over farms of {below}"
    told = "; interval: its ends summed alike, as errors of farms are taken as fully correlated"
    return f"{one.code} = {made}{told if has_interval else ''}"


def _sources(one: _Slice) -> Iterator[tuple[int, Role]]:
    for number in one.numbers.values():
        yield number.id, "primary" if one.ratio is None else "numerator"
    for farm, number in one.divided_by.items():
        if farm in one.numbers:
            yield number.id, "denominator"
