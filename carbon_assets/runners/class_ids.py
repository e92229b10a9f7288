"""Class ids of a map turned into small numbers, whatever integers the map is stored in."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from carbon_assets.science.zonal.sums import Groups

UNKNOWN = -1
"""Number of an id that the mapping does not have."""


Numbers = tuple[tuple[int, int], ...]
"""Pairs of class id and number, ascending by id."""


def number_classes(classes: npt.NDArray[Any], numbers: Numbers) -> Groups:
    """Number of each cell's class id, or :data:`UNKNOWN`.

    Args:
        classes: Raw class ids, of an integer type.
        numbers: Numbers by class id; ids that the type cannot hold are passed over.
    """
    if classes.dtype.itemsize <= 2:
        bits = classes.view(f"u{classes.dtype.itemsize}")
        return np.asarray(_table(numbers, classes.dtype.str).take(bits))
    known, given = np.array(numbers).T
    at = np.minimum(np.searchsorted(known, classes), len(known) - 1)
    return np.where(known[at] == classes, given[at], UNKNOWN).astype(np.int32)


@lru_cache(maxsize=64)
def _table(numbers: Numbers, dtype: str) -> Groups:
    """Numbers of every value of an 8-bit or 16-bit type, by its bits."""
    limits = np.iinfo(dtype)
    held = [(i, number) for i, number in numbers if limits.min <= i <= limits.max]
    bits = np.array([i for i, _ in held], dtype=dtype).view(f"u{limits.bits // 8}")
    table = np.full(2**limits.bits, UNKNOWN, dtype=np.int32)
    table[bits] = [number for _, number in held]
    return table


def count_unknown(classes: npt.NDArray[Any], numbers: Groups) -> dict[int, int]:
    """Cells by class id among those that have no number."""
    ids, counts = np.unique(classes[numbers == UNKNOWN], return_counts=True)
    return dict(zip(ids.tolist(), counts.tolist(), strict=True))
