"""From a change to decisions: who is run, and who is left to a person."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from carbon_assets.orchestration.automation.decisions import (
    NOTHING,
    REQUESTED,
    Decision,
    save_decisions,
)
from carbon_assets.orchestration.automation.policy import Budget, Verdict, judge, policies
from carbon_assets.orchestration.store import CarbonStore
from carbon_assets.provenance.status import StalePartition
from carbon_assets.provenance.world import Place


@dataclass(frozen=True)
class Thing:
    """What changed.

    Attributes:
        object: A place, a slot, a project; in words where it is several.
        old: Its version before, if it had one.
        new: Its version now, if it still has one.
    """

    object: str
    old: str | None = None
    new: str | None = None


@dataclass(frozen=True)
class Change:
    """A change of one company that a sensor has noticed.

    Attributes:
        sensor: Name of the sensor.
        cause: ``geometry``, ``raster_version`` or ``new_vintage``.
        company_id: Row of ``companies``.
        company: Its key.
        thing: What changed, as far as it concerns a project (None: places without one).
        whole: What changed, all together.
        read_after: Row of the followed log up to which was read before.
        read_to: Row up to which was read now.
    """

    sensor: str
    cause: str
    company_id: int
    company: str
    thing: Callable[[int | None], Thing]
    whole: Thing
    read_after: int | None = None
    read_to: int | None = None

    def decision(self, thing: Thing, decision: str, **values: object) -> Decision:
        """A decision about this change."""
        return Decision(
            sensor=self.sensor,
            cause=self.cause,
            object=thing.object,
            decision=decision,
            company_id=self.company_id,
            company=self.company,
            old_version=thing.old,
            new_version=thing.new,
            read_after=self.read_after,
            read_to=self.read_to,
            **values,  # type: ignore[arg-type]
        )


def record(
    connection: Connection,
    store: CarbonStore,
    change: Change,
    stale: Sequence[StalePartition],
    places: Mapping[int, Place],
    budget: Budget,
) -> list[Decision]:
    """Decide what becomes of stale partitions, and store it in the caller's transaction.

    Args:
        connection: An open transaction.
        store: Keeps the work list.
        change: What made them stale.
        stale: Stale partitions of places.
        places: These places by row number.
        budget: What the tick may still ask for.

    Returns:
        One decision per project; one that says so where nothing is stale.
    """
    verdicts = judge(stale, places, policies(connection, change.company_id), budget)
    run = [one for verdict in verdicts if verdict.decision == REQUESTED for one in verdict.stale]
    number = None
    if run:
        keys = {(one.subject_id, one.vintage) for one in run}
        number = store.save_work_list(f"{change.sensor}: {change.whole.object}", keys)
    decisions = [_decision(change, verdict, number) for verdict in verdicts]
    decisions = decisions or [change.decision(change.whole, NOTHING, reason="nothing is stale")]
    save_decisions(connection, decisions)
    return decisions


def _decision(change: Change, verdict: Verdict, number: int | None) -> Decision:
    asked = verdict.decision == REQUESTED
    return change.decision(
        change.thing(verdict.project_id),
        verdict.decision,
        project_id=verdict.project_id,
        reason=verdict.reason,
        partitions=len(verdict.stale),
        assets=tuple(sorted({one.asset for one in verdict.stale})),
        run_key=f"{change.sensor}:{number}" if asked else None,
        work_list_id=number if asked else None,
    )
