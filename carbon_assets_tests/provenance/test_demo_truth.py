"""The computed demo against the closed-form answers: every farm, every vintage."""

from __future__ import annotations

import math
from collections import defaultdict
from functools import cache
from typing import Any

import pytest
from sqlalchemy import text

from carbon_assets.demo import truth
from carbon_assets.demo.design import load_design
from carbon_assets.reference.legend import load_legend
from carbon_assets.reference.strata_map import load_strata
from carbon_assets.store.database import Database
from carbon_assets.store.engines import transaction

DESIGN = load_design()
FARMS = [farm.key for farm in DESIGN.farms()]
LEGEND = load_legend("mapbiomas-brazil-col-10")
OBSERVED = LEGEND.observed_ids
FOREST = LEGEND.ids_in("natural_forest")
SUB_CELL_HA = 0.09
"""About the area of one land-cover cell: what is smaller has the wider tolerance."""
Z_95 = 1.959963984540054


def near(expected: float, whole: float | None = None) -> Any:
    """What a correct pipeline gives; areas of less than a cell come with the wider tolerance.

    Args:
        expected: The true number.
        whole: Hectares that it describes, where it is not an area itself.
    """
    area = expected if whole is None else whole
    tolerance = truth.RELATIVE_TOLERANCE if area > SUB_CELL_HA else truth.SUB_CELL_TOLERANCE
    return pytest.approx(expected, rel=tolerance, abs=1e-12)


Rows = dict[tuple[str, int], list[Any]]


@pytest.fixture(scope="module")
def receipts(shared_computed: Database) -> Rows:
    return _by_partition(
        shared_computed,
        "SELECT f.key AS place, r.vintage_year AS vintage, r.* FROM current_raster_aggregates AS r"
        " JOIN farms AS f ON f.id = r.geometry_id",
    )


@pytest.fixture(scope="module")
def metrics(shared_computed: Database) -> Rows:
    return _by_partition(
        shared_computed,
        "SELECT f.key AS place, m.vintage_year AS vintage, m.* FROM current_farm_metrics AS m"
        " JOIN farms AS f ON f.id = m.farm_id",
    )


def _by_partition(database: Database, query: str) -> Rows:
    found: Rows = defaultdict(list)
    with transaction(database) as connection:
        for row in connection.execute(text(query)):
            found[row.place, row.vintage].append(row)
    return found


def receipt(rows: list[Any], metric: str, method: str, stratum: str | None = None) -> Any:
    wanted = {"forest_type": stratum} if stratum else None
    (found,) = [
        row
        for row in rows
        if (row.metric_code, row.aggregate_method, row.stratum_filter) == (metric, method, wanted)
    ]
    return found


def metric(rows: list[Any], code: str, **stratum: str) -> Any:
    (found,) = [
        row for row in rows if row.metric_code == code and (row.stratum_filter or {}) == stratum
    ]
    return found


@cache
def classes_by_stratum() -> dict[str, set[int]]:
    found: dict[str, set[int]] = defaultdict(set)
    stated = load_strata("mapbiomas-brazil-col-10", "mapbiomas-brazil-col-10").terms
    for class_id in LEGEND.ids:
        term = stated.get(class_id, {}).get("forest_type")
        found[term if term and class_id in OBSERVED else "not_observed"].add(class_id)
    return found


@pytest.mark.parametrize("farm", FARMS)
def test_histograms(receipts: Rows, farm: str) -> None:
    for vintage in DESIGN.years:
        found = receipt(receipts[farm, vintage], "land_cover_area", "class_histogram")
        areas, cells = truth.class_area_ha(farm, vintage), truth.class_cells(farm, vintage)
        assert {int(i) for i in found.histogram} == set(areas), vintage
        for class_id, hectares in areas.items():
            entry = found.histogram[str(class_id)]
            assert entry["ha"] == near(hectares), (vintage, class_id)
            assert entry["cells"] == cells[class_id].touched, (vintage, class_id)
        observed = sum(ha for i, ha in areas.items() if i in OBSERVED)
        assert found.covered_area_ha == found.value == near(truth.area_ha(farm))
        assert found.valid_area_ha == near(observed)
        weighted = sum(c.weighted for c in cells.values())
        assert found.weighted_pixel_count == near(weighted, truth.area_ha(farm))
        assert found.pixel_nodata_count == sum(
            c.touched for i, c in cells.items() if i not in OBSERVED
        )


