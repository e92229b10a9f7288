"""One quantity as it is collected from the strips of a place."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np

from carbon_assets.runners.declaration import Method
from carbon_assets.runners.gather import Mask, Strip
from carbon_assets.science.zonal.grid import Floats
from carbon_assets.science.zonal.statistics import Moments, Sample, moments, percentile
from carbon_assets.science.zonal.sums import Grouping, Groups, Ints

PERCENTILES: dict[Method, float] = {"p05": 0.05, "p50": 0.50, "p95": 0.95}


def sample_of(strip: Strip, values: Floats, missing: Mask | None) -> Sample:
    """Set apart the cells without data, so that all quantities share one grouping.

    Args:
        strip: The strip.
        values: The quantity under each cell.
        missing: Cells without data, or None.
    """
    area = strip.cells.area_m2
    if missing is None:
        return Sample(values, area)
    at, held = np.flatnonzero(missing), np.flatnonzero(~missing)
    values, area = values.copy(), area.copy()
    values[at] = values[held[0]] if len(held) else 0.0
    area[at] = 0.0
    return Sample(values, area, at)


class Series:
    """Running moments of one quantity by group; keeps the cells only for percentiles."""

    def __init__(self, groups: int, methods: set[Method]) -> None:
        self._extremes = bool(methods & {"min", "max"})
        self._keep = bool(methods & PERCENTILES.keys())
        self._kept: list[tuple[Floats, Floats, Groups]] = []
        self._whole = Moments.empty(1)
        self._moments = Moments.empty(groups)

    def add(self, strip: Strip, key: Hashable, data: Sample, by: Grouping) -> None:
        """Take in one strip.

        Args:
            strip: The strip.
            key: What tells the data from other data of the strip.
            data: The quantity.
            by: Groups of the strip's cells.
        """
        self._whole += strip.keep(("whole", key), lambda: self._reduce(data, strip.whole))
        self._moments += self._reduce(data, by)
        if self._keep:
            held = np.flatnonzero(data.area_m2)
            self._kept.append((data.values[held], data.area_m2[held], by.group[held]))

    def _reduce(self, data: Sample, by: Grouping) -> Moments:
        return moments(data, by, extremes=self._extremes)

    def moments(self, chosen: Ints) -> Moments:
        """Moments of the whole, then of the chosen groups."""
        return self._whole.with_groups(self._moments.select(chosen))

    def percentiles(self, share: float, chosen: Ints) -> Floats:
        """Percentile over the whole, then over the chosen groups; NaN without data."""
        if not self._kept:
            return np.full(len(chosen) + 1, np.nan)
        values, area, groups = (np.concatenate(one) for one in zip(*self._kept, strict=True))
        cells = [np.ones(len(groups), dtype=bool), *(groups == one for one in chosen)]
        return np.array([percentile(values[one], area[one], share) for one in cells])
