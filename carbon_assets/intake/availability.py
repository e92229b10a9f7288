"""Whether the rasters of a vintage are there, before anybody asks for its numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from carbon_assets.errors import CatalogueError, RasterError
from carbon_assets.intake.contents import Looks, look
from carbon_assets.intake.extent import extent_of
from carbon_assets.intake.sources import Binding, WantedFile, bound_sources, wanted_files
from carbon_assets.rasters.addresses import is_local, shown
from carbon_assets.rasters.remote.transfer import BRIEF_ATTEMPTS
from carbon_assets.store.database import Database
from carbon_assets.store.engines import transaction


@dataclass(frozen=True)
class FileAvailability:
    """Whether a file that a vintage needs is there.

    Attributes:
        slot: What its source feeds.
        source: Key and version of the source.
        band: Band, or None where the source as a whole does not answer for the vintage.
        year: Year of the file.
        tile: Tile, or None.
        href: Its address.
        reason: None if it is there; else an error code, such as ``RASTER_MISSING`` or
            ``VINTAGE_UNAVAILABLE``.
    """

    slot: str
    source: str
    band: str | None = None
    year: int | None = None
    tile: str | None = None
    href: str | None = None
    reason: str | None = None

    @property
    def available(self) -> bool:
        """Whether the file is there."""
        return self.reason is None

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready mapping."""
        return asdict(self)


@dataclass(frozen=True)
class Availability:
    """Whether a vintage can be computed for a company.

    Attributes:
        vintage: The year.
        files: Every file that it needs.
    """

    vintage: int
    files: tuple[FileAvailability, ...]

    @property
    def complete(self) -> bool:
        """Whether every file is there; not so where nothing is bound or no place exists."""
        return bool(self.files) and not self.missing

    @property
    def missing(self) -> tuple[FileAvailability, ...]:
        """The files that are not there."""
        return tuple(file for file in self.files if not file.available)


def availability(database: Database, company_id: int, vintage: int) -> Availability:
    """Look which files a vintage needs and whether they are there; no bytes are read.

    Local files are looked up, mirrored ones have their copy, remote ones are asked for with
    one request each. They are neither opened nor compared with the catalogue.

    Args:
        database: The database.
        company_id: The company.
        vintage: A year, whether or not a project has it already.
    """
    with transaction(database) as connection:
        bounds = extent_of(connection, company_id).bounds
        wanted: list[tuple[Binding, WantedFile]] = []
        unanswered = []
        for binding in bound_sources(connection, company_id) if bounds else ():
            try:
                files = list(wanted_files(binding.version, [vintage], bounds))
            except CatalogueError as error:
                label = binding.version.label
                unanswered.append(FileAvailability(binding.slot, label, reason=error.code))
            else:
                wanted += [(binding, file) for file in files]
        hrefs = [file.href for _, file in wanted]
        looks = look(connection, hrefs, attempts=BRIEF_ATTEMPTS)
    return Availability(vintage, (*_verdicts(wanted, looks), *unanswered))


def _verdicts(
    wanted: Iterable[tuple[Binding, WantedFile]], looks: Looks
) -> Iterator[FileAvailability]:
    for binding, file in wanted:
        yield FileAvailability(
            slot=binding.slot,
            source=binding.version.label,
            band=file.band.name,
            year=file.year,
            tile=file.tile,
            href=shown(file.href),
            reason=_reason(file.href, looks),
        )


def _reason(href: str, looks: Looks) -> str | None:
    found = looks.get(href)
    if isinstance(found, RasterError):
        return found.code
    if found is None and is_local(href) and not Path(href).is_file():
        return "RASTER_MISSING"
    return None
