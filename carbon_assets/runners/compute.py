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
from carbon_assets.runners.receipts import PartitionReceipts
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
    work = {vintage: list(_reducers(bound, zone, vintage)) for vintage in vintages}
    for cells in strips(place_outline(shapely.from_wkb(place.wkb), lattice), lattice):
        strip = Strip(cells, lattice, rasters)
        for reducers in work.values():
            for _, reducer in reducers:
                reducer.add(strip)
    return [_finish(place.place_id, vintage, reducers) for vintage, reducers in work.items()]


def _finish(
    place_id: int, vintage: int, reducers: Sequence[tuple[Inputs, Reducer]]
) -> PartitionReceipts:
    made = [(receipt, tuple(inputs.seen)) for inputs, one in reducers for receipt in one.receipts()]
    return PartitionReceipts(
        place_id=place_id,
        vintage=vintage,
        receipts=tuple(receipt for receipt, _ in made),
        read=tuple(read for _, read in made),
    )


def _reducers(bound: BoundRunner, zone: Zone, vintage: int) -> Iterator[tuple[Inputs, Reducer]]:
    """Reducers of a partition, each with a note of the rasters that it alone reads."""
    for quantity in bound.quantities(zone):
        inputs = Inputs(bound, zone, vintage)
        yield inputs, StatisticsReducer(inputs, quantity)
    if bound.runner.histogram_metric:
        inputs = Inputs(bound, zone, vintage)
        yield inputs, HistogramReducer(inputs, bound.runner.histogram_metric)


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
