"""From dry matter to carbon, and from an uncertainty layer to a percentage."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest

from carbon_assets.science.biomass import BelowGroundCarbon, CarbonOfBiomass, Unchanged
from carbon_assets.science.uncertainty import ci95_half_width_pct, standard_error

VALUES = np.array([0.0, 50.0, 125.0, 125.1, 300.0])


def test_carbon_is_biomass_times_the_fraction() -> None:
    assert CarbonOfBiomass(0.47).apply(VALUES).tolist() == (VALUES * 0.47).tolist()
    assert Unchanged().apply(VALUES) is VALUES


def test_roots_follow_the_step_at_the_threshold() -> None:
    roots = BelowGroundCarbon(carbon_fraction=0.5, low=0.8, high=0.2, threshold=125.0)
    assert roots.apply(VALUES).tolist() == pytest.approx([0.0, 20.0, 50.0, 12.51, 30.0])


def test_documents_tell_the_parameters() -> None:
    assert CarbonOfBiomass(0.47).as_document()["carbon_fraction"] == "0.47"
    roots = BelowGroundCarbon(0.47, 0.221, 0.221, 125.0).as_document()
    assert roots["root_to_shoot"] == {"low": "0.221", "high": "0.221", "threshold_mg_ha": "125.0"}


def test_standard_errors_by_meaning() -> None:
    layer, values = np.array([2.0, 0.1]), np.array([10.0, -40.0])
    assert standard_error(layer, values, "SE").tolist() == [2.0, 0.1]
    assert standard_error(layer, values, "SD").tolist() == [2.0, 0.1]
    assert standard_error(layer, values, "CV").tolist() == [20.0, 4.0]


@pytest.mark.parametrize("level", [0.68, 0.90, 0.95])
def test_an_interval_ratio_is_undone_by_its_levels_quantile(level: float) -> None:
    z = NormalDist().inv_cdf(0.5 + level / 2)
    width = 2 * z * 7.0
    error = standard_error(np.array([width / 30.0]), np.array([30.0]), "interval_ratio", level)
    assert error[0] == pytest.approx(7.0, rel=1e-12)


def test_an_interval_of_unknown_level_is_refused() -> None:
    with pytest.raises(ValueError, match="level"):
        standard_error(np.ones(1), np.ones(1), "interval_ratio", 0.5)


def test_the_half_width_is_a_share_of_the_mean() -> None:
    assert ci95_half_width_pct(5.0, 100.0) == pytest.approx(9.79981992270027)
    assert ci95_half_width_pct(5.0, -100.0) == pytest.approx(9.79981992270027)
    assert ci95_half_width_pct(5.0, 0.0) is None
