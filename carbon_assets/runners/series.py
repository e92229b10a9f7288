"""One quantity as it is collected from the strips of a place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from carbon_assets.runners.declaration import Method
from carbon_assets.runners.gather import Mask, Strip
from carbon_assets.science.zonal.grid import Floats
from carbon_assets.science.zonal.statistics import Moments, moments, percentile
from carbon_assets.science.zonal.sums import Ints

PERCENTILES: dict[Method, float] = {"p05": 0.05, "p50": 0.50, "p95": 0.95}


@dataclass(frozen=True)
class Data:
    """A quantity over the cells of a strip that have it.

    Attributes:
        values: The quantity.
        area: Covered area, m².
        held: Positions of these cells in the strip, or None for all of them.
    """

    values: Floats
    area: Floats
    held: Ints | None

    @classmethod
    def of(cls, strip: Strip, values: Floats, missing: Mask | None) -> Data:
        """Leave out the cells without data."""
        area = strip.cells.area_m2
        if missing is None:
            return cls(values, area, None)
        held = np.flatnonzero(~missing)
        return cls(values[held], area[held], held)


class Series:
    """Running moments of one quantity by group; keeps the cells only for percentiles."""

    def __init__(self, groups: int, methods: set[Method]) -> None:
        self._groups = groups
        self._extremes = bool(methods & {"min", "max"})
        self._keep = bool(methods & PERCENTILES.keys())
        self._kept: list[tuple[Floats, Floats, Ints]] = []
        self._moments: Moments | None = None

    def add(self, data: Data, group: Ints) -> None:
        """Take in one strip; ``group`` holds the group number of each of its cells."""
        group = group if data.held is None else group[data.held]
        part = moments(data.values, group, data.area, self._groups, extremes=self._extremes)
        self._moments = part if self._moments is None else self._moments + part
        if self._keep:
            self._kept.append((data.values, data.area, group))

    def moments(self, chosen: Ints) -> Moments:
        """Moments of all groups together, then of the chosen ones."""
        found = Moments.empty(self._groups) if self._moments is None else self._moments
        return found.collapse().with_groups(found.select(chosen))

    def percentiles(self, share: float, chosen: Ints) -> Floats:
        """Percentile over all groups together, then of the chosen ones; NaN without data."""
        if not self._kept:
            return np.full(len(chosen) + 1, np.nan)
        values, area, groups = (np.concatenate(one) for one in zip(*self._kept, strict=True))
        cells = [np.ones(len(groups), dtype=bool), *(groups == one for one in chosen)]
        return np.array([percentile(values[one], area[one], share) for one in cells])
