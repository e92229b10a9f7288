"""Places into rows: a changed polygon is a new version, a known one becomes current again."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, func, select, update

from carbon_assets.errors import PlaceError
from carbon_assets.places.model import Place, PlaceKind
from carbon_assets.store.copying import copy_rows, reserve_ids
from carbon_assets.store.models import Farm, GeometryEdit, GeometryVersion
from carbon_assets.store.queries import among


@dataclass(frozen=True)
class PlaceChanges:
    """What an import did, by place key.

    Attributes:
        added: New places.
        changed: Places whose polygon changed.
        restored: Places that had been removed and are back.
        removed: Places that the import no longer has.
        unchanged: Places whose polygon is what it was.
    """

    added: tuple[str, ...]
    changed: tuple[str, ...]
    restored: tuple[str, ...]
    removed: tuple[str, ...]
    unchanged: tuple[str, ...]


def save_places(
    connection: Connection,
    company_id: int,
    places: Sequence[Place],
    projects: Mapping[str, int],
    *,
    complete: Collection[PlaceKind] = (),
    imported_from: str = "import",
) -> PlaceChanges:
    """Store places of one company in the caller's transaction.

    Args:
        connection: An open transaction.
        company_id: Tenant.
        places: Accepted places, of any kinds, each key once per kind.
        projects: Row numbers of the company's projects by key.
        complete: Kinds of which these are all the places: others of these kinds are marked as
            removed. Their rows, versions and receipts stay.
        imported_from: What says that the others are gone, for the log of edits.

    Raises:
        PlaceError: ``PROJECT_UNKNOWN`` for a place of a project that the company has not.
    """
    _require_projects(places, projects)
    connection.execute(select(func.pg_advisory_xact_lock(_LOCK, company_id)))
    known = _known(connection, company_id)
    drafts = [
        _Draft(place, projects.get(place.project_key or ""), known.pop(_name(place), None))
        for place in places
    ]
    _add(connection, company_id, [draft for draft in drafts if draft.row is None])
    _version(connection, company_id, [draft for draft in drafts if draft.redrawn])
    _update(connection, [draft for draft in drafts if draft.differs])
    gone = [
        row for row in known.values() if row.status == "active" and row.geometry_kind in complete
    ]
    _mark_removed(connection, gone)
    _log(connection, company_id, drafts, gone, imported_from)
    return PlaceChanges(
        **{action: _keys(drafts, action) for action in ("added", "changed", "restored")},
        removed=tuple(row.key for row in gone),
        unchanged=_keys(drafts, "unchanged"),
    )


_LOCK = 4_711_001
"""First key of the advisory lock that keeps two imports of one company apart."""


@dataclass
class _Draft:
    """A place on its way into the database.

    Attributes:
        place: The place.
        project_id: Row of its project.
        row: What is known of it, or None for a new place.
        farm_id: Its row.
        version_id: Row of its polygon.
    """

    place: Place
    project_id: int | None
    row: Any | None
    farm_id: int = 0
    version_id: int = 0

    def __post_init__(self) -> None:
        if self.row is not None:
            self.farm_id, self.version_id = self.row.id, self.row.geometry_version_id

    @property
    def redrawn(self) -> bool:
        """Whether its polygon is not the one that is current."""
        return self.row is None or self.row.geometry_hash != self.place.geometry.hash

    @property
    def action(self) -> str:
        """What the import does to it."""
        if self.row is None:
            return "added"
        if self.row.status != "active":
            return "restored"
        return "changed" if self.redrawn else "unchanged"

    @property
    def differs(self) -> bool:
        """Whether its row says anything else than the import."""
        row, place = self.row, self.place
        if row is None or self.action != "unchanged":
            return True
        said = (row.name, row.project_id, row.biome)
        return said != (place.name, self.project_id, place.biome)


def _name(place: Place) -> tuple[str, str]:
    return place.kind.value, place.key


def _keys(drafts: Iterable[_Draft], action: str) -> tuple[str, ...]:
    return tuple(draft.place.key for draft in drafts if draft.action == action)


def _require_projects(places: Iterable[Place], projects: Mapping[str, int]) -> None:
    unknown = sorted({p.project_key for p in places if p.project_key} - projects.keys())
    if unknown:
        raise PlaceError(
            "PROJECT_UNKNOWN",
            f"places belong to projects that are not declared: {', '.join(unknown)}",
            do=f"declare them under `projects`, or use one of: {', '.join(sorted(projects))}",
        )


def _known(connection: Connection, company_id: int) -> dict[tuple[str, str], Any]:
    farms = select(
        Farm.id,
        Farm.key,
        Farm.name,
        Farm.project_id,
        Farm.biome,
        Farm.geometry_kind,
        Farm.status,
        Farm.geometry_version_id,
        GeometryVersion.geometry_hash,
    ).outerjoin(GeometryVersion, Farm.geometry_version_id == GeometryVersion.id)
    rows = connection.execute(farms.where(Farm.company_id == company_id).order_by(Farm.id))
    return {(row.geometry_kind, row.key): row for row in rows}


def _add(connection: Connection, company_id: int, drafts: Sequence[_Draft]) -> None:
    """Give each new place a row and its permanent partition key."""
    for draft, farm_id in zip(drafts, reserve_ids(connection, Farm, len(drafts)), strict=True):
        draft.farm_id = farm_id
    rows = [
        (
            draft.farm_id,
            company_id,
            draft.place.key,
            draft.place.name,
            draft.place.kind.value,
            f"{_slug(draft.place.key)}-{draft.farm_id}",
        )
        for draft in drafts
    ]
    columns = ["id", "company_id", "key", "name", "geometry_kind", "partition_key"]
    copy_rows(connection, Farm, columns, rows)


def _slug(key: str) -> str:
    """Key as it may stand in a partition key; the row number behind it makes it unique."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", key).strip("-")[:60] or "place"


