"""Which computation is current for a partition (asset, subject, vintage), and since when.

The subject is a place, or a project for assets of project × vintage.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, Computed, ForeignKey, Index, func
from sqlalchemy.orm import Mapped, mapped_column

from carbon_assets.store.models.base import (
    Base,
    BigInt,
    JsonObject,
    SmallInt,
    identity,
    one_of,
    recorded,
)

LEVELS = ("place", "project")

FIRST_EIGHT_BYTES = "('x' || encode(substring(fingerprint FROM 1 FOR 8), 'hex'))::bit(64)::bigint"


class AssetKey(Base):
    """A short number for an asset key, so that state rows stay narrow."""

    __tablename__ = "asset_keys"
    __table_args__ = {"comment": "Numbers of the partitioned assets"}  # noqa: RUF012

    id: Mapped[SmallInt] = identity()
    key: Mapped[str] = mapped_column(unique=True, comment="e.g. raster_aggregates/land_cover")


class PartitionInputs(Base):
    """A document of inputs that many partitions share, stored once."""

    __tablename__ = "partition_inputs"
    __table_args__ = (
        CheckConstraint("octet_length(digest) = 32", name="digest"),
        {"comment": "Shared input documents of computations; append-only"},
    )

    id: Mapped[int] = identity()
    digest: Mapped[bytes] = mapped_column(
        unique=True, comment="SHA-256 of the canonical JSON of the document, 32 bytes"
    )
    document: Mapped[JsonObject] = mapped_column(comment="The inputs other than geometry")
    recorded_at: Mapped[datetime] = recorded("When the document was first used")


class PartitionHistory(Base):
    """One statement: from here on this fingerprint is current for this partition."""

    __tablename__ = "partition_history"
    __table_args__ = (
        Index(None, "asset_id", "subject_id", "vintage", "id"),
        CheckConstraint("octet_length(fingerprint) = 32", name="fingerprint"),
        {"comment": "What became current for a partition, when and why; append-only"},
    )

    id: Mapped[BigInt] = identity()
    asset_id: Mapped[SmallInt] = mapped_column(ForeignKey("asset_keys.id"), comment="Asset")
    subject_id: Mapped[int] = mapped_column(
        comment="Row of farms; of projects for assets of project × vintage"
    )
    vintage: Mapped[SmallInt] = mapped_column(comment="Calendar year")
    geometry_version_id: Mapped[int | None] = mapped_column(comment="Geometry that was used")
    inputs_id: Mapped[int] = mapped_column(
        ForeignKey("partition_inputs.id"), comment="Shared inputs that were used"
    )
    upstream: Mapped[BigInt | None] = mapped_column(
        comment="Tokens of the partitions read, combined by XOR; NULL = none are read"
    )
    fingerprint: Mapped[bytes] = mapped_column(comment="Fingerprint of the computation, 32 bytes")
    cause: Mapped[str] = mapped_column(comment="Why it was computed or confirmed")
    run_id: Mapped[str | None] = mapped_column(comment="Dagster run; NULL = outside Dagster")
    recorded_at: Mapped[datetime] = mapped_column(
        server_default=func.clock_timestamp(), comment="When it became current"
    )


class PartitionState(Base):
    """The newest history row of each partition; written by a trigger only."""

    __tablename__ = "partition_state"
    __table_args__ = {  # noqa: RUF012 - SQLAlchemy reads it from the class
        "comment": "Newest row of partition_history per partition; written by its trigger only"
    }

    asset_id: Mapped[SmallInt] = mapped_column(
        primary_key=True, autoincrement=False, comment="Asset"
    )
    subject_id: Mapped[int] = mapped_column(
        primary_key=True, autoincrement=False, comment="As in partition_history"
    )
    vintage: Mapped[SmallInt] = mapped_column(
        primary_key=True, autoincrement=False, comment="Calendar year"
    )
    history_id: Mapped[BigInt] = mapped_column(comment="Row of partition_history")
    geometry_version_id: Mapped[int | None] = mapped_column(comment="Geometry that was used")
    inputs_id: Mapped[int] = mapped_column(comment="Shared inputs that were used")
    upstream: Mapped[BigInt | None] = mapped_column(comment="As in partition_history")
    fingerprint: Mapped[bytes] = mapped_column(comment="As in partition_history")
    token: Mapped[BigInt] = mapped_column(
        Computed(FIRST_EIGHT_BYTES, persisted=True),
        comment="First 8 bytes of the fingerprint: cheap to combine over many partitions",
    )


class AssetAnnouncement(Base):
    """How far the history of an asset has been told to Dagster."""

    __tablename__ = "asset_announcements"
    __table_args__ = {"comment": "How far Dagster knows the history"}  # noqa: RUF012

    asset_id: Mapped[SmallInt] = mapped_column(
        ForeignKey("asset_keys.id"), primary_key=True, autoincrement=False, comment="Asset"
    )
    history_id: Mapped[BigInt] = mapped_column(comment="Last row of partition_history told")


class WorkList(Base):
    """A set of partitions that one run is asked for."""

    __tablename__ = "work_lists"
    __table_args__ = (
        CheckConstraint(one_of("level", LEVELS), name="level"),
        {"comment": "Partitions a run is narrowed to"},
    )

    id: Mapped[BigInt] = identity()
    purpose: Mapped[str] = mapped_column(comment="Why the run was requested")
    level: Mapped[str] = mapped_column(
        server_default="place", comment="What its partitions are of: place or project"
    )
    created_at: Mapped[datetime] = recorded("When the list was made")


class WorkListItem(Base):
    """One partition of a work list."""

    __tablename__ = "work_list_items"
    __table_args__ = {"comment": "Partitions of a work list"}  # noqa: RUF012

    work_list_id: Mapped[BigInt] = mapped_column(
        ForeignKey("work_lists.id", ondelete="CASCADE"), primary_key=True, comment="List"
    )
    subject_id: Mapped[int] = mapped_column(
        primary_key=True,
        autoincrement=False,
        comment="Row of farms or projects, as the list says",
    )
    vintage: Mapped[SmallInt] = mapped_column(
        primary_key=True, autoincrement=False, comment="Calendar year"
    )
