"""Painting one band of a designed product into a cloud-optimised GeoTIFF."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from carbon_assets.demo.design import Grid, Product

BLOCK = 256
"""Edge of a tile in cells, as in the real MapBiomas files."""


def write_band(path: Path, product: Product, band: str, year: int) -> None:
    """Write a band as GDAL's COG driver lays it out: tiled, compressed, with overviews.

    Args:
        path: The file to write.
        product: What to paint.
        band: Which of its bands.
        year: State of the landscape.

    Raises:
        rasterio.errors.RasterioError: When GDAL cannot write the file.
    """
    import rasterio
    from rasterio.transform import Affine

    grid = product.grid
    values = np.zeros((grid.rows, grid.cols), dtype=product.dtype)
    for box, value in product.field(band, year).patches:
        x0, x1, y0, y1 = (max(0, int(edge)) for edge in box)
        values[y0:y1, x0:x1] = value
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(
        path,
        "w",
        driver="COG",
        width=grid.cols,
        height=grid.rows,
        count=1,
        dtype=product.dtype,
        nodata=product.nodata,
        crs="EPSG:4326",
        transform=Affine(*_transform(grid)),
        blocksize=BLOCK,
        compress=product.compress,
        overview_resampling="nearest",
    ) as dataset:
        dataset.write(values, 1)


def _transform(grid: Grid) -> tuple[float, float, float, float, float, float]:
    """Return the affine coefficients, each rounded once from its exact value."""
    west, north = grid.cell * grid.first_col, -grid.cell * grid.first_row
    return float(grid.cell), 0.0, float(west), 0.0, -float(grid.cell), float(north)
