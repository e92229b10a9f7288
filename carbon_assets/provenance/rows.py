"""Current rows: receipts as farm metrics read them, frames as checks read them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, text

from carbon_assets.metrics.model import ReceiptRow
from carbon_assets.provenance.graph import FARM_METRICS, PROJECT_METRICS
from carbon_assets.provenance.plan import Key

if TYPE_CHECKING:
    import pandas as pd


def current_receipts(connection: Connection, keys: Collection[Key]) -> dict[Key, list[ReceiptRow]]:
    """Current receipts of all runners for some partitions, in a fixed order."""
    wanted = set(keys)
    rows = connection.execute(
        text(
            "SELECT * FROM current_raster_aggregates WHERE geometry_id = ANY(:places)"
            " AND vintage_year = ANY(:vintages)"
            " ORDER BY geometry_id, vintage_year, runner_key, metric_code, aggregate_method,"
            " stratum_filter::text NULLS FIRST, id"
        ),
        {
            "places": sorted({place for place, _ in wanted}),
            "vintages": sorted({vintage for _, vintage in wanted}),
        },
    )
    found: dict[Key, list[ReceiptRow]] = {}
    names = ReceiptRow.__dataclass_fields__
    for row in rows.mappings():
        key = row["geometry_id"], row["vintage_year"]
        if key in wanted:
            found.setdefault(key, []).append(ReceiptRow(**{name: row[name] for name in names}))
    return found


def current_fingerprints(
    connection: Connection, asset: str, keys: Collection[Key]
) -> dict[Key, bytes]:
    """Fingerprint that is current for each of some partitions of an asset."""
    wanted = set(keys)
    rows = connection.execute(
        text(
            "SELECT s.subject_id, s.vintage, s.fingerprint FROM partition_state AS s"
            " JOIN asset_keys AS a ON a.id = s.asset_id"
            " WHERE a.key = :asset AND s.subject_id = ANY(:subjects)"
        ),
        {"asset": asset, "subjects": sorted({subject for subject, _ in wanted})},
    )
    found = {(row.subject_id, row.vintage): bytes(row.fingerprint) for row in rows}
    return {key: found[key] for key in wanted if key in found}


def current_frame(
    connection: Connection, asset: str, keys: Collection[Key], columns: Sequence[str]
) -> pd.DataFrame:
    """Current rows of some partitions of an asset as a frame with the named columns."""
    import pandas as pd

    query, subject = _FRAMES.get(asset, _RECEIPTS)
    wanted = set(keys)
    rows = connection.execute(
        text(query),
        {
            "subjects": sorted({one for one, _ in wanted}),
            "vintages": sorted({vintage for _, vintage in wanted}),
        },
    ).mappings()
    chosen = [
        row
        for row in rows
        if (row[subject], row["vintage_year"]) in wanted and _belongs(asset, row)
    ]
    return pd.DataFrame({name: [row.get(name) for row in chosen] for name in columns})


_RECEIPTS = (
    "SELECT * FROM current_raster_aggregates"
    " WHERE geometry_id = ANY(:subjects) AND vintage_year = ANY(:vintages)",
    "geometry_id",
)
_FRAMES = {
    FARM_METRICS: (
        "SELECT m.*, (SELECT jsonb_agg(jsonb_build_array(s.raster_aggregate_id, s.role))"
        " FROM farm_metric_sources AS s WHERE s.farm_metric_id = m.id) AS sources"
        " FROM current_farm_metrics AS m"
        " WHERE m.farm_id = ANY(:subjects) AND m.vintage_year = ANY(:vintages)",
        "farm_id",
    ),
    PROJECT_METRICS: (
        "SELECT m.*, (SELECT jsonb_agg(jsonb_build_array(s.farm_metric_id, s.role))"
        " FROM project_metric_sources AS s WHERE s.project_metric_id = m.id) AS sources"
        " FROM current_project_metrics AS m"
        " WHERE m.project_id = ANY(:subjects) AND m.vintage_year = ANY(:vintages)",
        "project_id",
    ),
}
"""Statement, and the column with the subject, by asset; receipts are the others."""


def _belongs(asset: str, row: Mapping[Any, Any]) -> bool:
    runner = str(row.get("runner_key", "")).split(".", 1)[0]
    return asset in _FRAMES or asset.rsplit("/", 1)[-1] == runner
