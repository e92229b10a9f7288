"""What the runners are measured against: decoding alone, coverage alone, exactextract."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import geopandas
import numpy as np
import rasterio
import shapely
from exactextract import exact_extract
from exactextract.raster import NumPyRasterSource, RasterSource
from numpy.typing import NDArray

from benchmarks.scenario import CLASSES, NODATA, SCALE, Scenario
from carbon_assets.rasters.opening import gdal_session, open_raster
from carbon_assets.rasters.reader import RasterFile
from carbon_assets.runners.compute import PlaceTask
from carbon_assets.runners.receipts import M2_PER_HA
from carbon_assets.science.zonal.area import row_areas
from carbon_assets.science.zonal.cells import place_outline, strips
from carbon_assets.science.zonal.grid import Lattice, Window


def rasters(scenario: Scenario) -> list[RasterFile]:
    """Every file of the scenario."""
    sources = scenario.biomass.sources.values()
    return [one.file for source in sources for one in source.files]


def decode_needed_blocks(scenario: Scenario) -> int:
    """Decode every block that a farm's window touches once; returns their number."""
    files = rasters(scenario)
    needed = _needed_blocks(scenario.places, files[0])
    with gdal_session():
        for file in files:
            with open_raster(file.href) as dataset:
                height, width = file.block
                for row, col in needed:
                    rows = (row * height, min((row + 1) * height, file.window.height))
                    cols = (col * width, min((col + 1) * width, file.window.width))
                    dataset.read(1, window=(rows, cols))
    return len(needed) * len(files)


