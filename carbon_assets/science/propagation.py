"""Error propagation: IPCC approach 1, and its fully correlated counterpart.

IPCC 2006 and 2019 Guidelines vol. 1 ch. 3, eq. 3.1 (products) and 3.2 (sums). An estimate
carries the half-width of its 95 % interval in its own unit, so that a value of zero has an
uncertainty, too; percentages are of the value.

Independent errors add in quadrature. Errors with one common cause (the pixels of one product,
one factor used in every stratum) add as they are, and cancel in a difference.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from carbon_assets.science.uncertainty import Z_95

Correlation = Literal["none", "full"]
"""How the errors of the terms go together: not at all, or all as one."""


@dataclass(frozen=True)
class Estimate:
    """A value with its uncertainty.

    Attributes:
        value: The value.
        half_width: Half-width of its 95 % interval, in the unit of the value.
    """

    value: float
    half_width: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.value) and math.isfinite(self.half_width)):
            raise ValueError("an estimate is finite; a missing value is no estimate")
        if self.half_width < 0.0:
            raise ValueError("the half-width of an interval is not negative")

    @classmethod
    def of_percent(cls, value: float, half_width_pct: float) -> Estimate:
        """Estimate whose half-width is given in percent of the value."""
        return cls(value, abs(value) * half_width_pct / 100.0)

    @classmethod
    def of_standard_error(cls, value: float, standard_error: float) -> Estimate:
        """Estimate whose error is given as a standard error or deviation, taken as normal."""
        return cls(value, Z_95 * standard_error)

    @property
    def half_width_pct(self) -> float | None:
        """Half-width in percent of the value; None for a value of zero."""
        return 100.0 * self.half_width / abs(self.value) if self.value else None

    def scaled(self, factor: float) -> Estimate:
        """The estimate times a number that is known exactly."""
        return Estimate(self.value * factor, self.half_width * abs(factor))


def total(terms: Iterable[Estimate], correlation: Correlation = "none") -> Estimate:
    """Sum of estimates (eq. 3.2 where the errors are independent).

    Args:
        terms: The terms, in one unit.
        correlation: How their errors go together.
    """
    return _combined([(1.0, term) for term in terms], correlation)


def difference(first: Estimate, second: Estimate, correlation: Correlation = "none") -> Estimate:
    """First minus second. Its relative uncertainty is larger than that of either term.

    Args:
        first: What is taken from.
        second: What is taken away.
        correlation: How their errors go together; fully correlated errors cancel.
    """
    return _combined([(1.0, first), (-1.0, second)], correlation)


def _combined(terms: list[tuple[float, Estimate]], correlation: Correlation) -> Estimate:
    value = math.fsum(sign * term.value for sign, term in terms)
    widths = [sign * term.half_width for sign, term in terms]
    if correlation == "full":
        return Estimate(value, abs(math.fsum(widths)))
    return Estimate(value, math.hypot(*widths))


def product(factors: Iterable[Estimate], correlation: Correlation = "none") -> Estimate:
    """Product of estimates (eq. 3.1 where the errors are independent).

    To first order, which is the equation's own approximation: good for relative errors below
    some 30 %.

    Args:
        factors: The factors.
        correlation: How their errors go together.
    """
    known = list(factors)
    values = [factor.value for factor in known]
    widths = [
        factor.half_width * math.prod(values[:i] + values[i + 1 :])
        for i, factor in enumerate(known)
    ]
    half_width = (
        math.fsum(abs(width) for width in widths) if correlation == "full" else math.hypot(*widths)
    )
    return Estimate(math.prod(values), half_width)


def area_by_proportion(area: float, share: float, points: int) -> Estimate:
    """Area of a class from a random sample of points.

    ``SE = A √(p (1 − p) / (n − 1))``, IPCC 2006 vol. 4 ch. 3 annex 3A.3.5.

    Args:
        area: Area that was sampled, in any unit.
        share: Share of the points in the class.
        points: Number of points.

    Raises:
        ValueError: For less than two points, or a share outside [0, 1].
    """
    if points < 2 or not 0.0 <= share <= 1.0:
        raise ValueError("a proportion needs two points or more, and a share in [0, 1]")
    error = area * math.sqrt(share * (1.0 - share) / (points - 1))
    return Estimate.of_standard_error(area * share, error)


@dataclass(frozen=True)
class SampledStratum:
    """Reference points in one class of a map.

    Attributes:
        weight: Share of the mapped area that the class takes.
        share: Share of its points that belong to the class of interest.
        points: Number of points.
    """

    weight: float
    share: float
    points: int


def stratified_proportion(strata: Iterable[SampledStratum]) -> Estimate:
    """Share of the area that a class really takes, from points stratified by a map.

    ``p = Σ W_h p_h`` and ``SE = √ Σ W_h² p_h (1 − p_h) / (n_h − 1)`` (Olofsson et al. 2014).

    Raises:
        ValueError: If the weights do not sum to 1.
    """
    known = list(strata)
    if not math.isclose(math.fsum(one.weight for one in known), 1.0, abs_tol=1e-9):
        raise ValueError("the weights of the strata sum to 1")
    share = math.fsum(one.weight * one.share for one in known)
    variance = math.fsum(
        one.weight**2 * one.share * (1.0 - one.share) / (one.points - 1) for one in known
    )
    return Estimate.of_standard_error(share, math.sqrt(variance))
