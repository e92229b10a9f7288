"""The file: a zip of one text per table, in PostgreSQL's COPY format, and a manifest."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from carbon_assets.errors import StoreError

FORMAT = 1
MANIFEST = "manifest.json"
_LEVEL = 3
_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class SavedTable:
    """A table in a backup.

    Attributes:
        schema: Schema.
        name: Name.
        columns: Columns, in the order of the text.
        rows: Number of rows.
        sha256: SHA-256 of the text, in hex digits.
    """

    schema: str
    name: str
    columns: tuple[str, ...]
    rows: int
    sha256: str

    @property
    def member(self) -> str:
        """Name of the text in the zip."""
        return f"{self.schema}/{self.name}.copy"


@dataclass(frozen=True)
class Manifest:
    """What a backup holds.

    Attributes:
        created_at: Moment of the snapshot, ISO 8601 in UTC, by the server's clock.
        package_version: Version of carbon-assets that wrote it.
        server_version: Version of the PostgreSQL server.
        revision: Schema revision of our tables.
        tables: Tables.
        sequences: ``schema.sequence`` to last value and whether it was drawn.
    """

    created_at: str
    package_version: str
    server_version: str
    revision: str
    tables: tuple[SavedTable, ...]
    sequences: dict[str, tuple[int, bool]]

    @property
    def rows(self) -> int:
        """Number of rows in all."""
        return sum(table.rows for table in self.tables)

    def as_json(self) -> str:
        """Write the manifest."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=1)


def read_manifest(document: Any) -> Manifest:
    """Read a manifest from its JSON document.

    Raises:
        KeyError, TypeError, ValueError: It is none of this format.
    """
    if document["format"] != FORMAT:
        raise ValueError(f"format {document['format']}, not {FORMAT}")
    tables = (SavedTable(**one | {"columns": tuple(one["columns"])}) for one in document["tables"])
    facts = {name: str(document[name]) for name in ("created_at", "package_version", "revision")}
    return Manifest(
        **facts,
        server_version=str(document["server_version"]),
        tables=tuple(tables),
        sequences={name: (int(v), bool(c)) for name, (v, c) in document["sequences"].items()},
    )


class ArchiveWriter:
    """Writes texts and at last the manifest; see :func:`writing`."""

    def __init__(self, file: zipfile.ZipFile) -> None:
        self._file = file

    def add(self, member: str, blocks: Iterable[bytes | bytearray | memoryview]) -> str:
        """Write one text and return its SHA-256 in hex digits."""
        digest = hashlib.sha256()
        with self._file.open(member, "w", force_zip64=True) as target:
            for block in blocks:
                digest.update(block)
                target.write(block)
        return digest.hexdigest()

    def close_with(self, manifest: Manifest) -> None:
        """Write the manifest."""
        self._file.writestr(MANIFEST, manifest.as_json())


@contextmanager
def writing(path: Path, *, replace: bool = False) -> Iterator[ArchiveWriter]:
    """Write a backup file; it appears under its name when it is whole and on the disk.

    Args:
        path: The file, readable by this user alone.
        replace: Whether an older file of this name may be replaced.

    Raises:
        StoreError: ``BACKUP_EXISTS``, ``BACKUP_UNWRITABLE``.
    """
    if path.exists() and not replace:
        raise StoreError(
            "BACKUP_EXISTS",
            "There is a file of this name.",
            where=str(path),
            do="Choose another name, or replace it with --replace.",
        )
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w+b") as target:
            with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as file:
                yield ArchiveWriter(file)
            target.flush()
            os.fsync(target.fileno())
        draft.replace(path)
    except OSError as error:
        raise StoreError(
            "BACKUP_UNWRITABLE",
            f"The backup cannot be written: {error.strerror or error}.",
            where=str(path),
            do="Choose a folder that exists, with room for it.",
        ) from error
    finally:
        draft.unlink(missing_ok=True)


class ArchiveReader:
    """An open backup file.

    Attributes:
        manifest: What it holds.
    """

    def __init__(self, path: Path, file: zipfile.ZipFile, manifest: Manifest) -> None:
        self.manifest = manifest
        self._path = path
        self._file = file

    def blocks(self, table: SavedTable) -> Iterator[bytes]:
        """Give the text of a table in blocks.

        Raises:
            StoreError: ``BACKUP_DAMAGED`` when it is not there or not readable.
        """
        try:
            with self._file.open(table.member) as source:
                while block := source.read(_BLOCK_BYTES):
                    yield block
        except (KeyError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise self._damaged(table, str(error)) from error

    def verify(self) -> None:
        """Read everything and compare it with the manifest.

        Raises:
            StoreError: ``BACKUP_DAMAGED``.
        """
        for table in self.manifest.tables:
            digest = hashlib.sha256()
            for block in self.blocks(table):
                digest.update(block)
            if digest.hexdigest() != table.sha256:
                raise self._damaged(table, "its bytes are not those that were written")

    def _damaged(self, table: SavedTable, reason: str) -> StoreError:
        return StoreError(
            "BACKUP_DAMAGED",
            f"Table {table.schema}.{table.name} cannot be restored: {reason}.",
            where=str(self._path),
            do="Use another copy of this backup; nothing was restored.",
        )


@contextmanager
def reading(path: Path) -> Iterator[ArchiveReader]:
    """Open a backup file.

    Raises:
        StoreError: ``BACKUP_MISSING``; ``BACKUP_UNREADABLE`` when it is no backup.
    """
    try:
        with zipfile.ZipFile(path) as file:
            manifest = read_manifest(json.loads(file.read(MANIFEST)))
            yield ArchiveReader(path, file, manifest)
    except FileNotFoundError as error:
        raise StoreError("BACKUP_MISSING", "There is no such file.", where=str(path)) from error
    except (zipfile.BadZipFile, KeyError, TypeError, ValueError) as error:
        raise StoreError(
            "BACKUP_UNREADABLE",
            f"This is not a backup of carbon-assets: {error}.",
            where=str(path),
            do="Name a file that `carbon-assets database backup` has written.",
        ) from error
