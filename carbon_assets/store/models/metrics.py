"""Receipts (L1) and farm metrics (L2): immutable rows, doubles, explicit units."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from carbon_assets.store.models.base import (
    PLACE_KINDS,
    Base,
    BigInt,
    JsonArray,
    JsonObject,
    identity,
    is_finite,
    is_hash,
    one_of,
    recorded,
)

METRIC_ROLES = ("primary", "numerator", "denominator")


class RasterAggregate(Base):
    """A receipt: one number (or histogram) of one computation over one place and year."""

    __tablename__ = "raster_aggregates"
    __table_args__ = (
        UniqueConstraint(
            "geometry_id",
            "inputs_fingerprint",
            "metric_code",
            "aggregate_method",
            "stratum_filter",
            name="uq_raster_aggregates_computation",
            postgresql_nulls_not_distinct=True,
        ),
        ForeignKeyConstraint(["company_id", "geometry_id"], ["farms.company_id", "farms.id"]),
        Index(None, "inputs_fingerprint"),
        Index(None, "geometry_id", "vintage_year"),
        CheckConstraint(one_of("geometry_kind", PLACE_KINDS), name="geometry_kind"),
        CheckConstraint(is_hash("geometry_version"), name="geometry_version"),
        CheckConstraint(is_hash("inputs_fingerprint"), name="inputs_fingerprint"),
        CheckConstraint(is_finite("value"), name="value"),
        {"comment": "Receipts of raster aggregation and surveys; immutable"},
    )

    id: Mapped[BigInt] = identity()
    company_id: Mapped[int] = mapped_column(comment="Tenant")
    raster_source_id: Mapped[int | None] = mapped_column(
        ForeignKey("raster_data_sources.id"), comment="Source version; NULL = survey or plots"
    )
    raster_version: Mapped[str] = mapped_column(comment="Version of the source, e.g. col-10")
    raster_asset_hrefs: Mapped[JsonArray] = mapped_column(comment="Files that were read")
    raster_asset_hash: Mapped[str | None] = mapped_column(
        comment="SHA-256 of the file, or over the files' hashes when several were read"
    )
    geometry_kind: Mapped[str] = mapped_column(comment="Kind of the place")
    geometry_id: Mapped[int] = mapped_column(comment="Place (farms.id)")
    geometry_version: Mapped[str] = mapped_column(comment="Hash of the geometry that was used")
    stratum_filter: Mapped[JsonObject | None] = mapped_column(
        comment="Stratum taxonomy terms; NULL = the whole place"
    )
    vintage_year: Mapped[int] = mapped_column(comment="Calendar year the number is for")
    period_start: Mapped[date | None] = mapped_column(
        comment="First day, where the window is not the calendar year"
    )
    period_end: Mapped[date | None] = mapped_column(comment="Last day of that window, inclusive")
    aggregate_method: Mapped[str] = mapped_column(
        comment="mean, sum, class_histogram, std …: how cells were combined"
    )
    metric_code: Mapped[str] = mapped_column(
        ForeignKey("lookup_metric_type.code"), comment="What was measured"
    )
    value: Mapped[float | None] = mapped_column(
        comment="The number in value_unit; NULL = no valid cell, or a histogram"
    )
    value_unit: Mapped[str] = mapped_column(comment="Unit of value, as the source has it")
    histogram: Mapped[JsonObject | None] = mapped_column(
        comment="Per class id: hectares and covered cells"
    )
    pixel_count: Mapped[BigInt] = mapped_column(comment="Cells touched by the geometry")
    pixel_nodata_count: Mapped[BigInt] = mapped_column(comment="Touched cells without data")
    weighted_pixel_count: Mapped[float] = mapped_column(comment="Sum of cell coverage, cells")
    covered_area_ha: Mapped[float] = mapped_column(comment="Covered cell area, hectares")
    valid_area_ha: Mapped[float] = mapped_column(comment="Part of it that has data, hectares")
    uncertainty_pct_ci95: Mapped[float | None] = mapped_column(
        comment="Half-width of the 95 % interval, percent of value"
    )
    uncertainty_method: Mapped[str | None] = mapped_column(
        comment="Where the uncertainty comes from: raster_layer, none …"
    )
    code_version: Mapped[str] = mapped_column(comment="git commit, or package version")
    runner_key: Mapped[str] = mapped_column(comment="Runner, e.g. land_cover.mapbiomas")
    computed_at: Mapped[datetime] = recorded("When the row was computed")
    inputs_fingerprint: Mapped[str] = mapped_column(
        comment="SHA-256 over everything the number depends on"
    )
    context: Mapped[JsonObject | None] = mapped_column(
        comment="Facts for the reader: library versions, epoch, carbon fraction …"
    )


class RasterAggregateInput(Base):
    """A raster file that took part in a receipt, masks included."""

    __tablename__ = "raster_aggregate_inputs"
    __table_args__ = {"comment": "Raster files behind each receipt; immutable"}  # noqa: RUF012

    raster_aggregate_id: Mapped[BigInt] = mapped_column(
        ForeignKey("raster_aggregates.id"), primary_key=True, comment="Receipt"
    )
    raster_asset_id: Mapped[int] = mapped_column(
        ForeignKey("raster_assets.id"), primary_key=True, comment="Raster file"
    )
    role: Mapped[str] = mapped_column(
        primary_key=True, comment="Part it played: value, mask, uncertainty …"
    )


class FarmMetric(Base):
    """One version of one metric of one place and year in its canonical unit."""

    __tablename__ = "farm_metrics"
    __table_args__ = (
        UniqueConstraint(
            "farm_id",
            "inputs_fingerprint",
            "metric_code",
            "stratum_filter",
            name="uq_farm_metrics_computation",
            postgresql_nulls_not_distinct=True,
        ),
        ForeignKeyConstraint(["company_id", "farm_id"], ["farms.company_id", "farms.id"]),
        Index(None, "farm_id", "vintage_year"),
        CheckConstraint(is_hash("inputs_fingerprint"), name="inputs_fingerprint"),
        CheckConstraint(is_finite("value_canonical"), name="value_canonical"),
        CheckConstraint("valid_share >= 0 AND valid_share <= 1", name="valid_share"),
        {"comment": "Metrics of a place and year, derived from receipts; immutable"},
    )

    id: Mapped[BigInt] = identity()
    company_id: Mapped[int] = mapped_column(comment="Tenant")
    farm_id: Mapped[int] = mapped_column(comment="Place")
    metric_code: Mapped[str] = mapped_column(
        ForeignKey("lookup_metric_type.code"), comment="What was measured"
    )
    vintage_year: Mapped[int] = mapped_column(comment="Calendar year the number is for")
    stratum_filter: Mapped[JsonObject | None] = mapped_column(
        comment="Stratum taxonomy terms; NULL = the whole place"
    )
    value_canonical: Mapped[float | None] = mapped_column(
        comment="The number in unit_canonical; NULL = no data"
    )
    unit_canonical: Mapped[str] = mapped_column(comment="Unit of the value")
    value_min_canonical: Mapped[float | None] = mapped_column(
        comment="Lower end of the 95 % interval, unit_canonical"
    )
    value_max_canonical: Mapped[float | None] = mapped_column(
        comment="Upper end of the 95 % interval, unit_canonical"
    )
    valid_share: Mapped[float | None] = mapped_column(
        comment="Area with data by covered area, 0 to 1"
    )
    flags: Mapped[JsonArray] = mapped_column(
        server_default="[]", comment="Codes of reservations, e.g. LOW_VALID_SHARE"
    )
    source_tag: Mapped[str] = mapped_column(comment="Readable label of the origin")
    raster_aggregate_id: Mapped[BigInt | None] = mapped_column(
        ForeignKey("raster_aggregates.id"), index=True, comment="The receipt, when it is one"
    )
    formula: Mapped[str] = mapped_column(comment="How the value follows from its receipts")
    inputs_fingerprint: Mapped[str] = mapped_column(
        comment="SHA-256 over everything the number depends on"
    )
    code_version: Mapped[str] = mapped_column(comment="git commit, or package version")
    computed_at: Mapped[datetime] = recorded("When the row was computed")


class FarmMetricSource(Base):
    """A receipt that a farm metric was derived from, with its part in the formula."""

    __tablename__ = "farm_metric_sources"
    __table_args__ = (
        CheckConstraint(one_of("role", METRIC_ROLES), name="role"),
        {"comment": "Receipts behind each farm metric; immutable"},
    )

    farm_metric_id: Mapped[BigInt] = mapped_column(
        ForeignKey("farm_metrics.id"), primary_key=True, comment="Farm metric"
    )
    raster_aggregate_id: Mapped[BigInt] = mapped_column(
        ForeignKey("raster_aggregates.id"), primary_key=True, index=True, comment="Receipt"
    )
    role: Mapped[str] = mapped_column(primary_key=True, comment="primary, numerator, denominator")
