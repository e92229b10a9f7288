from __future__ import annotations

import hashlib
import struct

import numpy as np
import pytest
import shapely
from hypothesis import assume, given
from hypothesis import strategies as st
from shapely.affinity import scale
from shapely.geometry import GeometryCollection, LineString, MultiPolygon, Point, Polygon, box

from carbon_assets.errors import PlaceError
from carbon_assets.places.geometry import (
    SNAP_GRID_DEGREES,
    PlaceGeometry,
    geodesic_area_ha,
    geometry_bytes,
    geometry_hash,
    load_geometry,
    normalise,
)
from carbon_assets_tests.places.shapes import PROPERTY, multipolygons, redrawn

SQUARE = box(-60.2, -3.2, -60.1, -3.1)


@given(st.data())
@PROPERTY
def test_every_way_to_draw_a_polygon_gives_the_same_bytes(data: st.DataObject) -> None:
    geometry = data.draw(multipolygons())
    again = data.draw(redrawn(geometry))
    assert geometry_bytes(normalise(again)) == geometry_bytes(normalise(geometry))


@given(multipolygons())
@PROPERTY
def test_normalise_is_a_fixed_point(geometry: MultiPolygon) -> None:
    once = normalise(geometry)
    assert geometry_bytes(normalise(once)) == geometry_bytes(once)


def stored_or_nothing(geometry: MultiPolygon) -> bytes:
    try:
        return geometry_bytes(normalise(geometry))
    except PlaceError as error:
        if error.code != "GEOMETRY_COLLAPSED":
            raise
        return b""


@given(st.data(), st.floats(1e-9, 1e-7))
@PROPERTY
def test_at_the_size_of_the_grid_the_same_holds(data: st.DataObject, size: float) -> None:
    geometry = MultiPolygon(data.draw(multipolygons()).geoms[:1])
    tiny = scale(geometry, size, size, origin=(0, 0))
    assume(tiny.is_valid)
    again = data.draw(redrawn(tiny))
    stored = stored_or_nothing(tiny)
    assert stored_or_nothing(again) == stored
    if stored:
        assert load_geometry(stored).is_valid
        assert stored_or_nothing(load_geometry(stored)) == stored


@given(multipolygons())
@PROPERTY
def test_every_coordinate_lies_on_the_grid_next_to_a_drawn_one(geometry: MultiPolygon) -> None:
    stored = shapely.get_coordinates(normalise(geometry))
    assert np.array_equal(stored, np.round(stored * 1e9) / 1e9)
    drawn = shapely.MultiPoint(shapely.get_coordinates(geometry))
    assert shapely.distance(shapely.points(stored), drawn).max() <= SNAP_GRID_DEGREES


def test_a_move_below_the_grid_is_no_change_and_above_it_is_one() -> None:
    stored = normalise(SQUARE)
    below, above = (shapely.transform(SQUARE, lambda xy, by=by: xy + by) for by in (4e-10, 2e-9))
    assert normalise(below).equals_exact(stored, 0)
    assert geometry_bytes(normalise(above)) != geometry_bytes(stored)


def test_a_polygon_and_its_multipolygon_are_the_same_with_height_or_without() -> None:
    flat = normalise(SQUARE)
    high = shapely.force_3d(MultiPolygon([SQUARE]), 250.0)
    assert geometry_bytes(normalise(high)) == geometry_bytes(flat)
    assert not normalise(high).has_z


def test_negative_zero_is_zero() -> None:
    drawn = Polygon([(-0.0, -0.0), (1, -1e-12), (1, 1), (-1e-13, 1)])
    stored = normalise(drawn)
    assert geometry_bytes(stored) == geometry_bytes(normalise(box(0, 0, 1, 1)))
    assert not np.signbit(shapely.get_coordinates(stored)).any()


def test_bytes_are_little_endian_two_dimensional_multipolygon_wkb() -> None:
    wkb = geometry_bytes(normalise(box(0, 0, 1, 1)))
    assert wkb[:9] == struct.pack("<BII", 1, 6, 1)
    assert len(wkb) == 9 + 9 + 4 + 5 * 16
    assert geometry_hash(wkb) == "sha256:" + hashlib.sha256(wkb).hexdigest()


