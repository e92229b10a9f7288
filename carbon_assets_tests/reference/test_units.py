"""Units: exact factors, and no silent way from dry matter to carbon to CO2e."""

from __future__ import annotations

import math

import pytest

from carbon_assets.errors import CatalogueError
from carbon_assets.reference.units import (
    carbon_to_co2e,
    check_unit,
    convert,
    dry_matter_to_carbon,
)


@pytest.mark.parametrize(
    ("value", "source", "target", "expected"),
    [
        (1.0, "ha", "m2", 10_000.0),
        (2.5, "km2", "ha", 250.0),
        (7.0, "MgC/ha", "tC/ha", 7.0),
        (1.0, "tC/ha", "tC/m2", 1e-4),
        (1500.0, "kgCO2e", "tCO2e", 1.5),
        (25.0, "%", "one", 0.25),
    ],
)
def test_known_conversions(value: float, source: str, target: str, expected: float) -> None:
    assert convert(value, source, target) == expected


def test_factor_one_leaves_the_bits_alone() -> None:
    value = math.nextafter(0.1, 1.0)
    assert convert(value, "MgC/ha", "tC/ha").hex() == value.hex()
    assert math.isnan(convert(math.nan, "ha", "m2"))


def test_conversion_is_the_nearest_double() -> None:
    # 0.1 ha is 1000.0000000000000555 m2 exactly; repeated float steps would drift from it.
    assert convert(0.1, "ha", "m2") == 1000.0
    assert convert(convert(123.456, "ha", "m2"), "m2", "ha") == 123.456


def test_hgb_worked_example() -> None:
    density = 1234 * 0.1
    assert density == pytest.approx(123.4, abs=1e-12)
    assert carbon_to_co2e(density, "MgC/ha", "tCO2e/ha") == pytest.approx(452.467, abs=5e-4)


def test_carbon_to_co2e_uses_the_exact_fraction() -> None:
    assert carbon_to_co2e(12.0, "tC", "tCO2e") == 44.0
    assert carbon_to_co2e(3.0, "tC/ha", "tCO2e/ha") == 11.0


def test_dry_matter_chain_of_150_mg() -> None:
    carbon = dry_matter_to_carbon(150.0, "Mg/ha", "tC/ha", carbon_fraction=0.47)
    assert carbon == 70.5
    assert carbon_to_co2e(carbon, "tC/ha", "tCO2e/ha") == 258.5


@pytest.mark.parametrize(
    ("source", "target"),
    [("tC", "tCO2e"), ("Mg/ha", "tC/ha"), ("tC", "tC/ha"), ("ha", "Mg"), ("class", "one")],
)
def test_different_things_do_not_convert(source: str, target: str) -> None:
    with pytest.raises(CatalogueError) as caught:
        convert(1.0, source, target)
    assert caught.value.code == "UNIT_MISMATCH"
    assert source in caught.value.what
    assert target in caught.value.what


def test_carbon_functions_refuse_other_quantities() -> None:
    with pytest.raises(CatalogueError, match="UNIT_MISMATCH"):
        carbon_to_co2e(1.0, "Mg/ha", "tCO2e/ha")
    with pytest.raises(CatalogueError, match="UNIT_MISMATCH"):
        dry_matter_to_carbon(1.0, "MgC/ha", "tC/ha", carbon_fraction=0.47)


@pytest.mark.parametrize("unit", ["furlong", "", "Mg/", "t", "2 ha", "ha()", "__import__('os')"])
def test_unknown_units_are_errors(unit: str) -> None:
    with pytest.raises(CatalogueError) as caught:
        check_unit(unit)
    assert caught.value.code == "UNIT_UNKNOWN"
