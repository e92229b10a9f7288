"""Sensor of geometry edits: places that were added, changed, removed or restored.

Edits are read company by company. An import holds a lock of its company from before it writes
its edits until it ends, so the edits of one company become visible in the order of their
numbers, and no number is passed over that is committed later. Across companies that is not so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text

from carbon_assets.errors import CarbonAssetsError
from carbon_assets.orchestration.automation.changes import Change, Thing, record
from carbon_assets.orchestration.automation.decisions import (
    BLOCKED,
    Decision,
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

SENSOR = "geometry_edits"
CAUSE = "geometry"
EDITS_PER_TICK = 1_000


@dataclass(frozen=True)
class Edit:
    """A row of ``geometry_edits``.

    Attributes:
        id: Its number.
        place_id: Row of ``farms``.
        place: The user's key.
        project_id: Row of ``projects``, or None.
        action: ``added``, ``changed``, ``removed`` or ``restored``.
        geometry_hash: The polygon from then on; None after a removal.
    """

    id: int
    place_id: int
    place: str
    project_id: int | None
    action: str
    geometry_hash: str | None


def decide(
    store: CarbonStore, years: Sequence[int], *, limit: int = EDITS_PER_TICK
) -> list[Decision]:
    """Decide about edits that no decision has covered yet.

    A company whose rasters cannot be read now keeps its edits for a later tick and does not
    hold up the others.

    Args:
        store: The database.
        years: Vintages of the loaded definitions; others wait for a reload.
        limit: Largest number of edits looked at.

    Returns:
        What was decided, company by company.
    """
    budget = Budget.of(partition_cap())
    decided: list[Decision] = []
    with transaction(store.opened()) as connection:
        waiting = _companies_with_edits(connection)
    for company_id, company in waiting:
        if limit <= 0:
            break
        with transaction(store.opened()) as connection:
            take_turns(connection, SENSOR)
            after, edits = _edits(connection, company_id, limit)
            if edits:
                change = _change(connection, company_id, company, after, edits)
                decided += _decide(connection, store, change, edits, years, budget)
        limit -= len(edits)
    return decided


def _decide(
    connection: Connection,
    store: CarbonStore,
    change: Change,
    edits: Sequence[Edit],
    years: Sequence[int],
    budget: Budget,
) -> list[Decision]:
    numbers = {one.place_id for one in edits}
    try:
        with connection.begin_nested():
            worlds = load_companies(connection, places=numbers)
            stale = stale_partitions(connection, worlds, expect(worlds, assets=PLACE_ASSETS))
    except CarbonAssetsError as error:
        blocked = Decision(
            sensor=SENSOR,
            cause=CAUSE,
            object=change.company,
            decision=BLOCKED,
            company_id=change.company_id,
            company=change.company,
            reason=str(error),
        )
        save_decisions(connection, [blocked])
        return [blocked]
    stale = [one for one in stale if one.vintage in years]
    places = {number: place for world in worlds for number, place in world.places.items()}
    return record(connection, store, change, stale, places, budget)


def _companies_with_edits(connection: Connection) -> list[tuple[int, str]]:
    rows = connection.execute(text(_WAITING), {"sensor": SENSOR})
    return [(row.id, row.key) for row in rows]


_POSITION = """coalesce((SELECT max(d.read_to) FROM automation_decisions AS d
    WHERE d.sensor = :sensor AND d.company_id = {company}), 0)"""

_WAITING = f"""
SELECT c.id, c.key FROM companies AS c WHERE EXISTS (
    SELECT FROM geometry_edits AS e
    WHERE e.company_id = c.id AND e.id > {_POSITION.format(company="c.id")})
ORDER BY c.id
"""  # noqa: S608 - constants only

_EDITS = """
SELECT e.id, e.farm_id AS place_id, f.key AS place, f.project_id, e.action, v.geometry_hash
FROM geometry_edits AS e JOIN farms AS f ON f.id = e.farm_id
LEFT JOIN geometry_versions AS v ON v.id = e.geometry_version_id
WHERE e.company_id = :company AND e.id > :after ORDER BY e.id LIMIT :limit
"""


def _edits(connection: Connection, company_id: int, limit: int) -> tuple[int, list[Edit]]:
    company = {"sensor": SENSOR, "company": company_id}
    position = f"SELECT {_POSITION.format(company=':company')}"
    after = int(connection.execute(text(position), company).scalar_one())
    rows = connection.execute(
        text(_EDITS), {"company": company_id, "after": after, "limit": limit}
    ).mappings()
    return after, [Edit(**row) for row in rows]


def _change(
    connection: Connection, company_id: int, company: str, after: int, edits: Sequence[Edit]
) -> Change:
    def thing(project_id: int | None) -> Thing:
        return _thing(connection, [one for one in edits if one.project_id == project_id])

    return Change(
        sensor=SENSOR,
        cause=CAUSE,
        company_id=company_id,
        company=company,
        thing=thing,
        whole=_thing(connection, edits),
        read_after=after,
        read_to=edits[-1].id,
    )


def _thing(connection: Connection, edits: Sequence[Edit]) -> Thing:
    """One place with its polygons before and after, or a number of places with their edits."""
    places = {one.place_id: one.place for one in edits}
    if len(places) == 1:
        (number, key), *_ = places.items()
        old = _hash_before(connection, number, edits[0].id)
        return Thing(key, old, edits[-1].geometry_hash)
    numbers = f"{edits[0].id} to {edits[-1].id}" if edits else "none"
    return Thing(f"{len(places)} places", None, f"edits {numbers}")


def _hash_before(connection: Connection, place_id: int, edit: int) -> str | None:
    found = connection.execute(
        text(
            "SELECT v.geometry_hash FROM geometry_edits AS e JOIN geometry_versions AS v"
            " ON v.id = e.geometry_version_id WHERE e.farm_id = :place AND e.id < :edit"
            " ORDER BY e.id DESC LIMIT 1"
        ),
        {"place": place_id, "edit": edit},
    ).scalar_one_or_none()
    return None if found is None else str(found)


def read_by(connection: Connection, decisions: Sequence[Decision]) -> list[int]:
    """Places whose edits some decisions of this sensor have covered."""
    return places_in(
        connection,
        [
            (one.company_id, one.read_after, one.read_to)
            for one in decisions
            if one.read_to is not None
        ],
    )


def places_in(
    connection: Connection, stretches: Iterable[tuple[int | None, int | None, int | None]]
) -> list[int]:
    """Places with edits in some stretches of the log, in the order of the edits.

    Args:
        connection: An open transaction.
        stretches: Company, row after which a stretch begins, and its last row.
    """
    found: dict[int, None] = {}
    for company, after, to in sorted(set(stretches), key=str):
        rows = connection.execute(
            text(
                "SELECT farm_id FROM geometry_edits"
                " WHERE company_id = :company AND id > :after AND id <= :to ORDER BY id"
            ),
            {"company": company, "after": after, "to": to},
        )
        found |= dict.fromkeys(rows.scalars())
    return list(found)
