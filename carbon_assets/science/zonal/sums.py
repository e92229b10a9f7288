"""The one way in which cells are summed."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt
from scipy.sparse import csc_array

from carbon_assets.science.zonal.grid import Floats

Ints = npt.NDArray[np.int64]
Groups = npt.NDArray[np.int32]
"""Group number of each cell."""


@dataclass(frozen=True)
class Grouping:
    """Cells by group.

    Attributes:
        group: Group number of each cell, in [0, groups).
        groups: Number of groups.
    """

    group: Groups
    groups: int

    def sum(self, columns: Floats) -> Floats:
        """Sum several columns of numbers over the cells of each group, in one pass.

        Seen as a matrix, a grouping has a column per cell with a single 1 in the row of its
        group; its product with the numbers is their sums. The sparse product adds the cells one
        after the other in their order, unlike ``numpy.sum``, whose order could change with the
        library: the result is the same on every processor, and does not depend on which other
        groups there are.

        Args:
            columns: Array of shape (cells, columns).

        Returns:
            Array of shape (groups, columns).
        """
        return np.asarray(self._member @ columns)

    @cached_property
    def _member(self) -> csc_array:
        member = copy(_members(len(self.group), self.groups))
        member.indices = self.group
        return member


@lru_cache(maxsize=4)
def _members(cells: int, groups: int) -> csc_array:
    """A matrix with one member per column; checking a new one costs as much as a product."""
    pointers = np.arange(cells + 1, dtype=np.int32)
    nowhere = np.zeros(cells, dtype=np.int32)
    return csc_array((np.ones(cells), nowhere, pointers), shape=(groups, cells))


def grouped_sum(group: Ints, values: Floats, groups: int) -> Floats:
    """Sum values by group, one after the other."""
    return np.asarray(np.bincount(group, values, groups), dtype=np.float64)
