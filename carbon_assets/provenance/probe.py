"""A fixed case put through the kernel: its digits tell whether a library changed them."""

from __future__ import annotations

import hashlib
from functools import cache

import numpy as np
import shapely

from carbon_assets.places.geometry import PlaceGeometry
from carbon_assets.science.zonal.cells import Cells, place_outline, strips
from carbon_assets.science.zonal.grid import Lattice
from carbon_assets.science.zonal.lookup import look_up
from carbon_assets.science.zonal.statistics import Sample, moments, percentile
from carbon_assets.science.zonal.sums import Grouping

_FINE = Lattice("EPSG:4326", 0.0002694945852358564, 0.0002694945852358564)
_COARSE = Lattice("EPSG:4326", 1 / 360, 1 / 360)
_PROJECTED = Lattice("EPSG:31982", 100.0, 100.0)
_EQUAL_AREA = Lattice("EPSG:6933", 1000.0, 1000.0)


@cache
def numerics_probe() -> str:
    """``sha256:…`` of what the kernel gives for a fixed polygon on four grids.

    It stands for numpy, GEOS and PROJ in a fingerprint: an upgrade that keeps every digit
    keeps every receipt, one that changes a digit makes them stale.
    """
    total = hashlib.sha256()
    geometry = shapely.from_wkb(PlaceGeometry.from_geometry(_polygon()).wkb)
    total.update(shapely.to_wkb(geometry, byte_order=1))
    for lattice in (_FINE, _PROJECTED):
        for cells in strips(place_outline(geometry, lattice), lattice):
            _feed(total, cells, lattice)
    return f"sha256:{total.hexdigest()}"


def _polygon() -> shapely.Polygon:
    angle = np.linspace(0.0, 2.0 * np.pi, 37)[:-1]
    radius = 0.012 + 0.004 * np.cos(5.0 * angle)
    ring = np.column_stack((-52.7 + radius * np.cos(angle), -10.3 + radius * np.sin(angle)))
    return shapely.Polygon(ring, [0.2 * (ring[::-1] - [-52.7, -10.3]) + [-52.7, -10.3]])


def _feed(total: hashlib._Hash, cells: Cells, lattice: Lattice) -> None:
    values = np.sin(cells.index * 0.37) ** 2
    by = Grouping((cells.index % 5).astype(np.int32), 5)
    found = moments([(Sample(values, cells.area_m2), by)])
    for array in (cells.coverage, cells.area_m2, found.total, found.square, found.minimum):
        total.update(np.ascontiguousarray(array).tobytes())
    total.update(repr(percentile(values, cells.area_m2, 0.95)).encode())
    for other in (_COARSE, _EQUAL_AREA):
        total.update(look_up(cells, lattice, other).index.tobytes())
