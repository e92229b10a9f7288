"""A small chain of assets with the shape of the real one, whose versions a test can set.

No postponed annotations here: Dagster reads the annotation of ``context`` as it stands.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import dagster as dg
from dagster._core.definitions.data_version import CachingStaleStatusResolver
from dagster._core.loader import LoadingContextForTest

from carbon_assets.orchestration.events import PartitionEvents, Upstream, wanted_partitions
from carbon_assets.orchestration.partitions import (
    PlaceVintage,
    farm_partitions,
    parse_key,
    place_vintages,
)

SOURCE = dg.AssetKey(["raster_sources", "mapbiomas"])
PLACES = dg.AssetKey("place_geometries")
LAND_COVER = dg.AssetKey(["raster_aggregates", "land_cover"])
METRICS = dg.AssetKey("farm_metrics")
SPACE = place_vintages(range(1985, 2051))
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
Yielded = Iterator[dg.AssetMaterialization | dg.MaterializeResult[Any] | dg.AssetCheckResult]


@dataclass
class World:
    """What the assets find when they run; tests change it between runs."""

    manifest: str = "manifest-1"
    geometry: dict[str, str] = field(default_factory=dict)
    extra: dict[str, str] = field(default_factory=dict)
    work_lists: dict[int, list[PlaceVintage]] = field(default_factory=dict)
    check_passes: bool = True

    def land_cover(self, key: str) -> str:
        place = parse_key(key).place
        return f"{self.manifest}/{self.geometry.get(place, 'g1')}/{self.extra.get(key, '')}"


def source_asset(world: World) -> dg.AssetsDefinition:
    @dg.multi_observable_source_asset(
        name="raster_sources", specs=[dg.AssetSpec(SOURCE)], can_subset=True
    )
    def raster_sources(context: dg.AssetExecutionContext) -> Iterator[dg.ObserveResult]:
        for key in sorted(context.selected_asset_keys):
            yield dg.ObserveResult(asset_key=key, data_version=dg.DataVersion(world.manifest))

    return raster_sources


def place_asset(world: World) -> dg.AssetsDefinition:
    @dg.asset(
        key=PLACES,
        partitions_def=farm_partitions,
        code_version="1",
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def place_geometries(context: dg.AssetExecutionContext) -> Yielded:
        events = PartitionEvents(context, context.partition_keys)
        for place in context.partition_keys:
            yield events.materialization(place, world.geometry.get(place, "g1"))
        yield events.finished()

    return place_geometries


def land_cover_asset(world: World) -> dg.AssetsDefinition:
    @dg.asset(
        key=LAND_COVER,
        deps=[SOURCE, PLACES],
        partitions_def=SPACE,
        code_version="1",
        backfill_policy=dg.BackfillPolicy.single_run(),
        check_specs=[dg.AssetCheckSpec("areas_sum", asset=LAND_COVER, blocking=True)],
    )
    def land_cover(context: dg.AssetExecutionContext) -> Yielded:
        keys = [item.key for item in wanted_partitions(context, world.work_lists.__getitem__)]
        upstreams = [
            Upstream(SOURCE, reads=None),
            Upstream(PLACES, reads=lambda key: (parse_key(key).place,)),
        ]
        events = PartitionEvents(context, keys, upstreams)
        for key in keys:
            yield events.materialization(key, world.land_cover(key))
        yield events.finished({"partitions": len(keys)})
        yield dg.AssetCheckResult(passed=world.check_passes)

    return land_cover


def metrics_asset(world: World) -> dg.AssetsDefinition:
    @dg.asset(
        key=METRICS,
        deps=[LAND_COVER],
        partitions_def=SPACE,
        code_version="1",
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def farm_metrics(context: dg.AssetExecutionContext) -> Yielded:
        keys = [item.key for item in wanted_partitions(context, world.work_lists.__getitem__)]
        events = PartitionEvents(context, keys, [Upstream(LAND_COVER)])
        for key in keys:
            yield events.materialization(key, f"metrics of {world.land_cover(key)}")
        yield events.finished()

    return farm_metrics


@dataclass
class Chain:
    """The chain on an instance."""

    instance: dg.DagsterInstance
    world: World = field(default_factory=World)
    checks: list[dg.AssetChecksDefinition] = field(default_factory=list)

    def __post_init__(self) -> None:
        makers = (source_asset, place_asset, land_cover_asset, metrics_asset)
        self.assets = [make(self.world) for make in makers]

    def run(
        self,
        *keys: dg.AssetKey,
        tags: Mapping[str, str] | None = None,
        partition: str | None = None,
    ) -> dg.ExecuteInProcessResult:
        return dg.materialize(
            [*self.assets, *self.checks],
            selection=list(keys),
            instance=self.instance,
            tags=dict(tags or {}),
            partition_key=partition,
            run_config=QUIET,
            raise_on_error=False,
        )

    def status(self, key: dg.AssetKey, partitions: Collection[str]) -> dict[str, str]:
        """Ask Dagster's own resolver."""
        definitions = dg.Definitions(assets=self.assets)
        resolver = CachingStaleStatusResolver(
            self.instance,
            definitions.resolve_asset_graph(),
            LoadingContextForTest(self.instance),
        )
        return {name: resolver.get_status(key, name).value for name in partitions}
