"""Units of every value, and the conversions between them, in exact rational arithmetic.

The definitions are in ``units.txt``. A conversion rounds once, at its end, so a result is
the double nearest to the exact product; where the factor is 1 the value passes unchanged.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction
from functools import cache
from typing import Any

import pint

from carbon_assets.errors import CatalogueError
from carbon_assets.reference.packaged import packaged

_CO2E_PER_CARBON = "co2e_per_carbon"
_CARBON_PER_DRY_MATTER = "tC / Mg"
_EXPRESSION = re.compile(r"[\w%]+(?: ?(?:\*\*|\*|/) ?[\w%]+)*", re.ASCII)


def convert(value: float, from_unit: str, to_unit: str) -> float:
    """Convert a value between units of the same quantity, e.g. ``ha`` and ``m2``.

    Raises:
        CatalogueError: ``UNIT_UNKNOWN``; ``UNIT_MISMATCH`` where the units measure different
            things, such as dry matter and carbon.
    """
    return _times(value, _factor(from_unit, to_unit))


def carbon_to_co2e(value: float, from_unit: str, to_unit: str) -> float:
    """Convert carbon into carbon dioxide equivalent with the exact 44/12.

    Args:
        value: Carbon, e.g. in ``tC/ha``.
        from_unit: Its unit.
        to_unit: A unit of the same with CO2e in place of carbon, e.g. ``tCO2e/ha``.

    Raises:
        CatalogueError: ``UNIT_UNKNOWN``, ``UNIT_MISMATCH``.
    """
    return _times(value, _factor(from_unit, to_unit, _CO2E_PER_CARBON))


def dry_matter_to_carbon(
    value: float, from_unit: str, to_unit: str, *, carbon_fraction: float
) -> float:
    """Convert dry matter into carbon.

    Args:
        value: Dry matter, e.g. in ``Mg/ha``.
        from_unit: Its unit.
        to_unit: A unit of the same with carbon in place of dry matter, e.g. ``tC/ha``.
        carbon_fraction: Mass of carbon per mass of dry matter.

    Raises:
        CatalogueError: ``UNIT_UNKNOWN``, ``UNIT_MISMATCH``.
    """
    factor = _factor(from_unit, to_unit, _CARBON_PER_DRY_MATTER)
    return _times(value, factor * Fraction(carbon_fraction))


def check_unit(unit: str) -> str:
    """Return a unit that the registry knows.

    Raises:
        CatalogueError: ``UNIT_UNKNOWN``.
    """
    _quantity(unit)
    return unit


@cache
def _registry() -> pint.UnitRegistry[Any]:
    registry: pint.UnitRegistry[Any] = pint.UnitRegistry(None, non_int_type=Fraction)
    registry.load_definitions(packaged("units.txt"))
    return registry


@cache
def _factor(from_unit: str, to_unit: str, bridge: str = "") -> Fraction:
    source, target = _quantity(from_unit), _quantity(to_unit)
    step = source * _quantity(bridge) if bridge else source
    try:
        return Fraction(step.to(target.units).magnitude)
    except pint.DimensionalityError as mismatch:
        raise CatalogueError(
            "UNIT_MISMATCH",
            f"{from_unit} ({source.units}) does not convert to {to_unit} ({target.units})",
            do="Dry matter becomes carbon with a carbon fraction only, carbon becomes CO2e "
            "with 44/12 only: use the function for it.",
        ) from mismatch


def _quantity(unit: str) -> Any:
    problem: Exception | None = None
    if _EXPRESSION.fullmatch(unit):
        try:
            return _registry().Quantity(Fraction(1), unit)
        except (pint.PintError, AttributeError, TypeError, ValueError) as unknown:
            problem = unknown
    raise CatalogueError(
        "UNIT_UNKNOWN",
        f"unknown unit {unit!r}",
        do="Use the units that carbon_assets/reference/units.txt defines.",
    ) from problem


def _times(value: float, factor: Fraction) -> float:
    if factor == 1 or not math.isfinite(value):
        return value
    return float(Fraction(value) * factor)
