"""Deriving project metrics again from the farm metrics that each computation names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import Connection, text

from carbon_assets.metrics.model import stratum_key
from carbon_assets.metrics.projects_model import ProjectNumber
from carbon_assets.metrics.settings import MetricSettings
from carbon_assets.provenance.code import code_hash
from carbon_assets.provenance.expectation import SUM_UP
from carbon_assets.provenance.projects import Overlaps, derive
from carbon_assets.provenance.reproduction import Reproduction

IDENTITY = ("metric_code", "stratum_filter", "sources")
"""Fields by which a row is found again, or that are told in a table of their own."""
COMPARED = tuple(one.name for one in fields(ProjectNumber) if one.name not in IDENTITY)
"""Fields of a project metric that must come out the same, to the last bit."""


def reproduce_projects(
    connection: Connection, found: Iterable[Any], result: Reproduction
) -> Iterator[int]:
    """Derive the project metrics of some computations again, and compare.

    Args:
        connection: An open transaction.
        found: What :func:`computations` returned.
        result: Where what is found is added.

    Yields:
        Computations done so far.
    """
    overlaps = Overlaps(connection)
    for done, one in enumerate(found, start=1):
        _repeat(connection, one, overlaps, result)
        yield done


def computations(connection: Connection, company: str | None) -> Sequence[Any]:
    """Current computations of projects, with the farms that took part and the input document."""
    return connection.execute(
        text(_COMPUTATIONS), {"company": company, "asset": "project_metrics"}
    ).all()


_COMPUTATIONS = """
SELECT m.project_id, p.key AS project, m.vintage_year, m.inputs_fingerprint, i.document,
    jsonb_object_agg(f.key, jsonb_build_array(m.farm_id, m.farm_fingerprint)) AS members
FROM project_members AS m
JOIN projects AS p ON p.id = m.project_id
JOIN companies AS c ON c.id = m.company_id
JOIN farms AS f ON f.id = m.farm_id
JOIN asset_keys AS a ON a.key = :asset
JOIN partition_state AS s ON s.asset_id = a.id AND s.subject_id = m.project_id
    AND s.vintage = m.vintage_year
    AND m.inputs_fingerprint = 'sha256:' || encode(s.fingerprint, 'hex')
JOIN partition_inputs AS i ON i.id = s.inputs_id
WHERE CAST(:company AS text) IS NULL OR c.key = :company
GROUP BY m.project_id, p.key, m.vintage_year, m.inputs_fingerprint, i.document
ORDER BY m.project_id, m.vintage_year
"""


def _repeat(connection: Connection, one: Any, overlaps: Overlaps, result: Reproduction) -> None:
    note_code(one.document, result)
    members = {key: (farm, mark) for key, (farm, mark) in one.members.items()}
    share = float(one.document["parameters"]["min_valid_share"])
    settings = MetricSettings(min_valid_share=share)
    made = {
        _identity(vars(number)): number
        for number in derive(connection, members, settings, overlaps)
    }
    rows = _recorded(connection, one)
    result.project_metrics_checked += len(rows)
    for row in rows:
        again = made.pop(_identity(row), None)
        differences = list(_differences(one, row, again))
        result.different += differences
        result.project_metrics_equal += not differences
    result.different += [
        _entry(one, {"id": None, **vars(extra)}, "row", None, "made") for extra in made.values()
    ]


def _recorded(connection: Connection, one: Any) -> list[dict[str, Any]]:
    rows = connection.execute(
        text(
            "SELECT m.*, (SELECT jsonb_agg(jsonb_build_array(s.farm_metric_id, s.role)"
            " ORDER BY s.farm_metric_id, s.role) FROM project_metric_sources AS s"
            " WHERE s.project_metric_id = m.id) AS sources FROM project_metrics AS m"
            " WHERE m.project_id = :project AND m.inputs_fingerprint = :mark ORDER BY m.id"
        ),
        {"project": one.project_id, "mark": one.inputs_fingerprint},
    )
    return [dict(row) for row in rows.mappings()]


def _identity(row: Mapping[str, Any]) -> tuple[str, Any]:
    return row["metric_code"], stratum_key(row["stratum_filter"])


def _differences(
    one: Any, row: Mapping[str, Any], again: ProjectNumber | None
) -> Iterator[dict[str, Any]]:
    if again is None:
        yield _entry(one, row, "row", "recorded", None)
        return
    recorded = {**row, "flags": tuple(row["flags"])}
    for name in COMPARED:
        if recorded[name] != getattr(again, name):
            yield _entry(one, row, name, row[name], getattr(again, name))
    made = sorted([metric, role] for metric, role in again.sources)
    if (row["sources"] or []) != made:
        yield _entry(one, row, "sources", row["sources"], made)


def _entry(
    one: Any, row: Mapping[str, Any], name: str, recorded: Any, recomputed: Any
) -> dict[str, Any]:
    return {
        "project": one.project,
        "vintage": one.vintage_year,
        "project_metric": row["id"],
        "metric": row["metric_code"],
        "field": name,
        "recorded": recorded,
        "recomputed": recomputed,
    }


def note_code(document: Mapping[str, Any], result: Reproduction) -> None:
    """Say so once where the code has changed since a computation."""
    if document["code"] != code_hash(SUM_UP):
        note = f"project_metrics: the code has changed since ({document['code']})"
        if note not in result.notes:
            result.notes.append(note)
