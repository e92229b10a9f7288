"""Densities and stocks: pools, totals, intervals, strata, units."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest

from carbon_assets.errors import CatalogueError, ProvenanceError
from carbon_assets.metrics.change import CHANGE_AREAS
from carbon_assets.metrics.model import FLAGS, ReceiptRow
from carbon_assets.reference.metric_types import load_metric_types
from carbon_assets_tests.metrics.rows import derive, histogram, statistic, value

FOREST, PASTURE = {"forest_type": "natural_forest"}, {"forest_type": "non_forest"}


def pools(
    agb: float | None = 80.0, bgb: float | None = 20.0, pct: Sequence[float | None] = (10.0, 30.0)
) -> list[ReceiptRow]:
    """Densities and stocks of both pools over 100 ha."""
    rows = []
    for pool, density, error in (("agb", agb, pct[0]), ("bgb", bgb, pct[1])):
        stated = {
            "uncertainty_pct_ci95": error,
            "uncertainty_method": "none" if error is None else "raster_layer",
        }
        stock = None if density is None else 100.0 * density
        rows.append(statistic(f"{pool}_carbon_density", "mean", density, **stated))
        rows.append(statistic(f"{pool}_carbon_stock", "sum", stock, **stated))
    return rows


def test_pools_and_totals_with_their_intervals() -> None:
    receipts = pools()
    metrics = derive(*receipts)
    assert value(metrics, "agb_carbon_density") == 80.0
    assert value(metrics, "bgb_carbon_stock") == 2000.0
    total = metrics[("total_carbon_stock",)]
    assert total.value_canonical == 10_000.0
    # 8000 tC ± 10 % and 2000 tC ± 30 %, fully correlated: ± (800 + 600) tC
    assert (total.value_min_canonical, total.value_max_canonical) == (8600.0, 11_400.0)
    assert "half-widths added" in total.formula
    assert total.sources == ((receipts[1].id, "primary"), (receipts[3].id, "primary"))
    assert total.raster_aggregate_id is None
    assert total.flags == ("static_epoch",)
    agb = metrics[("agb_carbon_density",)]
    assert (agb.value_min_canonical, agb.value_max_canonical) == (72.0, 88.0)
    assert agb.raster_aggregate_id == receipts[0].id
    assert agb.source_tag == "hgb 2010"


def test_an_interval_wider_than_the_value_is_not_cut() -> None:
    receipt = statistic(
        "agb_carbon_density",
        "mean",
        10.0,
        uncertainty_pct_ci95=150.0,
        uncertainty_method="raster_layer",
    )
    metric = derive(receipt)[("agb_carbon_density",)]
    assert (metric.value_min_canonical, metric.value_max_canonical) == (-5.0, 25.0)


def test_a_total_is_never_partly_certain() -> None:
    total = derive(*pools(pct=(10.0, None)))[("total_carbon_density",)]
    assert total.value_canonical == 100.0
    assert total.value_min_canonical is None
    assert total.flags == ("static_epoch", "uncertainty_unstated")


def test_a_total_of_one_pool_is_unknown() -> None:
    metrics = derive(*pools()[:2])
    total = metrics[("total_carbon_stock",)]
    assert total.value_canonical is None
    assert total.flags == ("static_epoch", "pool_missing")
    assert value(metrics, "agb_carbon_stock") == 8000.0


@pytest.mark.parametrize(
    "change",
    [
        {"valid_area_ha": 99.9999, "pixel_nodata_count": 1},
        {"runner_key": "biomass.gedi"},
        {"raster_version": "2011"},
    ],
)
def test_a_total_of_pools_that_differ_is_unknown(change: dict[str, object]) -> None:
    agb, bgb = (row for row in pools() if row.aggregate_method == "mean")
    total = derive(agb, dataclasses.replace(bgb, **change))[("total_carbon_density",)]  # type: ignore[arg-type]
    assert total.value_canonical is None
    assert total.flags == ("static_epoch", "pools_differ")


def test_valid_areas_that_differ_by_rounding_are_the_same() -> None:
    agb, bgb = (row for row in pools() if row.aggregate_method == "mean")
    bgb = dataclasses.replace(bgb, valid_area_ha=100.0 * (1 - 1e-12))
    assert value(derive(agb, bgb), "total_carbon_density") == 100.0


def test_no_data_is_not_zero() -> None:
    nothing, bare = derive(*pools(None, None, (None, None))), derive(*pools(0.0, 0.0))
    for code in ("agb_carbon_density", "agb_carbon_stock", "total_carbon_stock"):
        assert value(nothing, code) is None
        assert nothing[(code,)].flags == ("no_data", "low_valid_share", "static_epoch")
        assert value(bare, code) == 0.0
        assert "no_data" not in bare[(code,)].flags


def test_a_pool_without_data_leaves_no_total() -> None:
    total = derive(*pools(bgb=None))[("total_carbon_stock",)]
    assert total.value_canonical is None
    assert "pools_differ" in total.flags
    assert total.valid_share == 0.0


def test_what_failed_has_no_metric() -> None:
    assert derive() == {}
    assert not any(code.startswith("total_carbon") for code, *_ in derive(histogram({3: 1.0})))


def test_strata_have_metrics_of_their_own() -> None:
    whole = statistic("agb_carbon_stock", "sum", 500.0)
    forest = statistic("agb_carbon_stock", "sum", 400.0, stratum_filter=FOREST)
    pasture = statistic("agb_carbon_stock", "sum", 100.0, stratum_filter=PASTURE)
    metrics = derive(pasture, whole, forest)
    assert value(metrics, "agb_carbon_stock") == 500.0
    assert value(metrics, "agb_carbon_stock", **FOREST) == 400.0
    assert metrics[("agb_carbon_stock", *FOREST.items())].sources == ((forest.id, "primary"),)
    assert list(metrics) == list(derive(forest, pasture, whole))


def test_values_and_intervals_are_converted_into_canonical_units() -> None:
    receipts = [
        statistic(
            f"{pool}_carbon_density",
            "mean",
            number,
            value_unit=unit,
            uncertainty_pct_ci95=10.0,
            uncertainty_method="raster_layer",
        )
        for pool, number, unit in (("agb", 80_000.0, "kgC/ha"), ("bgb", 2000.0, "tC/km2"))
    ]
    metrics = derive(*receipts)
    agb, total = metrics[("agb_carbon_density",)], metrics[("total_carbon_density",)]
    assert (agb.value_canonical, agb.unit_canonical) == (80.0, "tC/ha")
    assert (agb.value_min_canonical, agb.value_max_canonical) == (72.0, 88.0)
    assert agb.formula.endswith("converted from kgC/ha to tC/ha")
    assert total.value_canonical == 100.0
    assert (total.value_min_canonical, total.value_max_canonical) == (90.0, 110.0)


def test_dry_matter_never_passes_for_carbon() -> None:
    with pytest.raises(CatalogueError, match="UNIT_MISMATCH"):
        derive(statistic("agb_carbon_density", "mean", 80.0, value_unit="Mg/ha"))


def test_two_receipts_for_one_number_are_refused() -> None:
    one, other = (statistic("agb_carbon_stock", "sum", 1.0) for _ in range(2))
    with pytest.raises(ProvenanceError) as refused:
        derive(one, other)
    assert refused.value.code == "RECEIPTS_AMBIGUOUS"
    assert refused.value.details["receipts"] == [one.id, other.id]


def test_heterogeneity_is_not_a_metric() -> None:
    assert derive(statistic("agb_carbon_density", "std", 12.0)) == {}


def test_the_label_tells_the_epoch_of_a_static_map() -> None:
    context = {"source": "esa-cci-biomass v6", "epoch": 2020}
    metric = derive(statistic("agb_stock_mg", "sum", 1.0, context=context))[("agb_stock_mg",)]
    assert metric.source_tag == "esa-cci-biomass v6, map of 2020"
    bare = derive(statistic("agb_stock_mg", "sum", 1.0, context=None))[("agb_stock_mg",)]
    assert bare.source_tag == "hgb 2010"
    assert "static_epoch" not in bare.flags


def test_every_shipped_metric_is_derived_and_every_derived_metric_is_shipped() -> None:
    dry = [
        statistic("agb_density_mg_ha", "mean", 170.0),
        statistic("agb_stock_mg", "sum", 17_000.0),
    ]
    struck = [statistic(code, "sum", 3.0, value_unit="ha") for code in CHANGE_AREAS]
    metrics = derive(histogram({3: 50.0, 27: 50.0}), *pools(), *dry, *struck).values()
    shipped = load_metric_types()
    assert {one.metric_code for one in metrics} == set(shipped) - {"land_cover_area"}
    for one in metrics:
        assert one.unit_canonical == shipped[one.metric_code].unit
        assert set(one.flags) <= set(FLAGS)
