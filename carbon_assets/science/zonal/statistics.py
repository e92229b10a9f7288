"""Area-weighted statistics of values over groups of cells.

A group is a stratum, or a stratum in one of several vintages; all groups are reduced in one
pass. Sums run in row-major order of the cells (``numpy.bincount`` adds one by one), so they
do not depend on the machine's vector width, and a group's result does not depend on which
other groups are asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from carbon_assets.science.zonal.grid import Floats
from carbon_assets.science.zonal.sums import grouped_sum

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Extent:
    """How many cells each group has, and how much of the ground.

    Attributes:
        cells: Touched cells.
        coverage: Sum of covered shares, in cells.
        area_m2: Covered ellipsoidal area, m².
    """

    cells: Ints
    coverage: Floats
    area_m2: Floats

    @classmethod
    def empty(cls, groups: int) -> Extent:
        """Extent of no cells."""
        return cls(np.zeros(groups, np.int64), np.zeros(groups), np.zeros(groups))

    def __add__(self, other: Extent) -> Extent:
        """Extent of two disjoint sets of cells."""
        return Extent(
            self.cells + other.cells,
            self.coverage + other.coverage,
            self.area_m2 + other.area_m2,
        )

    def select(self, groups: slice | Ints) -> Extent:
        """Extent of some of the groups."""
        return Extent(self.cells[groups], self.coverage[groups], self.area_m2[groups])

    def collapse(self) -> Extent:
        """Extent of all groups together, as one group, summed in their order."""
        one = np.zeros(len(self.cells), dtype=np.int64)
        return Extent(
            self.cells.sum(keepdims=True),
            grouped_sum(one, self.coverage, 1),
            grouped_sum(one, self.area_m2, 1),
        )


def extent(group: Ints, coverage: Floats, area_m2: Floats, groups: int) -> Extent:
    """Return the extent of each of ``groups`` groups; all arrays hold one item per cell."""
    return Extent(
        np.bincount(group, minlength=groups).astype(np.int64),
        grouped_sum(group, coverage, groups),
        grouped_sum(group, area_m2, groups),
    )


@dataclass(frozen=True)
class Moments:
    """Area-weighted moments of one quantity per group, over cells with data.

    Attributes:
        cells: Cells with data.
        area_m2: Their covered area, m².
        total: Integral of the value over that area, in value · m².
        square: Integral of the squared deviation from the mean, in value² · m².
        minimum: Smallest value, +inf for an empty group.
        maximum: Largest value, -inf for an empty group.
    """

    cells: Ints
    area_m2: Floats
    total: Floats
    square: Floats
    minimum: Floats
    maximum: Floats

    @property
    def mean(self) -> Floats:
        """Area-weighted mean; NaN for an empty group."""
        return _divide(self.total, self.area_m2)

    @property
    def std(self) -> Floats:
        """Area-weighted population standard deviation: heterogeneity, not error."""
        return np.sqrt(_divide(self.square, self.area_m2))

    def __add__(self, other: Moments) -> Moments:
        """Moments of two disjoint sets of cells (Chan, Golub and LeVeque 1979)."""
        area = self.area_m2 + other.area_m2
        shift = np.nan_to_num(other.mean - self.mean)
        between = shift**2 * _divide(self.area_m2 * other.area_m2, area)
        return Moments(
            self.cells + other.cells,
            area,
            self.total + other.total,
            self.square + other.square + np.nan_to_num(between),
            np.minimum(self.minimum, other.minimum),
            np.maximum(self.maximum, other.maximum),
        )

    def select(self, groups: slice | Ints) -> Moments:
        """Moments of some of the groups."""
        return Moments(*(getattr(self, field.name)[groups] for field in fields(self)))


def _divide(top: Floats, bottom: Floats) -> Floats:
    return np.divide(top, bottom, out=np.full_like(top, np.nan), where=bottom > 0)


def moments(
    values: Floats, group: Ints, area_m2: Floats, groups: int, *, extremes: bool = True
) -> Moments:
    """Reduce values over groups; all arrays hold one item per cell with data.

    Args:
        values: The quantity, in its own unit.
        group: Group number of each cell, in [0, groups).
        area_m2: Covered area of each cell.
        groups: Number of groups.
        extremes: Whether minimum and maximum are wanted; they cost a sort.
    """
    cells = np.bincount(group, minlength=groups).astype(np.int64)
    area = grouped_sum(group, area_m2, groups)
    total = grouped_sum(group, values * area_m2, groups)
    deviation = values - _divide(total, area)[group]
    square = grouped_sum(group, deviation * deviation * area_m2, groups)
    low, high = np.full(groups, np.inf), np.full(groups, -np.inf)
    if extremes and len(values):
        order = np.argsort(group, kind="stable")
        present = np.flatnonzero(cells)
        first = (np.cumsum(cells) - cells)[present]
        low[present] = np.minimum.reduceat(values[order], first)
        high[present] = np.maximum.reduceat(values[order], first)
    return Moments(cells, area, total, square, low, high)


def collapse(parts: Moments) -> Moments:
    """Moments of all groups together, as one group: the strata sum to the whole by make."""
    whole = parts.select(slice(0, 1))
    for i in range(1, len(parts.cells)):
        whole = whole + parts.select(slice(i, i + 1))
    return whole


def percentile(values: Floats, weights: Floats, share: float) -> float:
    """Weighted percentile with linear interpolation between order statistics.

    The k-th of n sorted values stands at ``(k − 1) w_k + (n − 1) Σ_{i<k} w_i``; equal weights
    give the common definition (R type 7, numpy's default).

    Args:
        values: The quantity, one item per cell with data.
        weights: Covered area or share of each cell.
        share: Wanted share in [0, 1].

    Returns:
        The percentile, or NaN without values.
    """
    if not len(values):
        return float("nan")
    order = np.argsort(values, kind="stable")
    x, w = values[order], weights[order]
    count = len(x)
    before = np.cumsum(w) - w
    position = np.arange(count) * w + (count - 1) * before
    return float(np.interp(share * float(w.sum()) * (count - 1), position, x))
