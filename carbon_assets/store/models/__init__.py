"""All tables of the store as SQLAlchemy models, one module per subject."""

from carbon_assets.store.models.automation import AutomationDecision
from carbon_assets.store.models.base import HASH_PATTERN, PLACE_KINDS, Base
from carbon_assets.store.models.metrics import (
    FarmMetric,
    FarmMetricSource,
    RasterAggregate,
    RasterAggregateInput,
)
from carbon_assets.store.models.places import Farm, GeometryEdit, GeometryVersion
from carbon_assets.store.models.projects import (
    ProjectMember,
    ProjectMetric,
    ProjectMetricSource,
)
from carbon_assets.store.models.rasters import (
    Biome,
    FileHash,
    MetricType,
    RasterAsset,
    RasterDataSource,
)
from carbon_assets.store.models.remote import RasterCopy, RemoteFile
from carbon_assets.store.models.state import (
    AssetAnnouncement,
    AssetKey,
    PartitionHistory,
    PartitionInputs,
    PartitionState,
    WorkList,
    WorkListItem,
)
from carbon_assets.store.models.tenancy import Company, Project, SourceBinding
from carbon_assets.store.models.upkeep import RunWorker
from carbon_assets.store.models.uploads import Upload

__all__ = [
    "HASH_PATTERN",
    "PLACE_KINDS",
    "AssetAnnouncement",
    "AssetKey",
    "AutomationDecision",
    "Base",
    "Biome",
    "Company",
    "Farm",
    "FarmMetric",
    "FarmMetricSource",
    "FileHash",
    "GeometryEdit",
    "GeometryVersion",
    "MetricType",
    "PartitionHistory",
    "PartitionInputs",
    "PartitionState",
    "Project",
    "ProjectMember",
    "ProjectMetric",
    "ProjectMetricSource",
    "RasterAggregate",
    "RasterAggregateInput",
    "RasterAsset",
    "RasterCopy",
    "RasterDataSource",
    "RemoteFile",
    "RunWorker",
    "SourceBinding",
    "Upload",
    "WorkList",
    "WorkListItem",
]
