"""Lattices of tiles that are named after their north-west corner."""

from __future__ import annotations

import math
import re
from typing import Self

from pydantic import Field, model_validator

from carbon_assets.errors import CatalogueError
from carbon_assets.reference.rows import Frozen

_TILE_PLACEHOLDER = re.compile(r"\{(?:ns|ew|lat:0[1-9]d|lon:0[1-9]d)\}")


class Tiles(Frozen):
    """A global lattice of tiles, each named after its north-west corner.

    Attributes:
        size_degrees: Side of a tile in degrees.
        name: Name of a tile, from ``{ns}`` (N or S), ``{lat:02d}``, ``{ew}`` (E or W) and
            ``{lon:03d}`` of its north-west corner, e.g. ``{ns}{lat:02d}{ew}{lon:03d}``.
    """

    size_degrees: int = Field(ge=1, le=90, strict=True)
    name: str

    @model_validator(mode="after")
    def _name_and_size(self) -> Self:
        rest = _TILE_PLACEHOLDER.sub("", self.name)
        if "{" in rest or "}" in rest or "{lat:" not in self.name or "{lon:" not in self.name:
            raise ValueError("tile names are made of {ns}, {lat:02d}, {ew} and {lon:03d}")
        if 90 % self.size_degrees:
            raise ValueError("tiles must divide a quadrant: 90 degrees by size_degrees")
        return self

    def for_bounds(self, minx: float, miny: float, maxx: float, maxy: float) -> tuple[str, ...]:
        """Return the names of the tiles that a box overlaps, from north-west to south-east.

        Args:
            minx: Western longitude in degrees, within -180 .. 180.
            miny: Southern latitude in degrees, within -90 .. 90.
            maxx: Eastern longitude.
            maxy: Northern latitude. A tile owns its northern and its western edge.

        Raises:
            CatalogueError: ``TILE_BOUNDS_INVALID`` for a box that is not on the globe.
        """
        if not (-180 <= minx <= maxx <= 180 and -90 <= miny <= maxy <= 90):
            raise CatalogueError(
                "TILE_BOUNDS_INVALID",
                f"not a box in degrees: west {minx}, south {miny}, east {maxx}, north {maxy}",
                do="Give longitudes within -180 .. 180 and latitudes within -90 .. 90.",
            )
        size = self.size_degrees
        north = max(math.ceil(maxy / size), 1 - 90 // size)
        south = min(math.floor(miny / size) + 1, north)
        west = min(math.floor(minx / size), 180 // size - 1)
        east = max(math.ceil(maxx / size) - 1, west)
        return tuple(
            self._name(row * size, column * size)
            for row in range(north, south - 1, -1)
            for column in range(west, east + 1)
        )

    def _name(self, lat: int, lon: int) -> str:
        return self.name.format(
            ns="S" if lat < 0 else "N", lat=abs(lat), ew="W" if lon < 0 else "E", lon=abs(lon)
        )
