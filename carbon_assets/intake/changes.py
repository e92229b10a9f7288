"""Rasters whose files are others than when they were registered: found cheaply, taken in anew."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from carbon_assets.errors import RasterError
from carbon_assets.intake.contents import content_of, learn
from carbon_assets.intake.files import File, current_file
from carbon_assets.intake.known_files import BoundFile, KnownFiles, answered_files, known_files
from carbon_assets.intake.mirroring import mirror_file
from carbon_assets.intake.sources import manifest_of, renew_binding
from carbon_assets.rasters.addresses import is_local, shown
from carbon_assets.rasters.hashing import file_stamp
from carbon_assets.rasters.remote.transfer import BRIEF_ATTEMPTS, Progress, stamps_of
from carbon_assets.store.database import Database
from carbon_assets.store.engines import transaction
from carbon_assets.store.models import RasterCopy


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
        bound = list(answered_files(connection, company_id))
        known = known_files(connection, bound)
    hrefs = sorted({one.href for one in bound if after is None or one.href > after})
    chosen = list(_within(hrefs, limit))
    stamps = _stamps(chosen)
    changes = [_change(one, stamps[one.href], known) for one in bound if one.href in stamps]
    return Looked(
        changes=tuple(change for change in changes if change is not None),
        requests=sum(not is_local(href) for href in chosen),
        after=_rest(hrefs, chosen, after),
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
        chosen = [one for one in answered_files(connection, company_id) if one.href in hrefs]
        known = known_files(connection, chosen)
        folders = {one.href: _folder_of_copy(connection, one.href) for one in chosen}
    for href, folder in folders.items():
        if folder is not None:
            mirror_file(database, href, folder, progress=progress)
    learn(database, (href for href, folder in folders.items() if folder is None), progress)
    with transaction(database) as connection:
        found = [_register(connection, one, known) for one in chosen]
        slots = {one.binding.slot for one in chosen}
        everything = [
            one for one in answered_files(connection, company_id) if one.binding.slot in slots
        ]
        for slot in sorted(slots):
            mine = [one for one in everything if one.binding.slot == slot]
            renew_binding(connection, company_id, slot, _manifest(connection, mine))
    return found


def _within(hrefs: Iterable[str], limit: int) -> Iterator[str]:
    """As many addresses, in order, as hold no more than so many remote ones."""
    left = limit
    for href in hrefs:
        left -= not is_local(href)
        if left < 0:
            return
        yield href


def _rest(hrefs: Sequence[str], chosen: Sequence[str], after: str | None) -> str | None:
    """Where to go on; the empty text is before every address."""
    if len(chosen) == len(hrefs):
        return None
    return chosen[-1] if chosen else after or ""


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


def _change(bound: BoundFile, stamp: Any, known: KnownFiles) -> FileChange | None:
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


def _register(connection: Connection, bound: BoundFile, known: KnownFiles) -> Registered:
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


def _manifest(connection: Connection, bound: Collection[BoundFile]) -> str:
    """Manifest of a slot; files that were not taken in anew count as they are registered."""
    known = known_files(connection, bound)
    return manifest_of(
        (
            one.file.band.name,
            one.file.year,
            one.file.tile,
            known.content(one) or content_of(connection, one.href).content_hash,
        )
        for one in bound
    )