def _needed_blocks(places: Iterable[PlaceTask], file: RasterFile) -> list[tuple[int, int]]:
    height, width = file.block
    needed = set()
    for place in places:
        window = place_outline(shapely.from_wkb(place.wkb), file.lattice).window
        rows, cols = window.slices_in(file.window)
        needed |= {
            (row, col)
            for row in range(rows.start // height, (rows.stop - 1) // height + 1)
            for col in range(cols.start // width, (cols.stop - 1) // width + 1)
        }
    return sorted(needed)


def own_coverage(scenario: Scenario) -> float:
    """Our coverage and cell areas alone; returns the covered area in m²."""
    lattice = rasters(scenario)[0].lattice
    return sum(
        float(cells.area_m2.sum())
        for place in scenario.places
        for cells in strips(place_outline(shapely.from_wkb(place.wkb), lattice), lattice)
    )


def exactextract_coverage(scenario: Scenario) -> Callable[[], Any]:
    """Coverage alone by exactextract: cells as the unit of length, no pixels to read.

    Returns:
        The work to be timed; what leads up to it is done.
    """
    file = rasters(scenario)[0]
    height, width = file.window.height, file.window.width
    nothing = np.broadcast_to(np.uint8(1), (height, width))
    plane = rasterio.CRS.from_epsg(3857)  # any: exactextract wants both sides to have the same
    source = NumPyRasterSource(nothing, 0, 0, width, height, srs_wkt=plane.wkt)
    shapes = [_in_cells(place, file) for place in scenario.places]
    frame = geopandas.GeoDataFrame(geometry=shapes, crs=plane)
    return lambda: exact_extract(source, frame, "count")


def _in_cells(place: PlaceTask, file: RasterFile) -> Any:
    lattice, window = file.lattice, file.window

    def to_cells(points: NDArray[np.float64]) -> NDArray[np.float64]:
        columns = lattice.columns(points[:, 0]) - window.col
        rows = lattice.rows(points[:, 1]) - window.row
        return np.column_stack([columns, window.height - rows])

    return shapely.transform(shapely.from_wkb(place.wkb), to_cells)


class _GridSource(RasterSource):
    """A raster on the scenario's grid. Nodata is left to the operation: masks would cost more."""

    def __init__(self, lattice: Lattice, window: Window) -> None:
        super().__init__()
        self._lattice, self._window = lattice, window

    def res(self) -> tuple[float, float]:
        """Cell size."""
        return self._lattice.cell_width, self._lattice.cell_height

    def extent(self) -> tuple[float, float, float, float]:
        """Outer edges."""
        return self._lattice.bounds(self._window)

    def srs_wkt(self) -> str:
        """Coordinate reference system."""
        return self._lattice.projection.to_wkt()

    def nodata_value(self) -> None:
        """No value is set apart."""


class AreaSource(_GridSource):
    """Cell areas in m²: the weights that exactextract multiplies coverage with."""

    def __init__(self, lattice: Lattice, window: Window) -> None:
        super().__init__(lattice, window)
        self._areas = row_areas(lattice, window.row, window.height)

    def read_window(self, _x0: int, y0: int, nx: int, ny: int) -> NDArray[np.float64]:
        """Areas of a window."""
        return np.repeat(self._areas[y0 : y0 + ny], nx).reshape(ny, nx)


class FileSource(_GridSource):
    """A file's raw values."""

    def __init__(self, file: RasterFile, path: str, name: str) -> None:
        super().__init__(file.lattice, file.window)
        self.set_name(name)
        self._dataset = rasterio.open(path)

    def read_window(self, x0: int, y0: int, nx: int, ny: int) -> NDArray[Any]:
        """Raw values of a window."""
        return np.asarray(self._dataset.read(1, window=((y0, y0 + ny), (x0, x0 + nx))))


Table = dict[tuple[int, int], dict[str, NDArray[np.float64]]]
"""Numbers of each stratum by farm and vintage."""


def exactextract_everything(scenario: Scenario) -> Table:
    """All class areas and biomass statistics by exactextract, in one call.

    Coverage is computed once per farm and every raster is read once per farm; a user-defined
    operation collects the class maps' values and does all the sums when the last band comes.
    """
    file = rasters(scenario)[0]
    shapes = shapely.from_wkb([place.wkb for place in scenario.places])
    frame = geopandas.GeoDataFrame(geometry=shapes, crs="EPSG:4326")
    area = AreaSource(file.lattice, file.window)
    work = _Work(scenario)
    bands = [FileSource(file, path, f"classes_{y}") for y, path in scenario.class_maps.items()]
    bands.append(FileSource(file, scenario.biomass_map, "carbon"))
    with gdal_session():
        exact_extract(bands, frame, work.operation(), weights=area, output="pandas")
    return work.table


class _Work:
    """The operation, called band by band within a farm, the biomass map last."""

    def __init__(self, scenario: Scenario) -> None:
        self.table: Table = {}
        self._places = [place.place_id for place in scenario.places]
        self._vintages = scenario.vintages
        self._stratum = np.zeros(256, dtype=np.int64)
        self._stratum[CLASSES] = np.arange(len(CLASSES))
        self._strata: list[NDArray[np.int64]] = []

    def operation(self) -> Callable[[Any, Any, Any], float]:
        """The function that exactextract calls."""

        def operate(values: Any, coverage: Any, weights: Any) -> float:
            raw = np.ma.getdata(values)
            if len(self._strata) < len(self._vintages):
                self._strata.append(self._stratum[raw])
            else:
                self._finish(raw, coverage * np.ma.getdata(weights))
            return 0.0

        return operate

    def _finish(self, raw: NDArray[np.uint16], area: NDArray[np.float64]) -> None:
        place_id = self._places[len(self.table) // len(self._vintages)]
        valid = raw != NODATA
        value, valid_area = raw[valid] * SCALE, area[valid]
        for year, stratum in zip(self._vintages, self._strata, strict=True):
            hectares = np.bincount(stratum, area, len(CLASSES)) / M2_PER_HA
            carbon = _statistics(stratum[valid], value, valid_area)
            self.table[place_id, year] = {"hectares": hectares, **carbon}
        self._strata.clear()


def _statistics(
    stratum: NDArray[np.int64], value: NDArray[np.float64], area: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    groups = len(CLASSES)
    whole = np.bincount(stratum, area, groups)
    with np.errstate(invalid="ignore"):
        mean = np.bincount(stratum, value * area, groups) / whole
        apart = value - mean[stratum]
        std = np.sqrt(np.bincount(stratum, apart * apart * area, groups) / whole)
    return {"mean": mean, "std": std, "count": np.bincount(stratum, minlength=groups)}
