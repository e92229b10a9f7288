"""What an upload may hold, and how each kind enters the database.

A kind is a function under :func:`upload_kind`. It reads a file that nobody else writes to, and
works in the caller's transaction: either all of the file is taken, or nothing::

    @upload_kind("places", "polygons of existing places")
    def places(connection, company_id, path): ...
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from carbon_assets.errors import IntakeError, PlaceError
from carbon_assets.intake.places import PlaceChanges, save_places
from carbon_assets.places.importing import read_places
from carbon_assets.places.model import Place, PlaceKind
from carbon_assets.store.models import Farm, Project

KEY_COLUMN = "key"
SHOWN = 10


@dataclass(frozen=True)
class Taken:
    """What taking a file did.

    Attributes:
        facts: Figures for the table ``uploads`` and for the run, JSON-ready.
        places: Rows of ``farms`` that it touched.
    """

    facts: Mapping[str, Any]
    places: Sequence[int] = field(default_factory=tuple)


Take = Callable[[Connection, int, Path], Taken]
"""Takes a file for a company (row of ``companies``) in the caller's transaction."""


@dataclass(frozen=True)
class UploadKind:
    """A kind of upload.

    Attributes:
        name: Name of its folder.
        holds: What a file holds, in words.
        take: How a file is taken.
    """

    name: str
    holds: str
    take: Take


UPLOAD_KINDS: dict[str, UploadKind] = {}
"""Every kind by name."""


def upload_kind(name: str, holds: str) -> Callable[[Take], Take]:
    """Register a function as what takes a kind of upload.

    Args:
        name: Name of the folder in which files of this kind arrive.
        holds: What a file holds, in words.

    Raises:
        ValueError: There is such a kind already.
    """

    def register(take: Take) -> Take:
        if name in UPLOAD_KINDS:
            raise ValueError(f"two kinds of upload are named {name}")
        UPLOAD_KINDS[name] = UploadKind(name, holds, take)
        return take

    return register


def kind_named(name: str) -> UploadKind:
    """Return a kind of upload.

    Raises:
        IntakeError: ``UPLOAD_KIND_UNKNOWN``.
    """
    if name not in UPLOAD_KINDS:
        known = ", ".join(f"{one.name} ({one.holds})" for one in UPLOAD_KINDS.values())
        raise IntakeError(
            "UPLOAD_KIND_UNKNOWN",
            f"there is no kind of upload named {name!r}",
            do=f"put the file into the folder of one of: {known}",
        )
    return UPLOAD_KINDS[name]


@upload_kind("places", f"polygons of existing places, column `{KEY_COLUMN}`")
def take_places(connection: Connection, company_id: int, path: Path) -> Taken:
    """Redraw existing places; their names, projects and biomes stay.

    Args:
        connection: An open transaction.
        company_id: Tenant.
        path: Vector file with the column ``key``.

    Raises:
        PlaceError: As :func:`carbon_assets.places.importing.read_places`, ``PLACES_REJECTED``,
            ``UPLOAD_PLACE_UNKNOWN``, ``UPLOAD_PLACE_AMBIGUOUS``.
    """
    read = read_places(path, kind=PlaceKind.FARM.value, key=KEY_COLUMN)
    read.raise_if_rejected()
    known = _active_places(connection, company_id)
    _require_known(read.accepted, known, path.name)
    places = [_redrawn(place, known[place.key][0]) for place in read.accepted]
    projects = {row.project: row.project_id for rows in known.values() for row in rows}
    projects.pop(None, None)
    changes = save_places(connection, company_id, places, projects)
    return Taken(_facts(changes), [known[place.key][0].id for place in places])


def _active_places(connection: Connection, company_id: int) -> dict[str, list[Any]]:
    rows = connection.execute(
        select(
            Farm.id,
            Farm.key,
            Farm.name,
            Farm.geometry_kind,
            Farm.biome,
            Farm.project_id,
            Project.key.label("project"),
        )
        .outerjoin(Project, Project.id == Farm.project_id)
        .where(Farm.company_id == company_id, Farm.status == "active")
    )
    found: dict[str, list[Any]] = {}
    for row in rows:
        found.setdefault(row.key, []).append(row)
    return found


def _require_known(places: Sequence[Place], known: Mapping[str, Sequence[Any]], file: str) -> None:
    unknown = [place.key for place in places if place.key not in known]
    if unknown:
        raise PlaceError(
            "UPLOAD_PLACE_UNKNOWN",
            f"{len(unknown)} of {len(places)} places do not exist: {', '.join(unknown[:SHOWN])}",
            where=file,
            do="an upload redraws places; add new ones to the portfolio. Nothing was taken",
            details={"keys": unknown},
        )
    ambiguous = [place.key for place in places if len(known[place.key]) > 1]
    if ambiguous:
        raise PlaceError(
            "UPLOAD_PLACE_AMBIGUOUS",
            f"places of different kinds have the key {', '.join(ambiguous[:SHOWN])}",
            where=file,
            do="redraw these in the portfolio's files, which say the kind. Nothing was taken",
            details={"keys": ambiguous},
        )


def _redrawn(place: Place, row: Any) -> Place:
    return replace(
        place,
        kind=PlaceKind(row.geometry_kind),
        name=row.name,
        project_key=row.project,
        biome=row.biome,
    )


def _facts(changes: PlaceChanges) -> dict[str, Any]:
    return {"changed": list(changes.changed), "unchanged": len(changes.unchanged)}
