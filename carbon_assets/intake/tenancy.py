"""Companies and projects as a portfolio names them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import insert

from carbon_assets.store.models import Company, Project


@dataclass(frozen=True)
class ProjectEntry:
    """A project as its owner describes it.

    Attributes:
        key: Key, unique within the company.
        name: Display name.
        vintages: Calendar years that are computed for each of its places.
        staleness_policy: ``auto`` or ``badge``.
        settings: Biome, ecological zone, forest definition.
    """

    key: str
    name: str
    vintages: Sequence[int]
    staleness_policy: str = "auto"
    settings: dict[str, Any] = field(default_factory=dict)


def save_company(connection: Connection, key: str, name: str) -> int:
    """Insert or rename a company and return its row number."""
    row = insert(Company).values(key=key, name=name)
    row = row.on_conflict_do_update(index_elements=["key"], set_={"name": row.excluded.name})
    return int(connection.execute(row.returning(Company.id)).scalar_one())


def save_projects(
    connection: Connection, company_id: int, projects: Iterable[ProjectEntry]
) -> dict[str, int]:
    """Insert or update projects; return their row numbers by key."""
    saved = {}
    for project in projects:
        values = {
            "name": project.name,
            "vintages": sorted(set(project.vintages)),
            "staleness_policy": project.staleness_policy,
            "settings": project.settings,
        }
        row = insert(Project).values(company_id=company_id, key=project.key, **values)
        row = row.on_conflict_do_update(index_elements=["company_id", "key"], set_=values)
        saved[project.key] = int(connection.execute(row.returning(Project.id)).scalar_one())
    return saved
