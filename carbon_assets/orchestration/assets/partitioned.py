"""What every asset of partitions does: compute what is stale, tell Dagster, check the rows."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import dagster as dg

from carbon_assets.logs import facts
from carbon_assets.orchestration.assets.failures import explained
from carbon_assets.orchestration.events import (
    PartitionEvents,
    Upstream,
    wanted_partitions,
    wanted_projects,
)
from carbon_assets.orchestration.fresh_check import fresh_result
from carbon_assets.orchestration.preview import SHOWN, asset_summary, headlines
from carbon_assets.orchestration.project_preview import project_summary
from carbon_assets.orchestration.row_check import check_result
from carbon_assets.orchestration.store import (
    CarbonStore,
    places_by_partition,
    projects_by_partition,
)
from carbon_assets.provenance.announce import announced
from carbon_assets.provenance.fingerprint import as_text
from carbon_assets.provenance.graph import level_of
from carbon_assets.provenance.materialize import Outcome, materialize
from carbon_assets.provenance.plan import Key
from carbon_assets.provenance.rows import current_fingerprints
from carbon_assets.provenance.world import CompanyWorld, Place, ProjectSpace
from carbon_assets.store.engines import transaction

TRACED = "total_area"
"""Metric that every place and project has."""

Subject = Place | ProjectSpace
Yielded = Iterator[
    dg.AssetMaterialization | dg.AssetObservation | dg.AssetCheckResult | dg.MaterializeResult[Any]
]


def bring_up_to_date(
    context: dg.AssetExecutionContext, store: CarbonStore, asset: str, upstreams: Sequence[Upstream]
) -> Yielded:
    """Compute the stale partitions among those that a run covers, and report all of them.

    A partition that is fresh is reported again without being computed. One whose place is
    gone, or whose vintage its project does not have, is passed over.
    """
    with explained(store):
        companies = store.companies(context.run)
        subjects, wanted = _wanted(context, store, companies, asset)
        events = PartitionEvents(context, wanted.values(), upstreams)
        done: list[Outcome] = []
        for chunk in _chunks(context, store, companies, asset, wanted):
            marks = _fingerprints(store, asset, chunk)
            numbers = headlines(store.opened(), asset, marks)
            for one in chunk:
                key = one.subject_id, one.vintage
                facts = _facts(asset, subjects[one.subject_id], one)
                facts |= dict([numbers[key]]) if key in numbers else {}
                yield events.materialization(wanted[key], as_text(marks[key]), facts)
            done += chunk
        yield events.finished(_totals(done))
        keys = {(one.subject_id, one.vintage) for one in done}
        yield from _report(context, store, companies, asset, keys)
        with transaction(store.opened()) as connection:
            announced(connection, asset, keys)


def _wanted(
    context: dg.AssetExecutionContext,
    store: CarbonStore,
    companies: Sequence[CompanyWorld],
    asset: str,
) -> tuple[dict[int, Subject], dict[Key, str]]:
    """Places or projects by row number, and the run's partitions with their Dagster keys."""
    by_key: dict[str, Subject]
    if level_of(asset) == "place":
        by_key = dict(places_by_partition(companies))
        asked = [(o.place, o.vintage, o.key) for o in wanted_partitions(context, store.work_list)]
    else:
        by_key = dict(projects_by_partition(companies))
        projects = wanted_projects(context, store.project_work_list)
        asked = [(one.project, one.vintage, one.key) for one in projects]
    wanted = {
        (by_key[subject].id, vintage): str(key)
        for subject, vintage, key in asked
        if subject in by_key and vintage in by_key[subject].vintages
    }
    return {subject.id: subject for subject in by_key.values()}, wanted


def _chunks(
    context: dg.AssetExecutionContext,
    store: CarbonStore,
    companies: Sequence[CompanyWorld],
    asset: str,
    wanted: Collection[Key],
) -> Iterator[list[Outcome]]:
    """Compute company by company; yield what was committed together."""
    for company in companies:
        own = company.places if level_of(asset) == "place" else company.projects
        keys = [key for key in wanted if key[0] in own]
        if not keys or not company.computes(asset):
            continue
        done = 0
        store.progress(asset, done, len(keys))
        for chunk in materialize(
            store.opened(), company, asset, keys, run_id=context.run.run_id, compute=store.compute
        ):
            done += len(chunk)
            store.progress(asset, done, len(keys))
            context.log.info(
                f"{company.key}: {done} of {len(keys)} partitions committed",
                extra=facts(asset=asset, company=company.key, done=done, total=len(keys)),
            )
            yield chunk


def _fingerprints(store: CarbonStore, asset: str, done: Sequence[Outcome]) -> dict[Key, bytes]:
    keys = [(one.subject_id, one.vintage) for one in done]
    with transaction(store.opened()) as connection:
        return current_fingerprints(connection, asset, keys)


def _facts(asset: str, subject: Subject, outcome: Outcome) -> dict[str, Any]:
    facts: dict[str, Any] = {"project": subject.name}
    metric = TRACED
    if isinstance(subject, Place):
        facts = {"place": f"{subject.name} ({subject.kind})"}
        metric = SHOWN[asset].metric if asset in SHOWN else TRACED
    facts["action"] = outcome.action
    if outcome.causes:
        facts["cause"] = ", ".join(outcome.causes)
    if outcome.rows:
        facts["dagster/partition_row_count"] = outcome.rows
    words = ("carbon-assets", "trace", subject.key, metric, str(outcome.vintage))
    facts["follow it"] = shlex.join(words)
    return facts


def _totals(done: Sequence[Outcome]) -> dict[str, int]:
    counts = Counter(one.action for one in done)
    rows = sum(one.rows for one in done)
    return {**{f"partitions {name}": n for name, n in sorted(counts.items())}, "rows": rows}


def _report(
    context: dg.AssetExecutionContext,
    store: CarbonStore,
    companies: Sequence[CompanyWorld],
    asset: str,
    done: Collection[Key],
) -> Yielded:
    """Check the rows of the run, then show a map or a small table on the asset."""
    key = context.asset_key
    yield check_result(store.opened(), asset, key, done)
    if done:
        if level_of(asset) == "place":
            metadata = asset_summary(store.opened(), companies, asset, done)
        else:
            metadata = project_summary(store.opened(), companies, done)
        yield dg.AssetObservation(key, metadata=metadata)
    yield fresh_result(store.opened(), companies, asset, key)
