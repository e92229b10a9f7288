"""What tells a running installation from a crashed one."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func
from sqlalchemy.orm import Mapped, mapped_column

from carbon_assets.store.models.base import Base, recorded


class RunWorker(Base):
    """The process that executes a run."""

    __tablename__ = "run_workers"
    __table_args__ = {  # noqa: RUF012 - SQLAlchemy reads it from the class
        "comment": "Processes that execute runs now; a row whose process is gone tells of a crash"
    }

    run_id: Mapped[str] = mapped_column(primary_key=True, comment="Dagster run")
    host: Mapped[str] = mapped_column(comment="Name of the machine or container, for messages")
    process_space: Mapped[str] = mapped_column(
        comment="Where the process number counts: host, boot and process namespace"
    )
    pid: Mapped[int] = mapped_column(comment="Process number")
    process_started: Mapped[float] = mapped_column(
        comment="Start of the process, seconds since 1970: tells a process from a later one "
        "of its number"
    )
    started_at: Mapped[datetime] = recorded("When the process took up the run")
    seen_at: Mapped[datetime] = mapped_column(
        server_default=func.clock_timestamp(), comment="Last sign of life"
    )
