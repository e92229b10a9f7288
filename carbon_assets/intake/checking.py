"""Looking at the files of a source without registering them: every fault, not just the first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from carbon_assets.errors import CarbonAssetsError
from carbon_assets.intake.files import inspect_file
from carbon_assets.intake.sources import Binding, WantedFile, wanted_files
from carbon_assets.rasters.addresses import shown
from carbon_assets.rasters.registered import Bounds


@dataclass(frozen=True)
class FileVerdict:
    """What was found about one file.

    Attributes:
        slot: What its source feeds.
        source: Key and version of the source.
        file: The file.
        error: Why it is refused, or None.
    """

    slot: str
    source: str
    file: WantedFile
    error: CarbonAssetsError | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the verdict as a JSON-ready mapping."""
        return {
            "slot": self.slot,
            "source": self.source,
            "band": self.file.band.name,
            "vintage": self.file.vintage,
            "tile": self.file.tile,
            "href": shown(self.file.href),
            "error": self.error.as_dict() if self.error else None,
        }


def check_files(
    bindings: Iterable[Binding], vintages: Sequence[int], bounds: Sequence[Bounds]
) -> Iterator[FileVerdict]:
    """Open every file that the bindings need and compare it with the catalogue.

    Args:
        bindings: What feeds each slot.
        vintages: Vintages that must be there.
        bounds: Bounds of the places, to know which tiles are needed.

    Raises:
        CatalogueError: ``VINTAGE_UNAVAILABLE``, ``HREF_MISSING``.
    """
    for binding in bindings:
        for file in wanted_files(binding.version, vintages, bounds):
            yield _verdict(binding, file)


def _verdict(binding: Binding, file: WantedFile) -> FileVerdict:
    label = binding.version.label
    try:
        inspect_file(binding.version, file.band, file.href)
    except CarbonAssetsError as error:
        return FileVerdict(binding.slot, label, file, error)
    return FileVerdict(binding.slot, label, file)
