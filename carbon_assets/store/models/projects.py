"""Project metrics, the farm metrics behind them, and the farms that took part."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from carbon_assets.store.models.base import (
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
from carbon_assets.store.models.metrics import METRIC_ROLES


class ProjectMember(Base):
    """A farm that took part in one computation of a project's metrics."""

    __tablename__ = "project_members"
    __table_args__ = (
        ForeignKeyConstraint(["company_id", "project_id"], ["projects.company_id", "projects.id"]),
        ForeignKeyConstraint(["company_id", "farm_id"], ["farms.company_id", "farms.id"]),
        CheckConstraint(is_hash("inputs_fingerprint"), name="inputs_fingerprint"),
        CheckConstraint(is_hash("farm_fingerprint"), name="farm_fingerprint"),
        {"comment": "Farms of a project as one computation of its metrics found them; immutable"},
    )

    project_id: Mapped[int] = mapped_column(
        primary_key=True, autoincrement=False, comment="Project"
    )
    inputs_fingerprint: Mapped[str] = mapped_column(
        primary_key=True, comment="Computation: fingerprint of the project metrics"
    )
    farm_id: Mapped[int] = mapped_column(
        primary_key=True, autoincrement=False, comment="Active place of kind farm"
    )
    company_id: Mapped[int] = mapped_column(comment="Tenant")
    vintage_year: Mapped[int] = mapped_column(comment="Calendar year the computation is for")
    farm_fingerprint: Mapped[str | None] = mapped_column(
        comment="Fingerprint of the farm metrics that were read; NULL = the farm had none yet"
    )


class ProjectMetric(Base):
    """One version of one metric of a project and year in its canonical unit."""

    __tablename__ = "project_metrics"
    __table_args__ = (
        UniqueConstraint(
            "project_id",
            "inputs_fingerprint",
            "metric_code",
            "stratum_filter",
            name="uq_project_metrics_computation",
            postgresql_nulls_not_distinct=True,
        ),
        ForeignKeyConstraint(["company_id", "project_id"], ["projects.company_id", "projects.id"]),
        Index(None, "project_id", "vintage_year"),
        CheckConstraint(is_hash("inputs_fingerprint"), name="inputs_fingerprint"),
        CheckConstraint(is_finite("value_canonical"), name="value_canonical"),
        CheckConstraint("valid_share >= 0 AND valid_share <= 1", name="valid_share"),
        CheckConstraint(
            "farms_counted >= 0 AND farms_without_data >= 0"
            " AND farms_flagged >= 0 AND farms_flagged <= farms_counted",
            name="farms",
        ),
        CheckConstraint(
            "(value_canonical IS NULL) = (farms_counted = 0)", name="unknown_without_farms"
        ),
        {"comment": "Metrics of a project and year over its active farms; immutable"},
    )

    id: Mapped[BigInt] = identity()
    company_id: Mapped[int] = mapped_column(comment="Tenant")
    project_id: Mapped[int] = mapped_column(comment="Project")
    metric_code: Mapped[str] = mapped_column(
        ForeignKey("lookup_metric_type.code"), comment="What was measured"
    )
    vintage_year: Mapped[int] = mapped_column(comment="Calendar year the number is for")
    stratum_filter: Mapped[JsonObject | None] = mapped_column(
        comment="Stratum taxonomy terms, or a class; NULL = the whole of the farms"
    )
    value_canonical: Mapped[float | None] = mapped_column(
        comment="Sum or ratio of sums over the farms counted, in unit_canonical; "
        "NULL = no farm has data"
    )
    unit_canonical: Mapped[str] = mapped_column(comment="Unit of the value")
    value_min_canonical: Mapped[float | None] = mapped_column(
        comment="Lower end of the 95 % interval, errors of the farms fully correlated, "
        "unit_canonical"
    )
    value_max_canonical: Mapped[float | None] = mapped_column(
        comment="Upper end of the 95 % interval, unit_canonical"
    )
    farms_counted: Mapped[int] = mapped_column(comment="Farms whose number is in the value")
    farms_without_data: Mapped[int] = mapped_column(
        comment="Farms of which it is unknown; they are not in the value"
    )
    farms_flagged: Mapped[int] = mapped_column(
        comment="Farms counted whose own metric is flagged low_valid_share"
    )
    valid_share: Mapped[float | None] = mapped_column(
        comment="Area with data by covered area over all farms with metrics, 0 to 1"
    )
    flags: Mapped[JsonArray] = mapped_column(
        server_default="[]", comment="Codes of reservations, e.g. farms_without_data"
    )
    source_tag: Mapped[str] = mapped_column(comment="Readable label of the origin")
    formula: Mapped[str] = mapped_column(comment="How the value follows from the farm metrics")
    inputs_fingerprint: Mapped[str] = mapped_column(
        comment="SHA-256 over everything the number depends on"
    )
    code_version: Mapped[str] = mapped_column(comment="git commit, or package version")
    computed_at: Mapped[datetime] = recorded("When the row was computed")


class ProjectMetricSource(Base):
    """A farm metric that a project metric was derived from, with its part in the formula."""

    __tablename__ = "project_metric_sources"
    __table_args__ = (
        CheckConstraint(one_of("role", METRIC_ROLES), name="role"),
        {"comment": "Farm metrics behind each project metric; immutable"},
    )

    project_metric_id: Mapped[BigInt] = mapped_column(
        ForeignKey("project_metrics.id"), primary_key=True, comment="Project metric"
    )
    farm_metric_id: Mapped[BigInt] = mapped_column(
        ForeignKey("farm_metrics.id"), primary_key=True, index=True, comment="Farm metric"
    )
    role: Mapped[str] = mapped_column(primary_key=True, comment="primary, numerator, denominator")