@pytest.mark.parametrize("farm", FARMS)
def test_areas_of_groups_and_forest(metrics: Rows, farm: str) -> None:
    for vintage in DESIGN.years:
        rows, areas = metrics[farm, vintage], truth.class_area_ha(farm, vintage)
        observed = sum(ha for i, ha in areas.items() if i in OBSERVED)
        assert metric(rows, "total_area").value_canonical == near(truth.area_ha(farm))
        assert metric(rows, "observed_area").value_canonical == near(observed)
        assert metric(rows, "not_observed_area").value_canonical == near(
            sum(areas.values()) - observed, truth.area_ha(farm)
        )
        if not observed:
            continue
        for group, ids in LEGEND.groups.items():
            if group != "not_observed":
                expected = math.fsum(areas.get(i, 0.0) for i in ids)
                assert metric(rows, f"{group}_area").value_canonical == near(expected), group
        forest = math.fsum(areas.get(i, 0.0) for i in FOREST)
        assert metric(rows, "forest_cover").value_canonical == near(forest)
        assert metric(rows, "forest_cover_pct").value_canonical == near(
            100.0 * forest / sum(areas.values()), forest
        )
        for class_id, hectares in areas.items():
            found = metric(rows, "class_area", **{"class": str(class_id)})
            assert found.value_canonical == near(hectares)


@pytest.mark.parametrize("pool", ["agb", "bgb"])
@pytest.mark.parametrize("farm", FARMS)
def test_carbon_of_every_forest_type_and_of_the_whole(
    receipts: Rows, metrics: Rows, farm: str, pool: str
) -> None:
    for vintage in DESIGN.years:
        values = truth.band_totals(farm, vintage, "hgb", pool)
        errors = truth.band_totals(farm, vintage, "hgb", f"{pool}_uncertainty")
        present = {s for s, ids in classes_by_stratum().items() if ids & values.keys()}
        stated = {
            row.stratum_filter["forest_type"]
            for row in receipts[farm, vintage]
            if row.metric_code == f"{pool}_carbon_stock" and row.stratum_filter
        }
        assert stated == present
        for stratum in (None, *sorted(present)):
            ids = classes_by_stratum()[stratum] if stratum else values.keys()
            check_stock(
                receipts[farm, vintage],
                metrics[farm, vintage],
                pool,
                stratum,
                [values[i] for i in values if i in ids],
                [errors[i] for i in values if i in ids],
            )


def check_stock(
    rows: list[Any],
    metrics: list[Any],
    pool: str,
    stratum: str | None,
    values: list[truth.BandTotal],
    errors: list[truth.BandTotal],
) -> None:
    valid, amount, error = (
        math.fsum(one.valid_ha for one in values),
        math.fsum(one.amount for one in values),
        math.fsum(one.amount for one in errors),
    )
    covered = valid + math.fsum(one.nodata_ha for one in values)
    stock = receipt(rows, f"{pool}_carbon_stock", "sum", stratum)
    density = receipt(rows, f"{pool}_carbon_density", "mean", stratum)
    filters = {"forest_type": stratum} if stratum else {}
    derived = metric(metrics, f"{pool}_carbon_stock", **filters)
    assert stock.covered_area_ha == near(covered)
    assert stock.valid_area_ha == near(valid)
    assert density.context["carbon_fraction"] is None
    assert density.context["epoch"] == 2010
    if not valid:
        assert stock.value is density.value is derived.value_canonical is None
        assert stock.pixel_count == stock.pixel_nodata_count > 0
        assert "no_data" in derived.flags
        return
    assert stock.value == near(amount, valid)
    assert density.value == near(amount / valid, valid)
    assert stock.uncertainty_method == density.uncertainty_method == "raster_layer"
    percent = 100.0 * Z_95 * error / amount
    assert stock.uncertainty_pct_ci95 == near(percent, valid)
    assert density.uncertainty_pct_ci95 == near(percent, valid)
    assert derived.value_canonical == near(amount, valid)
    assert derived.value_min_canonical == near(amount - Z_95 * error, valid)
    assert derived.value_max_canonical == near(amount + Z_95 * error, valid)
    assert derived.valid_share == near(valid / covered, covered)


