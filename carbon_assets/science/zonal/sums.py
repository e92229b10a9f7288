"""The one way in which cells are summed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from carbon_assets.science.zonal.grid import Floats

Ints = npt.NDArray[np.int64]

LANES = 4
"""Every group is summed in this many lanes, which are then added: neighbouring cells are often
of one group, and a sum that has to wait for the one before it takes twice as long."""


@dataclass(frozen=True)
class Grouping:
    """Cells by group, made ready to be summed again and again.

    Each sum runs through the cells in their order, cell ``i`` in lane ``i mod LANES``. That
    order is part of the result: ``numpy.bincount`` adds in sequence, unlike ``numpy.sum``,
    whose order could change with the library, so the result is the same on every processor
    and does not depend on which other groups there are.

    Attributes:
        group: Group number of each cell, in [0, groups).
        groups: Number of groups.
    """

    group: Ints
    groups: int

    @cached_property
    def _lane(self) -> Ints:
        """Lane of each cell, among those of all groups."""
        lane = self.group * LANES
        for number in range(1, LANES):
            lane[number::LANES] += number
        return lane

    @cached_property
    def cells(self) -> Ints:
        """Number of cells of each group."""
        parts = np.bincount(self._lane, minlength=self.groups * LANES)
        return np.asarray(parts.reshape(self.groups, LANES).sum(axis=1), dtype=np.int64)

    def sum(self, values: Floats) -> Floats:
        """Sum of the cells' values in each group."""
        # Without any cell, bincount answers in integers.
        sums = np.bincount(self._lane, values, self.groups * LANES).astype(np.float64)
        parts = sums.reshape(self.groups, LANES).T
        total: Floats = parts[0]
        for part in parts[1:]:
            total = total + part
        return total


def grouped_sum(group: Ints, values: Floats, groups: int) -> Floats:
    """Sum values by group, one after the other, for items that are seldom of one group."""
    return np.asarray(np.bincount(group, values, groups), dtype=np.float64)
