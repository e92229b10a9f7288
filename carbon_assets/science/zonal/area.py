"""Cell areas on the ellipsoid, in square metres."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from pyproj import CRS, Proj

from carbon_assets.science.zonal.grid import Floats, Lattice

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(7)
"""Seven Gauss-Legendre nodes integrate a cell of up to a degree to the last bits; the closed
form would lose half its digits in the difference of two nearly equal numbers."""


@lru_cache(maxsize=32)
def _ellipsoid(crs: str) -> tuple[float, float]:
    """Semi-minor axis (m) and squared eccentricity of a CRS's own datum."""
    ellipsoid = CRS.from_user_input(crs).ellipsoid
    if ellipsoid is None:
        raise ValueError(f"{crs} has no ellipsoid")
    a, b = ellipsoid.semi_major_metre, ellipsoid.semi_minor_metre
    return float(b), float(1.0 - (b / a) ** 2)


def row_areas(lattice: Lattice, first_row: int, count: int) -> Floats:
    """Area of one cell in each of ``count`` rows of a geographic lattice, in m².

    The zone area ``Δλ · b² ∫ cos φ / (1 − e² sin² φ)² dφ`` (Snyder 1987, eq. 3-11 in
    differential form), integrated over each row's latitudes. Rows are named on the lattice,
    so a row's area does not depend on the window it is asked in.
    """
    b, e2 = _ellipsoid(lattice.crs)
    half = np.radians(lattice.cell_height) / 2.0
    middle = np.radians(lattice.y(np.arange(first_row, first_row + count) + 0.5))
    phi = middle + _NODES[:, None] * half
    heights = _WEIGHTS[:, None] * np.cos(phi) / (1.0 - e2 * np.sin(phi) ** 2) ** 2
    total = np.cumsum(heights, axis=0)[-1]
    return np.asarray(np.radians(lattice.cell_width) * b * b * half * total)


@lru_cache(maxsize=32)
def _projection(crs: str) -> Proj:
    return Proj(CRS.from_user_input(crs))


def projected_areas(
    lattice: Lattice, rows: npt.NDArray[np.int64], cols: npt.NDArray[np.int64]
) -> Floats:
    """Ellipsoidal area of each named cell of a projected lattice, in m².

    The planar cell area divided by the projection's areal scale at the cell's centre; an
    equal-area projection has scale 1.
    """
    factor = lattice.projection.axis_info[0].unit_conversion_factor
    planar = lattice.cell_width * lattice.cell_height * factor * factor
    projection = _projection(lattice.crs)
    lon, lat = projection(lattice.x(cols + 0.5), lattice.y(rows + 0.5), inverse=True)
    scale = np.asarray(projection.get_factors(lon, lat).areal_scale, dtype=np.float64)
    return planar / scale
