"""Tenants and their projects."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from carbon_assets.store.models.base import Base, JsonObject, identity, one_of, recorded

STALENESS_POLICIES = ("auto", "badge")


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
    name: Mapped[str] = mapped_column(comment="Display name")
    staleness_policy: Mapped[str] = mapped_column(
        server_default="auto",
        comment="auto: a sensor requests runs for stale partitions; badge: a person does",
    )
    settings: Mapped[JsonObject] = mapped_column(
        server_default="{}", comment="Project settings that need no column of their own"
    )
    created_at: Mapped[datetime] = recorded("When the project was registered")
