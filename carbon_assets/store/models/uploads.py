"""Files that arrived in the watched folder."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from carbon_assets.store.models.base import (
    Base,
    BigInt,
    JsonObject,
    identity,
    is_hash,
    one_of,
    recorded,
)

UPLOAD_STATUSES = ("received", "taken", "refused")


class Upload(Base):
    """One file of one company, from its arrival to what became of it."""

    __tablename__ = "uploads"
    __table_args__ = (
        Index(None, "company_id", "kind", "id"),
        CheckConstraint(is_hash("content_hash"), name="content_hash"),
        CheckConstraint(one_of("status", UPLOAD_STATUSES), name="status"),
        CheckConstraint("(status = 'refused') = (reason_code IS NOT NULL)", name="reason"),
        CheckConstraint("(status = 'taken') = (taken_at IS NOT NULL)", name="taken"),
        CheckConstraint("content_hash IS NOT NULL OR status = 'refused'", name="content"),
        {"comment": "Files that arrived in the watched folder"},
    )

    id: Mapped[int] = identity()
    company_id: Mapped[int] = mapped_column(ForeignKey("companies.id"), comment="Tenant")
    kind: Mapped[str] = mapped_column(comment="What the file holds, e.g. places")
    file_name: Mapped[str] = mapped_column(comment="Name under which the file arrived")
    content_hash: Mapped[str | None] = mapped_column(
        comment="SHA-256 of its bytes; NULL = it was never read"
    )
    size_bytes: Mapped[BigInt] = mapped_column(comment="Size, bytes")
    stamp: Mapped[str] = mapped_column(
        comment="Device, inode and time of the file: what tells it from a later one of the same "
        "name"
    )
    status: Mapped[str] = mapped_column(
        server_default="received",
        comment="received, taken, or refused (then nothing of it was written)",
    )
    reason_code: Mapped[str | None] = mapped_column(comment="Error code of a refusal")
    reason: Mapped[str | None] = mapped_column(comment="Why it was refused")
    facts: Mapped[JsonObject] = mapped_column(server_default="{}", comment="What taking it did")
    received_at: Mapped[datetime] = recorded("When it was noticed")
    taken_at: Mapped[datetime | None] = mapped_column(comment="When its content was committed")
    run_id: Mapped[str | None] = mapped_column(comment="Dagster run that took or refused it")
