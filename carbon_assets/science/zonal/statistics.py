"""Area-weighted statistics of values over groups of cells.

A group is a stratum, or a stratum in one of several vintages; all groups are reduced in one
pass. The order of every sum follows from the cells alone (see ``sums``), so a group's result
does not depend on the machine, nor on which other groups are asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cache, cached_property
from itertools import starmap
from typing import Any

import numpy as np
import numpy.typing as npt

from carbon_assets.science.zonal.grid import Floats
from carbon_assets.science.zonal.sums import Grouping, Ints


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
        return _no_extent(groups)

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

    def with_groups(self, other: Extent) -> Extent:
        """The groups of both, one after the other."""
        return Extent(*_joined(self, other))


def extent(parts: Sequence[Grouping], columns: Floats) -> Extent:
    """Return the extent of every group, those of each part after those of the one before.

    Args:
        parts: The same cells in several groupings.
        columns: 1, covered share and covered area in m² of each cell, as ``Cells.columns``.
    """
    count, coverage, area_m2 = np.concatenate([by.sum(columns) for by in parts]).T
    return Extent(count.astype(np.int64), coverage, area_m2)


@dataclass(frozen=True)
class Moments:
    """Area-weighted moments of one quantity per group, over cells with data.

    Attributes:
        cells: Cells with data.
        area_m2: Their covered area, m².
        mean: Area-weighted mean; NaN for an empty group.
        square: Integral of the squared deviation from the mean, in value² · m².
        minimum: Smallest value, +inf for an empty group.
        maximum: Largest value, -inf for an empty group.
    """

    cells: Ints
    area_m2: Floats
    mean: Floats
    square: Floats
    minimum: Floats
    maximum: Floats

    @property
    def total(self) -> Floats:
        """Integral of the value over the area with data, in value · m²; NaN without any."""
        return self.mean * self.area_m2

    @property
    def std(self) -> Floats:
        """Area-weighted population standard deviation: heterogeneity, not error."""
        return np.sqrt(_divide(self.square, self.area_m2))

    def __add__(self, other: Moments) -> Moments:
        """Moments of two disjoint sets of cells, group by group."""
        if not self.cells.any():
            return other
        return Moments._of(list(starmap(_merged, zip(self._rows(), other._rows(), strict=True))))

    @classmethod
    def empty(cls, groups: int) -> Moments:
        """Moments of no cells."""
        return _no_moments(groups)

    def with_groups(self, other: Moments) -> Moments:
        """The groups of both, one after the other."""
        return Moments(*_joined(self, other))

    def _rows(self) -> list[_Row]:
        columns = (getattr(self, field.name).tolist() for field in fields(self))
        return list(zip(*columns, strict=True))

    @classmethod
    def _of(cls, rows: list[_Row]) -> Moments:
        return cls(*(np.array(column) for column in zip(*rows, strict=True)))

    def select(self, groups: slice | Ints) -> Moments:
        """Moments of some of the groups."""
        return Moments(*(getattr(self, field.name)[groups] for field in fields(self)))


@cache
def _no_extent(groups: int) -> Extent:
    return Extent(*map(_fixed, (np.zeros(groups, np.int64), np.zeros(groups), np.zeros(groups))))


@cache
def _no_moments(groups: int) -> Moments:
    cells, zero, nan = np.zeros(groups, np.int64), np.zeros(groups), np.full(groups, np.nan)
    low, high = _no_extremes(groups)
    return Moments(*map(_fixed, (cells, zero, nan, zero, low, high)))


def _fixed(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    values.flags.writeable = False
    return values


def _joined(first: Extent | Moments, second: Extent | Moments) -> Iterator[npt.NDArray[Any]]:
    for field in fields(first):
        yield np.concatenate([getattr(first, field.name), getattr(second, field.name)])


_Row = tuple[int, float, float, float, float, float]


def _merged(first: _Row, second: _Row) -> _Row:
    """Merge the moments of two groups (Chan, Golub and LeVeque 1979)."""
    if not (first[0] and second[0]):
        return first if first[0] else second
    cells, area, mean, square, low, high = first
    more_cells, more_area, more_mean, more_square, more_low, more_high = second
    share = more_area / (area + more_area)
    shift = more_mean - mean
    return (
        cells + more_cells,
        area + more_area,
        mean + shift * share,
        square + more_square + shift * shift * area * share,
        min(low, more_low),
        max(high, more_high),
    )


def _divide(top: Floats, bottom: Floats) -> Floats:
    return np.divide(top, bottom, out=np.full_like(top, np.nan), where=bottom > 0)


@dataclass(frozen=True)
class Sample:
    """One quantity over some cells, made ready to be reduced over one grouping after another.

    Attributes:
        values: The quantity, in its own unit, one item per cell.
        area_m2: Covered area with data of each cell: 0 in a cell without data.
        missing: Positions of the cells without data, whose value is that of a cell with data;
            None if there are none.
    """

    values: Floats
    area_m2: Floats
    missing: Ints | None = None

    @cached_property
    def pivot(self) -> float:
        """What differences are taken from: the first value."""
        return float(self.values[0]) if len(self.values) else 0.0

    @cached_property
    def apart(self) -> Floats:
        """Difference of each value from the pivot."""
        return self.values - self.pivot

    @cached_property
    def columns(self) -> Floats:
        """Per cell: 1 where there is data, its area, difference × area, difference² × area."""
        held = np.ones(len(self.values))
        if self.missing is not None:
            held[self.missing] = 0.0
        first = self.apart * self.area_m2
        return np.column_stack([held, self.area_m2, first, self.apart * first])


CANCELLED = 1e-3
"""Smallest share of a sum of squares that may be left after the mean is taken out of it; below,
more than three of its sixteen digits would be lost, and it is summed again about the mean."""


def moments(parts: Sequence[tuple[Sample, Grouping]], *, extremes: bool = True) -> Moments:
    """Reduce quantities over groups of their cells.

    Sums are of differences from the first value: a constant has itself as its mean and a
    deviation of zero, and large values do not swallow small differences.

    Args:
        parts: Quantities, each with groups of its cells.
        extremes: Whether minimum and maximum are wanted; they cost a sort.

    Returns:
        The moments of every group, those of each part after those of the one before.
    """
    sums = np.concatenate([by.sum(sample.columns) for sample, by in parts])
    count, area, first, second = sums.T
    shift = _divide(first, area)
    square = np.where(area > 0.0, second - shift * first, 0.0)
    cancelled = square < CANCELLED * second
    if cancelled.any():
        square = np.where(cancelled, _squares_about(shift, parts), square)
    pivot = np.repeat([sample.pivot for sample, _ in parts], [by.groups for _, by in parts])
    cells = count.astype(np.int64)
    low, high = _extremes(parts) if extremes else _no_extremes(len(cells))
    return Moments(cells, area, pivot + shift, square, low, high)


def _squares_about(shift: Floats, parts: Sequence[tuple[Sample, Grouping]]) -> Floats:
    """Integral of the squared difference from each group's mean, given as shift of the pivot."""
    found, start = [], 0
    for sample, by in parts:
        mean = np.nan_to_num(shift[start : start + by.groups])
        apart = sample.apart - mean.take(by.group)
        found.append(by.sum((apart * apart * sample.area_m2)[:, np.newaxis])[:, 0])
        start += by.groups
    return np.concatenate(found)


