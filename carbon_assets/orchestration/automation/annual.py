"""The annual run: last year becomes a vintage of every project that keeps up with the years.

A project keeps up when its newest vintage is the year before. One that ends earlier was given a
fixed list of years, which is left as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, select, update

from carbon_assets.intake.availability import Availability, availability
from carbon_assets.intake.mirroring import mirror
from carbon_assets.orchestration.automation.decisions import (
    BLOCKED,
    NOTHING,
    Decision,
    save_decisions,
    take_turns,
)
from carbon_assets.orchestration.automation.settings import mirror_folder
from carbon_assets.orchestration.store import CarbonStore
from carbon_assets.store.engines import transaction
from carbon_assets.store.models import Company, Project
from carbon_assets.store.queries import among

SCHEDULE = "annual_vintage"
CAUSE = "annual_vintage"
SHOWN = 3


@dataclass(frozen=True)
class Due:
    """What a vintage means for a company.

    Attributes:
        company_id: Row of ``companies``.
        company: Its key.
        projects: Projects that get the vintage, by row number.
        trouble: Why they cannot get it now.
    """

    company_id: int
    company: str
    projects: dict[int, str]
    trouble: str | None


def due(store: CarbonStore, vintage: int) -> list[Due]:
    """Find the companies with projects that lack a vintage and keep up with the years.

    The rasters of the vintage are looked up, nothing is read or written.

    Args:
        store: The database.
        vintage: The new calendar year.
    """
    with transaction(store.opened()) as connection:
        found = _lacking(connection, vintage)
    return [
        Due(number, key, projects, _trouble(availability(store.opened(), number, vintage)))
        for (number, key), projects in found.items()
    ]


def _lacking(connection: Connection, vintage: int) -> dict[tuple[int, str], dict[int, str]]:
    rows = connection.execute(
        select(Company.id, Company.key, Project.id, Project.key, Project.vintages)
        .join(Project, Project.company_id == Company.id)
        .order_by(Company.id, Project.id)
    )
    found: dict[tuple[int, str], dict[int, str]] = {}
    for number, company, project, key, vintages in rows:
        if max(vintages, default=0) == vintage - 1:
            found.setdefault((number, company), {})[project] = key
    return found


def _trouble(found: Availability) -> str | None:
    if found.complete:
        return None
    if not found.files:
        return "it has no bound source, or no place"
    words = [
        f"{one.reason}: {one.source}"
        + (f" band {one.band}" if one.band else "")
        + (f" {one.href}" if one.href else "")
        for one in found.missing[:SHOWN]
    ]
    more = len(found.missing) - SHOWN
    return "; ".join(words) + (f"; and {more} more" if more > 0 else "")


def blocked(store: CarbonStore, companies: Iterable[Due], vintage: int) -> list[Decision]:
    """Record which companies cannot have a vintage yet, and why."""
    decisions = [
        Decision(
            sensor=SCHEDULE,
            cause=CAUSE,
            object=str(vintage),
            decision=BLOCKED,
            company_id=one.company_id,
            company=one.company,
            reason=one.trouble,
        )
        for one in companies
        if one.trouble
    ]
    with transaction(store.opened()) as connection:
        save_decisions(connection, decisions)
    return decisions


def add_vintage(
    store: CarbonStore, vintage: int, companies: Sequence[str]
) -> tuple[list[Decision], list[Due]]:
    """Give a vintage to the projects of some companies that keep up with the years.

    The rasters are looked up again, and remote ones copied first where ``CARBON_MIRROR`` names
    a folder. Done twice, it changes nothing the second time.

    Args:
        store: The database.
        vintage: The new calendar year.
        companies: Their keys.

    Returns:
        A decision per project that has it now, and the companies that cannot have it.

    Raises:
        RasterError: What struck a copy; other companies' projects may have the vintage then.
    """
    found = [one for one in due(store, vintage) if one.company in companies]
    decisions: list[Decision] = []
    folder = mirror_folder()
    for one in found:
        if one.trouble is None:
            if folder is not None:
                mirror(store.opened(), one.company_id, [vintage], folder)
            decisions += _append(store, one, vintage)
    return decisions, [one for one in found if one.trouble]


def _append(store: CarbonStore, one: Due, vintage: int) -> list[Decision]:
    decisions = [
        Decision(
            sensor=SCHEDULE,
            cause=CAUSE,
            object=key,
            decision=NOTHING,
            company_id=one.company_id,
            company=one.company,
            project_id=project,
            old_version=str(vintage - 1),
            new_version=str(vintage),
            reason="vintage added; the sensor new_vintages asks for its runs",
        )
        for project, key in one.projects.items()
    ]
    with transaction(store.opened()) as connection:
        take_turns(connection, SCHEDULE)
        lacking = _lacking(connection, vintage).get((one.company_id, one.company), {})
        decisions = [decision for decision in decisions if decision.project_id in lacking]
        connection.execute(
            update(Project)
            .where(among(Project.id, lacking))
            .values(vintages=func.array_append(Project.vintages, vintage))
        )
        save_decisions(connection, decisions)
    return decisions
