"""What a sensor's cursor holds, and the result of a tick."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import dagster as dg

from carbon_assets.orchestration.automation.decisions import Decision
from carbon_assets.orchestration.partitions import FARM

NOTES = 20
ACTIVE_RUNS = (
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
)


@dataclass(frozen=True)
class Cursor:
    """Where a sensor stands.

    Attributes:
        decision: Last row of ``automation_decisions`` that Dagster was told of.
        leaving: Partition keys of removed places that Dagster still knows.
        after: Where to go on looking, by company number.
    """

    decision: int = 0
    leaving: tuple[str, ...] = ()
    after: dict[str, str] | None = None

    @classmethod
    def read(cls, text: str | None) -> Cursor:
        """Read a cursor; one that cannot be read counts as none: run keys keep that harmless."""
        try:
            found: Any = json.loads(text or "{}")
            return cls(
                int(found.get("decision", 0)),
                tuple(found.get("leaving", ())),
                found.get("after"),
            )
        except (ValueError, TypeError, AttributeError):
            return cls()

    def passed(self, decisions: Sequence[Decision]) -> int:
        """Number of the last of some decisions, or where the cursor stands."""
        return max((one.id for one in decisions), default=self.decision)

    def __str__(self) -> str:
        return json.dumps({key: value for key, value in asdict(self).items() if value})


def is_quiet(instance: dg.DagsterInstance, tags: dict[str, str] | None = None) -> bool:
    """Whether no run, or none with some tags, is waiting or under way."""
    wanted = dg.RunsFilter(statuses=list(ACTIVE_RUNS), tags=tags or {})
    return not instance.get_run_ids(wanted, limit=1)


def told(notes: Iterable[str]) -> str:
    """Remarks of a tick, one per line, as many as a person reads."""
    lines = list(notes)
    more = [f"… and {len(lines) - NOTES} more"] if len(lines) > NOTES else []
    return "\n".join([*lines[:NOTES], *more])


def tick_result(
    cursor: Cursor,
    requests: Sequence[dg.RunRequest],
    notes: Iterable[str],
    *,
    new_keys: Sequence[str] = (),
    gone_keys: Sequence[str] = (),
    dimension: str = FARM,
    events: Sequence[dg.AssetMaterialization] = (),
) -> dg.SensorResult:
    """Return what a tick tells Dagster; without a run, the notes say why there is none.

    Args:
        cursor: Where the sensor stands now.
        requests: Runs.
        notes: What was decided or noticed.
        new_keys: Partition keys to make known.
        gone_keys: Partition keys to forget.
        dimension: Dynamic dimension of these keys.
        events: Events of assets that no run makes.
    """
    partitions: list[dg.AddDynamicPartitionsRequest | dg.DeleteDynamicPartitionsRequest] = []
    if new_keys:
        partitions.append(dg.AddDynamicPartitionsRequest(dimension, list(new_keys)))
    if gone_keys:
        partitions.append(dg.DeleteDynamicPartitionsRequest(dimension, list(gone_keys)))
    reason = told(notes) or "nothing has changed"
    return dg.SensorResult(
        run_requests=list(requests),
        skip_reason=None if requests else reason,
        cursor=str(cursor),
        dynamic_partitions_requests=partitions,
        asset_events=list(events),
    )
