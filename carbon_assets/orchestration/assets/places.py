"""Places: the stored polygons, one partition per place.

Annotations are not postponed: Dagster reads that of ``context`` as it stands.
"""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from carbon_assets.orchestration.assets.failures import explained
from carbon_assets.orchestration.events import PartitionEvents
from carbon_assets.orchestration.names import OWNERS, PLACE_GEOMETRIES, PLACES_GROUP
from carbon_assets.orchestration.partitions import farm_partitions
from carbon_assets.orchestration.store import CarbonStore, places_by_partition

Yielded = Iterator[dg.AssetMaterialization | dg.MaterializeResult[Any]]
CODE_VERSION = "1"


def place_geometries_asset() -> dg.AssetsDefinition:
    """Build the asset that tells Dagster which polygon is current for each place."""

    @dg.asset(
        key=PLACE_GEOMETRIES,
        partitions_def=farm_partitions,
        group_name=PLACES_GROUP,
        owners=OWNERS,
        kinds={"postgres"},
        code_version=CODE_VERSION,
        backfill_policy=dg.BackfillPolicy.single_run(),
        description=(
            "Farms, project boundaries, leakage belts, reference regions and jurisdictions as "
            "stored: EPSG:4326, snapped to 1e-9 degree, normalised. The data version of a "
            "partition is the hash of the polygon's bytes. An import or an edit adds rows to "
            "`geometry_versions` and `geometry_edits`; this asset tells Dagster of them."
        ),
    )
    def place_geometries(
        context: dg.AssetExecutionContext, store: dg.ResourceParam[CarbonStore]
    ) -> Yielded:
        with explained(store):
            places = places_by_partition(store.companies(context.run))
            keys = [key for key in context.partition_keys if key in places]
            events = PartitionEvents(context, keys)
            for key in keys:
                place = places[key]
                facts = place_facts(place.name, place.kind, place.area_ha)
                yield events.materialization(key, place.geometry_hash, facts)
            yield events.finished({"places": len(keys)})

    return place_geometries


def place_facts(name: str, kind: str, area_ha: float) -> dict[str, Any]:
    """Metadata of the event that tells of a polygon."""
    return {"name": name, "kind": kind, "area (ha)": round(area_ha, 4)}
