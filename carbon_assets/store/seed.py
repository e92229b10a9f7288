"""Reference rows: inserted when new, corrected when they differ, never removed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import or_
from sqlalchemy.dialects.postgresql import insert

from carbon_assets.store.database import Database
from carbon_assets.store.engines import owner_engine
from carbon_assets.store.models import Base, Biome, MetricType


def seed_reference(
    database: Database,
    *,
    metric_types: Iterable[Mapping[str, Any]] = (),
    biomes: Iterable[Mapping[str, Any]] = (),
) -> int:
    """Bring the lookup tables in line with the given rows, in one transaction.

    Args:
        database: Written as its owner; the application may only read these tables.
        metric_types: Rows of ``lookup_metric_type``: code, label, unit, kind, description,
            source.
        biomes: Rows of ``lookup_biome``: key, label, carbon_fraction, description, source.

    Returns:
        The number of rows that were new or different.
    """
    with owner_engine(database).begin() as connection:
        changed = 0
        for model, rows in ((MetricType, metric_types), (Biome, biomes)):
            wanted = [dict(row) for row in rows]
            if wanted:
                changed += connection.execute(
                    _upsert(model, wanted), execution_options={"preserve_rowcount": True}
                ).rowcount
        return changed


def _upsert(model: type[Base], rows: list[dict[str, Any]]) -> Any:
    table = Base.metadata.tables[model.__tablename__]
    statement = insert(table).values(rows)
    new = {c.name: statement.excluded[c.name] for c in table.c if not c.primary_key}
    return statement.on_conflict_do_update(
        index_elements=list(table.primary_key),
        set_=new,
        where=or_(*(table.c[name].is_distinct_from(value) for name, value in new.items())),
    )
