"""The demo landscape as it is drawn in ``design.yaml``, before anything is written.

The writer (`carbon_assets.demo.landscape`) paints this design into files; the closed-form
answers (`carbon_assets.demo.truth`) are computed from it without ever looking at a pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from importlib.resources import files
from typing import Any

import yaml

from carbon_assets.demo.plane import Box, Field


@dataclass(frozen=True)
class Grid:
    """A product's lattice and the part of it that a demo file covers.

    The lattice runs through longitude 0, latitude 0. Column and row numbers count from the
    file's upper left corner; rows count southwards.

    Attributes:
        cell: Edge length of a cell, degrees.
        first_col: Lattice column of the file's west edge (longitude / cell).
        first_row: Lattice row of the file's north edge (minus latitude / cell).
        cols: Number of columns.
        rows: Number of rows.
    """

    cell: Fraction
    first_col: int
    first_row: int
    cols: int
    rows: int

    def to_degrees(self, box: Box) -> Box:
        """Turn a box of columns and rows into one of longitude and latitude."""
        return Box(
            self.cell * (self.first_col + box.x0),
            self.cell * (self.first_col + box.x1),
            -self.cell * (self.first_row + box.y1),
            -self.cell * (self.first_row + box.y0),
        )

    def to_cells(self, box: Box) -> Box:
        """Turn a box of longitude and latitude into one of columns and rows."""
        return Box(
            box.x0 / self.cell - self.first_col,
            box.x1 / self.cell - self.first_col,
            -box.y1 / self.cell - self.first_row,
            -box.y0 / self.cell - self.first_row,
        )


@dataclass(frozen=True)
class Patch:
    """A box of whole cells with one value per band.

    Attributes:
        box: Columns and rows in its first year.
        values: Raw value (DN) of each band.
        grow: Cells per year by which the west, east, north and south edges move outwards.
        years: First and last year in which the patch exists.
    """

    box: Box
    values: dict[str, int]
    grow: tuple[int, int, int, int]
    years: tuple[int, int]

    def at(self, year: int) -> Box | None:
        """Return the box in a year, or None where the patch does not exist then."""
        first, last = self.years
        if not first <= year <= last:
            return None
        west, east, north, south = (step * (year - first) for step in self.grow)
        box = self.box
        return Box(box.x0 - west, box.x1 + east, box.y0 - north, box.y1 + south)


@dataclass(frozen=True)
class Product:
    """A raster product of the demo.

    Attributes:
        grid: Its lattice and extent.
        dtype: Name of the data type of its files.
        nodata: No-data tag in the files' headers; None where there is none.
        unobserved: Raw values that carry no observation.
        scale: Factor from raw value to the product's unit.
        compress: Compression of the files.
        bands: Path of each band's file below the landscape's folder; may hold ``{year}``.
        patches: What lies on the ground.
    """

    grid: Grid
    dtype: str
    nodata: int | None
    unobserved: frozenset[int]
    scale: Fraction
    compress: str
    bands: dict[str, str]
    patches: tuple[Patch, ...]

    def field(self, band: str, year: int) -> Field[int]:
        """Return a band's raw values in a year as a function of column and row."""
        boxes = ((patch.at(year), patch.values[band]) for patch in self.patches)
        return Field(0, tuple((box, value) for box, value in boxes if box is not None))


@dataclass(frozen=True)
class Place:
    """A farm or a project boundary.

    Attributes:
        key: Its key in the farms file.
        name: Its name.
        project: Key of its project.
        biome: Key of its biome.
        kind: ``farm`` or ``project_boundary``.
        adds: Boxes of longitude and latitude, degrees, rounded to the stored precision.
        cuts: Boxes that are taken out.
    """

    key: str
    name: str
    project: str
    biome: str
    kind: str
    adds: tuple[Box, ...]
    cuts: tuple[Box, ...]

    def region(self) -> Field[bool]:
        """Return the place as a function of longitude and latitude: true inside."""
        return Field(False, (*((b, True) for b in self.adds), *((b, False) for b in self.cuts)))


@dataclass(frozen=True)
class Design:
    """The whole landscape.

    Attributes:
        years: Its vintages.
        products: Raster products by name: ``land_cover``, ``hgb``, ``esa_cci``.
        places: Farms and project boundaries by key.
        edited: The one farm whose polygon the demo edit changes, as it is after the edit.
    """

    years: tuple[int, ...]
    products: dict[str, Product]
    places: dict[str, Place]
    edited: Place

    def farms(self) -> tuple[Place, ...]:
        """Return the farms, in the order of the design."""
        return tuple(place for place in self.places.values() if place.kind == "farm")

    def boundaries(self) -> tuple[Place, ...]:
        """Return the project boundaries, in the order of the design."""
        return tuple(p for p in self.places.values() if p.kind == "project_boundary")


@lru_cache(maxsize=1)
def load_design() -> Design:
    """Read the design that ships with the package."""
    text = files("carbon_assets.demo").joinpath("design.yaml").read_text(encoding="utf-8")
    document = yaml.safe_load(text)
    years = (document["years"][0], document["years"][1])
    products = {
        name: _product(entry, document["patches"][name], years)
        for name, entry in document["products"].items()
    }
    grid, snap = products["land_cover"].grid, Fraction(document["snap"])
    entries = {entry["key"]: entry for entry in document["places"]}
    edit = document["edit"]
    return Design(
        years=tuple(range(years[0], years[1] + 1)),
        products=products,
        places={key: _place(entry, grid, snap) for key, entry in entries.items()},
        edited=_place({**entries[edit["key"]], **edit}, grid, snap),
    )


def _product(entry: dict[str, Any], patches: list[dict[str, Any]], years: Any) -> Product:
    cols, rows = entry["size"]
    return Product(
        grid=Grid(Fraction(entry["cell"]), entry["first_col"], entry["first_row"], cols, rows),
        dtype=entry["dtype"],
        nodata=entry["nodata"],
        unobserved=frozenset(entry["unobserved"]),
        scale=Fraction(entry["scale"]),
        compress=entry["compress"],
        bands=entry["bands"],
        patches=tuple(_patch(patch, years) for patch in patches),
    )


def _patch(entry: dict[str, Any], years: Any) -> Patch:
    west, east, north, south = entry.get("grow", (0, 0, 0, 0))
    first, last = entry.get("years", years)
    return Patch(_box(entry), entry["values"], (west, east, north, south), (first, last))


def _place(entry: dict[str, Any], grid: Grid, snap: Fraction) -> Place:
    def snapped(boxes: list[dict[str, Any]]) -> tuple[Box, ...]:
        degrees = (grid.to_degrees(_box(box)) for box in boxes)
        return tuple(Box(*(round(edge / snap) * snap for edge in box)) for box in degrees)

    return Place(
        key=entry["key"],
        name=entry["name"],
        project=entry["project"],
        biome=entry["biome"],
        kind=entry.get("kind", "farm"),
        adds=snapped(entry["adds"]),
        cuts=snapped(entry.get("cuts", [])),
    )


def _box(entry: dict[str, Any]) -> Box:
    """Read columns and rows; decimal fractions are taken as written, not as binary floats."""
    return Box(*(Fraction(str(edge)) for edge in (*entry["cols"], *entry["rows"])))
