"""What commands read from the database, as rows ready for JSON."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Connection

Row = dict[str, Any]

_METRICS = """
SELECT c.key AS company, p.key AS project, f.geometry_kind AS kind, f.key AS farm, f.name,
       m.vintage_year AS vintage, m.metric_code AS metric, m.stratum_filter AS stratum,
       m.value_canonical AS value, m.unit_canonical AS unit,
       m.value_min_canonical AS min, m.value_max_canonical AS max,
       m.valid_share, m.flags, m.source_tag AS source, m.id
FROM current_farm_metrics AS m
JOIN farms AS f ON f.id = m.farm_id AND f.status = 'active'
JOIN companies AS c ON c.id = m.company_id
LEFT JOIN projects AS p ON p.id = f.project_id
WHERE (CAST(:company AS text) IS NULL OR c.key = :company)
  AND (CAST(:farms AS text[]) IS NULL OR f.key = ANY(:farms))
  AND (CAST(:vintages AS int[]) IS NULL OR m.vintage_year = ANY(:vintages))
  AND (CAST(:metrics AS text[]) IS NULL OR m.metric_code = ANY(:metrics))
ORDER BY c.key, f.geometry_kind, f.key, m.vintage_year, m.metric_code,
         m.stratum_filter::text NULLS FIRST
"""


def metric_rows(
    connection: Connection,
    *,
    company: str | None = None,
    farms: Collection[str] = (),
    vintages: Collection[int] = (),
    metrics: Collection[str] = (),
) -> list[Row]:
    """Current metrics of active places; an empty filter lets everything through."""
    from sqlalchemy import text

    chosen = {
        "company": company,
        "farms": list(farms) or None,
        "vintages": list(vintages) or None,
        "metrics": list(metrics) or None,
    }
    return [dict(row) for row in connection.execute(text(_METRICS), chosen).mappings()]


_NEWEST = """
SELECT max(m.vintage_year) FROM current_farm_metrics AS m JOIN companies AS c ON c.id = m.company_id
WHERE CAST(:company AS text) IS NULL OR c.key = :company
"""


def newest_vintage(connection: Connection, company: str | None) -> int | None:
    """Newest vintage that has metrics, or None."""
    from sqlalchemy import text

    found = connection.execute(text(_NEWEST), {"company": company}).scalar_one()
    return None if found is None else int(found)


_PLACES = """
SELECT c.key AS company, p.key AS project, f.geometry_kind AS kind, f.key, f.name, f.status,
       v.area_ha, v.version, count(w.id) AS versions, v.repaired, v.source_file, v.source_crs,
       p.staleness_policy AS policy, coalesce(f.biome, p.settings ->> 'biome') AS biome,
       f.partition_key
FROM farms AS f
JOIN companies AS c ON c.id = f.company_id
LEFT JOIN projects AS p ON p.id = f.project_id
LEFT JOIN geometry_versions AS v ON v.id = f.geometry_version_id
LEFT JOIN geometry_versions AS w ON w.farm_id = f.id
WHERE CAST(:company AS text) IS NULL OR c.key = :company
GROUP BY f.id, c.id, p.id, v.id
ORDER BY c.key, f.geometry_kind, f.key
"""


def place_rows(connection: Connection, company: str | None) -> list[Row]:
    """Stored places of every kind, removed ones included."""
    from sqlalchemy import text

    rows = connection.execute(text(_PLACES), {"company": company}).mappings()
    return [dict(row) for row in rows]


_SOURCES = """
SELECT c.key AS company, b.slot, s.key, s.version, s.quantity_kind AS quantity, b.manifest_hash,
       (SELECT count(*) FROM raster_assets AS a WHERE a.raster_source_id = s.id) AS files
FROM source_bindings AS b
JOIN companies AS c ON c.id = b.company_id
JOIN raster_data_sources AS s ON s.id = b.raster_source_id
ORDER BY c.key, b.slot
"""


def source_rows(connection: Connection) -> list[Row]:
    """Which source version feeds what, per company."""
    from sqlalchemy import text

    return [dict(row) for row in connection.execute(text(_SOURCES)).mappings()]


_FILES = """
SELECT a.band, a.vintage, a.tile, a.href, a.content_hash, a.size_bytes
FROM raster_assets AS a JOIN raster_data_sources AS s ON s.id = a.raster_source_id
WHERE s.key = :key AND s.version = :version
ORDER BY a.band, a.vintage NULLS FIRST, a.tile NULLS FIRST, a.id
"""


def file_rows(connection: Connection, key: str, version: str) -> list[Row]:
    """Registered files of a source version."""
    from sqlalchemy import text

    chosen = {"key": key, "version": version}
    return [dict(row) for row in connection.execute(text(_FILES), chosen).mappings()]


def registered_entry(connection: Connection, key: str, version: str) -> Row | None:
    """Catalogue entry under which a source version was registered, or None."""
    from sqlalchemy import text

    query = "SELECT catalogue FROM raster_data_sources WHERE key = :key AND version = :version"
    found = connection.execute(text(query), {"key": key, "version": version}).scalar_one_or_none()
    return None if found is None else dict(found)


def require_company(connection: Connection, company: str | None) -> None:
    """Refuse a company that does not exist.

    Raises:
        PortfolioError: ``COMPANY_UNKNOWN``.
    """
    from sqlalchemy import text

    from carbon_assets.errors import PortfolioError

    if company is None:
        return
    known: Sequence[str] = (
        connection.execute(text("SELECT key FROM companies ORDER BY key")).scalars().all()
    )
    if company not in known:
        raise PortfolioError(
            "COMPANY_UNKNOWN",
            f"there is no company {company}",
            do=f"use one of: {', '.join(known)}" if known else "import a portfolio first",
        )
