"""Files that bindings need, and what the store knows of them without looking."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from carbon_assets.intake.contents import is_same, is_same_file
from carbon_assets.intake.extent import extent_of
from carbon_assets.intake.sources import Binding, WantedFile, bound_sources, wanted_files
from carbon_assets.rasters.remote.model import RemoteStamp
from carbon_assets.store.models import FileHash, RasterAsset, RemoteFile, SourceBinding
from carbon_assets.store.queries import among


@dataclass(frozen=True)
class BoundFile:
    """A file that a binding needs.

    Attributes:
        binding: The binding.
        source_id: Row of ``raster_data_sources``.
        file: The file.
    """

    binding: Binding
    source_id: int
    file: WantedFile

    @property
    def href(self) -> str:
        """Its address."""
        return self.file.href


@dataclass(frozen=True)
class KnownFiles:
    """What the store holds about some addresses.

    Attributes:
        local: Rows of ``file_hashes`` by address.
        remote: Rows of ``remote_files`` by address.
        registered: Source and address of files that are registered.
    """

    local: Mapping[str, Any]
    remote: Mapping[str, Any]
    registered: frozenset[tuple[int, str]]

    def content(self, bound: BoundFile) -> str | None:
        """Content hash with which a file is registered; None if it is not."""
        row = self.local.get(bound.href) or self.remote.get(bound.href)
        if row is None or (bound.source_id, bound.href) not in self.registered:
            return None
        return str(row.content_hash)

    def is_same(self, href: str, stamp: Any) -> bool:
        """Whether a stamp is the one that was seen when the file was hashed.

        A server that gives neither entity tag nor time never shows a change here: its files
        are read again whenever they are used.
        """
        if isinstance(stamp, RemoteStamp):
            row = self.remote.get(href)
            mute = stamp.etag is None and stamp.last_modified is None
            return row is not None and (
                row.size_bytes == stamp.size_bytes if mute else is_same(row, stamp)
            )
        row = self.local.get(href)
        return row is not None and is_same_file(row, stamp)


def answered_files(connection: Connection, company_id: int) -> Iterator[BoundFile]:
    """Yield the files of a company, of those vintages that its sources answer for.

    Raises:
        CatalogueError: ``HREF_MISSING``.
    """
    extent = extent_of(connection, company_id)
    sources = connection.execute(
        select(SourceBinding.slot, SourceBinding.raster_source_id).where(
            SourceBinding.company_id == company_id
        )
    )
    ids = {row.slot: row.raster_source_id for row in sources}
    for binding in bound_sources(connection, company_id) if extent.bounds else ():
        years = [year for year in extent.vintages if binding.version.available(year)]
        for file in wanted_files(binding.version, years, extent.bounds):
            yield BoundFile(binding, ids[binding.slot], file)


def known_files(connection: Connection, bound: Collection[BoundFile]) -> KnownFiles:
    """Return what the store holds about some files."""
    hrefs = sorted({one.href for one in bound})
    local = connection.execute(select(FileHash).where(among(FileHash.href, hrefs)))
    remote = connection.execute(select(RemoteFile).where(among(RemoteFile.href, hrefs)))
    assets = connection.execute(
        select(RasterAsset.raster_source_id, RasterAsset.href).where(among(RasterAsset.href, hrefs))
    )
    return KnownFiles(
        local={row.href: row for row in local},
        remote={row.href: row for row in remote},
        registered=frozenset((row.raster_source_id, row.href) for row in assets),
    )
