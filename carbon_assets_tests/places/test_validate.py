from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import shapely
from pyproj import Transformer
from shapely.geometry import (
    GeometryCollection,
    LineString,
    MultiPolygon,
    Point,
    Polygon,
    box,
)

from carbon_assets.errors import PlaceError
from carbon_assets.places.geometry import geodesic_area_ha
from carbon_assets.places.importing import read_places
from carbon_assets.places.model import PlaceImport
from carbon_assets_tests.places.conftest import SQUARES, WriteFile

BOW_TIE = Polygon([(-60, -3), (-59.9, -2.9), (-59.9, -3), (-60, -2.9)])


def farms(path: Path, **options: Any) -> PlaceImport:
    return read_places(path, kind="farm", key="key", **options)


def swap(geometry: Polygon) -> Polygon:
    return shapely.transform(geometry, lambda xy: xy[:, ::-1])


@pytest.mark.parametrize(
    ("geometry", "code"),
    [
        (None, "GEOMETRY_MISSING"),
        (Polygon(), "GEOMETRY_MISSING"),
        (MultiPolygon(), "GEOMETRY_MISSING"),
        (Point(-60, -3), "GEOMETRY_NOT_POLYGON"),
        (LineString([(-60, -3), (-60, -2)]), "GEOMETRY_NOT_POLYGON"),
        (GeometryCollection([SQUARES[0]]), "GEOMETRY_NOT_POLYGON"),
        (Polygon([(-60, -3), (math.nan, -3), (-59, -2)]), "GEOMETRY_NOT_FINITE"),
        (Polygon([(-60, -3), (-59, -3), (-59, math.inf)]), "GEOMETRY_NOT_FINITE"),
        (box(500_000, 9_600_000, 501_000, 9_601_000), "GEOMETRY_OUT_OF_RANGE"),
        (box(300, -3, 301, -2), "GEOMETRY_OUT_OF_RANGE"),
        (box(-3, 100, -2, 101), "PLACE_AXES_SWAPPED"),
        (box(-179, -3, 179, -2), "GEOMETRY_SPANS_ANTIMERIDIAN"),
        (Polygon([(-60, -3), (-59, -2), (-58, -1)]), "GEOMETRY_ZERO_AREA"),
        (Polygon([(-60, -3), (-60, -3), (-60, -3)]), "GEOMETRY_ZERO_AREA"),
        (BOW_TIE, "GEOMETRY_INVALID"),
        (MultiPolygon([box(0, 0, 2, 2), box(1, 1, 3, 3)]), "GEOMETRY_INVALID"),
        (Polygon(box(0, 0, 1, 1).exterior, [box(2, 2, 3, 3).exterior]), "GEOMETRY_INVALID"),
        (box(-60, -3, -60 + 1e-10, -2), "GEOMETRY_COLLAPSED"),
    ],
)
def test_each_bad_geometry_has_its_reason_and_leaves_the_others(
    write: WriteFile, geometry: Any, code: str
) -> None:
    found = farms(write([SQUARES[0], geometry, SQUARES[1]], name="a.parquet"))
    assert [place.key for place in found.accepted] == ["f1", "f3"]
    assert [(r.feature, r.key, r.code) for r in found.rejected] == [("1", "f2", code)]
    assert found.rejected[0].what
    assert found.rejected[0].do


def test_an_open_ring_is_unreadable(tmp_path: Path) -> None:
    polygon = {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 1]]]}
    feature = {"type": "Feature", "properties": {"key": "f1"}, "geometry": polygon}
    path = tmp_path / "a.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    assert [r.code for r in farms(path).rejected] == ["GEOMETRY_UNREADABLE"]


def test_an_invalid_polygon_says_where(write: WriteFile) -> None:
    (rejection,) = farms(write([BOW_TIE])).rejected
    assert "Self-intersection[-59.95 -2.95]" in rejection.what


