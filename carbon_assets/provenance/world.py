"""What should be computed now: companies, their places, and the rasters bound to them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, select

from carbon_assets.intake.sources import Binding, bound_sources, register
from carbon_assets.metrics.settings import MetricSettings
from carbon_assets.provenance.graph import FARM_METRICS, PROJECT_METRICS
from carbon_assets.rasters.registered import Bounds, RegisteredSource
from carbon_assets.reference.legend import Legend, load_legend
from carbon_assets.runners.all_runners import RUNNERS
from carbon_assets.runners.bound import BoundRunner
from carbon_assets.runners.compute import PlaceTask
from carbon_assets.runners.declaration import Setting
from carbon_assets.store.models import Company, Farm, GeometryVersion, Project
from carbon_assets.store.queries import among

MEMBER_KIND = "farm"
"""Kind of the places whose metrics make up those of their project."""


@dataclass(frozen=True)
class Place:
    """An active place with a polygon.

    Attributes:
        id: Row of ``farms``.
        company_id: Tenant.
        key: The user's key.
        name: Display name.
        kind: Kind of place.
        partition_key: Permanent Dagster partition key.
        project: Key of its project, or None.
        project_id: Row of ``projects``, or None.
        vintages: Years that are computed for it.
        geometry_version_id: Current row of ``geometry_versions``.
        geometry_hash: ``sha256:…`` of the polygon's bytes.
        bounds: West, south, east, north in degrees.
        area_ha: Geodesic area.
        setting: Biome and ecological zone, its own or its project's.
        metrics: How its farm metrics are made.
    """

    id: int
    company_id: int
    key: str
    name: str
    kind: str
    partition_key: str
    project: str | None
    project_id: int | None
    vintages: tuple[int, ...]
    geometry_version_id: int
    geometry_hash: str
    bounds: Bounds
    area_ha: float
    setting: Setting
    metrics: MetricSettings


@dataclass(frozen=True)
class ProjectSpace:
    """A project with what its own partitions depend on.

    Attributes:
        id: Row of ``projects``.
        company_id: Tenant.
        key: The user's key.
        name: Display name.
        partition_key: Permanent Dagster partition key.
        vintages: Years that are computed for it.
        policy: ``auto`` or ``badge``: whether automation may re-run it.
        metrics: How its metrics are made.
    """

    id: int
    company_id: int
    key: str
    name: str
    partition_key: str
    vintages: tuple[int, ...]
    policy: str
    metrics: MetricSettings


@dataclass(frozen=True)
class CompanyWorld:
    """One tenant as it stands.

    Attributes:
        id: Row of ``companies``.
        key: Its key.
        places: Active places by row number.
        runners: Runners whose sources are all bound, by asset key.
        sources: Registered sources by slot.
        projects: Projects by row number, of which all members are among the places.
    """

    id: int
    key: str
    places: Mapping[int, Place]
    runners: Mapping[str, BoundRunner]
    sources: Mapping[str, RegisteredSource]
    projects: Mapping[int, ProjectSpace] = field(default_factory=dict)

    def computes(self, asset: str) -> bool:
        """Whether the sources that an asset needs are bound."""
        derived = asset in (FARM_METRICS, PROJECT_METRICS)
        return asset in self.runners or (derived and bool(self.runners))

    def members(self, project_id: int) -> tuple[Place, ...]:
        """Active farms of a project, by key; places of other kinds do not belong to its land."""
        return self._members.get(project_id, ())

    @cached_property
    def _members(self) -> Mapping[int, tuple[Place, ...]]:
        found: dict[int, list[Place]] = {number: [] for number in self.projects}
        for place in self.places.values():
            if place.kind == MEMBER_KIND and place.project_id in found:
                found[place.project_id].append(place)
        return {n: tuple(sorted(farms, key=lambda farm: farm.key)) for n, farms in found.items()}

    def tasks(self, connection: Connection, place_ids: Iterable[int]) -> list[PlaceTask]:
        """Return places with their polygons, ready to be computed."""
        chosen = {i: self.places[i] for i in place_ids}
        rows = connection.execute(
            select(GeometryVersion.farm_id, GeometryVersion.geometry).where(
                among(GeometryVersion.id, [one.geometry_version_id for one in chosen.values()])
            )
        )
        return [
            PlaceTask(
                place_id=row.farm_id,
                key=chosen[row.farm_id].key,
                wkb=row.geometry,
                bounds=chosen[row.farm_id].bounds,
                setting=chosen[row.farm_id].setting,
            )
            for row in rows
        ]


def load_companies(
    connection: Connection,
    key: str | None = None,
    *,
    places: Collection[int] | None = None,
    projects: Collection[int] | None = None,
) -> list[CompanyWorld]:
    """Load one company or all, looking at every bound file for new content.

    Args:
        connection: An open transaction.
        key: Company; by default all.
        places: Rows of ``farms``; with them only these places are loaded, and only the companies
            that they belong to. Sources stay those of the whole company: what a computation
            rests on, and what a manifest says, does not depend on who looks. No project is
            loaded then: its members might not all be there.
        projects: Rows of ``projects``; with them only these are loaded, with all their places.

    Raises:
        RasterError: If a bound file is missing, unreadable or not what the catalogue says.
    """
    companies = select(Company.id, Company.key).order_by(Company.id)
    if key is not None:
        companies = companies.where(Company.key == key)
    if projects is not None:
        members = select(Farm.id).where(among(Farm.project_id, projects))
        places = connection.execute(members).scalars().all()
        owners = select(Project.company_id).where(among(Project.id, projects))
        companies = companies.where(Company.id.in_(owners))
    elif places is not None:
        owners = select(Farm.company_id).where(among(Farm.id, places))
        companies = companies.where(Company.id.in_(owners))
    found = connection.execute(companies).all()
    worlds = [_load(connection, row.id, row.key, places) for row in found]
    if projects is None:
        return worlds if places is None else [replace(one, projects={}) for one in worlds]
    return [
        replace(one, projects={n: p for n, p in one.projects.items() if n in projects})
        for one in worlds
    ]


def _load(
    connection: Connection, company_id: int, key: str, chosen: Collection[int] | None
) -> CompanyWorld:
    projects = _projects(connection, company_id)
    places = _places(connection, company_id, projects, chosen)
    bindings = bound_sources(connection, company_id)
    if chosen is None:
        vintages = {vintage for place in places.values() for vintage in place.vintages}
        bounds = [place.bounds for place in places.values()]
    else:
        vintages = _vintages(connection, company_id, projects)
        bounds = _bounds(connection, company_id, bindings)
    sources = register(connection, company_id, bindings, vintages, bounds) if vintages else {}
    runners = {
        runner.asset: BoundRunner(runner, {slot: sources[slot] for slot in runner.slots})
        for runner in RUNNERS
        if all(slot in sources for slot in runner.slots)
    }
    spaces = {number: _project(company_id, row) for number, row in projects.items()}
    return CompanyWorld(company_id, key, places, runners, sources, spaces)


def _projects(connection: Connection, company_id: int) -> dict[int, Any]:
    query = select(
        Project.id,
        Project.key,
        Project.name,
        Project.partition_key,
        Project.vintages,
        Project.staleness_policy,
        Project.settings,
    ).order_by(Project.id)
    rows = connection.execute(query.where(Project.company_id == company_id))
    return {row.id: row for row in rows}


def _everywhere(projects: Mapping[int, Any]) -> tuple[int, ...]:
    """Vintages of a place without a project: those that any project of the company has."""
    return tuple(sorted({v for project in projects.values() for v in project.vintages}))


def _vintages(connection: Connection, company_id: int, projects: Mapping[int, Any]) -> set[int]:
    """Vintages that some active place of a company has."""
    query = select(Farm.project_id).distinct()
    rows = connection.execute(query.where(Farm.company_id == company_id, Farm.status == "active"))
    everywhere = _everywhere(projects)
    return {
        vintage
        for project in rows.scalars()
        for vintage in (projects[project].vintages if project else everywhere)
    }


def _bounds(connection: Connection, company_id: int, bindings: Sequence[Binding]) -> list[Bounds]:
    """Bounds of a company's active places, for sources in tiles; none are needed otherwise."""
    if not any(binding.version.tiles for binding in bindings):
        return []
    query = (
        select(GeometryVersion.bbox)
        .join(Farm, Farm.geometry_version_id == GeometryVersion.id)
        .where(Farm.company_id == company_id, Farm.status == "active")
    )
    return [(box[0], box[1], box[2], box[3]) for box in connection.execute(query).scalars()]


