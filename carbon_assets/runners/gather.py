"""Rasters gathered under the cells of one strip, each read once for every vintage and use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from carbon_assets.rasters.reader import OpenRasters, RasterFile
from carbon_assets.runners.bound import BandRule
from carbon_assets.science.zonal.cells import Cells
from carbon_assets.science.zonal.grid import Floats, Lattice
from carbon_assets.science.zonal.lookup import Lookup, look_up
from carbon_assets.science.zonal.statistics import Extent, extent
from carbon_assets.science.zonal.sums import Grouping

Mask = npt.NDArray[np.bool_]
Files = tuple[RasterFile, ...]
Names = tuple[tuple[str, int], ...]
T = TypeVar("T")


@dataclass(frozen=True)
class Raw:
    """Raw values under the cells, in native dtype.

    Attributes:
        values: One item per cell.
        outside: Cells that no file holds, or None.
    """

    values: npt.NDArray[Any]
    outside: Mask | None

    def missing(self, nodata: Sequence[float]) -> Mask | None:
        """Cells without data: outside the raster, a nodata value, or not finite."""
        missing = np.zeros(len(self.values), bool) if self.outside is None else self.outside.copy()
        for value in nodata:
            if not np.isnan(value):
                missing |= self.values == value
        if self.values.dtype.kind == "f":
            missing |= ~np.isfinite(self.values)
        return missing if missing.any() else None


class Strip:
    """The cells of a strip and what was gathered under them."""

    def __init__(self, cells: Cells, lattice: Lattice, rasters: OpenRasters) -> None:
        self.cells = cells
        self._lattice = lattice
        self._rasters = rasters
        self._lookups: dict[Lattice, Lookup] = {}
        self._kept: dict[Any, Any] = {}

    def keep(self, key: Any, make: Callable[[], T]) -> T:
        """Return what was made for a key before, or make it now."""
        if key not in self._kept:
            self._kept[key] = make()
        found: T = self._kept[key]
        return found

    @cached_property
    def whole(self) -> Grouping:
        """All cells as one group: what is said of the whole place follows from no strata."""
        return Grouping(np.zeros(len(self.cells), dtype=np.int32), 1)

    @cached_property
    def extent(self) -> Extent:
        """Cells and ground of the strip; the same for every raster."""
        return extent([self.whole], self.cells.columns)

    def raw(self, files: Files) -> Raw:
        """Raw values of a band under each cell."""
        return self.keep(("raw", names_of(files)), lambda: self._gather(files))

    def _gather(self, files: Files) -> Raw:
        lattice = files[0].lattice
        if lattice not in self._lookups:
            self._lookups[lattice] = look_up(self.cells, self._lattice, lattice)
        lookup = self._lookups[lattice]
        values, outside = self._rasters.read(files, lookup.window)
        under = values.ravel()[lookup.index]
        return Raw(under, None if outside is None else outside.ravel()[lookup.index])

    def physical(self, files: Files, rule: BandRule) -> tuple[Floats, Mask | None]:
        """Value of a band under each cell in its unit, and the cells without data."""

        def make() -> tuple[Floats, Mask | None]:
            raw = self.raw(files)
            values = raw.values.astype(np.float64)
            if rule.band.scale != 1.0 or rule.band.offset != 0.0:
                values = values * rule.band.scale + rule.band.offset
            return values, raw.missing(rule.nodata)

        return self.keep(("physical", names_of(files)), make)


def names_of(files: Files) -> Names:
    """What tells the files of one band from all others."""
    return tuple((file.href, file.index) for file in files)
