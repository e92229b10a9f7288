"""What a run would refuse, found before anything is stored."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection

from carbon_assets.metrics.land_cover import forest_ids
from carbon_assets.provenance.world import CompanyWorld, land_cover_legend
from carbon_assets.runners.bound import BoundRunner
from carbon_assets.runners.compute import require_coverage


def require_computable(connection: Connection, world: CompanyWorld) -> None:
    """Refuse a company whose places cannot all be computed from the rasters bound to them.

    Args:
        connection: An open transaction.
        world: The company.

    Raises:
        RasterError: ``PLACE_OUTSIDE_RASTER``.
        CatalogueError: ``FOREST_GROUP_NOT_IN_LEGEND``, or what a runner lacks for a place,
            such as a carbon fraction for its biome.
    """
    legend = land_cover_legend(world)
    if legend is not None:
        for settings in {place.metrics for place in world.places.values()}:
            forest_ids(legend, settings)
    tasks = world.tasks(connection, world.places)
    vintages = sorted({year for place in world.places.values() for year in place.vintages})
    for bound in world.runners.values():
        for years in years_of_same_extent(bound, vintages):
            chosen = [t for t in tasks if not years.isdisjoint(world.places[t.place_id].vintages)]
            require_coverage(bound, chosen, min(years))
            for zone in {bound.zone(task.setting, task.bounds) for task in chosen}:
                bound.document(min(years), zone)


def years_of_same_extent(bound: BoundRunner, vintages: Iterable[int]) -> list[set[int]]:
    """Return vintages whose files cover the same ground: what lies in one lies in all."""
    found: dict[frozenset[object], set[int]] = {}
    for vintage in vintages:
        extent = frozenset(
            (slot, file.band, file.tile, file.file.window)
            for slot, source in bound.sources.items()
            for file in source.files
            if file.year == source.version.vintage_for(vintage)
        )
        found.setdefault(extent, set()).add(vintage)
    return list(found.values())
