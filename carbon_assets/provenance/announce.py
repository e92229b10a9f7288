"""How far Dagster has been told what became current.

History is committed before Dagster hears of it. A run that is killed in between leaves
partitions that are fresh here and missing there; the watermark finds them again.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, text

from carbon_assets.provenance.expectation import asset_ids
from carbon_assets.provenance.graph import level_of
from carbon_assets.provenance.plan import Key


def unannounced(connection: Connection, asset: str) -> set[Key]:
    """Partitions of an asset whose newest history Dagster has not been told."""
    return {(row.subject_id, row.vintage) for row in _untold(connection, asset) if row.is_there}


def announced(connection: Connection, asset: str, keys: Collection[Key]) -> None:
    """Record that Dagster was told of the newest history of these partitions."""
    told = set(keys)
    watermark = None
    for row in _untold(connection, asset):
        if row.is_there and (row.subject_id, row.vintage) not in told:
            break
        watermark = row.id
    if watermark is not None:
        connection.execute(
            text(
                "INSERT INTO asset_announcements (asset_id, history_id) VALUES (:asset, :to)"
                " ON CONFLICT (asset_id) DO UPDATE SET history_id"
                " = greatest(asset_announcements.history_id, excluded.history_id)"
            ),
            {"asset": asset_ids(connection, [asset])[asset], "to": watermark},
        )


_UNTOLD = """
SELECT h.id, h.subject_id, h.vintage, (farm.status IS NULL OR farm.status = 'active') AS is_there
FROM partition_history AS h
LEFT JOIN farms AS farm ON :of_places AND farm.id = h.subject_id
WHERE h.asset_id = :asset AND h.id > coalesce(
    (SELECT history_id FROM asset_announcements WHERE asset_id = :asset), 0)
ORDER BY h.id
"""


def _untold(connection: Connection, asset: str) -> Sequence[Any]:
    """History past the watermark, and whether the subject is still there."""
    of_places = level_of(asset) == "place"
    number = asset_ids(connection, [asset])[asset]
    return connection.execute(text(_UNTOLD), {"asset": number, "of_places": of_places}).all()
