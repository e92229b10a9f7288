import math
from fractions import Fraction
from itertools import combinations

import pytest

from carbon_assets.demo.plane import Box, Field, pieces, zone_area_ha


def box(x0: object, x1: object, y0: object, y1: object) -> Box:
    return Box(*(Fraction(str(edge)) for edge in (x0, x1, y0, y1)))


def extent(one: Box) -> Fraction:
    return (one.x1 - one.x0) * (one.y1 - one.y0)


def test_whole_ellipsoid_has_its_known_area():
    globe = zone_area_ha(box(-180, 180, -90, 90))
    assert globe / 100 == pytest.approx(510_065_621.724, rel=1e-12)  # km2, WGS 84


def test_zone_area_agrees_with_an_equal_area_projection():
    from pyproj import Transformer

    project = Transformer.from_crs("EPSG:4326", "+proj=cea +ellps=WGS84", always_xy=True)
    (x0, x1), (y0, y1) = project.transform([-53.004, -52.59], [-10.55, -10.2])
    expected = (x1 - x0) * (y1 - y0) / 10_000
    assert zone_area_ha(box(-53.004, -52.59, -10.55, -10.2)) == pytest.approx(expected, rel=1e-11)


def test_cell_of_thirty_metres_is_not_nine_hundredths_of_a_hectare_off_the_equator():
    cell = 0.0002694945852358564
    at_equator = zone_area_ha(box(0, cell, 0, cell))
    at_ten_south = zone_area_ha(box(0, cell, -10 - cell, -10))
    assert at_equator == pytest.approx(0.09 * (1 - 0.0066944), rel=1e-5)
    assert at_ten_south / at_equator == pytest.approx(math.cos(math.radians(10)), rel=5e-4)


def test_pieces_are_disjoint_and_fill_the_shape():
    shape = Field(
        False, ((box(0, 10, 0, 10), True), (box(5, 12, 5, 12), True), (box(4, 6, 4, 6), False))
    )
    found = [piece for piece, _ in pieces(shape)]
    assert sum(map(extent, found)) == 100 + 49 - 25 - 4 + 0
    for a, b in combinations(found, 2):
        assert min(a.x1, b.x1) <= max(a.x0, b.x0) or min(a.y1, b.y1) <= max(a.y0, b.y0)


def test_later_patches_lie_over_earlier_ones_and_reach_beyond_the_shape():
    shape = Field(False, ((box(0, 4, 0, 4), True),))
    field = Field(0, ((box(-9, 2, -9, 9), 1), (box(1, 9, 1, "2.5"), 2), (box(20, 30, 0, 4), 3)))
    areas: dict[int, Fraction] = {}
    for piece, (value,) in pieces(shape, [field]):
        areas[value] = areas.get(value, Fraction(0)) + extent(piece)
    assert areas == {0: Fraction(16) - 8 - 3, 1: Fraction(8) - Fraction(3, 2), 2: Fraction(9, 2)}
