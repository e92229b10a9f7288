"""What the catalogue says about a raster source: pydantic models.

A fact that nobody has verified is null, "not asserted": the header of the registered file
then says it, and is recorded. A fact that is stated is an assertion: a file whose header
says otherwise is refused when it is registered.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator
from pyproj import CRS
from pyproj.exceptions import CRSError

from carbon_assets.errors import CatalogueError
from carbon_assets.reference.rows import Frozen

Quantity = Literal["class_map", "biomass", "carbon_density"]
Pool = Literal["agb", "bgb"]
Dtype = Literal["uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64"]

UNIT_OF_QUANTITY: Mapping[Quantity, str] = {
    "class_map": "class",
    "biomass": "Mg/ha",
    "carbon_density": "MgC/ha",
}

_PLACEHOLDER = re.compile(r"\{[^{}]*\}|[{}]")
_TILE_PLACEHOLDER = re.compile(r"\{(?:ns|ew|lat:0[1-9]d|lon:0[1-9]d)\}")


def _known_placeholders(href: str) -> str:
    unknown = [
        found for found in _PLACEHOLDER.findall(href) if found not in ("{vintage}", "{tile}")
    ]
    if unknown:
        raise ValueError(f"unknown placeholder {unknown[0]}; known: {{vintage}}, {{tile}}")
    return href


def _crs(text: str) -> str:
    try:
        CRS.from_user_input(text)
    except CRSError as unknown:
        raise ValueError("not a coordinate reference system") from unknown
    return text


Href = Annotated[str, Field(min_length=1), AfterValidator(_known_placeholders)]
Key = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")]
Year = Annotated[int, Field(ge=1900, le=2200)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class Uncertainty(Frozen):
    """Which band holds a band's error, and what that error means.

    Attributes:
        band: Name of the error band, in the unit of the band it belongs to (``CV`` and
            ``interval_ratio``: a ratio).
        meaning: ``SE`` standard error, ``SD`` standard deviation, ``CV`` coefficient of
            variation, ``interval_ratio`` interval width over the median.
        level: Coverage of the interval, only with ``interval_ratio``.
    """

    band: str
    meaning: Literal["SE", "SD", "CV", "interval_ratio"]
    level: Annotated[float, Field(gt=0, lt=1)] | None = None

    @model_validator(mode="after")
    def _level_with_interval(self) -> Self:
        if (self.meaning == "interval_ratio") != (self.level is not None):
            raise ValueError("level goes with interval_ratio, and only with it")
        return self


class Band(Frozen):
    """A band of a source: value = raw * scale + offset, unless the raw value means no data.

    Attributes:
        name: Name within the source.
        href: URL or path, with ``{vintage}`` and ``{tile}`` where files differ by them;
            null where there is no public address and the user names an own copy.
        index: 1-based band number in the file.
        pool: Carbon pool of a biomass or carbon density band.
        unit: Unit of the value after scaling: ``class``, ``Mg/ha`` (dry matter) or
            ``MgC/ha``.
        dtype: Asserted data type of the file; null = not asserted.
        header_nodata: Nodata tag asserted for the file's header: a number, or the word
            ``none`` where the file must carry no tag; null = not asserted.
        nodata: Raw values that mean "no data"; the header's own tag joins them.
        scale: Factor from raw to value.
        offset: Added after scaling.
        uncertainty: Where the error of this band stands.
    """

    name: Key
    href: Href | None = None
    index: int = Field(default=1, ge=1)
    pool: Pool | None = None
    unit: Literal["class", "Mg/ha", "MgC/ha"]
    dtype: Dtype | None = None
    header_nodata: float | Literal["none"] | None = None
    nodata: tuple[float, ...] = ()
    scale: Finite = 1.0
    offset: Finite = 0.0
    uncertainty: Uncertainty | None = None

    @model_validator(mode="after")
    def _scales(self) -> Self:
        if self.scale == 0:
            raise ValueError("scale must not be 0")
        if self.unit == "class" and (self.scale, self.offset) != (1.0, 0.0):
            raise ValueError("class ids are not scaled: scale is 1 and offset 0")
        return self


class Tiles(Frozen):
    """A global lattice of tiles, each named after its north-west corner.

    Attributes:
        size_degrees: Side of a tile in degrees.
        name: Name of a tile, from ``{ns}`` (N or S), ``{lat:02d}``, ``{ew}`` (E or W) and
            ``{lon:03d}`` of its north-west corner, e.g. ``{ns}{lat:02d}{ew}{lon:03d}``.
    """

    size_degrees: int = Field(ge=1, le=90)
    name: str

    @model_validator(mode="after")
    def _name_and_size(self) -> Self:
        rest = _TILE_PLACEHOLDER.sub("", self.name)
        if "{" in rest or "}" in rest or "{lat:" not in self.name or "{lon:" not in self.name:
            raise ValueError("tile names are made of {ns}, {lat:02d}, {ew} and {lon:03d}")
        if 180 % self.size_degrees:
            raise ValueError("tiles must divide the globe: 180 degrees by size_degrees")
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
        north = math.ceil(maxy / size)
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


class SourceVersion(Frozen):
    """One version of a raster source.

    Attributes:
        key: Key of the source.
        family: Short family name; the last part of a runner key such as ``biomass.hgb``.
        title: Name for people.
        licence: Terms of use.
        citation: What to cite.
        version: Version, e.g. a collection.
        quantity: What the rasters show.
        crs: Asserted coordinate reference system; null = not asserted.
        resolution: Asserted cell size (x, y) in units of the CRS, positive; null = not
            asserted.
        origin: Asserted corner (x, y) of the cell lattice; null = not asserted.
        vintages: First and last year of a yearly product.
        years: Years of a product that skips some.
        epoch: Year that a static product describes. Exactly one of ``vintages``, ``years``
            and ``epoch`` is given.
        tiles: How files are tiled; null = one file covers all.
        legend: Name (or path ending in .csv) of the class legend, for a class map.
        strata: Name (or path) of the map from classes to strata.
        bands: The bands.
        facts: Where the facts above come from and how well they are known, as text.
    """

    key: Key
    family: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    title: str = Field(min_length=1)
    licence: str = Field(min_length=1)
    citation: str = Field(min_length=1)
    version: Key
    quantity: Quantity
    crs: Annotated[str, AfterValidator(_crs)] | None = None
    resolution: tuple[Positive, Positive] | None = None
    origin: tuple[Finite, Finite] | None = None
    vintages: tuple[Year, Year] | None = None
    years: Annotated[tuple[Year, ...], Field(min_length=1)] | None = None
    epoch: Year | None = None
    tiles: Tiles | None = None
    legend: str | None = None
    strata: str | None = None
    bands: tuple[Band, ...] = Field(min_length=1)
    facts: Mapping[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_time_axis(self) -> Self:
        given = [name for name in ("vintages", "years", "epoch") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError("give exactly one of vintages, years and epoch")
        if self.vintages is not None and self.vintages[0] > self.vintages[1]:
            raise ValueError("vintages runs from the first year to the last")
        return self

    @model_validator(mode="after")
    def _bands_fit(self) -> Self:
        names = [band.name for band in self.bands]
        if len(set(names)) < len(names):
            raise ValueError(f"two bands have the same name: {', '.join(names)}")
        for band in self.bands:
            self._check_band(band, names)
        if (self.quantity == "class_map") != (self.legend is not None):
            raise ValueError("a class_map has a legend, and only a class_map has one")
        return self

    def _check_band(self, band: Band, names: list[str]) -> None:
        if band.unit != UNIT_OF_QUANTITY[self.quantity] and band.name not in self._error_bands:
            unit = UNIT_OF_QUANTITY[self.quantity]
            raise ValueError(f"band {band.name}: {self.quantity} is in {unit}, not {band.unit}")
        if band.uncertainty is not None and band.uncertainty.band not in names:
            raise ValueError(f"band {band.name}: no band {band.uncertainty.band} for its error")
        href = band.href or ""
        if "{tile}" in href and self.tiles is None:
            raise ValueError(f"band {band.name}: href has {{tile}}, but tiles is not given")
        if href and self.epoch is None and "{vintage}" not in href:
            raise ValueError(f"band {band.name}: href lacks {{vintage}}: all years in one file?")

    @property
    def _error_bands(self) -> frozenset[str]:
        return frozenset(band.uncertainty.band for band in self.bands if band.uncertainty)

    @property
    def value_bands(self) -> tuple[Band, ...]:
        """The bands that hold values, not errors of values."""
        return tuple(band for band in self.bands if band.name not in self._error_bands)

    @property
    def label(self) -> str:
        """Key and version, as messages name the source."""
        return f"{self.key} {self.version}"

    def band(self, name: str) -> Band:
        """Return a band by name.

        Raises:
            CatalogueError: ``BAND_UNKNOWN``, listing the bands that exist.
        """
        for band in self.bands:
            if band.name == name:
                return band
        known = ", ".join(band.name for band in self.bands)
        raise CatalogueError("BAND_UNKNOWN", f"{self.label} has no band {name}; it has: {known}")

    def available(self, vintage: int) -> bool:
        """Say whether the source answers for a year; a static product answers for any."""
        if self.vintages is not None:
            return self.vintages[0] <= vintage <= self.vintages[1]
        return self.years is None or vintage in self.years

    def vintage_for(self, vintage: int) -> int:
        """Return the year of the file that answers for a vintage: its epoch if static.

        Raises:
            CatalogueError: ``VINTAGE_UNAVAILABLE``.
        """
        if self.epoch is not None:
            return self.epoch
        if self.available(vintage):
            return vintage
        years = "-".join(map(str, self.vintages or ())) or ", ".join(map(str, self.years or ()))
        raise CatalogueError(
            "VINTAGE_UNAVAILABLE",
            f"{self.label} has no data for {vintage}; it has {years}",
            do="Choose other vintages, or a version of the source that covers the year.",
        )

    def tiles_for_bounds(
        self, minx: float, miny: float, maxx: float, maxy: float
    ) -> tuple[str, ...]:
        """Return the tiles that a box in degrees overlaps; none for an untiled source.

        Raises:
            CatalogueError: ``TILE_BOUNDS_INVALID`` for a box that is not on the globe.
        """
        return self.tiles.for_bounds(minx, miny, maxx, maxy) if self.tiles else ()

    def href(self, band: str, vintage: int, tile: str | None = None) -> str:
        """Return the address of the file that holds a band for a vintage.

        Args:
            band: Name of the band.
            vintage: Year asked for; a static product answers with its epoch's file.
            tile: Name of the tile, required where the band's files are tiled.

        Raises:
            CatalogueError: ``BAND_UNKNOWN``, ``VINTAGE_UNAVAILABLE``, ``HREF_MISSING`` for a
                band without an address, ``TILE_REQUIRED``.
        """
        pattern = self.band(band).href
        if pattern is None:
            raise CatalogueError(
                "HREF_MISSING",
                f"{self.label}: the catalogue knows no public address of band {band}",
                do="Download the file and name your copy under hrefs.",
            )
        if "{tile}" in pattern:
            if tile is None:
                raise CatalogueError("TILE_REQUIRED", f"{self.label} {band} comes in tiles")
            pattern = pattern.replace("{tile}", tile)
        return pattern.replace("{vintage}", str(self.vintage_for(vintage)))

    def with_hrefs(self, hrefs: Mapping[str, str], folder: Path) -> Self:
        """Return this version with a user's own copies of some bands.

        An own copy may be a clip that was given another nodata tag, so the assertion about
        the header's tag is dropped for it; data type, cell size and CRS stay asserted.

        Args:
            hrefs: Address by band name; a relative one is relative to ``folder``.
            folder: Folder of the file that names the copies.

        Raises:
            CatalogueError: ``BAND_UNKNOWN``; ``HREF_INVALID`` for an address that does not
                fit the source.
        """
        own = {self.band(name).name: absolute(href, folder) for name, href in hrefs.items()}
        bands = [
            band.model_dump()
            | ({"href": own[band.name], "header_nodata": None} if band.name in own else {})
            for band in self.bands
        ]
        try:
            return type(self).model_validate(self.model_dump() | {"bands": bands})
        except ValidationError as invalid:
            reason = invalid.errors()[0]["msg"].removeprefix("Value error, ")
            raise CatalogueError("HREF_INVALID", f"{self.label}: {reason}") from invalid


def absolute(href: str, folder: Path) -> str:
    """Return a URL or absolute path as it is, and a relative path below a folder."""
    is_url = re.match(r"^[A-Za-z][A-Za-z0-9+.-]+:", href) or href.startswith("/vsi")
    return href if is_url else str((folder / href).resolve())
