"""Receipts as the machinery makes them, before the store gives them a row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

M2_PER_HA = 10_000.0

Read = tuple[tuple[int, str], ...]
"""(Row of ``raster_assets``, role) of rasters that took part in a number."""


class Receipt(NamedTuple):
    """One row of ``raster_aggregates``: a number with all that it rests on.

    A tuple, because a batch makes tens of thousands of them.

    Attributes:
        metric_code: Metric.
        aggregate_method: ``class_histogram``, ``mean``, ``std``, ``sum``, ``p95`` …
        stratum_filter: The slice of the place, or None for all of it.
        value: The number; None where no cell has data, never zero in its stead.
        value_unit: Its unit.
        histogram: {class id: {"ha", "cells"}} for a class histogram.
        pixel_count: Touched cells of the slice, with or without data.
        pixel_nodata_count: Those without data.
        weighted_pixel_count: Sum of their covered shares.
        covered_area_ha: Covered ellipsoidal area.
        valid_area_ha: Part of it with data.
        uncertainty_pct_ci95: Half-width of the 95 % interval in percent of the value.
        uncertainty_method: ``raster_layer``, or ``none``.
        context: Facts that a reader needs: carbon fraction, epoch, grid.
    """

    metric_code: str
    aggregate_method: str
    stratum_filter: dict[str, str] | None
    value: float | None
    value_unit: str
    histogram: dict[str, dict[str, float]] | None
    pixel_count: int
    pixel_nodata_count: int
    weighted_pixel_count: float
    covered_area_ha: float
    valid_area_ha: float
    uncertainty_pct_ci95: float | None
    uncertainty_method: str
    context: dict[str, Any]


@dataclass(frozen=True)
class PartitionReceipts:
    """All receipts of one place and vintage, and the rasters that took part.

    Attributes:
        place_id: Row of ``farms``.
        vintage: Vintage year.
        receipts: The receipts.
        read: For each receipt, (row of ``raster_assets``, role) of every raster that took
            part in it.
    """

    place_id: int
    vintage: int
    receipts: tuple[Receipt, ...]
    read: tuple[Read, ...]

    @property
    def inputs(self) -> Read:
        """(Row of ``raster_assets``, role) of every raster read for the partition."""
        return tuple(dict.fromkeys(one for read in self.read for one in read))
