"""How far Dagster has been told what became current.

History is committed before Dagster hears of it. A run that is killed in between leaves
partitions that are fresh here and missing there; the watermark finds them again.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, text

from carbon_assets.provenance.expectation import asset_ids
from carbon_assets.provenance.plan import Key


def unannounced(connection: Connection, asset: str) -> set[Key]:
    """Partitions of an asset whose newest history Dagster has not been told."""
    rows = connection.execute(
        text(
            "SELECT DISTINCT h.farm_id, h.vintage FROM partition_history AS h"
            " JOIN farms AS f ON f.id = h.farm_id AND f.status = 'active'"
            " WHERE h.asset_id = :asset AND h.id > coalesce("
            "(SELECT history_id FROM asset_announcements WHERE asset_id = :asset), 0)"
        ),
        {"asset": asset_ids(connection, [asset])[asset]},
    )
    return {(row.farm_id, row.vintage) for row in rows}


def announced(connection: Connection, asset: str, keys: Collection[Key]) -> None:
    """Record that Dagster was told of the newest history of these partitions."""
    number = asset_ids(connection, [asset])[asset]
    rows = connection.execute(
        text(
            "SELECT h.id, h.farm_id, h.vintage, f.status FROM partition_history AS h"
            " JOIN farms AS f ON f.id = h.farm_id WHERE h.asset_id = :asset AND h.id > coalesce("
            "(SELECT history_id FROM asset_announcements WHERE asset_id = :asset), 0)"
            " ORDER BY h.id"
        ),
        {"asset": number},
    )
    told = set(keys)
    watermark = None
    for row in rows:
        if row.status == "active" and (row.farm_id, row.vintage) not in told:
            break
        watermark = row.id
    if watermark is not None:
        connection.execute(
            text(
                "INSERT INTO asset_announcements (asset_id, history_id) VALUES (:asset, :to)"
                " ON CONFLICT (asset_id) DO UPDATE SET history_id"
                " = greatest(asset_announcements.history_id, excluded.history_id)"
            ),
            {"asset": number, "to": watermark},
        )
