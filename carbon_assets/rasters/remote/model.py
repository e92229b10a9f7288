"""What a server says about a file, and what a client of such a server does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Protocol

SETTLED_AFTER = timedelta(seconds=60)
"""A modification time in whole seconds says nothing about a file that was just written
(RFC 9110, 8.8.2.2)."""


@dataclass(frozen=True)
class RemoteStamp:
    """What tells that a remote file may have changed.

    Attributes:
        size_bytes: Length of the file.
        etag: Entity tag as the server wrote it, or None.
        last_modified: Time of change as the server wrote it, or None.
        telling: Whether a change of the bytes must change the stamp: there is a strong
            entity tag, or a modification time that was not of the last minute.
    """

    size_bytes: int
    etag: str | None
    last_modified: str | None
    telling: bool = field(compare=False)


def http_stamp(
    size_bytes: int, etag: str | None, last_modified: str | None, date: str | None
) -> RemoteStamp:
    """Make a stamp of HTTP headers; ``date`` is the server's clock."""
    strong = etag is not None and etag.startswith('"')
    return RemoteStamp(size_bytes, etag, last_modified, strong or _settled(last_modified, date))


def _settled(last_modified: str | None, date: str | None) -> bool:
    changed, now = _time(last_modified), _time(date)
    return changed is not None and now is not None and now - changed >= SETTLED_AFTER


def _time(text: str | None) -> datetime | None:
    try:
        time = parsedate_to_datetime(text) if text else None
    except ValueError:
        return None
    return time.replace(tzinfo=UTC) if time is not None and time.tzinfo is None else time


@dataclass(frozen=True)
class Body:
    """An answer with bytes.

    Attributes:
        stamp: Stamp of the file that the bytes belong to.
        start: Where in the file they begin: 0 where the server does not do ranges.
        ranges: Whether the server does ranges.
        chunks: The bytes, to the end of the file.
    """

    stamp: RemoteStamp
    start: int
    ranges: bool
    chunks: Iterator[bytes]


class InterruptedTransferError(Exception):
    """A transfer failed in a way that may pass: try again.

    Args:
        reason: What happened.
        answered: Whether the server answered at all.
    """

    def __init__(self, reason: str, *, answered: bool = False) -> None:
        super().__init__(reason)
        self.answered = answered


class ChangedMeanwhileError(Exception):
    """The file is no longer the one whose first bytes were fetched."""


class RemoteClient(Protocol):
    """One way to reach files; nothing is tried twice here."""

    def stamp(self, href: str) -> RemoteStamp:
        """Look at a file without fetching it.

        Raises:
            RasterError: ``RASTER_MISSING``, ``RASTER_FORBIDDEN``, ``RASTER_UNREACHABLE``.
            InterruptedTransferError: Try again.
        """
        ...

    def body(
        self, href: str, start: int, expected: RemoteStamp | None
    ) -> AbstractContextManager[Body]:
        """Fetch a file's bytes from a position on, provided that it is still the expected one.

        Raises:
            RasterError: As :meth:`stamp`.
            InterruptedTransferError: Also while the chunks are taken.
            ChangedMeanwhileError: Start again.
        """
        ...
