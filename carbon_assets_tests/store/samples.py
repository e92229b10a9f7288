"""One connected row in each table, written as the application writes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert

from carbon_assets.store.database import Database
from carbon_assets.store.engines import transaction
from carbon_assets.store.models import (
    AssetKey,
    Base,
    Company,
    Farm,
    FarmMetric,
    FarmMetricSource,
    GeometryEdit,
    GeometryVersion,
    PartitionHistory,
    PartitionInputs,
    Project,
    RasterAggregate,
    RasterAggregateInput,
    RasterAsset,
    RasterDataSource,
)
from carbon_assets.store.seed import seed_reference

METRIC = {
    "code": "agb_mean",
    "label": "Mean biomass",
    "unit": "Mg/ha",
    "kind": "density",
    "description": "Mean above-ground biomass",
    "source": "test",
}


@dataclass(frozen=True)
class Sample:
    """Row numbers of the rows that were written."""

    company: int
    farm: int
    source: int
    asset: int
    receipt: int
    metric: int
    asset_keys: Mapping[str, int]
    inputs: int


def digest(n: int) -> bytes:
    """Return 32 bytes that stand for the ``n``-th fingerprint."""
    return bytes([n]) * 32


def text_hash(n: int) -> str:
    """Return the same as it stands in a text column."""
    return "sha256:" + digest(n).hex()


def add(connection: Connection, model: type[Base], **values: Any) -> int:
    """Insert one row and return the first column of its primary key."""
    return connection.execute(insert(model).values(**values)).inserted_primary_key[0]


def receipt(sample_farm: tuple[int, int], source: int, n: int, **values: Any) -> dict[str, Any]:
    """Return a receipt of the ``n``-th fingerprint for (company, farm)."""
    company, farm = sample_farm
    return {
        "company_id": company,
        "raster_source_id": source,
        "raster_version": "v1",
        "raster_asset_hrefs": ["agb.tif"],
        "geometry_kind": "farm",
        "geometry_id": farm,
        "geometry_version": text_hash(1),
        "vintage_year": 2020,
        "aggregate_method": "mean",
        "metric_code": METRIC["code"],
        "value": 120.5,
        "value_unit": "Mg/ha",
        "pixel_count": 12,
        "pixel_nodata_count": 0,
        "weighted_pixel_count": 10.5,
        "covered_area_ha": 0.9,
        "valid_area_ha": 0.9,
        "code_version": "1",
        "runner_key": "biomass.hgb",
        "inputs_fingerprint": text_hash(n),
    } | values


def write_sample(database: Database) -> Sample:
    """Write one row in each table of the chain."""
    seed_reference(database, metric_types=[METRIC])
    with transaction(database) as c:
        company = add(c, Company, key="acme", name="Acme")
        project = add(c, Project, company_id=company, key="north", name="North")
        farm = _farm(c, company, project)
        source, asset = _raster(c)
        receipt_id = add(c, RasterAggregate, **receipt((company, farm), source, 1))
        c.execute(
            insert(RasterAggregateInput).values(
                raster_aggregate_id=receipt_id, raster_asset_id=asset, role="value"
            )
        )
        metric = _metric(c, company, farm, receipt_id)
        keys = {
            key: add(c, AssetKey, key=key) for key in ("raster_aggregates/biomass", "farm_metrics")
        }
        inputs = add(c, PartitionInputs, digest=digest(1), document={"runner": "biomass.hgb"})
        add_history(c, keys["raster_aggregates/biomass"], farm, inputs, 1)
    return Sample(company, farm, source, asset, receipt_id, metric, keys, inputs)


def add_history(c: Connection, asset: int, farm: int, inputs: int, n: int) -> int:
    """Say that the ``n``-th fingerprint is current for (asset, farm, 2020)."""
    return add(
        c,
        PartitionHistory,
        asset_id=asset,
        subject_id=farm,
        vintage=2020,
        inputs_id=inputs,
        fingerprint=digest(n),
        cause="test",
    )


def _farm(c: Connection, company: int, project: int) -> int:
    farm = add(
        c,
        Farm,
        company_id=company,
        project_id=project,
        key="f1",
        name="Farm 1",
        partition_key="f1-1",
        geometry_kind="farm",
    )
    version = add(
        c,
        GeometryVersion,
        company_id=company,
        farm_id=farm,
        version=1,
        geometry_hash=text_hash(1),
        geometry=b"\x01",
        area_ha=0.9,
        bbox=[0.0, 0.0, 1.0, 1.0],
        source_file="farms.gpkg",
        source_crs="EPSG:4326",
        source_feature="1",
        repaired=False,
    )
    add(
        c,
        GeometryEdit,
        company_id=company,
        farm_id=farm,
        geometry_version_id=version,
        action="added",
        source_file="farms.gpkg",
    )
    return farm


def _raster(c: Connection) -> tuple[int, int]:
    source = add(
        c,
        RasterDataSource,
        key="hgb",
        version="2010",
        family="hgb",
        title="Biomass",
        quantity_kind="carbon_density",
        storage_tier="local",
        uri_pattern="agb.tif",
        manifest_hash=text_hash(1),
        catalogue={},
        licence="CC BY 4.0",
        citation="none",
    )
    asset = add(
        c,
        RasterAsset,
        raster_source_id=source,
        band="agb",
        href="agb.tif",
        content_hash=text_hash(1),
        size_bytes=1,
        header={},
    )
    return source, asset


def _metric(c: Connection, company: int, farm: int, receipt_id: int) -> int:
    metric = add(
        c,
        FarmMetric,
        company_id=company,
        farm_id=farm,
        metric_code=METRIC["code"],
        vintage_year=2020,
        value_canonical=120.5,
        unit_canonical="Mg/ha",
        source_tag="hgb:2010",
        raster_aggregate_id=receipt_id,
        formula="receipt",
        inputs_fingerprint=text_hash(1),
        code_version="1",
    )
    c.execute(
        insert(FarmMetricSource).values(
            farm_metric_id=metric, raster_aggregate_id=receipt_id, role="primary"
        )
    )
    return metric