def test_repair_happens_only_on_request_and_is_stored_as_such(write: WriteFile) -> None:
    path = write([BOW_TIE, SQUARES[0]])
    assert [place.key for place in farms(path).accepted] == ["f2"]
    fixed, sound = farms(path, repair=True).accepted
    assert fixed.geometry.repaired
    assert fixed.geometry.shape().is_valid
    triangles = [
        Polygon([(-60, -3), (-59.95, -2.95), (-60, -2.9)]),
        Polygon([(-59.9, -3), (-59.95, -2.95), (-59.9, -2.9)]),
    ]
    assert fixed.geometry.area_ha == pytest.approx(sum(map(geodesic_area_ha, triangles)), rel=1e-6)
    note = fixed.geometry.repair_note or ""
    assert "Self-intersection" in note
    assert f"{fixed.geometry.area_ha:.6f} ha" in note
    assert "as drawn became 2 parts" in note
    assert (sound.geometry.repaired, sound.geometry.repair_note) == (False, None)


def test_repair_counts_an_area_drawn_twice_once(write: WriteFile) -> None:
    parts = MultiPolygon([box(0, 0, 2, 2), box(1, 1, 3, 3)])
    (place,) = farms(write([parts]), repair=True).accepted
    union = shapely.union(box(0, 0, 2, 2), box(1, 1, 3, 3))
    assert place.geometry.shape().equals(union)


def test_repair_does_not_invent_an_area(write: WriteFile) -> None:
    line = Polygon([(-60, -3), (-59, -2), (-58, -1)])
    found = farms(write([line, None, Point(0, 0)], name="a.parquet"), repair=True)
    assert [r.code for r in found.rejected] == [
        "GEOMETRY_ZERO_AREA",
        "GEOMETRY_MISSING",
        "GEOMETRY_NOT_POLYGON",
    ]


def file_error(path: Path, **options: Any) -> PlaceError:
    with pytest.raises(PlaceError) as caught:
        farms(path, **options)
    return caught.value


def test_swapped_axes_show_against_the_expected_area(write: WriteFile) -> None:
    path = write([swap(square) for square in SQUARES])
    assert len(farms(path).accepted) == 2
    error = file_error(path, expected_bounds=(-61.0, -4.0, -59.0, -2.0))
    assert error.code == "PLACE_AXES_SWAPPED"
    assert "longitude -61 to -59" in error.what


def test_places_elsewhere_or_in_part_elsewhere_are_not_called_swapped(write: WriteFile) -> None:
    expected = (-61.0, -4.0, -59.0, -2.0)
    elsewhere = write([box(10, 50, 11, 51)])
    assert len(farms(elsewhere, expected_bounds=expected).accepted) == 1
    mixed = write([SQUARES[0], swap(SQUARES[1])])
    assert len(farms(mixed, expected_bounds=expected).accepted) == 2
    partly = write([box(10, 50, 11, 51), swap(SQUARES[1])])
    assert len(farms(partly, expected_bounds=expected).accepted) == 2


def test_swapped_axes_show_against_the_area_of_use_of_the_coordinate_system(
    write: WriteFile,
) -> None:
    # SIRGAS 2000 is for Latin America; (-3, -60) is off Antarctica.
    error = file_error(write([swap(square) for square in SQUARES], crs="EPSG:4674"))
    assert error.code == "PLACE_AXES_SWAPPED"
    assert "SIRGAS 2000" in error.what


def test_swapped_easting_and_northing_are_noticed(write: WriteFile) -> None:
    utm = Transformer.from_crs("EPSG:4326", "EPSG:31980", always_xy=True)
    corners = [utm.transform(*corner) for corner in SQUARES[0].exterior.coords]
    assert farms(write([Polygon(corners)], crs="EPSG:31980")).accepted
    error = file_error(write([swap(Polygon(corners))], crs="EPSG:31980"))
    assert error.code == "PLACE_AXES_SWAPPED"


def test_metres_in_a_file_that_says_degrees_are_named(write: WriteFile) -> None:
    (rejection,) = farms(write([box(500_000, 9_600_000, 501_000, 9_601_000)])).rejected
    assert "(501000, 9600000)" in rejection.what
    assert "metres" in rejection.do
