"""What a project decides about its metrics."""

from __future__ import annotations

from typing import Any

import pytest

from carbon_assets.errors import PortfolioError
from carbon_assets.metrics.settings import MetricSettings


def test_a_project_without_wishes_gets_the_defaults() -> None:
    assert MetricSettings.from_project({"biome": "amazon"}) == MetricSettings()


def test_settings_of_a_project_are_read() -> None:
    read = MetricSettings.from_project(
        {"forest_groups": ["natural_forest", "savanna"], "min_valid_share": 0.95}
    )
    assert read.forest_groups == ("natural_forest", "savanna")
    assert read.min_valid_share == 0.95


@pytest.mark.parametrize(
    ("settings", "code", "said"),
    [
        ({"forest_groups": ["natural_forrest"]}, "FOREST_GROUPS_INVALID", "did you mean"),
        ({"forest_groups": ["not_observed"]}, "FOREST_GROUPS_INVALID", "not_observed"),
        ({"forest_groups": [["savanna"]]}, "FOREST_GROUPS_INVALID", "savanna"),
        ({"forest_groups": []}, "FOREST_GROUPS_INVALID", "list of legend groups"),
        ({"forest_groups": "savanna"}, "FOREST_GROUPS_INVALID", "'savanna'"),
        ({"forest_groups": ["savanna", "savanna"]}, "FOREST_GROUPS_INVALID", "twice"),
        ({"min_valid_share": 80}, "MIN_VALID_SHARE_INVALID", "80"),
        ({"min_valid_share": "0.8"}, "MIN_VALID_SHARE_INVALID", "'0.8'"),
        ({"min_valid_share": True}, "MIN_VALID_SHARE_INVALID", "True"),
        ({"min_valid_share": float("nan")}, "MIN_VALID_SHARE_INVALID", "nan"),
        ({"min_valid_share": None}, "MIN_VALID_SHARE_INVALID", "None"),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    settings: dict[str, Any], code: str, said: str
) -> None:
    with pytest.raises(PortfolioError) as refused:
        MetricSettings.from_project(settings)
    assert refused.value.code == code
    assert said in refused.value.what


def test_the_document_follows_the_definition_and_not_its_order() -> None:
    one = MetricSettings(("savanna", "natural_forest"), 1)
    other = MetricSettings(("natural_forest", "savanna"), 1.0)
    assert one.as_document() == other.as_document()
    assert one.as_document() != MetricSettings(("natural_forest",), 1.0).as_document()
    assert one.as_document() != MetricSettings(("natural_forest", "savanna"), 0.9).as_document()