def _no_extremes(groups: int) -> tuple[Floats, Floats]:
    return np.full(groups, np.inf), np.full(groups, -np.inf)


def _extremes(parts: Iterable[tuple[Sample, Grouping]]) -> tuple[Floats, Floats]:
    """Smallest and largest value of each group, over the cells with data."""
    lows, highs = zip(*(_extremes_of(sample, by) for sample, by in parts), strict=True)
    return np.concatenate(lows), np.concatenate(highs)


def _extremes_of(sample: Sample, by: Grouping) -> tuple[Floats, Floats]:
    low, high = _no_extremes(by.groups)
    values, group = sample.values, by.group
    if sample.missing is not None:
        values, group = np.delete(values, sample.missing), np.delete(group, sample.missing)
    if len(values):
        order = np.argsort(group, kind="stable")
        present, first = np.unique(group[order], return_index=True)
        low[present] = np.minimum.reduceat(values[order], first)
        high[present] = np.maximum.reduceat(values[order], first)
    return low, high


def percentile(values: Floats, weights: Floats, share: float) -> float:
    """Weighted percentile with linear interpolation between order statistics.

    The k-th of n sorted values stands at ``(k − 1) w_k + (n − 1) Σ_{i<k} w_i``; equal weights
    give the common definition (R type 7, numpy's default). Equal values are sorted by weight,
    so the order of the cells does not matter.

    Args:
        values: The quantity, one item per cell with data.
        weights: Covered area or share of each cell.
        share: Wanted share in [0, 1].

    Returns:
        The percentile, or NaN without values.
    """
    if not len(values):
        return float("nan")
    order = np.lexsort((weights, values))
    x, w = values[order], weights[order]
    count = len(x)
    before = np.cumsum(w) - w
    position = np.arange(count) * w + (count - 1) * before
    return float(np.interp(share * float(position[-1]), position, x))
