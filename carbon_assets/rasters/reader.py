"""Reading windows of a lattice from one file or from many tiles."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from carbon_assets.errors import RasterError
from carbon_assets.rasters.addresses import is_local
from carbon_assets.rasters.opening import open_raster, unreadable
from carbon_assets.rasters.remote.handles import REMOTE_HANDLES
from carbon_assets.rasters.remote.transfer import pause
from carbon_assets.science.zonal.grid import Lattice, Window

if TYPE_CHECKING:
    from rasterio.io import DatasetReader

MAX_OPEN = 64
"""Files kept open at once."""
REMOTE_ATTEMPTS = 4
"""Attempts to read a window of a remote file, each on a fresh handle."""


@dataclass(frozen=True)
class RasterFile:
    """One band of one registered file, placed on its lattice.

    Attributes:
        asset_id: Row of ``raster_assets``.
        href: Path or URL.
        index: Band number in the file.
        content_hash: ``sha256:…`` of the bytes.
        copy: Path of a local file with the same bytes, which is read instead; or None.
        lattice: Grid of the source version.
        window: The file's place on the lattice.
        dtype: Native data type.
        nodata: Nodata tag of the header.
        block: Height and width of the file's blocks, in cells.
    """

    asset_id: int
    href: str
    index: int
    content_hash: str
    lattice: Lattice
    window: Window
    dtype: str
    nodata: float | None
    block: tuple[int, int]
    copy: str | None = None

    @property
    def is_remote(self) -> bool:
        """Whether its blocks come over the network."""
        return self.copy is None and not is_local(self.href)


class OpenRasters:
    """Datasets kept open over a run; decoded blocks stay in GDAL's own bounded cache."""

    def __init__(self) -> None:
        self._open: OrderedDict[tuple[str, str | None], DatasetReader] = OrderedDict()

    def __enter__(self) -> OpenRasters:
        return self

    def __exit__(self, *_: object) -> None:
        while self._open:
            self._close(next(iter(self._open)))

    def _dataset(self, file: RasterFile) -> DatasetReader:
        key = (file.href, file.copy)
        if key not in self._open:
            while len(self._open) >= MAX_OPEN:
                self._close(next(iter(self._open)))
            if file.is_remote:
                REMOTE_HANDLES.add(file.href, file.content_hash)
            try:
                self._open[key] = open_raster(file.href, file.copy)
            except BaseException:
                if file.is_remote:
                    REMOTE_HANDLES.remove(file.href)
                raise
        self._open.move_to_end(key)
        return self._open[key]

    def _close(self, key: tuple[str, str | None]) -> None:
        dataset = self._open.pop(key, None)
        if dataset is not None:
            dataset.close()
            href, copy = key
            if copy is None and not is_local(href):
                REMOTE_HANDLES.remove(href)

    def read(
        self, files: Sequence[RasterFile], window: Window
    ) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_] | None]:
        """Read a window of the lattice that the files share.

        Args:
            files: Bands on one lattice that do not overlap, e.g. the tiles of a product.
            window: Cells wanted; it may reach beyond the files.

        Returns:
            The raw values in native dtype, and a mask of the cells that no file holds (None
            when every cell is held; raw values there are 0 and mean nothing).

        Raises:
            RasterError: ``RASTER_UNREADABLE`` if a block cannot be decoded,
                ``RASTER_UNREACHABLE`` if a remote one cannot be had after several attempts.
        """
        if len(files) == 1 and files[0].window.contains(window):
            return self._read(files[0], window), None
        values = np.zeros((window.height, window.width), dtype=files[0].dtype)
        outside = np.ones(values.shape, dtype=bool)
        for file in files:
            part = file.window.intersection(window)
            if part is not None:
                at = part.slices_in(window)
                values[at] = self._read(file, part)
                outside[at] = False
        return values, outside if outside.any() else None

    def _read(self, file: RasterFile, window: Window) -> npt.NDArray[Any]:
        if not file.is_remote:
            return self._read_once(file, window)
        for attempt in range(REMOTE_ATTEMPTS - 1):
            try:
                return self._read_once(file, window)
            except RasterError as error:
                if error.code != "RASTER_UNREACHABLE":
                    raise
                self._close((file.href, file.copy))
                pause(attempt)
        return self._read_once(file, window)

    def _read_once(self, file: RasterFile, window: Window) -> npt.NDArray[Any]:
        from rasterio.errors import RasterioError
        from rasterio.windows import Window as FileWindow

        rows, cols = window.slices_in(file.window)
        # A list of bands with their array given takes rasterio's shortest way.
        values = np.empty((1, window.height, window.width), np.dtype(file.dtype))
        part = FileWindow(cols.start, rows.start, window.width, window.height)
        try:
            self._dataset(file).read([file.index], window=part, out=values)
        except RasterioError as error:
            raise unreadable(file.href, error, file.copy) from error
        return np.asarray(values[0])


def outside_error(place: str, bounds: tuple[float, ...], href: str) -> RasterError:
    """Describe a place that no file of a source touches."""
    return RasterError(
        "PLACE_OUTSIDE_RASTER",
        f"place {place} with bounds {tuple(round(b, 6) for b in bounds)} lies outside the raster",
        where=href,
        do="check the place's coordinates, or register a source version that covers it",
    )


def raise_unknown(unknown: dict[int, int], href: str, legend: str) -> None:
    """Raise ``UNKNOWN_CLASS`` if any cell holds a class id outside the legend.

    Args:
        unknown: Cells by class id outside the legend.
        href: The raster.
        legend: Name of the legend.
    """
    if unknown:
        listed = ", ".join(f"{i} ({n} cells)" for i, n in sorted(unknown.items())[:10])
        raise RasterError(
            "UNKNOWN_CLASS",
            f"class ids that are not in legend {legend}: {listed}",
            where=href,
            do="register the raster with the legend of its own version, or declare the id nodata",
            details={"unknown": {str(i): n for i, n in sorted(unknown.items())}},
        )
