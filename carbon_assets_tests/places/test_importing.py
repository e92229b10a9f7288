from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from shapely.geometry import Point, Polygon, box

from carbon_assets.errors import PlaceError
from carbon_assets.places.importing import read_places
from carbon_assets.places.model import PlaceKind
from carbon_assets_tests.places.conftest import SQUARES, WriteFile

THREE = [*SQUARES, box(-59.9, -3.2, -59.8, -3.1)]


def codes(found: Any) -> list[tuple[str, str]]:
    return [(rejection.feature, rejection.code) for rejection in found.rejected]


def test_columns_and_fixed_values_reach_the_places(write: WriteFile) -> None:
    columns = {"id": ["a", "b"], "label": ["Fazenda Um", None], "proj": ["north", ""]}
    found = read_places(
        write(SQUARES, columns), kind="farm", key="id", name="label", project="proj", biome="amazon"
    )
    first, second = found.accepted
    assert (first.key, first.name, first.project_key) == ("a", "Fazenda Um", "north")
    assert (second.key, second.name, second.project_key) == ("b", "b", None)
    assert first.biome == "amazon"
    assert first.kind is PlaceKind.FARM
    assert (first.source_file, first.source_feature) == ("farms.gpkg", "1")
    found.raise_if_rejected()


@pytest.mark.parametrize("kind", list(PlaceKind))
def test_every_kind_can_be_imported_for_a_fixed_project(write: WriteFile, kind: str) -> None:
    found = read_places(write(SQUARES), kind=kind, key="key", project_is="north")
    assert {place.kind for place in found.accepted} == {kind}
    assert {place.project_key for place in found.accepted} == {"north"}


def test_an_unknown_kind_lists_the_kinds(write: WriteFile) -> None:
    with pytest.raises(PlaceError, match="leakage_belt") as caught:
        read_places(write(SQUARES), kind="forest", key="key")
    assert caught.value.code == "PLACE_KIND_UNKNOWN"


def test_project_column_and_fixed_project_exclude_each_other(write: WriteFile) -> None:
    with pytest.raises(PlaceError) as caught:
        read_places(write(SQUARES), kind="farm", key="key", project="key", project_is="north")
    assert caught.value.code == "PLACES_OPTIONS_CONFLICT"


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (["a", None, "c"], [("2", "PLACE_KEY_MISSING")]),
        (["a", "  ", "c"], [("2", "PLACE_KEY_MISSING")]),
        (["a", "b", "a"], [("1", "PLACE_KEY_DUPLICATE"), ("3", "PLACE_KEY_DUPLICATE")]),
        (["a", "b\n", "c"], [("2", "PLACE_KEY_INVALID")]),
        (["a", "b\u200b", "c"], [("2", "PLACE_KEY_INVALID")]),
        (["a", "../\\b", "c"], [("2", "PLACE_KEY_INVALID")]),
        (["a", " b", "c"], [("2", "PLACE_KEY_INVALID")]),
        (["a", "--", "c"], [("2", "PLACE_KEY_INVALID")]),
        (["a", "b" * 101, "c"], [("2", "PLACE_KEY_INVALID")]),
        (["São João", "Fazenda 3 (norte)", "ภูเขา"], []),
        (
            ["S\u00e3o", "Sa\u0303o", "c"],
            [("1", "PLACE_KEY_DUPLICATE"), ("2", "PLACE_KEY_DUPLICATE")],
        ),
        ([1, 2, 3], []),
    ],
)
def test_keys(write: WriteFile, keys: list[Any], expected: list[tuple[str, str]]) -> None:
    found = read_places(write(THREE, {"key": keys}), kind="farm", key="key")
    assert codes(found) == expected
    assert len(found.accepted) == 3 - len(expected)


@pytest.mark.parametrize("name", ["a.gpkg", "a.parquet"])
def test_whole_numbers_with_gaps_are_keys_without_a_decimal_point(
    write: WriteFile, name: str
) -> None:
    path = write(THREE, {"key": np.array([7.0, np.nan, 12.0])}, name=name)
    found = read_places(path, kind="farm", key="key")
    assert [place.key for place in found.accepted] == ["7", "12"]
    assert [rejection.code for rejection in found.rejected] == ["PLACE_KEY_MISSING"]


def test_names_and_projects_are_checked(write: WriteFile) -> None:
    columns = {"key": ["a", "b", "c"], "n": ["x\ty", "ok", "n" * 201], "p": ["p", "p\x07", "p"]}
    found = read_places(write(THREE, columns), kind="farm", key="key", name="n", project="p")
    assert codes(found) == [
        ("1", "PLACE_NAME_INVALID"),
        ("2", "PLACE_PROJECT_INVALID"),
        ("3", "PLACE_NAME_INVALID"),
    ]


def test_one_polygon_under_two_keys_is_refused_however_it_is_drawn(write: WriteFile) -> None:
    corners = list(SQUARES[0].exterior.coords)[:-1]
    turned = Polygon([corners[2], corners[1], corners[0], corners[3]])
    assert turned.equals(SQUARES[0])
    found = read_places(write([SQUARES[0], SQUARES[1], turned]), kind="farm", key="key")
    assert codes(found) == [("1", "GEOMETRY_DUPLICATE"), ("3", "GEOMETRY_DUPLICATE")]
    assert "feature 3 (f3)" in found.rejected[0].what


def test_a_feature_may_have_several_reasons(write: WriteFile) -> None:
    path = write([SQUARES[0], Point(0, 0)], {"key": ["a", None]}, name="a.parquet")
    found = read_places(path, kind="farm", key="key")
    assert codes(found) == [("1", "PLACE_KEY_MISSING"), ("1", "GEOMETRY_NOT_POLYGON")]


def test_raise_if_rejected_shows_some_and_lists_all(write: WriteFile) -> None:
    found = read_places(
        write([SQUARES[0], *[Point(0, y) for y in range(12)]], name="a.parquet"),
        kind="farm",
        key="key",
    )
    with pytest.raises(PlaceError) as caught:
        found.raise_if_rejected()
    error = caught.value
    assert error.code == "PLACES_REJECTED"
    assert "12 of 13 features" in error.what
    assert error.what.count("GEOMETRY_NOT_POLYGON") == 10
    assert "and 2 more" in error.what
    assert len(error.details["rejected"]) == 12
    assert error.details["rejected"][0] == found.rejected[0].as_dict()


def test_an_import_crosses_a_process_boundary(write: WriteFile) -> None:
    found = read_places(write(SQUARES), kind="farm", key="key")
    assert pickle.loads(pickle.dumps(found)) == found


def test_feature_order_does_not_change_what_is_stored(write: WriteFile) -> None:
    forward = read_places(write(SQUARES), kind="farm", key="key")
    backward = read_places(
        write(SQUARES[::-1], {"key": ["f2", "f1"]}, name="b.gpkg"), kind="farm", key="key"
    )
    assert {p.key: p.geometry for p in forward.accepted} == {
        p.key: p.geometry for p in backward.accepted
    }
