"""Places of every kind and the append-only history of their geometries."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    CheckConstraint,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from carbon_assets.store.models.base import (
    PLACE_KINDS,
    Base,
    BigInt,
    identity,
    is_hash,
    one_of,
    recorded,
)

PLACE_STATUSES = ("active", "removed")
EDIT_ACTIONS = ("added", "changed", "removed", "restored")


class Farm(Base):
    """A place of any kind; never deleted, only marked as removed."""

    __tablename__ = "farms"
    __table_args__ = (
        UniqueConstraint("company_id", "geometry_kind", "key"),
        UniqueConstraint("company_id", "id"),
        ForeignKeyConstraint(["company_id", "project_id"], ["projects.company_id", "projects.id"]),
        ForeignKeyConstraint(
            ["id", "geometry_version_id"],
            ["geometry_versions.farm_id", "geometry_versions.id"],
            use_alter=True,
        ),
        CheckConstraint(one_of("geometry_kind", PLACE_KINDS), name="geometry_kind"),
        CheckConstraint(one_of("status", PLACE_STATUSES), name="status"),
        {"comment": "Places of every kind: farms, project boundaries, leakage belts, regions"},
    )

    id: Mapped[int] = identity()
    company_id: Mapped[int] = mapped_column(ForeignKey("companies.id"), comment="Tenant")
    project_id: Mapped[int | None] = mapped_column(
        index=True, comment="Project of the same company; NULL = in none"
    )
    key: Mapped[str] = mapped_column(comment="Key that the user's files use")
    name: Mapped[str] = mapped_column(comment="Display name")
    partition_key: Mapped[str | None] = mapped_column(
        unique=True, comment="Permanent Dagster partition key, never re-used; NULL until set"
    )
    geometry_kind: Mapped[str] = mapped_column(comment="Kind of place")
    status: Mapped[str] = mapped_column(
        server_default="active", comment="active, or removed (its history stays)"
    )
    biome: Mapped[str | None] = mapped_column(comment="Key in lookup_biome, when stated")
    ecological_zone: Mapped[str | None] = mapped_column(
        comment="FAO ecological zone key, when stated"
    )
    geometry_version_id: Mapped[int | None] = mapped_column(
        comment="Current geometry; NULL = a place without a polygon"
    )
    created_at: Mapped[datetime] = recorded("When the place was registered")


class GeometryVersion(Base):
    """One distinct geometry of a place, normalised; stored once and never changed."""

    __tablename__ = "geometry_versions"
    __table_args__ = (
        UniqueConstraint("farm_id", "version"),
        UniqueConstraint("farm_id", "geometry_hash"),
        UniqueConstraint("farm_id", "id"),
        ForeignKeyConstraint(["company_id", "farm_id"], ["farms.company_id", "farms.id"]),
        CheckConstraint(is_hash("geometry_hash"), name="geometry_hash"),
        CheckConstraint("cardinality(bbox) = 4", name="bbox"),
        {"comment": "Distinct geometries of each place; append-only"},
    )

    id: Mapped[int] = identity()
    company_id: Mapped[int] = mapped_column(comment="Tenant")
    farm_id: Mapped[int] = mapped_column(comment="Place")
    version: Mapped[int] = mapped_column(comment="1, 2, 3 … within the place")
    geometry_hash: Mapped[str] = mapped_column(comment="SHA-256 of the WKB bytes")
    geometry: Mapped[bytes] = mapped_column(
        comment="MultiPolygon, EPSG:4326 lon/lat on a 1e-9 degree grid, little-endian 2-D WKB"
    )
    area_ha: Mapped[float] = mapped_column(comment="Geodesic area on WGS 84, hectares")
    bbox: Mapped[list[float]] = mapped_column(
        ARRAY(Double()), comment="min lon, min lat, max lon, max lat, degrees"
    )
    source_file: Mapped[str] = mapped_column(comment="File the geometry was imported from")
    source_crs: Mapped[str] = mapped_column(comment="Coordinate system of that file")
    source_feature: Mapped[str] = mapped_column(comment="Feature within that file")
    repaired: Mapped[bool] = mapped_column(comment="Whether the import repaired the geometry")
    repair_note: Mapped[str | None] = mapped_column(comment="What was repaired")
    created_at: Mapped[datetime] = recorded("When this geometry was first seen for the place")


class GeometryEdit(Base):
    """One entry of the log of edits: A to B to A gives three rows here, two versions."""

    __tablename__ = "geometry_edits"
    __table_args__ = (
        ForeignKeyConstraint(["company_id", "farm_id"], ["farms.company_id", "farms.id"]),
        ForeignKeyConstraint(
            ["farm_id", "geometry_version_id"],
            ["geometry_versions.farm_id", "geometry_versions.id"],
        ),
        CheckConstraint(one_of("action", EDIT_ACTIONS), name="action"),
        Index(None, "company_id", "id"),
        {"comment": "Log of every change of a place's geometry; append-only"},
    )

    id: Mapped[BigInt] = identity()
    company_id: Mapped[int] = mapped_column(comment="Tenant")
    farm_id: Mapped[int] = mapped_column(index=True, comment="Place")
    geometry_version_id: Mapped[int | None] = mapped_column(
        comment="Geometry from now on; NULL = the place was removed"
    )
    action: Mapped[str] = mapped_column(comment="added, changed, removed or restored")
    source_file: Mapped[str] = mapped_column(comment="File that said so")
    recorded_at: Mapped[datetime] = recorded("When the edit was recorded")
