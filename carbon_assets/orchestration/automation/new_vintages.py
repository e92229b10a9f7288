"""Sensor of new vintages: years that were added to projects, by hand or by the annual run.

The years are a static dimension of the definitions. So this goes in two steps: where the
database has years that the loaded definitions have not, they are loaded again; the evaluation
that finds both equal asks for what the new years lack.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sqlalchemy import Connection, select

from carbon_assets.errors import CarbonAssetsError
from carbon_assets.orchestration.automation.changes import Change, Thing, record
from carbon_assets.orchestration.automation.decisions import (
    BLOCKED,
    NOTHING,
    Decision,
    known_versions,
    save_decisions,
    take_turns,
)
from carbon_assets.orchestration.automation.policy import Budget
from carbon_assets.orchestration.automation.settings import partition_cap
from carbon_assets.orchestration.store import CarbonStore
from carbon_assets.provenance.expectation import expect
from carbon_assets.provenance.graph import PLACE_ASSETS
from carbon_assets.provenance.status import stale_partitions
from carbon_assets.provenance.world import load_companies
from carbon_assets.store.engines import transaction
from carbon_assets.store.models import Company, Project

SENSOR = "new_vintages"
CAUSE = "new_vintage"


def decide(
    store: CarbonStore, years: Sequence[int], quiet: Callable[[str], bool]
) -> tuple[list[Decision], list[str]]:
    """Decide about projects whose vintages are not what they were.

    Args:
        store: The database.
        years: Vintages of the loaded definitions.
        quiet: Whether no run of a company is waiting or under way: a company that has just been
            imported is run because of its places.

    Returns:
        Decisions, and the companies that wait for their runs to end.
    """
    budget = Budget.of(partition_cap())
    decided: list[Decision] = []
    waiting: list[str] = []
    with transaction(store.opened()) as connection:
        companies = connection.execute(select(Company.id, Company.key).order_by(Company.id)).all()
    for number, key in companies:
        with transaction(store.opened()) as connection:
            take_turns(connection, SENSOR)
            changed = _changed(connection, number)
            if changed and not quiet(key):
                waiting.append(key)
            elif changed:
                decided += _decide(connection, store, (number, key), changed, years, budget)
    return decided, waiting


def _changed(connection: Connection, company_id: int) -> dict[int, Thing]:
    """Projects with other vintages than at the last decision, by row number."""
    known = known_versions(connection, SENSOR, company_id)
    rows = connection.execute(
        select(Project.id, Project.key, Project.vintages).where(Project.company_id == company_id)
    )
    now = {row.id: (row.key, " ".join(map(str, row.vintages))) for row in rows}
    return {
        number: Thing(key, known.get(key), vintages)
        for number, (key, vintages) in now.items()
        if known.get(key) != vintages
    }


def _decide(
    connection: Connection,
    store: CarbonStore,
    company: tuple[int, str],
    changed: dict[int, Thing],
    years: Sequence[int],
    budget: Budget,
) -> list[Decision]:
    try:
        with connection.begin_nested():
            worlds = load_companies(connection, company[1])
            stale = stale_partitions(connection, worlds, expect(worlds, assets=PLACE_ASSETS))
    except CarbonAssetsError as error:
        blocked = [
            _change(company, thing).decision(
                thing, BLOCKED, project_id=project, reason=f"{error.code}: {error.where}"
            )
            for project, thing in changed.items()
        ]
        save_decisions(connection, blocked)
        return blocked
    places = {number: place for world in worlds for number, place in world.places.items()}
    wanted = {project: _added(thing) & set(years) for project, thing in changed.items()}
    mine = [
        one
        for one in stale
        if one.vintage in wanted.get(places[one.subject_id].project_id or 0, ())
    ]
    decided = (
        record(connection, store, _changes(company, changed), mine, places, budget) if mine else []
    )
    calm = [
        _change(company, thing).decision(
            thing, NOTHING, project_id=project, reason="nothing is stale"
        )
        for project, thing in changed.items()
        if project not in {one.project_id for one in decided}
    ]
    save_decisions(connection, calm)
    return [*decided, *calm]


def _added(thing: Thing) -> set[int]:
    old, new = ({int(year) for year in (text or "").split()} for text in (thing.old, thing.new))
    return new - old


def _changes(company: tuple[int, str], changed: Mapping[int, Thing]) -> Change:
    """The changes of several projects as one: they are run together."""
    whole = Thing(", ".join(thing.object for thing in changed.values()))
    return Change(SENSOR, CAUSE, *company, thing=lambda project: changed[project or 0], whole=whole)


def _change(company: tuple[int, str], thing: Thing) -> Change:
    return Change(SENSOR, CAUSE, *company, thing=lambda _project: thing, whole=thing)
