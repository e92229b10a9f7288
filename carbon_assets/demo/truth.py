"""The true answers for the demo landscape, in closed form.

Nothing here reads a raster or shares code with the zonal kernel: totals are sums of exact
ellipsoidal areas of longitude/latitude boxes. The pipeline differs by design in one respect:
it weights each cell's area by the covered fraction of the cell in degrees, as if area were
even within a cell. At 30 m and 10° S that differs from the truth by less than
`RELATIVE_TOLERANCE` of any total that covers whole cells for the most part, and by less than
`SUB_CELL_TOLERANCE` for a place smaller than one cell.

Where a coarser product meets the land-cover grid, a land-cover cell takes the value of the
product's cell that its centre lies in; that rule moves the edges of the coarse cells to edges
of the land-cover grid, and is closed form too.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

from carbon_assets.demo.design import Grid, Place, load_design
from carbon_assets.demo.plane import Box, Field, pieces, zone_area_ha

RELATIVE_TOLERANCE = 1e-8
"""Largest relative difference to expect of a correct pipeline, for a place of many cells."""
SUB_CELL_TOLERANCE = 1e-6
"""The same for a place, or a class within a place, that is smaller than a cell."""
GEODESIC_TOLERANCE = 2e-5
"""Largest relative difference between `area_ha` and the geodesic area of the same polygon.

