"""Raster sources, the files registered for them, and reference terms."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from carbon_assets.store.models.base import (
    Base,
    BigInt,
    JsonObject,
    identity,
    is_finite,
    is_hash,
    one_of,
    recorded,
)

STORAGE_TIERS = ("local", "https", "s3")


class RasterDataSource(Base):
    """One version of a raster source as the catalogue describes it."""

    __tablename__ = "raster_data_sources"
    __table_args__ = (
        UniqueConstraint("key", "version"),
        CheckConstraint(one_of("storage_tier", STORAGE_TIERS), name="storage_tier"),
        CheckConstraint(is_hash("manifest_hash"), name="manifest_hash"),
        {"comment": "Registered versions of raster sources; only the manifest may change"},
    )

    id: Mapped[int] = identity()
    key: Mapped[str] = mapped_column(comment="Source key, e.g. mapbiomas-brazil")
    version: Mapped[str] = mapped_column(comment="Version, e.g. col-10")
    family: Mapped[str] = mapped_column(comment="Short family name, second part of runner keys")
    title: Mapped[str] = mapped_column(comment="Title of the product")
    quantity_kind: Mapped[str] = mapped_column(
        comment="What a cell holds, e.g. class_map, biomass, carbon_density"
    )
    storage_tier: Mapped[str] = mapped_column(comment="Where the files lie")
    uri_pattern: Mapped[str] = mapped_column(comment="Address pattern of the files")
    manifest_hash: Mapped[str] = mapped_column(
        comment="SHA-256 over the registered files' hashes: the data version of the source"
    )
    catalogue: Mapped[JsonObject] = mapped_column(comment="The validated catalogue entry")
    licence: Mapped[str] = mapped_column(comment="Licence of the product")
    citation: Mapped[str] = mapped_column(comment="How to cite the product")
    epoch: Mapped[int | None] = mapped_column(
        comment="Year that a static product describes; NULL = it has vintages"
    )
    registered_at: Mapped[datetime] = recorded("When the manifest was last registered")


class RasterAsset(Base):
    """One raster file with the content it had when it was registered."""

    __tablename__ = "raster_assets"
    __table_args__ = (
        UniqueConstraint(
            "raster_source_id",
            "band",
            "vintage",
            "tile",
            "href",
            "content_hash",
            name="uq_raster_assets_content",
            postgresql_nulls_not_distinct=True,
        ),
        CheckConstraint(is_hash("content_hash"), name="content_hash"),
        {"comment": "Raster files as registered; new content is a new row; append-only"},
    )

    id: Mapped[int] = identity()
    raster_source_id: Mapped[int] = mapped_column(
        ForeignKey("raster_data_sources.id"), comment="Source version"
    )
    band: Mapped[str] = mapped_column(comment="Band name in the catalogue")
    vintage: Mapped[int | None] = mapped_column(comment="Year; NULL = static product")
    tile: Mapped[str | None] = mapped_column(comment="Tile name; NULL = one file")
    href: Mapped[str] = mapped_column(comment="Path or URL that was read")
    content_hash: Mapped[str] = mapped_column(comment="SHA-256 of the file's bytes")
    size_bytes: Mapped[BigInt] = mapped_column(comment="Size of the file, bytes")
    header: Mapped[JsonObject] = mapped_column(
        comment="Header as read: CRS, transform, shape, dtype, nodata, blocks"
    )
    registered_at: Mapped[datetime] = recorded("When this content was first seen")


class FileHash(Base):
    """A cached content hash, valid while size, time stamp and inode stay the same."""

    __tablename__ = "file_hashes"
    __table_args__ = {  # noqa: RUF012 - SQLAlchemy reads it from the class
        "comment": "Cache of content hashes of local files; may be emptied at any time"
    }

    href: Mapped[str] = mapped_column(primary_key=True, comment="Path of the file")
    device: Mapped[BigInt] = mapped_column(comment="Device number (stat)")
    inode: Mapped[BigInt] = mapped_column(comment="Inode number (stat)")
    size_bytes: Mapped[BigInt] = mapped_column(comment="Size, bytes (stat)")
    mtime_ns: Mapped[BigInt] = mapped_column(comment="Modification time, ns since 1970 (stat)")
    content_hash: Mapped[str] = mapped_column(comment="SHA-256 of the file's bytes")
    hashed_at: Mapped[datetime] = recorded("When the file was hashed")


class MetricType(Base):
    """A metric that receipts and farm metrics may hold."""

    __tablename__ = "lookup_metric_type"
    __table_args__ = {"comment": "Metrics and their canonical units"}  # noqa: RUF012

    code: Mapped[str] = mapped_column(primary_key=True, comment="e.g. agb_density_mg_ha")
    label: Mapped[str] = mapped_column(comment="Display name")
    unit: Mapped[str] = mapped_column(comment="Canonical unit")
    kind: Mapped[str] = mapped_column(comment="What sort of quantity: area, density, share …")
    description: Mapped[str] = mapped_column(comment="What the number means")
    source: Mapped[str] = mapped_column(comment="Where the definition comes from")


class Biome(Base):
    """A biome and its carbon fraction of dry matter."""

    __tablename__ = "lookup_biome"
    __table_args__ = (
        CheckConstraint(is_finite("carbon_fraction"), name="carbon_fraction"),
        {"comment": "Biomes; the carbon fraction serves biomass products only"},
    )

    key: Mapped[str] = mapped_column(primary_key=True, comment="e.g. amazon")
    label: Mapped[str] = mapped_column(comment="Display name")
    carbon_fraction: Mapped[float | None] = mapped_column(
        comment="tonnes of carbon per tonne of dry matter; NULL = none stated"
    )
    description: Mapped[str | None] = mapped_column(comment="What the biome covers")
    source: Mapped[str] = mapped_column(comment="Where the value comes from")
