"""What sensors and schedules decided, and why: the audit trail of automation."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, Text, func
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from carbon_assets.store.models.base import Base, BigInt, identity, one_of

DECISIONS = ("requested", "badge", "over_cap", "nothing", "blocked")


class AutomationDecision(Base):
    """What was decided for one project because of one change.

    The rows are written before Dagster hears of them; a sensor hands on those that lie behind
    its cursor, and the run key keeps a request that is made twice from becoming two runs.
    """

    __tablename__ = "automation_decisions"
    __table_args__ = (
        ForeignKeyConstraint(["company_id", "project_id"], ["projects.company_id", "projects.id"]),
        Index(None, "sensor", "id"),
        Index(None, "sensor", "company_id", "read_to"),
        CheckConstraint(one_of("decision", DECISIONS), name="decision"),
        CheckConstraint("(decision = 'requested') = (run_key IS NOT NULL)", name="run_key"),
        {"comment": "What sensors and schedules decided, and why; append-only"},
    )

    id: Mapped[BigInt] = identity()
    company_id: Mapped[int | None] = mapped_column(
        ForeignKey("companies.id"), comment="Tenant; NULL = it concerns all"
    )
    project_id: Mapped[int | None] = mapped_column(
        comment="Project of the company; NULL = places without one, or the whole company"
    )
    sensor: Mapped[str] = mapped_column(comment="Sensor or schedule")
    cause: Mapped[str] = mapped_column(comment="e.g. geometry, raster_version, new_vintage")
    object: Mapped[str] = mapped_column(comment="What changed: a place, a slot, a project")
    old_version: Mapped[str | None] = mapped_column(comment="Its version before")
    new_version: Mapped[str | None] = mapped_column(comment="Its version now")
    decision: Mapped[str] = mapped_column(
        comment="requested: a run; badge: left to a person; over_cap: as badge, too much; "
        "nothing: nothing stale; blocked: cannot be computed now"
    )
    reason: Mapped[str | None] = mapped_column(comment="Why, in words")
    partitions: Mapped[int] = mapped_column(comment="Stale asset partitions")
    assets: Mapped[list[str]] = mapped_column(
        ARRAY(Text), server_default="{}", comment="Their asset keys"
    )
    run_key: Mapped[str | None] = mapped_column(
        comment="Run key of the requested run: Dagster starts one run for it"
    )
    work_list_id: Mapped[BigInt | None] = mapped_column(
        comment="Row of work_lists, as long as that is kept"
    )
    read_after: Mapped[BigInt | None] = mapped_column(
        comment="Row of the log that the sensor follows up to which it had read before"
    )
    read_to: Mapped[BigInt | None] = mapped_column(comment="Row up to which it has read now")
    decided_at: Mapped[datetime] = mapped_column(
        server_default=func.clock_timestamp(), comment="When it was decided"
    )
