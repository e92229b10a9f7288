"""Places into rows: a changed polygon is a new version, a known one becomes current again."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select, update
from sqlalchemy.dialects.postgresql import insert

from carbon_assets.errors import PlaceError
from carbon_assets.places.model import Place
from carbon_assets.store.models import Farm, GeometryEdit, GeometryVersion


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
    complete: bool = True,
    imported_from: str = "import",
) -> PlaceChanges:
    """Store places of one company in the caller's transaction.

    Args:
        connection: An open transaction.
        company_id: Tenant.
        places: Accepted places, of any kinds.
        projects: Row numbers of the company's projects by key.
        complete: Whether these are all places of their kinds: others of these kinds are then
            marked as removed. Their rows, versions and receipts stay.
        imported_from: What says that the others are gone, for the log of edits.

    Raises:
        PlaceError: ``PROJECT_UNKNOWN`` for a place of a project that the company has not.
    """
    _require_projects(places, projects)
    connection.execute(select(func.pg_advisory_xact_lock(_LOCK, company_id)))
    known = _known(connection, company_id)
    outcome: dict[str, list[str]] = {name: [] for name in (*_ACTIONS, "unchanged")}
    for place in places:
        row = known.pop((place.kind.value, place.key), None)
        project_id = projects.get(place.project_key or "")
        action = _save(connection, company_id, place, project_id, row)
        outcome[action].append(place.key)
    if complete:
        kinds = {place.kind.value for place in places}
        gone = [row for (kind, _), row in known.items() if kind in kinds and row.status == "active"]
        outcome["removed"] = [row.key for row in gone]
        _remove(connection, company_id, gone, imported_from)
    return PlaceChanges(**{name: tuple(keys) for name, keys in outcome.items()})


_ACTIONS = ("added", "changed", "restored", "removed")
_LOCK = 4_711_001
"""First key of the advisory lock that keeps two imports of one company apart."""


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
        Farm.geometry_kind,
        Farm.status,
        Farm.geometry_version_id,
        GeometryVersion.geometry_hash,
    ).outerjoin(GeometryVersion, Farm.geometry_version_id == GeometryVersion.id)
    rows = connection.execute(farms.where(Farm.company_id == company_id))
    return {(row.geometry_kind, row.key): row for row in rows}


def _save(
    connection: Connection,
    company_id: int,
    place: Place,
    project_id: int | None,
    row: Any | None,
) -> str:
    farm_id = row.id if row else _insert(connection, company_id, place)
    version_id = _version(connection, company_id, farm_id, place)
    connection.execute(
        update(Farm)
        .where(Farm.id == farm_id)
        .values(
            name=place.name,
            project_id=project_id,
            biome=place.biome,
            status="active",
            geometry_version_id=version_id,
        )
    )
    action = _action(row, place)
    if action != "unchanged":
        _log(connection, company_id, farm_id, version_id, action, place.source_file)
    return action


def _action(row: Any | None, place: Place) -> str:
    if row is None:
        return "added"
    if row.status != "active":
        return "restored"
    return "unchanged" if row.geometry_hash == place.geometry.hash else "changed"


def _insert(connection: Connection, company_id: int, place: Place) -> int:
    row = insert(Farm).values(
        company_id=company_id, key=place.key, name=place.name, geometry_kind=place.kind.value
    )
    farm_id = int(connection.execute(row.returning(Farm.id)).scalar_one())
    partition_key = f"{_slug(place.key)}-{farm_id}"
    connection.execute(update(Farm).where(Farm.id == farm_id).values(partition_key=partition_key))
    return farm_id


def _slug(key: str) -> str:
    """Key as it may stand in a partition key; the row number behind it makes it unique."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", key).strip("-")[:60] or "place"


def _version(connection: Connection, company_id: int, farm_id: int, place: Place) -> int:
    """Row of this polygon among the place's versions, made if it is new."""
    geometry = place.geometry
    versions = select(GeometryVersion.id).where(
        GeometryVersion.farm_id == farm_id, GeometryVersion.geometry_hash == geometry.hash
    )
    found = connection.execute(versions).scalar_one_or_none()
    if found is not None:
        return int(found)
    latest = select(func.coalesce(func.max(GeometryVersion.version), 0)).where(
        GeometryVersion.farm_id == farm_id
    )
    row = insert(GeometryVersion).values(
        company_id=company_id,
        farm_id=farm_id,
        version=connection.execute(latest).scalar_one() + 1,
        geometry_hash=geometry.hash,
        geometry=geometry.wkb,
        area_ha=geometry.area_ha,
        bbox=list(geometry.bbox),
        source_file=place.source_file,
        source_crs=place.source_crs,
        source_feature=place.source_feature,
        repaired=geometry.repaired,
        repair_note=geometry.repair_note,
    )
    return int(connection.execute(row.returning(GeometryVersion.id)).scalar_one())


def _remove(
    connection: Connection, company_id: int, rows: Sequence[Any], imported_from: str
) -> None:
    for row in rows:
        connection.execute(update(Farm).where(Farm.id == row.id).values(status="removed"))
        _log(connection, company_id, row.id, None, "removed", imported_from)


def _log(
    connection: Connection,
    company_id: int,
    farm_id: int,
    version_id: int | None,
    action: str,
    source_file: str,
) -> None:
    connection.execute(
        insert(GeometryEdit).values(
            company_id=company_id,
            farm_id=farm_id,
            geometry_version_id=version_id,
            action=action,
            source_file=source_file,
        )
    )
