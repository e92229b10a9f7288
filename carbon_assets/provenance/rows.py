"""Receipts as farm metrics read them."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, text

from carbon_assets.metrics.model import ReceiptRow
from carbon_assets.provenance.plan import Key


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
