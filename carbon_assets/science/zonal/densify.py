"""Edges cut short before they are carried into another coordinate system."""

from __future__ import annotations

import numpy as np
import shapely


def densify(geometry: shapely.MultiPolygon, longest: float) -> shapely.MultiPolygon:
    """Cut every edge into equal pieces no longer than ``longest``.

    A cut is a weighted mean of the two ends, so it is the same point to the last bit from
    whichever end it is counted: neighbours that share an edge go on sharing it.

    Args:
        geometry: The polygon; its vertices are kept as they are.
        longest: In units of its coordinates.
    """
    kind, points, (rings, *parts) = shapely.to_ragged_array([geometry])
    step = np.diff(points, axis=0, append=points[-1:])
    step[rings[1:] - 1] = 0.0
    pieces = np.maximum(np.ceil(np.hypot(*step.T) / longest), 1.0).astype(np.int64)
    stops = np.concatenate([[0], np.cumsum(pieces)])
    start = np.repeat(np.arange(len(points)), pieces)
    cut, of = np.arange(len(start)) - stops[start], pieces[start]
    ends = points[start], points[np.minimum(start + 1, len(points) - 1)]
    between = (ends[0] * (of - cut)[:, None] + ends[1] * cut[:, None]) / of[:, None]
    between[stops[:-1]] = points
    one: shapely.MultiPolygon = shapely.from_ragged_array(kind, between, (stops[rings], *parts))[0]
    return one