@pytest.mark.parametrize("farm", FARMS)
def test_strata_sum_to_the_whole(receipts: Rows, farm: str) -> None:
    for vintage in DESIGN.years:
        rows = receipts[farm, vintage]
        for code in ("agb_carbon_stock", "bgb_carbon_stock"):
            whole = receipt(rows, code, "sum")
            parts = [row for row in rows if row.metric_code == code and row.stratum_filter]
            for name in ("value", "covered_area_ha", "valid_area_ha", "weighted_pixel_count"):
                total = math.fsum(getattr(part, name) or 0.0 for part in parts)
                assert total == pytest.approx(getattr(whole, name) or 0.0, rel=1e-12)
            assert sum(part.pixel_count for part in parts) == whole.pixel_count


def test_total_carbon_is_the_sum_of_its_pools(metrics: Rows) -> None:
    for rows in metrics.values():
        total = metric(rows, "total_carbon_stock").value_canonical
        pools = [metric(rows, f"{pool}_carbon_stock").value_canonical for pool in ("agb", "bgb")]
        assert total == pytest.approx(math.fsum(pools), rel=1e-14)


def test_a_farm_smaller_than_a_cell_has_its_own_area(receipts: Rows, metrics: Rows) -> None:
    for vintage in DESIGN.years:
        found = receipt(receipts["north-06", vintage], "land_cover_area", "class_histogram")
        assert found.pixel_count == 1
        assert found.weighted_pixel_count == pytest.approx(0.4 * 0.5, rel=1e-5)
        assert 0 < found.covered_area_ha < SUB_CELL_HA / 4
        rows = metrics["north-06", vintage]
        assert metric(rows, "pasture_area").value_canonical == 0.0
        assert metric(rows, "forest_cover_pct").value_canonical == pytest.approx(100.0)


def test_zero_is_not_no_data(metrics: Rows) -> None:
    """Farm north-07 lies under clouds for the most part of 2021, and for a part of 2019."""
    clear, clouded = (metrics["north-07", vintage] for vintage in (2020, 2021))
    assert metric(clear, "pasture_area").value_canonical == 0.0
    assert metric(clear, "pasture_area").flags == []
    assert metric(clouded, "forest_cover").valid_share < 0.8
    assert "low_valid_share" in metric(clouded, "forest_cover").flags
    assert metric(clouded, "pasture_area").value_canonical == 0.0
    assert metric(clouded, "pasture_area").flags == ["low_valid_share"]
    assert metric(clouded, "total_area").value_canonical == near(truth.area_ha("north-07"))
    assert metric(clouded, "total_area").valid_share == 1.0


def test_land_beyond_the_map_is_not_observed_and_has_no_carbon(
    receipts: Rows, metrics: Rows
) -> None:
    rows = metrics["south-05", 2023]
    beyond = truth.class_area_ha("south-05", 2023)[0]
    assert metric(rows, "not_observed_area").value_canonical == near(beyond)
    stock = receipt(receipts["south-05", 2023], "agb_carbon_stock", "sum", "not_observed")
    assert stock.covered_area_ha == near(beyond)
    without = math.fsum(
        one.nodata_ha for one in truth.band_totals("south-05", 2023, "hgb", "agb").values()
    )
    whole = receipt(receipts["south-05", 2023], "agb_carbon_stock", "sum")
    assert without > 0
    assert whole.covered_area_ha - whole.valid_area_ha == near(without)


def test_a_river_without_an_estimate_lowers_the_valid_share(metrics: Rows) -> None:
    for vintage in DESIGN.years:
        water = metric(metrics["north-08", vintage], "agb_carbon_stock", forest_type="water")
        values = truth.band_totals("north-08", vintage, "hgb", "agb")
        ids = classes_by_stratum()["water"] & values.keys()
        valid = math.fsum(values[i].valid_ha for i in ids)
        covered = valid + math.fsum(values[i].nodata_ha for i in ids)
        assert water.valid_share == near(valid / covered, covered)


def test_a_class_that_does_not_occur_is_zero_and_not_unknown(metrics: Rows) -> None:
    found = [
        metric(rows, "natural_forest_area")
        for (farm, _), rows in metrics.items()
        if farm == "south-03"
    ]
    assert {row.value_canonical for row in found} == {0.0}
    assert all(row.flags == [] and row.valid_share == 1.0 for row in found)


def test_boundaries_hold_at_least_their_farms(metrics: Rows) -> None:
    for project in ("north", "south"):
        for vintage in DESIGN.years:
            inside = [
                metric(metrics[farm, vintage], "forest_cover").value_canonical
                for farm in FARMS
                if farm.startswith(project)
            ]
            whole = metric(metrics[f"{project}-boundary", vintage], "forest_cover")
            assert whole.value_canonical > math.fsum(one for one in inside if one)
