"""Rasters whose files are others than when they were registered: found cheaply, taken in anew."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from carbon_assets.errors import RasterError
from carbon_assets.intake.contents import content_of, is_same, is_same_file, learn
from carbon_assets.intake.extent import extent_of
from carbon_assets.intake.files import File, current_file
from carbon_assets.intake.mirroring import mirror_file
from carbon_assets.intake.sources import (
    Binding,
    WantedFile,
    bound_sources,
    manifest_of,
    renew_binding,
    wanted_files,
)
from carbon_assets.rasters.addresses import is_local, shown
from carbon_assets.rasters.hashing import file_stamp
from carbon_assets.rasters.remote.model import RemoteStamp
from carbon_assets.rasters.remote.transfer import BRIEF_ATTEMPTS, Progress, stamps_of
from carbon_assets.store.database import Database
from carbon_assets.store.engines import transaction
from carbon_assets.store.models import (
    FileHash,
    RasterAsset,
    RasterCopy,
    RemoteFile,
    SourceBinding,
)
from carbon_assets.store.queries import among


@dataclass(frozen=True)
class FileChange:
    """A file that is not as it was registered.

    Attributes:
        slot: What its source feeds.
        source: Key and version of the source.
        source_id: Row of ``raster_data_sources``.
        href: Its address.
        kind: ``changed`` (its stamp did; perhaps its bytes), ``vanished``, ``appeared`` (it was
            not registered before) or ``unreachable``.
        registered: Content hash that is registered, or None.
        reason: Error code of a file that cannot be had, or None.
    """

    slot: str
    source: str
    source_id: int
    href: str
    kind: str
    registered: str | None
    reason: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready mapping."""
        return {**asdict(self), "href": shown(self.href)}


@dataclass(frozen=True)
class Looked:
    """What one look found.

    Attributes:
        changes: Files that are not as they were registered.
        requests: Remote files that were asked for.
        after: Where the next look goes on; None if everything was looked at.
    """

    changes: tuple[FileChange, ...]
    requests: int
    after: str | None


@dataclass(frozen=True)
class Registered:
    """A file that was taken in anew.

    Attributes:
        slot: What its source feeds.
        source: Key and version of the source.
        href: Its address.
        before: Content hash before, or None.
        after: Content hash now; the same if only the stamp had changed.
    """

    slot: str
    source: str
    href: str
    before: str | None
    after: str


@dataclass(frozen=True)
class _Bound:
    """A file that a binding needs."""

    binding: Binding
    source_id: int
    file: WantedFile

    @property
    def href(self) -> str:
        return self.file.href


@dataclass(frozen=True)
class _Known:
    """What the store holds about some addresses."""

    local: Mapping[str, Any]
    remote: Mapping[str, Any]
    registered: frozenset[tuple[int, str]]

    def content(self, bound: _Bound) -> str | None:
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


def look_for_changes(
    database: Database, company_id: int, *, limit: int = 100, after: str | None = None
) -> Looked:
    """Find files of a company's bound sources whose stamp is not the registered one.

    No bytes are read and nothing is written. A mirrored file is compared with its server too.

    Args:
        database: The database.
        company_id: The company.
        limit: Most requests to servers; local files are looked up without a limit.
        after: Where the last look ended.

    Raises:
        CatalogueError: ``HREF_MISSING``.
    """
    with transaction(database) as connection:
        bound = list(_bound_files(connection, company_id))
        known = _known(connection, bound)
    hrefs = sorted({one.href for one in bound if after is None or one.href > after})
    chosen = list(_within(hrefs, limit))
    stamps = _stamps(chosen)
    changes = [_change(one, stamps[one.href], known) for one in bound if one.href in stamps]
    return Looked(
        changes=tuple(change for change in changes if change is not None),
        requests=sum(not is_local(href) for href in chosen),
        after=chosen[-1] if chosen and len(chosen) < len(hrefs) else None,
    )


