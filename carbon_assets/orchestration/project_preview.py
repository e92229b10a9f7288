"""What a run shows of projects: a small table of the newest vintage."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import text

from carbon_assets.orchestration.metadata import table_metadata
from carbon_assets.provenance.plan import Key
from carbon_assets.provenance.world import CompanyWorld
from carbon_assets.store.database import Database
from carbon_assets.store.engines import transaction

SHOWN = {
    "total_area": "area (ha)",
    "forest_cover_pct": "forest (%)",
    "total_carbon_stock": "carbon (tC)",
}
"""Metrics in the table, with their headings."""

_VALUES = """
SELECT project_id, metric_code, value_canonical AS value, farms_counted, farms_without_data
FROM current_project_metrics
WHERE project_id = ANY(:projects) AND vintage_year = :vintage AND stratum_filter IS NULL
    AND metric_code = ANY(:codes)
"""


def project_summary(
    database: Database, companies: Sequence[CompanyWorld], done: Collection[Key]
) -> dict[str, Any]:
    """Return metadata with the size of the table and a table of projects.

    Args:
        database: The database.
        companies: The companies of the projects.
        done: At least one partition; its newest vintage is shown.
    """
    newest = max(vintage for _, vintage in done)
    shown = {project for project, vintage in done if vintage == newest}
    with transaction(database) as connection:
        rows = connection.execute(text("SELECT count(*) FROM project_metrics")).scalar_one()
        chosen = {"projects": sorted(shown), "vintage": newest, "codes": list(SHOWN)}
        found = connection.execute(text(_VALUES), chosen).all()
    values = {(row.project_id, row.metric_code): row for row in found}
    table = []
    for company in companies:
        for number in sorted(shown & company.projects.keys()):
            cells = {code: values.get((number, code)) for code in SHOWN}
            stock = cells["total_carbon_stock"]
            table.append(
                {
                    "project": company.projects[number].key,
                    "farms": len(company.members(number)),
                    **{SHOWN[code]: row.value if row else None for code, row in cells.items()},
                    "farms without carbon data": stock.farms_without_data if stock else None,
                }
            )
    return {
        "dagster/row_count": rows,
        "vintage shown": newest,
        "projects": table_metadata(table),
    }