def test_the_hash_of_a_known_polygon_never_changes() -> None:
    wkb = geometry_bytes(normalise(SQUARE))
    assert geometry_hash(wkb) == (
        "sha256:603896cc6f63ac9ed57d8fd9b90a5505d0bb34c1c61e491ca842e9efe80d8fc2"
    )


def test_two_parts_closer_than_the_grid_become_one_valid_polygon() -> None:
    parts = MultiPolygon([box(0, 0, 1, 1), box(1 + 1e-10, 0, 2, 1)])
    stored = normalise(parts)
    assert len(stored.geoms) == 1
    assert stored.equals(box(0, 0, 2, 1))


def test_a_hole_thinner_than_the_grid_is_dropped() -> None:
    thin = Polygon(box(0, 0, 1, 1).exterior, [box(0.4, 0.4, 0.4 + 1e-11, 0.6).exterior])
    assert not normalise(thin).geoms[0].interiors


@pytest.mark.parametrize(
    ("geometry", "code"),
    [
        (LineString([(0, 0), (1, 1)]), "GEOMETRY_NOT_POLYGON"),
        (GeometryCollection([SQUARE]), "GEOMETRY_NOT_POLYGON"),
        (Polygon([(0, 0), (1, 1), (1, 0), (0, 1)]), "GEOMETRY_INVALID"),
        (box(0, 0, 1e-10, 1), "GEOMETRY_COLLAPSED"),
        (Polygon(), "GEOMETRY_COLLAPSED"),
    ],
)
def test_what_has_no_stored_form_is_refused(geometry: Polygon, code: str) -> None:
    with pytest.raises(PlaceError) as caught:
        normalise(geometry)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "wkb",
    [
        b"",
        b"\x01\x02",
        shapely.to_wkb(SQUARE, byte_order=1),
        shapely.to_wkb(MultiPolygon([SQUARE]), byte_order=0),
        shapely.to_wkb(shapely.force_3d(MultiPolygon([SQUARE])), byte_order=1),
    ],
)
def test_other_bytes_than_stored_ones_are_refused(wkb: bytes) -> None:
    with pytest.raises(PlaceError) as caught:
        load_geometry(wkb)
    assert caught.value.code == "GEOMETRY_BYTES_UNREADABLE"


def test_a_loaded_geometry_is_not_rounded_by_later_operations() -> None:
    stored = normalise(box(0, 0, 1, 1))
    third = stored.intersection(Polygon([(0, 0), (1, 1 / 3), (1, 0)]))
    assert third.bounds[3] == 1 / 3
    assert shapely.get_precision(stored) == 0


def test_one_degree_on_the_equator_is_1230878_hectares() -> None:
    # GeographicLib's Planimeter for the quadrilateral 0 0, 0 1, 1 1, 1 0: 12308778361.469 m².
    assert geodesic_area_ha(box(0, 0, 1, 1)) == pytest.approx(1_230_877.8361469, rel=1e-12)


def test_area_counts_holes_off_and_ignores_direction_and_lines() -> None:
    whole, hole = box(0, 0, 1, 1), box(0.2, 0.2, 0.4, 0.4)
    ring = Polygon(whole.exterior, [hole.exterior])
    expected = geodesic_area_ha(whole) - geodesic_area_ha(hole)
    assert geodesic_area_ha(ring) == pytest.approx(expected, rel=1e-12)
    assert geodesic_area_ha(ring.reverse()) == pytest.approx(expected, rel=1e-12)
    mixed = GeometryCollection([Point(5, 5), LineString([(0, 0), (1, 1)]), MultiPolygon([ring])])
    assert geodesic_area_ha(mixed) == pytest.approx(expected, rel=1e-12)


def test_place_geometry_follows_from_its_bytes() -> None:
    place = PlaceGeometry.from_geometry(SQUARE)
    assert place.hash == geometry_hash(place.wkb)
    assert place.bbox == (-60.2, -3.2, -60.1, -3.1)
    assert place.shape().equals(SQUARE)
    assert place.area_ha == geodesic_area_ha(place.shape())
    assert (place.repaired, place.repair_note) == (False, None)
