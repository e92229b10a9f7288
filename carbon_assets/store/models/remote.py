"""What is known of rasters on other machines, and their local copies."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from carbon_assets.store.models.base import Base, BigInt, is_hash, recorded


class RemoteFile(Base):
    """The content that a remote address had when it was last read from end to end."""

    __tablename__ = "remote_files"
    __table_args__ = (
        CheckConstraint(is_hash("content_hash"), name="content_hash"),
        {
            "comment": "Cache of content hashes of remote files, by address; "
            "may be emptied at any time"
        },
    )

    href: Mapped[str] = mapped_column(primary_key=True, comment="https or s3 address")
    size_bytes: Mapped[BigInt] = mapped_column(comment="Size, bytes, as the server said")
    etag: Mapped[str | None] = mapped_column(comment="Entity tag; NULL = the server gave none")
    last_modified: Mapped[str | None] = mapped_column(
        comment="Time of change as the server wrote it; NULL = it gave none"
    )
    telling: Mapped[bool] = mapped_column(
        comment="Whether other bytes must show in size, entity tag or time; "
        "if not, the file is read again each time"
    )
    ranges: Mapped[bool] = mapped_column(comment="Whether the server gives parts of files")
    content_hash: Mapped[str] = mapped_column(comment="SHA-256 of the file's bytes")
    hashed_at: Mapped[datetime] = recorded("When the file was read")


class RasterCopy(Base):
    """A local copy of a remote file, known by its content."""

    __tablename__ = "raster_copies"
    __table_args__ = (
        CheckConstraint(is_hash("content_hash"), name="content_hash"),
        Index("ix_raster_copies_content_hash", "content_hash"),
        {"comment": "Mirrored rasters: files whose bytes stand in for a remote address"},
    )

    path: Mapped[str] = mapped_column(primary_key=True, comment="Where the copy lies")
    content_hash: Mapped[str] = mapped_column(comment="SHA-256 of its bytes")
    size_bytes: Mapped[BigInt] = mapped_column(comment="Size, bytes")
    href: Mapped[str] = mapped_column(comment="Address that it was fetched from")
    copied_at: Mapped[datetime] = recorded("When it was fetched")
