"""What a company's sources must cover: the years and the ground of its places."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, select

from carbon_assets.intake.sources import Binding, WantedFile, bound_sources, wanted_files
from carbon_assets.rasters.registered import Bounds
from carbon_assets.store.models import Farm, GeometryVersion, Project


@dataclass(frozen=True)
class Extent:
    """Years and ground of a company.

    Attributes:
        vintages: Every vintage of a project that has places; of all projects where a place
            belongs to none.
        bounds: Bounds of each active place with a polygon.
    """

    vintages: tuple[int, ...]
    bounds: tuple[Bounds, ...]


def extent_of(connection: Connection, company_id: int) -> Extent:
    """Return years and ground of a company's active places."""
    projects = select(Project.id, Project.vintages).where(Project.company_id == company_id)
    vintages = {row.id: set(row.vintages) for row in connection.execute(projects)}
    everywhere = set().union(*vintages.values())
    rows = connection.execute(
        select(Farm.project_id, GeometryVersion.bbox)
        .join(GeometryVersion, GeometryVersion.id == Farm.geometry_version_id)
        .where(Farm.company_id == company_id, Farm.status == "active")
        .order_by(Farm.id)
    ).all()
    years = (vintages.get(row.project_id, everywhere) for row in rows)
    bounds = tuple((row.bbox[0], row.bbox[1], row.bbox[2], row.bbox[3]) for row in rows)
    return Extent(tuple(sorted(set().union(*years))), bounds)


def bound_files(
    connection: Connection, company_id: int, vintages: Iterable[int] | None = None
) -> Iterator[tuple[Binding, WantedFile]]:
    """Yield the files that a company's bound sources must have.

    Args:
        connection: An open transaction.
        company_id: The company.
        vintages: Vintages that must be there; None for those of its projects.

    Raises:
        CatalogueError: ``VINTAGE_UNAVAILABLE``, ``HREF_MISSING``.
    """
    extent = extent_of(connection, company_id)
    years = extent.vintages if vintages is None else tuple(vintages)
    if extent.bounds:
        for binding in bound_sources(connection, company_id):
            for file in wanted_files(binding.version, years, extent.bounds):
                yield binding, file
