"""What goes into the derivation of metrics, and what comes out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Role = Literal["primary", "numerator", "denominator"]
Stratum = tuple[tuple[str, str], ...]

FLAGS: Mapping[str, str] = {
    "no_data": "No cell has data: the value is unknown, which is not zero.",
    "low_valid_share": "The part of the area that has data is under the project's threshold.",
    "static_epoch": "A static map of one epoch answers for this vintage.",
    "pool_missing": "A pool of the total has no receipt, so there is no total.",
    "pools_differ": "The pools of the total differ in valid area or product: no total.",
    "uncertainty_unstated": "The source states no uncertainty; a default has to be applied.",
}
"""Every flag a metric may carry, in the order in which they are listed, and its meaning."""


@dataclass(frozen=True)
class ReceiptRow:
    """A receipt as far as metrics are derived from it; a row of ``raster_aggregates``.

    Attributes:
        id: Row number.
        runner_key: Runner and family, e.g. ``biomass.hgb``.
        metric_code: What was measured.
        aggregate_method: ``class_histogram``, ``mean``, ``sum``, ``std`` …
        stratum_filter: The slice of the place, or None for all of it.
        value: The number; None where no cell has data.
        value_unit: Its unit.
        histogram: {class id: {"ha", "cells"}} of a class histogram.
        pixel_count: Touched cells of the slice.
        pixel_nodata_count: Those without data.
        covered_area_ha: Covered cell area, hectares.
        valid_area_ha: Part of it with data, hectares.
        uncertainty_pct_ci95: Half-width of the 95 % interval, percent of the value.
        uncertainty_method: Where it comes from; ``none`` if it is not stated.
        context: Facts for the reader: source, epoch, carbon fraction.
        raster_version: Version of the source, e.g. ``col-8``.
    """

    id: int
    runner_key: str
    metric_code: str
    aggregate_method: str
    stratum_filter: dict[str, str] | None
    value: float | None
    value_unit: str
    histogram: dict[str, dict[str, float]] | None
    pixel_count: int
    pixel_nodata_count: int
    covered_area_ha: float
    valid_area_ha: float
    uncertainty_pct_ci95: float | None
    uncertainty_method: str | None
    context: dict[str, Any] | None
    raster_version: str

    @property
    def has_data(self) -> bool:
        """Whether any cell has data."""
        return self.pixel_nodata_count < self.pixel_count

    @property
    def valid_share(self) -> float | None:
        """Area with data by covered area, 0 to 1; None where nothing is covered."""
        if not self.covered_area_ha:
            return None
        # Two sums over the same cells may differ in their last digit.
        return min(1.0, self.valid_area_ha / self.covered_area_ha)

    @property
    def half_width(self) -> float | None:
        """Half-width of the 95 % interval in the unit of the value; None if not stated."""
        if self.value is None or self.uncertainty_pct_ci95 is None:
            return None
        return abs(self.value) * self.uncertainty_pct_ci95 / 100.0

    @property
    def epoch(self) -> int | None:
        """Year that a static product describes; None for a map of the vintage itself."""
        return (self.context or {}).get("epoch")

    @property
    def label(self) -> str:
        """The source for people: its name and version, and the epoch of a static product."""
        family = self.runner_key.rpartition(".")[2]
        source = str((self.context or {}).get("source") or f"{family} {self.raster_version}")
        told = self.epoch is None or str(self.epoch) in source
        return source if told else f"{source}, map of {self.epoch}"


@dataclass(frozen=True)
class Metric:
    """One metric of a place and vintage; a row of ``farm_metrics`` with its sources.

    Attributes:
        metric_code: What was measured.
        stratum_filter: The slice of the place, or None for all of it.
        value_canonical: The number; None where it is unknown, and ``flags`` say why.
        unit_canonical: Canonical unit of the metric.
        value_min_canonical: Lower end of the 95 % interval, not cut at zero; None if no
            receipt states one.
        value_max_canonical: Upper end of it.
        valid_share: Area with data by covered area, 0 to 1. It is 1 for a metric that holds
            whatever the classes are, such as the total area.
        flags: Keys of :data:`FLAGS`.
        source_tag: Readable label of the origin, e.g. ``hgb 2010``.
        raster_aggregate_id: The receipt, when it is one; None for a metric of several.
        formula: How the value follows from its receipts, by their roles.
        sources: (row of ``raster_aggregates``, role) of every receipt.
    """

    metric_code: str
    stratum_filter: dict[str, str] | None
    value_canonical: float | None
    unit_canonical: str
    value_min_canonical: float | None
    value_max_canonical: float | None
    valid_share: float | None
    flags: tuple[str, ...]
    source_tag: str
    raster_aggregate_id: int | None
    formula: str
    sources: tuple[tuple[int, Role], ...]


@dataclass(frozen=True)
class PartitionMetrics:
    """All metrics of one place and vintage.

    Attributes:
        place_id: Row of ``farms``.
        vintage: Vintage year.
        metrics: The metrics.
    """

    place_id: int
    vintage: int
    metrics: tuple[Metric, ...]


def stratum_key(stratum_filter: Mapping[str, str] | None) -> Stratum:
    """Return a stratum filter as something to sort and group by; ``()`` for the whole place."""
    return tuple(sorted((stratum_filter or {}).items()))
