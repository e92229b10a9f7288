"""Looking at remote files and fetching them, with patience: retries, backoff, resumption."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import BinaryIO
from urllib.parse import urlsplit

from carbon_assets.errors import RasterError
from carbon_assets.rasters.addresses import require_address
from carbon_assets.rasters.remote.model import (
    Body,
    ChangedMeanwhileError,
    InterruptedTransferError,
    RemoteClient,
    RemoteStamp,
)
from carbon_assets.rasters.remote.refusals import unreachable

ATTEMPTS = 6
"""Attempts in a row that bring nothing new before a file counts as unreachable."""
FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 16.0
BRIEF_ATTEMPTS = 2
"""Attempts of a look that will come again soon."""
LOOKS_AT_ONCE = 8
"""Files that are looked at in parallel."""
_READ_BYTES = 1024 * 1024

Progress = Callable[[str, int, int], None]
"""Called with href, bytes done and bytes in all."""


@dataclass(frozen=True)
class Fetched:
    """A file that was read from end to end.

    Attributes:
        stamp: What the server said of the very bytes that were hashed.
        content_hash: ``sha256:…`` of the bytes.
        ranges: Whether the server gives parts of files.
        requests: Attempts that it took.
    """

    stamp: RemoteStamp
    content_hash: str
    ranges: bool
    requests: int


def stamp_of(href: str, *, attempts: int = ATTEMPTS) -> RemoteStamp:
    """Look at a remote file.

    Args:
        href: The file.
        attempts: How often to ask a server that fails.

    Raises:
        RasterError: ``RASTER_MISSING``, ``RASTER_FORBIDDEN``, ``RASTER_UNREACHABLE``, or as
            :func:`carbon_assets.rasters.addresses.require_address`.
    """
    client = client_of(href)
    for attempt in range(attempts - 1):
        try:
            return client.stamp(href)
        except InterruptedTransferError:
            pause(attempt)
    try:
        return client.stamp(href)
    except InterruptedTransferError as error:
        raise unreachable(href, error) from error


def stamps_of(
    hrefs: Iterable[str], *, attempts: int = ATTEMPTS
) -> dict[str, RemoteStamp | RasterError]:
    """Look at several remote files at once; what is wrong with one stands in its place.

    Once a server has not answered at all, its other files are not waited for.

    Args:
        hrefs: The files.
        attempts: How often to ask a server that fails.
    """
    wanted = sorted(set(hrefs))
    silent: set[str] = set()

    def look(href: str) -> RemoteStamp | RasterError:
        server = urlsplit(href).netloc
        if server in silent:
            return unreachable(href, "its server does not answer")
        try:
            return stamp_of(href, attempts=attempts)
        except RasterError as error:
            cause = error.__cause__
            if isinstance(cause, InterruptedTransferError) and not cause.answered:
                silent.add(server)
            return error

    if not wanted:
        return {}
    with ThreadPoolExecutor(min(LOOKS_AT_ONCE, len(wanted))) as pool:
        return dict(zip(wanted, pool.map(look, wanted), strict=True))


def gives_ranges(href: str, stamp: RemoteStamp) -> bool:
    """Whether a server gives parts of a file: asked with its last byte.

    Raises:
        RasterError: As :func:`stamp_of`.
    """
    try:
        with client_of(href).body(href, max(0, stamp.size_bytes - 1), stamp) as body:
            return body.ranges
    except (ChangedMeanwhileError, InterruptedTransferError) as error:
        raise unreachable(href, error) from error


def fetch(
    href: str,
    *,
    file: BinaryIO | None = None,
    expected: RemoteStamp | None = None,
    progress: Progress | None = None,
) -> Fetched:
    """Read a remote file from end to end and hash it.

    A transfer that breaks goes on where it was, if the server still has the same file and
    gives parts of it; else it begins again.

    Args:
        href: The file.
        file: Where to keep the bytes, opened for reading and writing. What it holds already is
            taken for the beginning of the file that ``expected`` describes.
        expected: Stamp of that file.
        progress: Told how far it is.

    Raises:
        RasterError: As :func:`stamp_of`.
    """
    sink = _Sink(file)
    sink.take_over(expected)
    transfer = _Transfer(href, sink, expected)
    idle, furthest = 0, sink.size
    while not transfer.complete:
        reason = transfer.go_on(progress)
        idle = 0 if sink.size > furthest else idle + 1
        furthest = max(furthest, sink.size)
        if idle == ATTEMPTS:
            raise unreachable(href, reason)
        if idle and not transfer.complete:
            pause(idle - 1)
    return transfer.result()


class _Transfer:
    """The bytes of one file, fetched in as many requests as it takes."""

    def __init__(self, href: str, sink: _Sink, expected: RemoteStamp | None) -> None:
        self._href = href
        self._client = client_of(href)
        self._sink = sink
        self._stamp = expected if sink.size else None
        self._ranges = True
        self._requests = 0

    @property
    def complete(self) -> bool:
        """Whether the last byte is there."""
        return self._stamp is not None and self._sink.size == self._stamp.size_bytes

    def go_on(self, progress: Progress | None) -> str:
        """Fetch what is missing; return why the request ended, for the case that it is the last."""
        self._requests += 1
        try:
            with self._client.body(self._href, self._sink.size, self._stamp) as body:
                self._accept(body)
                for chunk in body.chunks:
                    self._sink.write(chunk)
                    if progress is not None:
                        progress(self._href, self._sink.size, body.stamp.size_bytes)
        except ChangedMeanwhileError:
            self._restart()
            return "the file changes again and again"
        except InterruptedTransferError as error:
            return str(error)
        if self._stamp is not None and self._sink.size > self._stamp.size_bytes:
            self._restart()
        return "the server ends its answer early, or late"

    def _accept(self, body: Body) -> None:
        if body.start == 0 and self._sink.size:
            self._sink.restart()
        elif body.start != self._sink.size or (body.start and body.stamp != self._stamp):
            raise ChangedMeanwhileError
        self._stamp, self._ranges = body.stamp, body.ranges

    def _restart(self) -> None:
        self._sink.restart()
        self._stamp = None

    def result(self) -> Fetched:
        """What came of it, once it is complete."""
        if self._stamp is None:
            raise LookupError(f"{self._href} is not complete")
        return Fetched(self._stamp, self._sink.content_hash, self._ranges, self._requests)


class _Sink:
    """Takes bytes in: hashes them, and keeps them where there is a file."""

    def __init__(self, file: BinaryIO | None) -> None:
        self._file = file
        self.restart(truncate=False)

    def restart(self, *, truncate: bool = True) -> None:
        """Forget every byte."""
        self._hash = hashlib.sha256()
        self.size = 0
        if self._file is not None:
            self._file.seek(0)
            if truncate:
                self._file.truncate()

    def take_over(self, expected: RemoteStamp | None) -> None:
        """Take what the file holds for the beginning of the expected file.

        The last byte of a complete one is asked for again: the server's answer tells whether
        it is still the same file.
        """
        if self._file is None:
            return
        left = expected.size_bytes - 1 if expected is not None and expected.telling else 0
        while left > 0 and (chunk := self._file.read(min(_READ_BYTES, left))):
            self._hash.update(chunk)
            self.size += len(chunk)
            left -= len(chunk)
        self._file.seek(self.size)
        self._file.truncate()

    def write(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self._hash.update(chunk)
        self.size += len(chunk)
        if self._file is not None:
            self._file.write(chunk)

    @property
    def content_hash(self) -> str:
        """``sha256:…`` of all bytes."""
        return f"sha256:{self._hash.hexdigest()}"


def client_of(href: str) -> RemoteClient:
    """Return the client that reaches an address; made once per process.

    Raises:
        RasterError: As :func:`carbon_assets.rasters.addresses.require_address`.
    """
    require_address(href)
    return _s3() if href.startswith("s3://") else _https()


@cache
def _https() -> RemoteClient:
    from carbon_assets.rasters.remote.https import HttpsClient

    return HttpsClient()


@cache
def _s3() -> RemoteClient:
    from carbon_assets.rasters.remote.s3 import S3Client

    return S3Client()


def pause(attempt: int) -> None:
    """Wait before the next attempt, longer each time; the first attempt is number 0."""
    time.sleep(min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0**attempt))
