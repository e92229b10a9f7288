"""Content hashes: of the bytes, never of a name or a date."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from carbon_assets.errors import RasterError


@dataclass(frozen=True)
class FileStamp:
    """What tells that a file may have changed: device, inode, size and modification time."""

    device: int
    inode: int
    size_bytes: int
    mtime_ns: int


def file_stamp(path: str) -> FileStamp:
    """Stamp of a local file.

    Raises:
        RasterError: ``RASTER_MISSING`` if there is no such file.
    """
    try:
        stat = Path(path).stat()
    except OSError as error:
        raise RasterError(
            "RASTER_MISSING",
            f"the raster file cannot be found: {error.strerror}",
            where=path,
            do="check the href in the source catalogue or the portfolio",
        ) from error
    return FileStamp(stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns)


def content_hash(path: str) -> str:
    """``sha256:…`` of a local file's bytes."""
    with Path(path).open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
