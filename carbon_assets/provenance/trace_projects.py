"""From a project's number to the farm metrics behind it, and to their receipts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, text

from carbon_assets.errors import ProvenanceError
from carbon_assets.provenance.graph import PROJECT_METRICS
from carbon_assets.provenance.trace_history import computation

Document = dict[str, Any]

_CURRENT = """
SELECT m.id, m.stratum_filter, c.key AS company
FROM current_project_metrics AS m
JOIN projects AS p ON p.id = m.project_id
JOIN companies AS c ON c.id = m.company_id
WHERE (p.key = :project OR p.partition_key = :project) AND m.metric_code = :metric
    AND m.vintage_year = :vintage AND (CAST(:company AS text) IS NULL OR c.key = :company)
"""


def trace_project_metric(
    connection: Connection,
    *,
    project: str,
    metric: str,
    vintage: int,
    company: str | None = None,
    stratum: Mapping[str, str] | None = None,
) -> Document:
    """Trace the current value of a project metric.

    Args:
        connection: An open transaction.
        project: Key of the project, or its partition key.
        metric: Metric code.
        vintage: Vintage year.
        company: Key of the company, where several have a project of this key.
        stratum: Stratum filter; None for the whole of the farms.

    Raises:
        ProvenanceError: ``METRIC_NOT_FOUND``, ``METRIC_AMBIGUOUS``.
    """
    chosen = {"project": project, "metric": metric, "vintage": vintage, "company": company}
    rows = connection.execute(text(_CURRENT), chosen).all()
    wanted = dict(stratum) if stratum else None
    found = [row for row in rows if row.stratum_filter == wanted]
    if not found:
        raise ProvenanceError(
            "METRIC_NOT_FOUND",
            f"there is no current {metric} of project {project} for {vintage}"
            + (f" and {wanted}" if wanted else ""),
            do="see which project metrics are missing or stale: `carbon-assets status`",
            details={"strata": [row.stratum_filter for row in rows]},
        )
    if len(found) > 1:
        raise ProvenanceError(
            "METRIC_AMBIGUOUS",
            f"several companies have a project {project}: "
            + ", ".join(sorted(row.company for row in found)),
            do="name the company with --company",
        )
    return trace_project_metric_id(connection, found[0].id)


def is_project(connection: Connection, key: str, company: str | None) -> bool:
    """Whether a project has this key or partition key, and no place has."""
    query = text(
        "SELECT EXISTS (SELECT FROM projects AS p JOIN companies AS c ON c.id = p.company_id"
        " WHERE (p.key = :key OR p.partition_key = :key)"
        " AND (CAST(:company AS text) IS NULL OR c.key = :company))"
        " AND NOT EXISTS (SELECT FROM farms AS f JOIN companies AS c ON c.id = f.company_id"
        " WHERE (f.key = :key OR f.partition_key = :key)"
        " AND (CAST(:company AS text) IS NULL OR c.key = :company))"
    )
    return bool(connection.execute(query, {"key": key, "company": company}).scalar_one())


_METRIC = """
SELECT m.*, p.key AS project, p.name AS project_name, c.key AS company, t.label,
    EXISTS (SELECT FROM current_project_metrics AS n WHERE n.id = m.id) AS current
FROM project_metrics AS m
JOIN projects AS p ON p.id = m.project_id
JOIN companies AS c ON c.id = m.company_id
JOIN lookup_metric_type AS t ON t.code = m.metric_code
WHERE m.id = :id
"""


def trace_project_metric_id(connection: Connection, metric_id: int) -> Document:
    """Trace a row of ``project_metrics``, current or not.

    Raises:
        ProvenanceError: ``METRIC_NOT_FOUND``.
    """
    found = connection.execute(text(_METRIC), {"id": metric_id}).mappings().one_or_none()
    if found is None:
        raise ProvenanceError(
            "METRIC_NOT_FOUND",
            f"there is no project metric {metric_id}",
            do="trace a project by its key: `carbon-assets trace PROJECT METRIC VINTAGE`",
        )
    row = dict(found)
    return {
        "project_metric": {
            "id": row["id"],
            "code": row["metric_code"],
            "label": row["label"],
            "value": row["value_canonical"],
            "unit": row["unit_canonical"],
            "interval_95": [row["value_min_canonical"], row["value_max_canonical"]],
            "farms_counted": row["farms_counted"],
            "farms_without_data": row["farms_without_data"],
            "farms_flagged": row["farms_flagged"],
            "valid_share": row["valid_share"],
            "flags": row["flags"],
            "formula": row["formula"],
            "source": row["source_tag"],
            "stratum": row["stratum_filter"],
            "vintage": row["vintage_year"],
            "current": row["current"],
        },
        "project": {
            "key": row["project"],
            "name": row["project_name"],
            "company": row["company"],
        },
        "computation": computation(connection, PROJECT_METRICS, row, row["project_id"]),
        "farm_metrics": _farm_metrics(connection, metric_id),
        "members": _members(connection, row),
    }


_SOURCES = """
SELECT s.role, f.key AS farm, m.id, m.metric_code AS metric, m.value_canonical AS value,
    m.unit_canonical AS unit, m.valid_share, m.flags,
    EXISTS (SELECT FROM current_farm_metrics AS n WHERE n.id = m.id) AS current,
    ARRAY(SELECT DISTINCT r.raster_aggregate_id FROM farm_metric_sources AS r
        WHERE r.farm_metric_id = m.id ORDER BY 1) AS receipts
FROM project_metric_sources AS s
JOIN farm_metrics AS m ON m.id = s.farm_metric_id
JOIN farms AS f ON f.id = m.farm_id
WHERE s.project_metric_id = :id
ORDER BY s.role DESC, f.key, m.id
"""


def _farm_metrics(connection: Connection, metric_id: int) -> list[Document]:
    rows = connection.execute(text(_SOURCES), {"id": metric_id}).mappings()
    return [dict(row) for row in rows]


def _members(connection: Connection, row: Mapping[str, Any]) -> list[Document]:
    """Farms that took part in the computation, those without metrics among them."""
    rows = connection.execute(
        text(
            "SELECT f.key AS farm, m.farm_fingerprint AS fingerprint FROM project_members AS m"
            " JOIN farms AS f ON f.id = m.farm_id"
            " WHERE m.project_id = :project AND m.inputs_fingerprint = :mark ORDER BY f.key"
        ),
        {"project": row["project_id"], "mark": row["inputs_fingerprint"]},
    )
    return [dict(one) for one in rows.mappings()]
