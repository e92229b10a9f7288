"""Sensor of raster versions: bytes that changed behind an address, and bindings that changed.

Files are looked at by stamp or by HEAD, a bounded number per tick; what looks changed is hashed
and registered again. Whether something *has* changed is judged by the manifest of the binding
against the one of the last decision, so a change that a run registered first is not missed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, select

from carbon_assets.errors import CarbonAssetsError
from carbon_assets.intake.changes import look_for_changes, register_again
from carbon_assets.orchestration.automation.changes import Change, Thing, record
from carbon_assets.orchestration.automation.decisions import (
    BLOCKED,
    NOTHING,
    Decision,
    blocked_objects,
    known_versions,
    save_decisions,
    take_turns,
)
from carbon_assets.orchestration.automation.policy import Budget
from carbon_assets.orchestration.automation.settings import partition_cap
from carbon_assets.orchestration.store import CarbonStore
from carbon_assets.provenance.expectation import expect
from carbon_assets.provenance.graph import PLACE_ASSETS
from carbon_assets.provenance.status import StalePartition, stale_partitions
from carbon_assets.provenance.world import load_companies
from carbon_assets.runners.all_runners import RUNNERS
from carbon_assets.store.engines import transaction
from carbon_assets.store.models import Company, RasterDataSource, SourceBinding

SENSOR = "raster_versions"
CAUSE = "raster_version"
LOOKS_PER_TICK = 200


@dataclass
class Look:
    """What a tick saw.

    Attributes:
        decided: Decisions, stored ones and those that are blocked.
        waiting: Companies whose changes wait for their runs to end.
        after: Where to go on looking, by company number.
    """

    decided: list[Decision] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    after: dict[str, str] = field(default_factory=dict)


def decide(
    store: CarbonStore,
    years: Sequence[int],
    quiet: Callable[[str], bool],
    after: dict[str, str],
    *,
    limit: int = LOOKS_PER_TICK,
) -> Look:
    """Look at files, and decide about each binding that is not what it was.

    Args:
        store: The database.
        years: Vintages of the loaded definitions.
        quiet: Whether no run of a company is waiting or under way; what such a run leaves stale
            is known only when it has ended.
        after: Where the last tick stopped looking, by company number.
        limit: Largest number of requests to remote servers.
    """
    look = Look(after=dict(after))
    budget = Budget.of(partition_cap())
    with transaction(store.opened()) as connection:
        companies = connection.execute(select(Company.id, Company.key).order_by(Company.id)).all()
    for number, key in companies:
        company = (number, key)
        requests, troubled = _look_at(store, company, max(limit, 0), look)
        limit -= requests
        with transaction(store.opened()) as connection:
            take_turns(connection, SENSOR)
            changed = _changed(connection, number, troubled)
            if changed and not quiet(key):
                look.waiting.append(key)
            elif changed:
                look.decided += _decide(connection, store, company, changed, years, budget)
    return look


def _look_at(
    store: CarbonStore, company: tuple[int, str], limit: int, look: Look
) -> tuple[int, set[str]]:
    """Look at files of a company and register again what looks changed.

    Returns:
        Requests made, and slots with a file that is not usable.
    """
    number = str(company[0])
    seen = look_for_changes(
        store.opened(), company[0], limit=limit, after=look.after.pop(number, None)
    )
    if seen.after is not None:
        look.after[number] = seen.after
    troubles = {one.slot: f"{one.reason}: {one.href}" for one in seen.changes if one.reason}
    for href, slot in {one.href: one.slot for one in seen.changes if not one.reason}.items():
        try:
            register_again(store.opened(), company[0], [href])
        except CarbonAssetsError as error:
            troubles[slot] = _reason(error)
    blocked = [_blocked(company, slot, reason) for slot, reason in sorted(troubles.items())]
    with transaction(store.opened()) as connection:
        save_decisions(connection, blocked)
    look.decided += blocked
    return seen.requests, set(troubles)


def _blocked(company: tuple[int, str], slot: str, reason: str) -> Decision:
    company_id, key = company
    return Decision(SENSOR, CAUSE, slot, BLOCKED, company_id=company_id, company=key, reason=reason)


def _reason(error: CarbonAssetsError) -> str:
    return f"{error.code}: {error.where or error.what}"


def _changed(connection: Connection, company_id: int, troubled: Collection[str]) -> list[Thing]:
    """Bindings that are not what they were at the last decision, or that can be read again."""
    known = known_versions(connection, SENSOR, company_id)
    blocked = blocked_objects(connection, SENSOR, company_id) - set(troubled)
    rows = connection.execute(
        select(
            SourceBinding.slot,
            SourceBinding.manifest_hash,
            RasterDataSource.key,
            RasterDataSource.version,
        )
        .join(RasterDataSource, RasterDataSource.id == SourceBinding.raster_source_id)
        .where(SourceBinding.company_id == company_id)
        .order_by(SourceBinding.slot)
    )
    now = {row.slot: f"{row.key} {row.version} {row.manifest_hash}" for row in rows}
    return [
        Thing(slot, known.get(slot), version)
        for slot, version in now.items()
        if known.get(slot) != version or slot in blocked
    ]


def _decide(
    connection: Connection,
    store: CarbonStore,
    company: tuple[int, str],
    changed: Sequence[Thing],
    years: Sequence[int],
    budget: Budget,
) -> list[Decision]:
    try:
        with connection.begin_nested():
            worlds = load_companies(connection, company[1])
            stale = stale_partitions(connection, worlds, expect(worlds, assets=PLACE_ASSETS))
    except CarbonAssetsError as error:
        blocked = [_blocked(company, thing.object, _reason(error)) for thing in changed]
        save_decisions(connection, blocked)
        return blocked
    slots = [thing.object for thing in changed]
    stale = [one for one in _resting_on(slots, stale) if one.vintage in years]
    places = {number: place for world in worlds for number, place in world.places.items()}
    # One run for all slots: what follows from several must be computed after all of them.
    *beside, last = changed
    together = [
        _change(company, thing).decision(thing, NOTHING, reason=f"asked for with {last.object}")
        for thing in beside
    ]
    save_decisions(connection, together)
    return [
        *together,
        *record(connection, store, _change(company, last), stale, places, budget),
    ]


def _resting_on(slots: Collection[str], stale: Sequence[StalePartition]) -> list[StalePartition]:
    """Stale partitions of the runners that read some slots, and of what follows from them."""
    reading = {runner.asset for runner in RUNNERS if not set(slots).isdisjoint(runner.slots)}
    read = {(one.subject_id, one.vintage) for one in stale if one.asset in reading}
    beside = {runner.asset for runner in RUNNERS} - reading
    return [
        one for one in stale if one.asset not in beside and (one.subject_id, one.vintage) in read
    ]


def _change(company: tuple[int, str], thing: Thing) -> Change:
    return Change(SENSOR, CAUSE, *company, thing=lambda _project: thing, whole=thing)
