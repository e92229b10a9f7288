"""What Dagster is told of edited places: which there are, and which polygon is current."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import dagster as dg
from sqlalchemy import Connection, select

from carbon_assets.orchestration.assets.places import CODE_VERSION, place_facts
from carbon_assets.orchestration.event_storage import DATA_VERSION_TAG, latest_versions
from carbon_assets.orchestration.events import CODE_VERSION_TAG, USER_PROVIDED_TAG
from carbon_assets.orchestration.names import PLACE_GEOMETRIES
from carbon_assets.orchestration.partitions import FARM
from carbon_assets.store.models import Farm, GeometryVersion
from carbon_assets.store.queries import among


@dataclass(frozen=True)
class EditedPlaces:
    """Places as they stand now.

    Attributes:
        active: Partition keys of those that exist.
        removed: Partition keys of those that are gone.
        events: Materializations of ``place_geometries`` for polygons that Dagster has not.
    """

    active: list[str]
    removed: list[str]
    events: list[dg.AssetMaterialization]


def edited_places(
    connection: Connection, instance: dg.DagsterInstance, numbers: Collection[int]
) -> EditedPlaces:
    """Look up places by row number.

    The polygons are told by events without a run: a run of ``place_geometries`` beside one of
    receipts, which have other partitions, could end after it, and the receipts would then seem
    to rest on an older polygon than they do.
    """
    rows = connection.execute(
        select(
            Farm.partition_key,
            Farm.status,
            Farm.name,
            Farm.geometry_kind,
            GeometryVersion.geometry_hash,
            GeometryVersion.area_ha,
        )
        .outerjoin(GeometryVersion, GeometryVersion.id == Farm.geometry_version_id)
        .where(among(Farm.id, numbers), Farm.partition_key.is_not(None))
        .order_by(Farm.id)
    ).all()
    active = [row for row in rows if row.status == "active"]
    told = latest_versions(instance, PLACE_GEOMETRIES, [row.partition_key for row in active])
    events = [
        dg.AssetMaterialization(
            PLACE_GEOMETRIES,
            partition=row.partition_key,
            metadata=place_facts(row.name, row.geometry_kind, row.area_ha),
            tags={
                DATA_VERSION_TAG: row.geometry_hash,
                CODE_VERSION_TAG: CODE_VERSION,
                USER_PROVIDED_TAG: "true",
            },
        )
        for row in active
        if row.geometry_hash is not None
        and (
            row.partition_key not in told
            or told[row.partition_key].data_version != row.geometry_hash
        )
    ]
    removed = [row.partition_key for row in rows if row.status != "active"]
    return EditedPlaces([row.partition_key for row in active], removed, events)


def still_gone(
    connection: Connection, instance: dg.DagsterInstance, keys: Sequence[str]
) -> list[str]:
    """Partition keys, of some, that Dagster still knows though their places are gone."""
    known = set(instance.get_dynamic_partitions(FARM)) if keys else set()
    rows = connection.execute(
        select(Farm.partition_key).where(among(Farm.partition_key, keys), Farm.status == "removed")
    )
    return sorted(known.intersection(rows.scalars()))
