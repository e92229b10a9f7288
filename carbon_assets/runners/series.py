"""One quantity as it is collected from the strips of a place."""

from __future__ import annotations

from collections.abc import Sequence

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
    """Running moments of one quantity in several partitions; keeps cells only for percentiles.

    Args:
        partitions: Number of partitions.
        groups: Number of groups in each.
        methods: What is wanted of the quantity.
    """

    def __init__(self, partitions: int, groups: int, methods: set[Method]) -> None:
        self._extremes = bool(methods & {"min", "max"})
        self._keep = bool(methods & PERCENTILES.keys())
        self._kept: list[list[tuple[Floats, Floats, Groups]]] = [[] for _ in range(partitions)]
        self._whole = Moments.empty(partitions)
        self._moments = Moments.empty(partitions * groups)

    def add(self, strip: Strip, samples: Sequence[Sample], groupings: Sequence[Grouping]) -> None:
        """Take in one strip.

        Args:
            strip: The strip.
            samples: The quantity in each partition; the same object where it is the same.
            groupings: Groups of the strip's cells in each partition.
        """
        self._whole += self._of_whole(strip, samples)
        parts = list(zip(samples, groupings, strict=True))
        self._moments += moments(parts, extremes=self._extremes)
        if self._keep:
            for kept, (sample, by) in zip(self._kept, parts, strict=True):
                held = np.flatnonzero(sample.area_m2)
                kept.append((sample.values[held], sample.area_m2[held], by.group[held]))

    def _of_whole(self, strip: Strip, samples: Sequence[Sample]) -> Moments:
        """Moments over all cells, one per partition; a static quantity is reduced once."""
        distinct = {id(sample): sample for sample in samples}
        found = moments([(s, strip.whole) for s in distinct.values()], extremes=self._extremes)
        at = {number: position for position, number in enumerate(distinct)}
        return found.select(np.array([at[id(sample)] for sample in samples]))

    def moments(self) -> Moments:
        """Moments of the whole in each partition, then of the groups of each partition."""
        return self._whole.with_groups(self._moments)

    def percentiles(self, share: float, partition: int, chosen: Ints) -> Floats:
        """Percentile over the whole of a partition, then over the chosen groups; NaN without."""
        kept = self._kept[partition]
        if not kept:
            return np.full(len(chosen) + 1, np.nan)
        values, area, groups = (np.concatenate(one) for one in zip(*kept, strict=True))
        cells = [np.ones(len(groups), dtype=bool), *(groups == one for one in chosen)]
        return np.array([percentile(values[one], area[one], share) for one in cells])
