"""The watched folder: ``<company>/<kind>/<file>``, and where files go when they are done with.

Every folder and file is opened by name within the folder above it, and never through a symbolic
link, so nothing outside the folder can be read or moved, whatever lies in it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from carbon_assets.errors import IntakeError

TAKEN, REFUSED = "taken", "refused"
UNFINISHED = (".part", ".tmp", ".crdownload")
"""Endings of files that are still being written."""
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK


@dataclass(frozen=True)
class Arrival:
    """A file in the watched folder.

    Attributes:
        company: Name of the company's folder.
        kind: Name of the folder in it.
        name: Name of the file.
        size: Size, bytes.
        stamp: Device, inode and time of change.
        regular: Whether it is a file, and not a link, a pipe or a device.
    """

    company: str
    kind: str
    name: str
    size: int
    stamp: str
    regular: bool

    @property
    def path(self) -> str:
        """Its path within the watched folder."""
        return f"{self.company}/{self.kind}/{self.name}"


def arrivals(folder: Path) -> Iterator[Arrival]:
    """Yield what lies in the watched folder, oldest first per company and kind.

    Folders within the folder of a kind, hidden files and unfinished ones are passed over, and
    so is whatever cannot be looked at.
    """
    for company in _folders(folder):
        for kind in _folders(folder / company):
            found = list(_files(folder, company, kind))
            yield from (one for _, one in sorted(found, key=lambda item: (item[0], item[1].name)))


def _folders(folder: Path) -> list[str]:
    with suppress(OSError), os.scandir(folder) as entries:
        return sorted(
            entry.name
            for entry in entries
            if entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".")
        )
    return []


def _files(folder: Path, company: str, kind: str) -> Iterator[tuple[int, Arrival]]:
    with suppress(OSError), os.scandir(folder / company / kind) as entries:
        for entry in entries:
            if entry.name.startswith(".") or entry.name.lower().endswith(UNFINISHED):
                continue
            with suppress(OSError):
                seen = entry.stat(follow_symlinks=False)
                if not stat.S_ISDIR(seen.st_mode):
                    yield seen.st_mtime_ns, _arrival(company, kind, entry.name, seen)


def _arrival(company: str, kind: str, name: str, seen: os.stat_result) -> Arrival:
    return Arrival(
        company=company,
        kind=kind,
        name=name,
        size=seen.st_size,
        stamp=f"{seen.st_dev}:{seen.st_ino}:{seen.st_mtime_ns}",
        regular=stat.S_ISREG(seen.st_mode),
    )


def content_of(folder: Path, arrival: Arrival) -> str:
    """``sha256:…`` of a file.

    Raises:
        IntakeError: ``UPLOAD_NOT_A_FILE``, ``UPLOAD_CHANGED``.
    """
    with _opened(folder, arrival) as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def copy_of(folder: Path, arrival: Arrival, target: Path) -> str:
    """Copy a file to where nobody else writes; return ``sha256:…`` of the copy.

    Raises:
        IntakeError: ``UPLOAD_NOT_A_FILE``, ``UPLOAD_CHANGED``.
    """
    with _opened(folder, arrival) as file, target.open("xb") as copy:
        shutil.copyfileobj(file, copy, 1 << 20)
    with target.open("rb") as copy:
        return f"sha256:{hashlib.file_digest(copy, 'sha256').hexdigest()}"


@contextmanager
def _opened(folder: Path, arrival: Arrival) -> Iterator[BufferedReader]:
    """Open exactly the file that was seen."""
    with _kind_folder(folder, arrival) as inside:
        try:
            number = os.open(arrival.name, _FILE, dir_fd=inside)
        except OSError as error:
            raise _changed(arrival, error.strerror or str(error)) from error
        with os.fdopen(number, "rb") as file:
            seen = _arrival(arrival.company, arrival.kind, arrival.name, os.fstat(number))
            if not seen.regular:
                raise not_a_file(arrival)
            if (seen.stamp, seen.size) != (arrival.stamp, arrival.size):
                raise _changed(arrival, "it was written to, or replaced")
            yield file


def not_a_file(arrival: Arrival) -> IntakeError:
    """The refusal of a link, a pipe or a device."""
    return IntakeError(
        "UPLOAD_NOT_A_FILE",
        "it is a symbolic link, a pipe or a device, not a file",
        where=arrival.path,
        do="copy the file itself into the folder",
    )


def _changed(arrival: Arrival, what: str) -> IntakeError:
    return IntakeError(
        "UPLOAD_CHANGED",
        f"the file is not the one that was noticed: {what}",
        where=arrival.path,
        do="leave a file alone once it lies in the folder; nothing of it was taken",
    )


def put_away(folder: Path, arrival: Arrival, where: str, number: int, note: str | None) -> None:
    """Move a file that was seen to ``taken`` or ``refused``; one that is gone is let be.

    Args:
        folder: The watched folder.
        arrival: The file.
        where: ``taken`` or ``refused``, within the folder of its kind.
        number: Stands before its name there, so that no file replaces another.
        note: Written beside it as ``….json``.
    """
    with suppress(FileNotFoundError, NotADirectoryError), _kind_folder(folder, arrival) as inside:
        with suppress(FileExistsError):
            os.mkdir(where, dir_fd=inside)
        target = os.open(where, _FOLDER, dir_fd=inside)
        try:
            if note is not None:
                _write(target, f"{number}-{arrival.name}.json", note)
            seen = os.stat(arrival.name, dir_fd=inside, follow_symlinks=False)
            if _arrival(arrival.company, arrival.kind, arrival.name, seen).stamp == arrival.stamp:
                name = f"{number}-{arrival.name}"
                os.rename(arrival.name, name, src_dir_fd=inside, dst_dir_fd=target)
        finally:
            os.close(target)


def _write(folder: int, name: str, text: str) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
    with os.fdopen(os.open(name, flags, 0o644, dir_fd=folder), "w", encoding="utf-8") as file:
        file.write(text)


@contextmanager
def _kind_folder(folder: Path, arrival: Arrival) -> Iterator[int]:
    """Open the folder of a file step by step, no step through a link."""
    opened = [os.open(folder, os.O_RDONLY | os.O_DIRECTORY)]
    try:
        for step in (arrival.company, arrival.kind):
            opened.append(os.open(_plain(step), _FOLDER, dir_fd=opened[-1]))
        _plain(arrival.name)
        yield opened[-1]
    finally:
        for number in reversed(opened):
            os.close(number)


def _plain(name: str) -> str:
    if name in {"", ".", ".."} or "/" in name or "\0" in name:
        raise ValueError(f"not the name of a file: {name!r}")
    return name