An edge along a parallel is not a geodesic. The difference is largest where opposite edges
differ in length, as in the L-shaped farm.
"""
LAND_COVER = "land_cover"
"""Name of the land-cover product in the design."""

K = TypeVar("K", int, tuple[int, int])


@dataclass(frozen=True)
class Cells:
    """Cells of the land-cover grid.

    Attributes:
        touched: Number of cells that share area with the place.
        weighted: Sum of their covered fractions (in degrees, not in area).
    """

    touched: int
    weighted: float


@dataclass(frozen=True)
class BandTotal:
    """A band of a biomass product, summed over an area.

    Attributes:
        valid_ha: Area with an estimate.
        nodata_ha: Area without.
        amount: Σ value × area over the valid area, in the band's unit times hectares (t). Of
            an uncertainty band: the standard error of the total when the errors of all pixels
            are fully correlated.
    """

    valid_ha: float
    nodata_ha: float
    amount: float

    @property
    def mean(self) -> float | None:
        """Mean per valid hectare; None where nothing is valid."""
        return self.amount / self.valid_ha if self.valid_ha > 0 else None


def place(key: str | Place) -> Place:
    """Return a place of the landscape by its key (a `Place` is handed back unchanged)."""
    return load_design().places[key] if isinstance(key, str) else key


def area_ha(key: str | Place) -> float:
    """Return the area of a place between its meridians and parallels, hectares.

    It differs from the geodesic area of the polygon by less than `GEODESIC_TOLERANCE` of it.
    """
    return math.fsum(zone_area_ha(box) for box, _ in pieces(place(key).region()))


def class_area_ha(key: str | Place, vintage: int) -> dict[int, float]:
    """Return hectares by land-cover class in a year; 0 and 27 (not observed) included."""
    parts = pieces(place(key).region(), [_classes(vintage)])
    return _summed((values[0], zone_area_ha(box)) for box, values in parts)


def transition_area_ha(key: str | Place, before: int, after: int) -> dict[tuple[int, int], float]:
    """Return hectares by (class in year ``before``, class in year ``after``)."""
    parts = pieces(place(key).region(), [_classes(before), _classes(after)])
    return _summed(((v[0], v[1]), zone_area_ha(box)) for box, v in parts)


def class_cells(key: str | Place, vintage: int) -> dict[int, Cells]:
    """Return the touched and the coverage-weighted number of cells by land-cover class."""
    grid = load_design().products[LAND_COVER].grid
    inside = [grid.to_cells(box) for box, _ in pieces(place(key).region())]
    classes = load_design().products[LAND_COVER].field("class", vintage)
    covered = Field(False, tuple((box, True) for box in inside))
    reached = Field(False, tuple((_outward(box), True) for box in inside))
    weighted = _summed((v[0], float(_extent(box))) for box, v in pieces(covered, [classes]))
    touched = _summed((v[0], float(_extent(box))) for box, v in pieces(reached, [classes]))
    return {value: Cells(round(touched[value]), weighted[value]) for value in weighted}


def cells(key: str | Place) -> Cells:
    """Return the touched and the coverage-weighted number of land-cover cells of a place."""
    by_class = class_cells(key, load_design().years[0]).values()
    return Cells(sum(c.touched for c in by_class), math.fsum(c.weighted for c in by_class))


def band_totals(key: str | Place, vintage: int, product: str, band: str) -> dict[int, BandTotal]:
    """Sum a product's band by land-cover class, on the land-cover grid.

    Args:
        key: Place, or its key.
        vintage: Year of the land cover.
        product: ``hgb`` (MgC/ha) or ``esa_cci`` (Mg/ha of dry matter).
        band: A band of that product, e.g. ``agb`` or ``agb_uncertainty``.

    Returns:
        Class id → total. Every class of the place appears, those not observed included.
    """
    fields = [_classes(vintage), _by_centre(product, band)]
    parts = [(v[0], v[1], zone_area_ha(b)) for b, v in pieces(place(key).region(), fields)]
    return {
        value: _total(product, [(dn, ha) for other, dn, ha in parts if other == value])
        for value in sorted({value for value, _, _ in parts})
    }


def native_band_total(key: str | Place, product: str, band: str) -> BandTotal:
    """Sum a product's band over a place on the product's own grid, without land cover."""
    field = _in_degrees(load_design().products[product].grid, _raw(product, band))
    parts = pieces(place(key).region(), [field])
    return _total(product, [(values[0], zone_area_ha(box)) for box, values in parts])


def carbon_stock_tc(
    key: str | Place, vintage: int, classes: Iterable[int] | None = None, band: str = "agb"
) -> BandTotal:
    """Return the HGB carbon of a place, or of some of its classes.

    Args:
        key: Place, or its key.
        vintage: Year of the land cover.
        classes: Class ids to keep; None for every *observed* class.
        band: HGB band; ``amount`` is in tonnes of carbon.
    """
    unobserved = load_design().products[LAND_COVER].unobserved
    kept = None if classes is None else frozenset(classes)
    totals = [
        total
        for value, total in band_totals(key, vintage, "hgb", band).items()
        if (value not in unobserved if kept is None else value in kept)
    ]
    return BandTotal(
        math.fsum(t.valid_ha for t in totals),
        math.fsum(t.nodata_ha for t in totals),
        math.fsum(t.amount for t in totals),
    )


def centre_margin_degrees(product: str) -> float:
    """Return how far from an edge of a product's patches the nearest cell centre lies.

    Positive and far above rounding error, so that no cell's look-up is a matter of luck.
    """
    source, target = load_design().products[product].grid, _target()
    boxes = (target.to_cells(source.to_degrees(b)) for b, _ in _raw(product, None).patches)
    edges = {edge for box in boxes for edge in box}
    return min(float(abs((edge % 1) - Fraction(1, 2)) * target.cell) for edge in edges)


def _target() -> Grid:
    return load_design().products[LAND_COVER].grid


def _classes(vintage: int) -> Field[int]:
    return _in_degrees(_target(), load_design().products[LAND_COVER].field("class", vintage))


def _raw(product: str, band: str | None) -> Field[int]:
    source = load_design().products[product]
    return source.field(band or next(iter(source.bands)), load_design().years[0])


def _in_degrees(grid: Grid, field: Field[int]) -> Field[int]:
    return Field(field.background, tuple((grid.to_degrees(b), v) for b, v in field.patches))


def _by_centre(product: str, band: str) -> Field[int]:
    """Return a product's band as the land-cover cells see it, in degrees."""
    source, target, raw = load_design().products[product].grid, _target(), _raw(product, band)
    patches = ((target.to_cells(source.to_degrees(b)), v) for b, v in raw.patches)
    moved = tuple((Box(*(_first_centre_past(e) for e in b)), v) for b, v in patches)
    return _in_degrees(target, Field(raw.background, moved))


def _first_centre_past(edge: Fraction) -> Fraction:
    """Return the first column (or row) whose centre lies at or beyond an edge."""
    return Fraction(math.ceil(edge - Fraction(1, 2)))


def _total(product: str, parts: list[tuple[int, float]]) -> BandTotal:
    source = load_design().products[product]
    valid = [(dn, ha) for dn, ha in parts if dn not in source.unobserved]
    return BandTotal(
        valid_ha=math.fsum(ha for _, ha in valid),
        nodata_ha=math.fsum(ha for dn, ha in parts if dn in source.unobserved),
        amount=math.fsum(float(dn * source.scale) * ha for dn, ha in valid),
    )


def _outward(box: Box) -> Box:
    """Return the smallest box of whole cells around a box."""
    low, high = math.floor, math.ceil
    return Box(*map(Fraction, (low(box.x0), high(box.x1), low(box.y0), high(box.y1))))


def _extent(box: Box) -> Fraction:
    return (box.x1 - box.x0) * (box.y1 - box.y0)


def _summed(parts: Iterable[tuple[K, float]]) -> dict[K, float]:
    groups: dict[K, list[float]] = defaultdict(list)
    for key, value in parts:
        groups[key].append(value)
    return {key: math.fsum(values) for key, values in sorted(groups.items())}
