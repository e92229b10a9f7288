"""Areas from the class histogram: the place, its classes, their groups, and its forest."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from carbon_assets.errors import CatalogueError
from carbon_assets.metrics.building import Derived
from carbon_assets.metrics.model import ReceiptRow
from carbon_assets.metrics.settings import FOREST_CHOICES, MetricSettings
from carbon_assets.reference.legend import Legend
from carbon_assets.reference.units import convert

CLASS_HISTOGRAM = "class_histogram"
TOLERANCE = 1e-9
"""Relative; sums of the same cells in another order differ by about 1e-13."""


@dataclass(frozen=True)
class LandCover:
    """A class histogram read with its legend.

    Attributes:
        receipt: The receipt.
        legend: Legend of its class map.
    """

    receipt: ReceiptRow
    legend: Legend

    @cached_property
    def hectares(self) -> Mapping[int, float]:
        """Covered area by class id, ascending."""
        histogram = self.receipt.histogram or {}
        return {int(i): float(histogram[i]["ha"]) for i in sorted(histogram, key=int)}

    @cached_property
    def observed_ids(self) -> frozenset[int]:
        """Classes that say what the land is."""
        return self.legend.observed_ids

    @cached_property
    def groups(self) -> Mapping[str, frozenset[int]]:
        """Class ids by group, for the groups that the legend has."""
        return {str(group): ids for group, ids in self.legend.groups.items()}

    @property
    def outside(self) -> float:
        """Covered area beyond the edge of the raster, hectares."""
        return float((self.receipt.context or {}).get("outside_raster_ha") or 0.0)

    @property
    def observed(self) -> float:
        """Area of the classes that say what the land is, hectares."""
        return self.area(self.observed_ids)

    @property
    def not_observed(self) -> float:
        """All other area: classes that mean "not observed", nodata tags, beyond the raster."""
        unobserved = (ha for i, ha in self.hectares.items() if i not in self.observed_ids)
        return math.fsum([*unobserved, self.outside])

    def area(self, ids: Iterable[int]) -> float:
        """Area of some classes, hectares; zero for those that do not occur."""
        return math.fsum(self.hectares.get(i, 0.0) for i in sorted(ids))

    def require_consistent(self) -> None:
        """Refuse a histogram that says otherwise than its receipt.

        Raises:
            CatalogueError: ``HISTOGRAM_INCONSISTENT``.
        """
        receipt = self.receipt
        slack = TOLERANCE * receipt.covered_area_ha
        pairs = {
            "area with data": (self.observed, receipt.valid_area_ha),
            "covered area": (self.observed + self.not_observed, receipt.covered_area_ha),
        }
        for name, (found, stated) in pairs.items():
            if not abs(found - stated) <= slack:
                raise CatalogueError(
                    "HISTOGRAM_INCONSISTENT",
                    f"{name}: {found} ha by the classes of legend {self.legend.name}, "
                    f"{stated} ha by the receipt",
                    where=f"receipt {receipt.id} ({receipt.runner_key})",
                    do="Let the legend's `observed` and the catalogue's `nodata` name the same "
                    "classes, then compute the receipt again.",
                )


@dataclass(frozen=True)
class ExtentRule:
    """An area that is known whatever the cells hold."""

    code: str
    hectares: Callable[[LandCover], float]
    formula: str


EXTENT_RULES = (
    ExtentRule(
        "total_area",
        lambda cover: cover.receipt.covered_area_ha,
        "covered cell area of primary, observed or not",
    ),
    ExtentRule(
        "observed_area",
        lambda cover: cover.observed,
        "hectares of the observed classes in the histogram of primary",
    ),
    ExtentRule(
        "not_observed_area",
        lambda cover: cover.not_observed,
        "hectares of the classes that mean 'not observed' in the histogram of primary, "
        "and of the cells outside its raster",
    ),
)


def land_cover_metrics(
    receipt: ReceiptRow, legend: Legend, settings: MetricSettings
) -> Iterator[Derived]:
    """Yield the areas that follow from a class histogram.

    The area of a group that does not occur is zero where any cell is observed, and unknown
    where none is.

    Raises:
        CatalogueError: ``HISTOGRAM_INCONSISTENT``, ``FOREST_GROUP_NOT_IN_LEGEND``.
    """
    cover = LandCover(receipt, legend)
    cover.require_consistent()
    for rule in EXTENT_RULES:
        yield _area(cover, rule.code, rule.hectares(cover), rule.formula, rests_on_data=False)
    yield from _classes(cover)
    for group, ids in cover.groups.items():
        if group != "not_observed":
            yield _area(cover, f"{group}_area", _known(cover, ids), f"{_hectares(ids)} of primary")
    yield from _forest(cover, forest_ids(legend, settings))


def _area(cover: LandCover, code: str, value: float | None, formula: str, **fields: Any) -> Derived:
    defaults: dict[str, Any] = {"unit": "ha", "sources": ((cover.receipt, "primary"),)}
    return Derived(code, value, formula=formula, **(defaults | fields))


def _classes(cover: LandCover) -> Iterator[Derived]:
    known = set(cover.legend.ids)
    for class_id, hectares in cover.hectares.items():
        if class_id in known:  # others are nodata tags of the file
            yield _area(
                cover,
                "class_area",
                hectares,
                f"{_hectares([class_id])} of primary ({cover.legend.get(class_id).name})",
                stratum_filter={"class": str(class_id)},
                rests_on_data=class_id in cover.observed_ids,
            )


def _forest(cover: LandCover, ids: frozenset[int]) -> Iterator[Derived]:
    hectares = _known(cover, ids)
    yield _area(cover, "forest_cover", hectares, f"{_hectares(ids)} of primary")
    receipt = cover.receipt
    yield _area(
        cover,
        "forest_cover_pct",
        None if hectares is None else _percent(hectares, receipt.covered_area_ha),
        f"{_hectares(ids)} of numerator / covered cell area of denominator, "
        "observed or not, so that parts sum",
        unit="%",
        sources=((receipt, "numerator"), (receipt, "denominator")),
    )


def _percent(part: float, whole: float) -> float | None:
    # Part and whole were summed in different orders, so a whole part may exceed it by a digit.
    return convert(min(1.0, part / whole), "one", "%") if whole else None


def _known(cover: LandCover, ids: frozenset[int]) -> float | None:
    return cover.area(ids) if cover.receipt.has_data else None


def forest_ids(legend: Legend, settings: MetricSettings) -> frozenset[int]:
    """Class ids that a project's forest definition takes in.

    Raises:
        CatalogueError: ``FOREST_GROUP_NOT_IN_LEGEND``.
    """
    groups = {str(group): ids for group, ids in legend.groups.items()}
    missing = [group for group in settings.forest_groups if group not in groups]
    if missing:
        raise CatalogueError(
            "FOREST_GROUP_NOT_IN_LEGEND",
            f"the forest definition names {missing[0]}, but legend {legend.name} has no such class",
            where="project settings: forest_groups",
            do=f"choose among its groups: {', '.join(sorted(set(groups) & set(FOREST_CHOICES)))}",
        )
    return frozenset().union(*(groups[group] for group in settings.forest_groups))


def _hectares(ids: Iterable[int]) -> str:
    listed = sorted(ids)
    noun = "class" if len(listed) == 1 else "classes"
    return f"hectares of {noun} {', '.join(map(str, listed))} in the histogram"