def _version(connection: Connection, company_id: int, drafts: Sequence[_Draft]) -> None:
    """Find each polygon among the place's versions; store it if it is not there."""
    rows = connection.execute(
        select(
            GeometryVersion.id,
            GeometryVersion.farm_id,
            GeometryVersion.version,
            GeometryVersion.geometry_hash,
        ).where(among(GeometryVersion.farm_id, [draft.farm_id for draft in drafts if draft.row]))
    ).all()
    found = {(row.farm_id, row.geometry_hash): row.id for row in rows}
    latest: dict[int, int] = {}
    for row in rows:
        latest[row.farm_id] = max(row.version, latest.get(row.farm_id, 0))
    new = [draft for draft in drafts if (draft.farm_id, draft.place.geometry.hash) not in found]
    for draft, number in zip(new, reserve_ids(connection, GeometryVersion, len(new)), strict=True):
        found[draft.farm_id, draft.place.geometry.hash] = number
    for draft in drafts:
        draft.version_id = found[draft.farm_id, draft.place.geometry.hash]
    values = [_version_row(company_id, draft, latest.get(draft.farm_id, 0) + 1) for draft in new]
    copy_rows(connection, GeometryVersion, _VERSION_COLUMNS, values)


_VERSION_COLUMNS = [
    "id",
    "company_id",
    "farm_id",
    "version",
    "geometry_hash",
    "geometry",
    "area_ha",
    "bbox",
    "source_file",
    "source_crs",
    "source_feature",
    "repaired",
    "repair_note",
]


def _version_row(company_id: int, draft: _Draft, version: int) -> tuple[Any, ...]:
    place, geometry = draft.place, draft.place.geometry
    return (
        draft.version_id,
        company_id,
        draft.farm_id,
        version,
        geometry.hash,
        geometry.wkb,
        geometry.area_ha,
        list(geometry.bbox),
        place.source_file,
        place.source_crs,
        place.source_feature,
        geometry.repaired,
        geometry.repair_note,
    )


def _update(connection: Connection, drafts: Sequence[_Draft]) -> None:
    if not drafts:
        return
    connection.execute(
        update(Farm)
        .where(Farm.id == bindparam("farm"))
        .values(
            name=bindparam("new_name"),
            project_id=bindparam("new_project"),
            biome=bindparam("new_biome"),
            geometry_version_id=bindparam("new_version"),
            status="active",
        ),
        [
            {
                "farm": draft.farm_id,
                "new_name": draft.place.name,
                "new_project": draft.project_id,
                "new_biome": draft.place.biome,
                "new_version": draft.version_id,
            }
            for draft in drafts
        ],
    )


def _mark_removed(connection: Connection, rows: Sequence[Any]) -> None:
    if rows:
        numbers = [row.id for row in rows]
        connection.execute(update(Farm).where(among(Farm.id, numbers)).values(status="removed"))


def _log(
    connection: Connection,
    company_id: int,
    drafts: Iterable[_Draft],
    gone: Iterable[Any],
    imported_from: str,
) -> None:
    rows: list[tuple[Any, ...]] = [
        (company_id, one.farm_id, one.version_id, one.action, one.place.source_file)
        for one in drafts
        if one.action != "unchanged"
    ]
    rows += [(company_id, row.id, None, "removed", imported_from) for row in gone]
    columns = ["company_id", "farm_id", "geometry_version_id", "action", "source_file"]
    copy_rows(connection, GeometryEdit, columns, rows)
