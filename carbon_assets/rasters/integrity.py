"""Whether a file holds what its header promises, before any number is computed from it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from carbon_assets.errors import RasterError
from carbon_assets.rasters.opening import unreadable
from carbon_assets.rasters.reader import raise_unknown

if TYPE_CHECKING:
    from rasterio.io import DatasetReader

    from carbon_assets.reference.change_legend import ChangeLegend
    from carbon_assets.reference.legend import Legend

FULL_CHECK_BYTES = 64 * 1024 * 1024
"""Files up to this size are decoded once at registration; larger ones have their block
directory checked against the file's length, and each block as it is read."""


def check_integrity(
    dataset: DatasetReader,
    index: int,
    href: str,
    size_bytes: int,
    legend: Legend | ChangeLegend | None,
    nodata: Iterable[float] = (),
) -> None:
    """Check a raster as far as its size allows.

    Args:
        dataset: The open raster.
        index: Number of the band.
        href: Where it lies.
        size_bytes: Length of the file.
        legend: Legend of a class map, whose ids are then checked.
        nodata: Values that the catalogue declares to mean no data; the header's tag joins them.

    Raises:
        RasterError: ``RASTER_TRUNCATED`` if blocks lie beyond the end of the file,
            ``RASTER_UNREADABLE`` if a block does not decode, ``UNKNOWN_CLASS`` if a class id
            is not in the legend.
    """
    _check_blocks(dataset, index, href, size_bytes)
    if size_bytes <= FULL_CHECK_BYTES:
        tag = dataset.nodatavals[index - 1]
        _check_pixels(dataset, index, href, legend, {*nodata, tag})


def _check_blocks(dataset: DatasetReader, index: int, href: str, size: int) -> None:
    height, width = dataset.block_shapes[index - 1]
    for row in range(-(-dataset.height // height)):
        for col in range(-(-dataset.width // width)):
            offset = dataset.get_tag_item(f"BLOCK_OFFSET_{col}_{row}", "TIFF", bidx=index)
            length = dataset.get_tag_item(f"BLOCK_SIZE_{col}_{row}", "TIFF", bidx=index)
            if offset and length and int(offset) + int(length) > size:
                raise RasterError(
                    "RASTER_TRUNCATED",
                    f"block ({row}, {col}) ends at byte {int(offset) + int(length)}, "
                    f"the file at {size}",
                    where=href,
                    do="the download or copy was cut short: fetch the file again",
                )


def _check_pixels(
    dataset: DatasetReader,
    index: int,
    href: str,
    legend: Legend | ChangeLegend | None,
    nodata: set[float | None],
) -> None:
    from rasterio.errors import RasterioError

    counts: dict[int, int] = {}
    try:
        for _, window in dataset.block_windows(index):
            block = dataset.read(index, window=window)
            if legend is not None:
                ids, found = np.unique(block, return_counts=True)
                for class_id, count in zip(ids.tolist(), found.tolist(), strict=True):
                    counts[class_id] = counts.get(class_id, 0) + count
    except RasterioError as error:
        raise unreadable(href, error) from error
    if legend is not None:
        known = {*legend.ids} | nodata
        raise_unknown({i: n for i, n in counts.items() if i not in known}, href, legend.name)
