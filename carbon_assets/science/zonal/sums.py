"""The one way in which cells are summed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from carbon_assets.science.zonal.grid import Floats


def grouped_sum(group: npt.NDArray[np.int64], values: Floats, groups: int) -> Floats:
    """Sum values by group, one after the other in the order of the cells.

    ``numpy.bincount`` adds in sequence, unlike ``numpy.sum``, whose pairwise order could
    change with the library; the result is the same on every processor.
    """
    return np.asarray(np.bincount(group, values, groups), dtype=np.float64)