def register_again(
    database: Database,
    company_id: int,
    hrefs: Collection[str],
    *,
    progress: Progress | None = None,
) -> list[Registered]:
    """Take in anew just some files of a company's bound sources.

    New bytes are a new row of ``raster_assets`` and another manifest of their slot. A remote
    file that had a local copy gets a copy of its new bytes beside it.

    Args:
        database: The database.
        company_id: The company.
        hrefs: Addresses, as :func:`look_for_changes` names them.
        progress: Told how much of a remote file has been read.

    Raises:
        RasterError: As :func:`carbon_assets.intake.files.current_file`; then nothing is
            registered.
    """
    with transaction(database) as connection:
        chosen = [one for one in _bound_files(connection, company_id) if one.href in hrefs]
        known = _known(connection, chosen)
        folders = {one.href: _folder_of_copy(connection, one.href) for one in chosen}
    for href, folder in folders.items():
        if folder is not None:
            mirror_file(database, href, folder, progress=progress)
    learn(database, (href for href, folder in folders.items() if folder is None), progress)
    with transaction(database) as connection:
        found = [_register(connection, one, known) for one in chosen]
        slots = {one.binding.slot for one in chosen}
        everything = [
            one for one in _bound_files(connection, company_id) if one.binding.slot in slots
        ]
        for slot in sorted(slots):
            mine = [one for one in everything if one.binding.slot == slot]
            renew_binding(connection, company_id, slot, _manifest(connection, mine))
    return found


def _bound_files(connection: Connection, company_id: int) -> Iterator[_Bound]:
    """The files of the vintages that sources answer for."""
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
            yield _Bound(binding, ids[binding.slot], file)


def _known(connection: Connection, bound: Collection[_Bound]) -> _Known:
    hrefs = sorted({one.href for one in bound})
    local = connection.execute(select(FileHash).where(among(FileHash.href, hrefs)))
    remote = connection.execute(select(RemoteFile).where(among(RemoteFile.href, hrefs)))
    assets = connection.execute(
        select(RasterAsset.raster_source_id, RasterAsset.href).where(among(RasterAsset.href, hrefs))
    )
    return _Known(
        local={row.href: row for row in local},
        remote={row.href: row for row in remote},
        registered=frozenset((row.raster_source_id, row.href) for row in assets),
    )


def _within(hrefs: Iterable[str], limit: int) -> Iterator[str]:
    """As many addresses, in order, as hold no more than so many remote ones."""
    left = limit
    for href in hrefs:
        left -= not is_local(href)
        if left < 0:
            return
        yield href


def _stamps(hrefs: Collection[str]) -> dict[str, Any]:
    remote = (href for href in hrefs if not is_local(href))
    found: dict[str, Any] = dict(stamps_of(remote, attempts=BRIEF_ATTEMPTS))
    for href in hrefs:
        if is_local(href):
            try:
                found[href] = file_stamp(href)
            except RasterError as error:
                found[href] = error
    return found


def _change(bound: _Bound, stamp: Any, known: _Known) -> FileChange | None:
    registered = (bound.source_id, bound.href) in known.registered
    kind, reason = "changed" if registered else "appeared", None
    if isinstance(stamp, RasterError):
        reason = stamp.code
        kind = "vanished" if reason == "RASTER_MISSING" else "unreachable"
        if kind == "vanished" and not registered:
            return None
    elif registered and known.is_same(bound.href, stamp):
        return None
    return FileChange(
        slot=bound.binding.slot,
        source=bound.binding.version.label,
        source_id=bound.source_id,
        href=bound.href,
        kind=kind,
        registered=known.content(bound),
        reason=reason,
    )


def _folder_of_copy(connection: Connection, href: str) -> Path | None:
    rows = connection.execute(
        select(RasterCopy.path).where(RasterCopy.href == href).order_by(RasterCopy.copied_at.desc())
    )
    paths = (Path(path) for path in rows.scalars().all())
    return next((path.parent for path in paths if path.is_file()), None)


def _register(connection: Connection, bound: _Bound, known: _Known) -> Registered:
    version, wanted = bound.binding.version, bound.file
    file = File(bound.source_id, version, wanted.band, wanted.vintage, wanted.tile)
    now = current_file(connection, file, wanted.href)
    return Registered(
        slot=bound.binding.slot,
        source=version.label,
        href=wanted.href,
        before=known.content(bound),
        after=now.content_hash,
    )


def _manifest(connection: Connection, bound: Collection[_Bound]) -> str:
    """Manifest of a slot; files that were not taken in anew count as they are registered."""
    known = _known(connection, bound)
    return manifest_of(
        (
            one.file.band.name,
            one.file.year,
            one.file.tile,
            known.content(one) or content_of(connection, one.href).content_hash,
        )
        for one in bound
    )
