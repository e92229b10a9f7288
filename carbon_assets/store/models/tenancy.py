"""Tenants and their projects."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, Computed, ForeignKey, SmallInteger, UniqueConstraint
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from carbon_assets.store.models.base import (
    Base,
    JsonObject,
    identity,
    is_hash,
    one_of,
    recorded,
)

STALENESS_POLICIES = ("auto", "badge")
PARTITION_KEY = (
    "coalesce(nullif(left(trim(BOTH '-' FROM"
    " regexp_replace(key, '[^A-Za-z0-9_.-]+', '-', 'g')), 60), ''), 'project') || '-' || id::text"
)


class Company(Base):
    """A tenant; every table with a tenant's rows names it."""

    __tablename__ = "companies"
    __table_args__ = {"comment": "Tenants"}  # noqa: RUF012 - SQLAlchemy reads it from the class

    id: Mapped[int] = identity()
    key: Mapped[str] = mapped_column(unique=True, comment="Key that portfolio files use")
    name: Mapped[str] = mapped_column(comment="Display name")
    created_at: Mapped[datetime] = recorded("When the company was registered")


class Project(Base):
    """A carbon project of a company."""

    __tablename__ = "projects"
    __table_args__ = (
        UniqueConstraint("company_id", "key"),
        UniqueConstraint("company_id", "id"),
        CheckConstraint(one_of("staleness_policy", STALENESS_POLICIES), name="staleness_policy"),
        {"comment": "Carbon projects of a company"},
    )

    id: Mapped[int] = identity()
    company_id: Mapped[int] = mapped_column(ForeignKey("companies.id"), comment="Tenant")
    key: Mapped[str] = mapped_column(comment="Key that portfolio files use")
    partition_key: Mapped[str] = mapped_column(
        Computed(PARTITION_KEY, persisted=True),
        unique=True,
        comment="Permanent Dagster partition key, never re-used",
    )
    name: Mapped[str] = mapped_column(comment="Display name")
    staleness_policy: Mapped[str] = mapped_column(
        server_default="auto",
        comment="auto: a sensor requests runs for stale partitions; badge: a person does",
    )
    vintages: Mapped[list[int]] = mapped_column(
        ARRAY(SmallInteger),
        server_default="{}",
        comment="Calendar years that are computed for every place of the project, ascending",
    )
    settings: Mapped[JsonObject] = mapped_column(
        server_default="{}", comment="Project settings that need no column of their own"
    )
    created_at: Mapped[datetime] = recorded("When the project was registered")


class SourceBinding(Base):
    """Which source version feeds a runner for one company, and where its files lie."""

    __tablename__ = "source_bindings"
    __table_args__ = (
        UniqueConstraint("company_id", "slot"),
        CheckConstraint(is_hash("manifest_hash"), name="manifest_hash"),
        {"comment": "The rasters that feed each runner, per company"},
    )

    id: Mapped[int] = identity()
    company_id: Mapped[int] = mapped_column(ForeignKey("companies.id"), comment="Tenant")
    slot: Mapped[str] = mapped_column(comment="What the source feeds, e.g. land_cover, biomass")
    raster_source_id: Mapped[int] = mapped_column(
        ForeignKey("raster_data_sources.id"), comment="Source version"
    )
    hrefs: Mapped[JsonObject] = mapped_column(
        comment="{band: address} with the placeholders {vintage} and {tile}"
    )
    manifest_hash: Mapped[str] = mapped_column(
        comment="SHA-256 over the contents of all its registered files"
    )
    bound_at: Mapped[datetime] = recorded("When the binding was last renewed")
