"""What was decided, written before Dagster hears of it, and handed on from there.

A request is a row of ``automation_decisions`` first, in the transaction that found the change.
Only then does a sensor hand it to Dagster. A daemon that is killed in between finds the row
again, since its cursor has not passed it; one that is killed after Dagster has it hands on the
same run key, of which Dagster starts one run.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace

from sqlalchemy import Connection, func, insert, select, text

from carbon_assets.store.models import AutomationDecision, Company

REQUESTED, BADGE, OVER_CAP, NOTHING, BLOCKED = (
    "requested",
    "badge",
    "over_cap",
    "nothing",
    "blocked",
)
SERVED_AT_ONCE = 2_000
"""Decisions that one tick hands to Dagster; a run request has one per project."""


@dataclass(frozen=True)
class Decision:
    """A row of ``automation_decisions``; its columns say what the fields mean.

    ``id`` is 0 and ``company`` empty until it is stored.
    """

    sensor: str
    cause: str
    object: str
    decision: str
    company_id: int | None = None
    project_id: int | None = None
    old_version: str | None = None
    new_version: str | None = None
    reason: str | None = None
    partitions: int = 0
    assets: tuple[str, ...] = ()
    run_key: str | None = None
    work_list_id: int | None = None
    read_after: int | None = None
    read_to: int | None = None
    id: int = 0
    company: str = ""

    def __str__(self) -> str:
        where = f"{self.company} " if self.company else ""
        what = f"{where}{self.object}: {self.partitions} stale partitions, {self.decision}"
        return f"{what} ({self.reason})" if self.reason else what


_STORED = set(AutomationDecision.__table__.columns.keys()) - {"id", "decided_at"}


def take_turns(connection: Connection, sensor: str) -> None:
    """Let one evaluation of a sensor decide at a time, until the transaction ends."""
    connection.execute(
        text("SELECT pg_advisory_xact_lock(:group, hashtext(:sensor))"),
        {"group": _LOCK, "sensor": sensor},
    )


_LOCK = 4_711_003
"""First key of the advisory locks of sensors."""


def save_decisions(connection: Connection, decisions: Iterable[Decision]) -> None:
    """Append decisions; one that is blocked as before is not repeated."""
    rows = [one for one in decisions if not (one.decision == BLOCKED and _again(connection, one))]
    if rows:
        values = [{k: v for k, v in asdict(one).items() if k in _STORED} for one in rows]
        connection.execute(insert(AutomationDecision), values)


def _again(connection: Connection, blocked: Decision) -> bool:
    last = connection.execute(
        select(AutomationDecision.decision, AutomationDecision.reason)
        .where(
            AutomationDecision.sensor == blocked.sensor,
            AutomationDecision.company_id == blocked.company_id,
            AutomationDecision.object == blocked.object,
        )
        .order_by(AutomationDecision.id.desc())
        .limit(1)
    ).one_or_none()
    return last is not None and tuple(last) == (BLOCKED, blocked.reason)


def known_versions(connection: Connection, sensor: str, company_id: int) -> dict[str, str]:
    """Version that each object of a company had when the sensor last decided about it."""
    rows = connection.execute(
        select(AutomationDecision.object, AutomationDecision.new_version)
        .where(
            AutomationDecision.sensor == sensor,
            AutomationDecision.company_id == company_id,
            AutomationDecision.decision != BLOCKED,
        )
        .order_by(AutomationDecision.id)
    )
    return {row.object: row.new_version or "" for row in rows}


def blocked_objects(connection: Connection, sensor: str, company_id: int) -> set[str]:
    """Objects of a company that were blocked when the sensor last decided about them."""
    rows = connection.execute(
        select(AutomationDecision.object, AutomationDecision.decision)
        .where(
            AutomationDecision.sensor == sensor,
            AutomationDecision.company_id == company_id,
        )
        .order_by(AutomationDecision.id)
    )
    last = {row.object: row.decision for row in rows}
    return {name for name, decision in last.items() if decision == BLOCKED}


def unserved(connection: Connection, sensor: str, after: int) -> list[Decision]:
    """Decisions of a sensor that Dagster has not been told of, oldest first.

    Args:
        connection: An open transaction.
        sensor: Name of the sensor.
        after: Row up to which Dagster was told.

    Returns:
        At most some thousand; of a run request all its decisions, or none.
    """
    columns = [AutomationDecision.__table__.c[name] for name in (*sorted(_STORED), "id")]
    rows = connection.execute(
        select(*columns, func.coalesce(Company.key, "").label("company"))
        .outerjoin(Company, Company.id == AutomationDecision.company_id)
        .where(AutomationDecision.sensor == sensor, AutomationDecision.id > after)
        .order_by(AutomationDecision.id)
        .limit(SERVED_AT_ONCE)
    ).mappings()
    found = [replace(Decision(**row), assets=tuple(row["assets"])) for row in rows]
    if len(found) == SERVED_AT_ONCE:
        cut = found[-1].run_key
        return [one for one in found if cut is None or one.run_key != cut]
    return found


def grouped(decisions: Sequence[Decision]) -> dict[str, list[Decision]]:
    """Decisions that ask for a run, by run key, in order."""
    groups: dict[str, list[Decision]] = {}
    for one in decisions:
        if one.run_key is not None:
            groups.setdefault(one.run_key, []).append(one)
    return groups
