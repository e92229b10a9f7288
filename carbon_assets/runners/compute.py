"""From polygons and pixels to receipts: the machinery that every runner shares.

Each place is worked through once: its cells are found on the finest grid involved, every
raster is gathered under them once, and all vintages and strata are reduced from there.
Nothing depends on which other places or vintages are in the batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import shapely

from carbon_assets.rasters.reader import OpenRasters, outside_error
from carbon_assets.rasters.registered import Bounds
from carbon_assets.runners.bound import BoundRunner, Zone
from carbon_assets.runners.declaration import Setting
from carbon_assets.runners.gather import Strip
from carbon_assets.runners.histogram import HistogramReducer
from carbon_assets.runners.inputs import Inputs, Reducer
from carbon_assets.runners.receipts import PartitionReceipts, Read, Receipt
from carbon_assets.runners.statistics import StatisticsReducer
from carbon_assets.science.zonal.cells import on_lattice, place_outline, strips
from carbon_assets.science.zonal.grid import Lattice


@dataclass(frozen=True)
class PlaceTask:
    """A place to be computed.

    Attributes:
        place_id: Row of ``farms``.
        key: Key for messages.
        wkb: The stored geometry's bytes.
        bounds: West, south, east, north in degrees.
        setting: Biome and ecological zone.
    """

    place_id: int
    key: str
    wkb: bytes
    bounds: Bounds
    setting: Setting


def compute_place(
    bound: BoundRunner, place: PlaceTask, vintages: Iterable[int], rasters: OpenRasters
) -> list[PartitionReceipts]:
    """Compute one place's receipts for some vintages, in ascending order.

    Raises:
        RasterError: ``UNKNOWN_CLASS``, ``RASTER_UNREADABLE``.
    """
    vintages = sorted(vintages)
    zone = bound.zone(place.setting, place.bounds)
    lattice = finest_lattice(bound)
    reducers = list(_reducers(bound, zone, vintages))
    for cells in strips(place_outline(shapely.from_wkb(place.wkb), lattice), lattice):
        strip = Strip(cells, lattice, rasters)
        for _, reducer in reducers:
            reducer.add(strip)
    return _partitions(place.place_id, vintages, reducers)


def _reducers(
    bound: BoundRunner, zone: Zone, vintages: Sequence[int]
) -> Iterator[tuple[list[Inputs], Reducer]]:
    """Reducers of a place, each with notes of the rasters that it alone reads per vintage."""
    for quantity in bound.quantities(zone):
        inputs = [Inputs(bound, zone, vintage) for vintage in vintages]
        yield inputs, StatisticsReducer(inputs, quantity)
    if bound.runner.histogram_metric:
        inputs = [Inputs(bound, zone, vintage) for vintage in vintages]
        yield inputs, HistogramReducer(inputs, bound.runner.histogram_metric)


def _partitions(
    place_id: int, vintages: Sequence[int], reducers: Iterable[tuple[Sequence[Inputs], Reducer]]
) -> list[PartitionReceipts]:
    made: list[list[Receipt]] = [[] for _ in vintages]
    read: list[list[Read]] = [[] for _ in vintages]
    for inputs, reducer in reducers:
        for at, receipts in enumerate(reducer.receipts()):
            made[at] += receipts
            read[at] += [tuple(inputs[at].seen)] * len(receipts)
    return [
        PartitionReceipts(place_id, vintage, tuple(receipts), tuple(seen))
        for vintage, receipts, seen in zip(vintages, made, read, strict=True)
    ]


def finest_lattice(bound: BoundRunner) -> Lattice:
    """The grid that rules: the finest of those involved; coarser cells are looked up."""
    lattices = [source.files[0].file.lattice for source in bound.sources.values()]
    return min(lattices, key=lambda lattice: lattice.cell_size_m)


def require_coverage(bound: BoundRunner, places: Iterable[PlaceTask], vintage: int) -> None:
    """Refuse places that no registered file touches, before anything is computed.

    Raises:
        RasterError: ``PLACE_OUTSIDE_RASTER``.
    """
    for place in places:
        zone = bound.zone(place.setting, place.bounds)
        for slot, source in bound.sources.items():
            band = source.version.value_bands[0].name
            files = bound.files(slot, band, vintage, zone)
            window = place_outline(shapely.from_wkb(place.wkb), files[0].lattice).window
            if not any(file.window.intersection(window) for file in files):
                raise outside_error(place.key, place.bounds, files[0].href)


def in_block_order(bound: BoundRunner, places: Sequence[PlaceTask]) -> list[PlaceTask]:
    """Places ordered by the raster block at their centre, so that each block is decoded once."""
    file = bound.value_source.files[0].file
    height, width = file.block

    def block(place: PlaceTask) -> tuple[int, int, int]:
        west, south, east, north = place.bounds
        col, row = on_lattice((west + east) / 2, (south + north) / 2, file.lattice)
        down, right = float(row) - file.window.row, float(col) - file.window.col
        return int(down // height), int(right // width), place.place_id

    return sorted(places, key=block)
