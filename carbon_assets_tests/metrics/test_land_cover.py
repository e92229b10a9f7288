"""Areas that follow from a class histogram."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carbon_assets.errors import CatalogueError
from carbon_assets.metrics.settings import FOREST_CHOICES
from carbon_assets_tests.metrics.rows import LEGEND, PROPERTY, derive, histogram, value

GROUP_METRICS = [f"{group}_area" for group in LEGEND.groups if group != "not_observed"]

HISTOGRAMS = st.dictionaries(
    st.sampled_from(LEGEND.ids), st.floats(1e-6, 1e7), min_size=1, max_size=12
)


def test_areas_of_a_small_place() -> None:
    metrics = derive(histogram({3: 30.0, 5: 10.0, 4: 20.0, 15: 25.0, 27: 10.0}, outside=5.0))
    assert value(metrics, "total_area") == 100.0
    assert value(metrics, "observed_area") == 85.0
    assert value(metrics, "not_observed_area") == 15.0
    assert value(metrics, "natural_forest_area") == 40.0
    assert value(metrics, "savanna_area") == 20.0
    assert value(metrics, "pasture_area") == 25.0
    assert value(metrics, "forest_cover") == 40.0
    assert value(metrics, "forest_cover_pct") == 40.0
    assert value(metrics, "class_area", **{"class": "3"}) == 30.0
    assert value(metrics, "class_area", **{"class": "27"}) == 10.0


def test_the_project_decides_whether_savanna_is_forest() -> None:
    receipt = histogram({3: 30.0, 4: 20.0, 15: 50.0})
    narrow = derive(receipt)
    wide = derive(receipt, forest_groups=("natural_forest", "savanna"))
    assert value(narrow, "forest_cover_pct") == 30.0
    assert value(wide, "forest_cover_pct") == 50.0
    assert value(wide, "savanna_area") == value(narrow, "savanna_area")


def test_an_observed_place_without_a_group_has_zero_of_it() -> None:
    metrics = derive(histogram({15: 50.0, 27: 1.0}))
    for code in ("natural_forest_area", "water_area", "forest_cover", "forest_cover_pct"):
        assert value(metrics, code) == 0.0
        assert metrics[(code,)].flags == ()


@pytest.mark.parametrize("receipt", [histogram({27: 60.0, 0: 30.0}, 10.0), histogram({}, 100.0)])
def test_nothing_is_known_of_a_place_that_was_not_observed(receipt: object) -> None:
    metrics = derive(receipt)  # type: ignore[arg-type]
    for code in [*GROUP_METRICS, "forest_cover", "forest_cover_pct"]:
        assert value(metrics, code) is None
        assert metrics[(code,)].flags == ("no_data", "low_valid_share")
    assert value(metrics, "total_area") == 100.0
    assert value(metrics, "not_observed_area") == 100.0
    assert value(metrics, "observed_area") == 0.0
    assert metrics[("total_area",)].flags == ()


def test_the_share_with_data_is_compared_with_the_threshold() -> None:
    receipt = histogram({3: 79.0, 27: 21.0})
    flagged, trusted = derive(receipt), derive(receipt, min_valid_share=0.79)
    assert flagged[("forest_cover",)].valid_share == 0.79
    assert flagged[("forest_cover",)].flags == ("low_valid_share",)
    assert trusted[("forest_cover",)].flags == ()
    assert flagged[("total_area",)].flags == ()
    assert flagged[("total_area",)].valid_share == 1.0


def test_every_area_is_linked_to_the_receipt() -> None:
    receipt = histogram({3: 30.0, 15: 70.0})
    metrics = derive(receipt)
    percent = metrics.pop(("forest_cover_pct",))
    assert percent.sources == ((receipt.id, "numerator"), (receipt.id, "denominator"))
    assert "numerator" in percent.formula
    assert "covered cell area of denominator" in percent.formula
    for metric in [*metrics.values(), percent]:
        assert metric.raster_aggregate_id == receipt.id
        assert metric.source_tag == "mapbiomas-brazil col-8"
        assert metric.formula.startswith(f"{metric.metric_code} = ")
    assert all(metric.sources == ((receipt.id, "primary"),) for metric in metrics.values())
    assert "classes 3, 5, 6, 49" in metrics[("natural_forest_area",)].formula


def test_a_nodata_tag_outside_the_legend_is_not_observed() -> None:
    metrics = derive(histogram({3: 60.0, 255: 40.0}, nodata={0, 27, 255}))
    assert value(metrics, "not_observed_area") == 40.0
    assert ("class_area", ("class", "255")) not in metrics


def test_a_receipt_that_disagrees_with_the_legend_is_refused() -> None:
    receipt = histogram({3: 60.0, 33: 40.0}, nodata={0, 27, 33})
    with pytest.raises(CatalogueError) as refused:
        derive(receipt)
    assert refused.value.code == "HISTOGRAM_INCONSISTENT"
    assert "area with data: 100.0 ha" in refused.value.what


def test_a_histogram_that_misses_a_part_of_its_area_is_refused() -> None:
    receipt = dataclasses.replace(histogram({3: 60.0, 27: 40.0}), covered_area_ha=100.0001)
    with pytest.raises(CatalogueError, match="HISTOGRAM_INCONSISTENT"):
        derive(receipt)


def test_a_forest_definition_that_the_legend_cannot_tell_is_refused() -> None:
    without = LEGEND.model_copy(
        update={"classes": tuple(c for c in LEGEND.classes if c.group != "savanna")}
    )
    with pytest.raises(CatalogueError, match="FOREST_GROUP_NOT_IN_LEGEND"):
        derive(histogram({3: 1.0}), legend=without, forest_groups=("natural_forest", "savanna"))


@PROPERTY
@given(HISTOGRAMS, st.floats(0.0, 1e6))
def test_groups_and_what_was_not_observed_sum_to_the_total(
    hectares: dict[int, float], outside: float
) -> None:
    metrics = derive(histogram(hectares, outside))
    total, missing = value(metrics, "total_area"), value(metrics, "not_observed_area")
    observed = sum(value(metrics, code) or 0.0 for code in GROUP_METRICS)
    assert observed + (missing or 0.0) == pytest.approx(total, rel=1e-12)
    assert value(metrics, "observed_area") == pytest.approx(observed, rel=1e-12, abs=1e-9)


@PROPERTY
@given(HISTOGRAMS)
def test_percentages_of_the_groups_sum_to_the_observed_share(hectares: dict[int, float]) -> None:
    receipt = histogram(hectares)
    shares = [
        value(derive(receipt, forest_groups=(group,)), "forest_cover_pct")
        for group in FOREST_CHOICES
    ]
    aggregate = value(derive(receipt), "aggregate_area")
    if not receipt.has_data:
        assert set(shares) == {None}
        return
    known = [share for share in shares if share is not None]
    assert len(known) == len(shares)
    assert all(0.0 <= share <= 100.0 for share in known)
    expected = 100.0 * (receipt.valid_area_ha - (aggregate or 0.0)) / receipt.covered_area_ha
    assert sum(known) == pytest.approx(expected, rel=1e-12, abs=1e-9)


@PROPERTY
@given(HISTOGRAMS, st.randoms(use_true_random=False))
def test_the_order_of_the_histogram_changes_no_digit(hectares: dict[int, float], random) -> None:  # type: ignore[no-untyped-def]
    receipt = histogram(hectares)
    items = list((receipt.histogram or {}).items())
    random.shuffle(items)
    shuffled = dataclasses.replace(receipt, histogram=dict(items))
    assert derive(receipt) == derive(shuffled)


def test_forest_everywhere_is_exactly_a_hundred_percent() -> None:
    receipt = histogram({3: 0.1, 5: 0.2, 6: 0.3, 49: 0.7})
    assert value(derive(receipt), "forest_cover_pct") == pytest.approx(100.0, rel=1e-15)
    assert (value(derive(receipt), "forest_cover_pct") or 0.0) <= 100.0
