"""A source version together with the files that were registered for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from carbon_assets.errors import RasterError
from carbon_assets.rasters.reader import RasterFile
from carbon_assets.reference.catalogue import SourceVersion

Bounds = tuple[float, float, float, float]
"""West, south, east, north in degrees."""


@dataclass(frozen=True)
class SourceFile:
    """A registered file and what it holds.

    Attributes:
        band: Band name in the catalogue.
        year: Year of the file: a vintage, or the epoch of a static product.
        tile: Tile name, or None for a file that covers all.
        file: The file on its lattice.
    """

    band: str
    year: int
    tile: str | None
    file: RasterFile


@dataclass(frozen=True)
class RegisteredSource:
    """What a runner reads: catalogue entry and files.

    Attributes:
        source_id: Row of ``raster_data_sources``.
        version: The catalogue entry.
        files: Every registered file.
    """

    source_id: int
    version: SourceVersion
    files: tuple[SourceFile, ...]

    @cached_property
    def _by_band_and_year(self) -> dict[tuple[str, int], tuple[SourceFile, ...]]:
        found: dict[tuple[str, int], list[SourceFile]] = {}
        for one in sorted(self.files, key=lambda f: (f.band, f.year, f.tile or "")):
            found.setdefault((one.band, one.year), []).append(one)
        return {key: tuple(files) for key, files in found.items()}

    def tiles_at(self, bounds: Bounds) -> tuple[str, ...]:
        """Names of the tiles that a place's bounds touch; empty for an untiled source."""
        return self.version.tiles_for_bounds(*bounds)

    def files_for(
        self, band: str, vintage: int, tiles: Sequence[str] = ()
    ) -> tuple[SourceFile, ...]:
        """Files that answer for a band and vintage.

        Args:
            band: Band name.
            vintage: Vintage; a static product answers with its epoch.
            tiles: For a tiled source, the tiles wanted.

        Raises:
            RasterError: ``RASTER_NOT_REGISTERED`` if there is none.
        """
        year = self.version.vintage_for(vintage)
        files = self._by_band_and_year.get((band, year), ())
        if self.version.tiles:
            files = tuple(f for f in files if f.tile in tiles)
        if not files:
            raise RasterError(
                "RASTER_NOT_REGISTERED",
                f"{self.version.label} has no registered file for band {band} of {year}"
                + (f" in tiles {', '.join(tiles)}" if tiles else ""),
                do="register the source for the vintages of the portfolio",
            )
        return files

    def manifest(self, vintage: int, tiles: Sequence[str] = ()) -> list[dict[str, Any]]:
        """Every file that a vintage's numbers come from, by content: no path, no row id."""
        return [
            {
                "source": self.version.key,
                "version": self.version.version,
                "band": one.band,
                "index": one.file.index,
                "year": one.year,
                "tile": one.tile,
                "content": one.file.content_hash,
            }
            for band in self.version.bands
            for one in self.files_for(band.name, vintage, tiles)
        ]
