"""What a partition that reads many others remembers of them: one number of 64 bits."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]


def member_tokens(places: Ints, tokens: Ints) -> Ints:
    """Return the tokens that a project's partition reads, each bound to its place.

    XOR of plain tokens would not notice two places with the same polygon, hence the same
    fingerprint: they would cancel out.

    Args:
        places: Rows of ``farms``.
        tokens: Their tokens; the first axis is that of ``places``.
    """
    of_place = _spread(places.astype(np.uint64)).reshape(-1, *[1] * (tokens.ndim - 1))
    return _spread(tokens.astype(np.int64).view(np.uint64) ^ of_place).view(np.int64)


def _spread(numbers: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The mixing function of splitmix64: one to one, and every bit depends on all."""
    numbers = numbers + np.uint64(0x9E3779B97F4A7C15)
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))
