"""Who may be run: the policy of each project, and a cap that no tick exceeds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from carbon_assets.orchestration.automation.decisions import BADGE, OVER_CAP, REQUESTED
from carbon_assets.orchestration.automation.settings import CAP_VARIABLE
from carbon_assets.provenance.status import StalePartition
from carbon_assets.provenance.world import Place
from carbon_assets.store.models import Project

AUTO = "auto"


@dataclass
class Budget:
    """How many stale partitions a tick may still ask for.

    Attributes:
        cap: At the start of the tick.
        left: Now.
    """

    cap: int
    left: int

    @classmethod
    def of(cls, cap: int) -> Budget:
        """A full budget."""
        return cls(cap, cap)

    def takes(self, partitions: int) -> bool:
        """Take so many from what is left, if they fit."""
        if partitions > self.left:
            return False
        self.left -= partitions
        return True


@dataclass(frozen=True)
class Verdict:
    """What becomes of the stale partitions of one project.

    Attributes:
        project_id: Row of ``projects``; None for places without a project.
        stale: Its stale partitions.
        decision: ``requested``, ``badge`` or ``over_cap``.
        reason: Why it is not requested.
    """

    project_id: int | None
    stale: Sequence[StalePartition]
    decision: str
    reason: str | None = None


def policies(connection: Connection, company_id: int) -> dict[int, str]:
    """Staleness policy of each project of a company."""
    query = select(Project.id, Project.staleness_policy).where(Project.company_id == company_id)
    return {row.id: row.staleness_policy for row in connection.execute(query)}


def judge(
    stale: Iterable[StalePartition],
    places: Mapping[int, Place],
    policy: Mapping[int, str],
    budget: Budget,
) -> list[Verdict]:
    """Decide per project, the smallest first, so that a large one starves nobody.

    Args:
        stale: Stale partitions of places.
        places: The places by row number.
        policy: Policy by project; places without a project are run.
        budget: What the tick may still ask for; reduced by what is requested.
    """
    groups: dict[int | None, list[StalePartition]] = {}
    for one in stale:
        groups.setdefault(places[one.subject_id].project_id, []).append(one)
    ordered = sorted(groups.items(), key=lambda item: (len(item[1]), item[0] or 0))
    return [_verdict(project, group, policy, budget) for project, group in ordered]


def _verdict(
    project_id: int | None,
    stale: Sequence[StalePartition],
    policy: Mapping[int, str],
    budget: Budget,
) -> Verdict:
    if project_id is not None and policy.get(project_id, AUTO) != AUTO:
        reason = "the project's staleness_policy is badge: a person starts the run"
        return Verdict(project_id, stale, BADGE, reason)
    if not budget.takes(len(stale)):
        reason = (
            f"{len(stale)} stale partitions, of {budget.left} left of the {budget.cap} that "
            f"{CAP_VARIABLE} allows per tick: a person starts the run"
        )
        return Verdict(project_id, stale, OVER_CAP, reason)
    return Verdict(project_id, stale, REQUESTED)
