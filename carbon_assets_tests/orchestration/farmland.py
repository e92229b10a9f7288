"""The demo landscape in a database, with the definitions that Dagster loads for it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.definitions.data_version import CachingStaleStatusResolver
from dagster._core.loader import LoadingContextForTest
from sqlalchemy import text

from carbon_assets.demo.design import load_design
from carbon_assets.demo.vectors import write_places
from carbon_assets.orchestration.build import build_definitions
from carbon_assets.orchestration.launch import Launcher
from carbon_assets.orchestration.partitions import (
    RANGE_END_TAG,
    RANGE_START_TAG,
    PlaceVintage,
    add_places,
)
from carbon_assets.orchestration.store import CarbonStore
from carbon_assets.portfolio import import_portfolio
from carbon_assets.store.database import Database
from carbon_assets.store.engines import app_engine
from carbon_assets_tests.orchestration.chain import QUIET

PLACES = dg.AssetKey("place_geometries")
MAPBIOMAS = dg.AssetKey(["raster_sources", "mapbiomas"])
HGB = dg.AssetKey(["raster_sources", "hgb"])
LAND_COVER = dg.AssetKey(["raster_aggregates", "land_cover"])
BIOMASS = dg.AssetKey(["raster_aggregates", "biomass"])
METRICS = dg.AssetKey("farm_metrics")
CHAIN = (LAND_COVER, BIOMASS, METRICS)
VINTAGES = (2020, 2021, 2022)


@dataclass
class Farmland:
    """Places and rasters of the demo, three vintages, nothing computed yet.

    Places are named by their partition keys: ``north-01-1`` … ``south-boundary-16``.
    """

    database: Database
    instance: dg.DagsterInstance
    portfolio: Path
    store: CarbonStore = field(init=False)

    def __post_init__(self) -> None:
        self.store = CarbonStore(database=self.database)
        self.load()

    def lose(self, farm: str) -> None:
        """Import the farms file again, without one farm."""
        left = [one for one in load_design().farms() if one.key != farm]
        write_places(self.portfolio.parent / "farms.gpkg", left)
        self.load()

    def load(self) -> None:
        """Import the portfolio as it stands now."""
        import_portfolio(self.database, self.portfolio)
        add_places(self.instance, self.places)

    @property
    def places(self) -> list[str]:
        """Partition keys of the active places."""
        query = "SELECT partition_key FROM farms WHERE status = 'active' ORDER BY id"
        return [str(row[0]) for row in self.rows(query)]

    @property
    def definitions(self) -> dg.Definitions:
        """What Dagster would load now."""
        return build_definitions(self.store)

    def run(
        self,
        keys: Collection[dg.AssetKey],
        first: str | None = None,
        last: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> dg.ExecuteInProcessResult:
        """Run assets over one partition, over the rectangle between two, or without any."""
        ends = {RANGE_START_TAG: first, RANGE_END_TAG: last} if first and last else {}
        return self.definitions.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=self.instance,
            asset_selection=list(keys),
            partition_key=first if first and not last else None,
            tags={**ends, **(tags or {})},
            run_config=QUIET,
            raise_on_error=False,
        )

    def run_list(self, wanted: Sequence[PlaceVintage]) -> dg.ExecuteInProcessResult:
        """Run the chain over a scattered list."""
        ids = {
            row.partition_key: row.id for row in self.rows("SELECT id, partition_key FROM farms")
        }
        number = self.store.save_work_list("test", [(ids[p], v) for p, v in wanted])
        return Launcher(self.instance, self.definitions).run_partitions(CHAIN, wanted, number)

    def rows(self, query: str, **values: Any) -> list[Any]:
        """Ask the database as the application."""
        with app_engine(self.database).connect() as connection:
            return list(connection.execute(text(query), values).all())

    def count(self, table: str) -> int:
        """Number of rows of a table."""
        return int(self.rows(f"SELECT count(*) FROM {table}")[0][0])

    def current(self, asset: dg.AssetKey) -> dict[str, str]:
        """Recorded fingerprint by partition key."""
        query = (
            "SELECT f.partition_key || '|' || s.vintage AS key,"
            " 'sha256:' || encode(s.fingerprint, 'hex') AS mark"
            " FROM partition_state s JOIN asset_keys a ON a.id = s.asset_id"
            " JOIN farms f ON f.id = s.subject_id WHERE a.key = :asset"
        )
        return {row.key: row.mark for row in self.rows(query, asset="/".join(asset.path))}

    def stale(self, key: dg.AssetKey, partitions: Iterable[str]) -> list[str]:
        """Partitions that Dagster's own resolver does not find fresh."""
        resolver = CachingStaleStatusResolver(
            self.instance,
            self.definitions.resolve_asset_graph(),
            LoadingContextForTest(self.instance),
        )
        return [name for name in partitions if resolver.get_status(key, name).value != "FRESH"]


def told(result: dg.ExecuteInProcessResult, key: dg.AssetKey) -> dict[str, dg.AssetMaterialization]:
    """Materializations of an asset in a run, by partition."""
    return {
        str(event.partition): event.materialization
        for event in result.get_asset_materialization_events()
        if event.asset_key == key
    }


def observations(result: dg.ExecuteInProcessResult) -> dict[dg.AssetKey, dg.AssetObservation]:
    """Observations of a run by asset."""
    events = [e for e in result.all_events if e.event_type_value == "ASSET_OBSERVATION"]
    found = [event.asset_observation_data.asset_observation for event in events]
    return {one.asset_key: one for one in found}


def versions(result: dg.ExecuteInProcessResult, key: dg.AssetKey) -> dict[str, str]:
    """Data version by partition, as told to Dagster in a run."""
    return {
        name: (event.tags or {})["dagster/data_version"]
        for name, event in told(result, key).items()
    }
