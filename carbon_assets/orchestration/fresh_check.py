"""The check ``fresh`` of an asset: which of its partitions are stale, and why.

Dagster's own badge looks one level up, at a single partition, and past 100 upstream partitions
at none. This one is exact: it compares ``partition_state`` with what should be, transitively.
It blocks nothing: a stale partition is still the number that its trace says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg
from sqlalchemy import Connection

from carbon_assets.orchestration.metadata import table_metadata
from carbon_assets.provenance.expectation import expect
from carbon_assets.provenance.graph import GRAPH, with_upstream
from carbon_assets.provenance.status import StalePartition, stale_partitions
from carbon_assets.provenance.world import CompanyWorld
from carbon_assets.store.database import Database
from carbon_assets.store.engines import transaction

CHECK_NAME = "fresh"


def fresh_spec(key: dg.AssetKey) -> dg.AssetCheckSpec:
    """Return the declaration of the check for an asset of partitions."""
    return dg.AssetCheckSpec(
        CHECK_NAME,
        asset=key,
        description=(
            "No partition of any project is stale: polygon, rasters, reference data, "
            "parameters, code, members and everything upstream are those that the current "
            "number was computed from. Evaluated at the end of every run of the asset and "
            "whenever automation looks; exact, however many partitions are upstream."
        ),
    )


def fresh_result(
    database: Database, companies: Sequence[CompanyWorld], asset: str, key: dg.AssetKey
) -> dg.AssetCheckResult:
    """Evaluate the check of one asset at the end of its step.

    Args:
        database: The database.
        companies: All companies as the step found them.
        asset: Asset key with slashes.
        key: The same as Dagster's type.
    """
    expectation = expect(companies, assets=with_upstream(asset))
    with transaction(database) as connection:
        stale = stale_partitions(connection, companies, expectation)
    own = [one for one in stale if one.asset == asset]
    verdict = _Verdict.of(companies, own, expectation.partitions().get(asset, 0))
    return dg.AssetCheckResult(
        check_name=CHECK_NAME,
        asset_key=key,
        passed=verdict.passed,
        severity=dg.AssetCheckSeverity.WARN,
        description=verdict.description,
        metadata=verdict.metadata,
    )


def fresh_evaluations(
    connection: Connection, companies: Sequence[CompanyWorld]
) -> list[dg.AssetCheckEvaluation]:
    """Evaluate the check of every asset at once, outside a run, for a sensor to report.

    Args:
        connection: An open transaction.
        companies: All companies, loaded with their projects.
    """
    expectation = expect(companies)
    stale = stale_partitions(connection, companies, expectation)
    partitions = expectation.partitions()
    found = []
    for node in GRAPH:
        own = [one for one in stale if one.asset == node.key]
        verdict = _Verdict.of(companies, own, partitions.get(node.key, 0))
        found.append(
            dg.AssetCheckEvaluation(
                asset_key=dg.AssetKey(node.key.split("/")),
                check_name=CHECK_NAME,
                passed=verdict.passed,
                severity=dg.AssetCheckSeverity.WARN,
                description=verdict.description,
                metadata=verdict.metadata,
            )
        )
    return found


@dataclass(frozen=True)
class _Verdict:
    passed: bool
    description: str
    metadata: dict[str, Any]

    @classmethod
    def of(
        cls, companies: Iterable[CompanyWorld], stale: Sequence[StalePartition], expected: int
    ) -> _Verdict:
        if not stale:
            return cls(True, f"all {expected:,} partitions are fresh", {"expected": expected})
        causes = Counter(cause for one in stale for cause in one.causes)
        told = ", ".join(f"{cause} {count:,}" for cause, count in causes.most_common())
        metadata = {
            "expected": expected,
            "stale": len(stale),
            "causes": table_metadata([{"cause": c, "partitions": n} for c, n in causes.items()]),
            "first stale partitions": table_metadata(_rows(companies, stale[:SHOWN])),
        }
        return cls(False, f"{len(stale):,} of {expected:,} partitions are stale: {told}", metadata)


SHOWN = 50
"""Stale partitions that are listed; `carbon-assets status --list --json` lists all."""


def _rows(
    companies: Iterable[CompanyWorld], stale: Sequence[StalePartition]
) -> list[dict[str, Any]]:
    projects = stale[0].level == "project"
    names = {
        subject.id: (company.key, subject.key)
        for company in companies
        for subject in (company.projects if projects else company.places).values()
    }
    return [
        {
            "company": names[one.subject_id][0],
            one.level: names[one.subject_id][1],
            "vintage": one.vintage,
            "because": ", ".join(one.causes),
        }
        for one in stale
    ]