def _places(
    connection: Connection,
    company_id: int,
    projects: Mapping[int, Any],
    chosen: Collection[int] | None,
) -> dict[int, Place]:
    query = (
        select(
            Farm.id,
            Farm.key,
            Farm.name,
            Farm.geometry_kind,
            Farm.partition_key,
            Farm.project_id,
            Farm.biome,
            Farm.ecological_zone,
            Farm.geometry_version_id,
            GeometryVersion.geometry_hash,
            GeometryVersion.bbox,
            GeometryVersion.area_ha,
        )
        .join(GeometryVersion, GeometryVersion.id == Farm.geometry_version_id)
        .where(Farm.company_id == company_id, Farm.status == "active")
        .order_by(Farm.id)
    )
    if chosen is not None:
        query = query.where(among(Farm.id, chosen))
    everywhere = _everywhere(projects)
    return {
        row.id: _place(company_id, row, projects.get(row.project_id), everywhere)
        for row in connection.execute(query)
    }


def _place(company_id: int, row: Any, project: Any, everywhere: tuple[int, ...]) -> Place:
    """Join a place with its project; one without a project has the company's vintages."""
    settings = project.settings if project else {}
    west, south, east, north = row.bbox
    return Place(
        id=row.id,
        company_id=company_id,
        key=row.key,
        name=row.name,
        kind=row.geometry_kind,
        partition_key=row.partition_key,
        project=project.key if project else None,
        project_id=project.id if project else None,
        vintages=tuple(project.vintages) if project else everywhere,
        geometry_version_id=row.geometry_version_id,
        geometry_hash=row.geometry_hash,
        bounds=(west, south, east, north),
        area_ha=row.area_ha,
        setting=Setting(
            biome=row.biome or settings.get("biome"),
            ecological_zone=row.ecological_zone or settings.get("ecological_zone"),
        ),
        metrics=MetricSettings.from_project(settings),
    )


def _project(company_id: int, row: Any) -> ProjectSpace:
    return ProjectSpace(
        id=row.id,
        company_id=company_id,
        key=row.key,
        name=row.name,
        partition_key=row.partition_key,
        vintages=tuple(row.vintages),
        policy=row.staleness_policy,
        metrics=MetricSettings.from_project(row.settings),
    )


def land_cover_legend(world: CompanyWorld) -> Legend | None:
    """Legend of the company's land cover map, or None if none is bound."""
    source = world.sources.get("land_cover")
    return load_legend(source.version.legend) if source and source.version.legend else None
