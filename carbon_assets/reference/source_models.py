"""What the catalogue says about one version of a raster source.

A fact that nobody has verified is null, "not asserted": the header of the registered file
then says it, and is recorded. A fact that is stated is an assertion: a file whose header
says otherwise is refused when it is registered.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator
from pyproj import CRS
from pyproj.exceptions import CRSError

from carbon_assets.errors import CatalogueError
from carbon_assets.reference.bands import Band, Finite, Key, Uncertainty, absolute
from carbon_assets.reference.rows import Frozen
from carbon_assets.reference.tiles import Tiles

Quantity = Literal["class_map", "change_map", "biomass", "carbon_density"]
Year = Annotated[int, Field(ge=1900, le=2200, strict=True)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False, strict=True)]

UNIT_OF_QUANTITY: Mapping[Quantity, str] = {
    "class_map": "class",
    "change_map": "class",
    "biomass": "Mg/ha",
    "carbon_density": "MgC/ha",
}


def _crs(text: str) -> str:
    try:
        CRS.from_user_input(text)
    except CRSError as unknown:
        raise ValueError("not a coordinate reference system") from unknown
    return text


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
        events: First and last year whose events a static map of change tells apart: it
            answers for those alone.
        year_starts: Month and day (``08-01``) on which the publisher's year begins, in the
            calendar year before where it is not 1 January: a PRODES year runs from August.
        tiles: How files are tiled; null = one file covers all.
        legend: Name (or path ending in .csv) of the class legend, for a class map or a map
            of change.
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
    events: tuple[Year, Year] | None = None
    year_starts: Annotated[str, Field(pattern=r"^(0[1-9]|1[0-2])-(0[1-9]|1\d|2[0-8])$")] = "01-01"
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
        if (self.quantity in ("class_map", "change_map")) != (self.legend is not None):
            raise ValueError("a class_map or change_map has a legend, and nothing else has one")
        if self.events is not None and (self.quantity != "change_map" or self.epoch is None):
            raise ValueError("events goes with a change_map that has an epoch")
        return self

    def _check_band(self, band: Band, names: list[str]) -> None:
        unit = UNIT_OF_QUANTITY[self.quantity]
        if band.unit != unit and band.name not in self._error_bands:
            raise ValueError(f"band {band.name}: {self.quantity} is in {unit}, not {band.unit}")
        if band.uncertainty is not None:
            self._check_error(band, band.uncertainty, names)
        href = band.href or ""
        if "{tile}" in href and self.tiles is None:
            raise ValueError(f"band {band.name}: href has {{tile}}, but tiles is not given")
        if href and self.epoch is None and "{vintage}" not in href:
            raise ValueError(f"band {band.name}: href lacks {{vintage}}: all years in one file?")

    def _check_error(self, band: Band, error: Uncertainty, names: list[str]) -> None:
        if error.band not in names or error.band == band.name:
            raise ValueError(f"band {band.name}: no other band {error.band} for its error")
        units = ("one", "%") if error.is_ratio else (band.unit,)
        if (unit := self.band(error.band).unit) not in units:
            wrong = f"{unit}; {error.meaning} is in {' or '.join(units)}"
            raise ValueError(f"band {band.name}: its error {error.band} is in {wrong}")

    @property
    def _error_bands(self) -> frozenset[str]:
        return frozenset(band.uncertainty.band for band in self.bands if band.uncertainty)

    @property
    def value_bands(self) -> tuple[Band, ...]:
        """The bands that hold values, not errors of values."""
        return tuple(band for band in self.bands if band.name not in self._error_bands)

    def period(self, vintage: int) -> tuple[date, date] | None:
        """First and last day of the publisher's year; None where it is the calendar year."""
        if self.year_starts == "01-01":
            return None
        month, day = (int(part) for part in self.year_starts.split("-"))
        return date(vintage - 1, month, day), date(vintage, month, day) - timedelta(days=1)

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
        """Say whether the source answers for a year.

        A static product answers for any, but for a map of change of some years.
        """
        stated = self.vintages or self.events
        if stated is not None:
            return stated[0] <= vintage <= stated[1]
        return self.years is None or vintage in self.years

    def vintage_for(self, vintage: int) -> int:
        """Return the year of the file that answers for a vintage: its epoch if static.

        Raises:
            CatalogueError: ``VINTAGE_UNAVAILABLE``.
        """
        if self.available(vintage):
            return vintage if self.epoch is None else self.epoch
        years = "-".join(map(str, self.vintages or self.events or ())) or ", ".join(
            map(str, self.years or ())
        )
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
