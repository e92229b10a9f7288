"""Edges carried into a projected system: short, complete, the same from both sides."""

from __future__ import annotations

import numpy as np
import shapely
from shapely.geometry import MultiPolygon, Polygon, box

from carbon_assets.science.zonal.densify import densify
from carbon_assets_tests.science.drawn import ring


def test_no_edge_is_longer_and_no_vertex_is_lost() -> None:
    drawn = MultiPolygon([box(0, 0, 1, 2).difference(box(0.2, 0.2, 0.7, 0.9)), box(5, 5, 5.01, 6)])
    dense = densify(drawn, 0.03)
    assert dense.is_valid
    assert len(dense.geoms) == 2
    assert len(dense.geoms[0].interiors) == 1
    for line in shapely.get_parts(shapely.boundary(dense)):
        steps = np.hypot(*np.diff(shapely.get_coordinates(line), axis=0).T)
        assert steps.max() <= 0.03 * (1 + 1e-12)
    before = {tuple(point) for point in shapely.get_coordinates(drawn)}
    assert before <= {tuple(point) for point in shapely.get_coordinates(dense)}
    assert abs(dense.area - drawn.area) < 1e-12


def test_short_edges_stay_as_they_are() -> None:
    drawn = MultiPolygon([box(0.1, 0.2, 0.3, 0.4)])
    assert shapely.to_wkb(densify(drawn, 1.0)) == shapely.to_wkb(drawn)


def test_neighbours_get_the_same_points_on_their_common_edge() -> None:
    # Counted from the other end, points on an edge once differed in the last bit.
    random = np.random.default_rng(1)
    for _ in range(50):
        corners = ring(random, -52.0, -11.0, 0.05)
        edge = MultiPolygon([Polygon([corners[0], corners[1], corners[2]])])
        back = MultiPolygon([Polygon([corners[1], corners[0], corners[3]])])
        first, second = (
            {tuple(point) for point in shapely.get_coordinates(densify(one, 0.001))}
            for one in (edge, back)
        )
        length = float(np.hypot(*(corners[1] - corners[0])))
        assert len(first & second) == int(np.ceil(length / 0.001)) + 1
