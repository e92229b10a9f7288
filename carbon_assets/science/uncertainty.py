"""Uncertainty of an area mean from a product's own uncertainty layer.

Pixel errors of one product are taken as fully correlated: the error of a mean is the mean of
the errors, and no number of pixels shrinks it. The standard deviation *between* pixels is
heterogeneity of the land and never enters here.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from carbon_assets.science.zonal.grid import Floats

Meaning = Literal["SE", "SD", "CV", "interval_ratio"]
"""What an uncertainty layer holds: standard error or deviation in the unit of the value,
coefficient of variation as a share of it, or the width of an interval as a share of it."""

Z_95 = 1.959963984540054
"""Two-sided 95 % quantile of the standard normal distribution."""

_Z_BY_LEVEL = {0.68: 0.9944578832097535, 0.90: 1.6448536269514722, 0.95: Z_95}
"""Two-sided normal quantiles of the interval levels that products use."""


def standard_error(
    layer: Floats, values: Floats, meaning: Meaning, level: float | None = None
) -> Floats:
    """Per-cell standard error, in the unit of the value.

    Args:
        layer: The uncertainty layer, scaled to its own unit.
        values: The value under it, scaled.
        meaning: What the layer holds.
        level: For ``interval_ratio``, the level of the interval, e.g. 0.90 for Q95 - Q05.

    Raises:
        ValueError: For an interval ratio without a known level.
    """
    if meaning in ("SE", "SD"):
        return layer
    if meaning == "CV":
        return layer * np.abs(values)
    if level not in _Z_BY_LEVEL:
        raise ValueError(f"interval_ratio needs a level of {sorted(_Z_BY_LEVEL)}, not {level}")
    return layer * np.abs(values) / (2.0 * _Z_BY_LEVEL[level])


def ci95_half_width_pct(standard_error_of_mean: float, mean: float) -> float | None:
    """95 % confidence half-width as a percentage of the mean.

    Returns:
        ``100 · 1.96 · SE / |mean|``, or None for a mean of zero, which has no percentage.
    """
    if not mean:
        return None
    return 100.0 * Z_95 * standard_error_of_mean / abs(mean)
