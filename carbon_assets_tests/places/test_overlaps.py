from __future__ import annotations

import numpy as np
import pytest
from shapely.geometry import Polygon, box

from carbon_assets.places.geometry import PlaceGeometry, geodesic_area_ha
from carbon_assets.places.model import Place, PlaceKind
from carbon_assets.places.overlaps import find_overlaps, overlap_summary, overlapping_pairs


def place(key: str, shape: Polygon, kind: PlaceKind = PlaceKind.FARM) -> Place:
    geometry = PlaceGeometry.from_geometry(shape)
    return Place(key, key, kind, None, None, geometry, "a.gpkg", "EPSG:4326", key)


def test_an_overlap_is_measured_in_hectares_and_shares() -> None:
    left, right = box(0, 0, 0.2, 0.1), box(0.1, 0, 0.5, 0.1)
    (overlap,) = find_overlaps([place("b", right), place("a", left)])
    assert (overlap.first, overlap.second) == ("a", "b")
    assert overlap.area_ha == pytest.approx(geodesic_area_ha(box(0.1, 0, 0.2, 0.1)), rel=1e-9)
    assert overlap.share_of_first == pytest.approx(0.5, rel=1e-5)
    assert overlap.share_of_second == pytest.approx(0.25, rel=1e-5)
    assert overlap.as_dict()["area_ha"] == overlap.area_ha


def test_neighbours_and_slivers_under_the_threshold_are_not_reported() -> None:
    shapes = [box(0, 0, 0.1, 0.1), box(0.1, 0, 0.2, 0.1), box(0.2 - 2e-9, 0, 0.3, 0.1)]
    farms = [place(str(number), shape) for number, shape in enumerate(shapes)]
    assert find_overlaps(farms) == []
    (sliver,) = find_overlaps(farms, min_area_ha=0.0)
    assert (sliver.first, sliver.second) == ("1", "2")
    assert 0 < sliver.area_ha < 0.01


@pytest.mark.parametrize(("width", "found"), [(8.0e-6, 0), (1.0e-5, 1)])
def test_the_default_threshold_is_a_hundredth_of_a_hectare(width: float, found: int) -> None:
    # A strip of 0.001 degrees (110.57 m) by ``width`` (0.89 m and 1.11 m) on the equator.
    farms = [place("a", box(0, 0, 0.001, 0.001)), place("b", box(0.001 - width, 0, 0.002, 0.001))]
    assert len(find_overlaps(farms)) == found


def test_places_of_different_kinds_may_overlap() -> None:
    whole = place("whole", box(0, 0, 1, 1), PlaceKind.PROJECT_BOUNDARY)
    assert find_overlaps([whole, place("farm", box(0, 0, 0.5, 0.5))]) == []


def test_the_largest_overlap_comes_first_and_the_sum_is_told() -> None:
    shapes = {"a": box(0, 0, 1, 1), "b": box(0.9, 0, 2, 1), "c": box(1.5, 0, 3, 1)}
    found = find_overlaps([place(key, shape) for key, shape in shapes.items()])
    assert [(overlap.first, overlap.second) for overlap in found] == [("b", "c"), ("a", "b")]
    total = sum(overlap.area_ha for overlap in found)
    assert overlap_summary(found).startswith(f"2 pairs of places overlap, sharing {total:,.4f} ha")


def test_the_summary_states_its_threshold() -> None:
    assert overlap_summary([], 0.5) == (
        "No two places overlap (overlaps up to 0.5 ha are not reported)."
    )


def test_each_pair_of_a_grid_is_found_once() -> None:
    cells = [box(x, y, x + 1.01, y + 1) for x in range(12) for y in range(12)]
    pairs = overlapping_pairs(np.array(cells, dtype=object))
    assert sorted((i, j) for i, j, _ in pairs) == [(i, i + 12) for i in range(132)]


def test_no_places_have_no_overlaps() -> None:
    assert find_overlaps([]) == []
    assert find_overlaps([place("a", box(0, 0, 1, 1))]) == []
