"""The rasters that one partition reads, noted as they are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from carbon_assets.runners.bound import BandRule, BoundRunner, Zone
from carbon_assets.runners.gather import Files, Names, Strip, names_of
from carbon_assets.runners.receipts import Receipt


@dataclass(frozen=True)
class Layer:
    """A band of a source, ready to be gathered: its files and the meaning of its raw values."""

    files: Files
    rule: BandRule

    @property
    def name(self) -> Names:
        """What tells it from other layers."""
        return names_of(self.files)

    @property
    def href(self) -> str:
        """Where it lies, for messages."""
        return self.files[0].href


@dataclass
class Inputs:
    """What one reducer reads for one partition.

    Attributes:
        bound: The runner with its sources.
        zone: The place's zone.
        vintage: The vintage.
        seen: (row of ``raster_assets``, role) of every raster asked for, in order.
    """

    bound: BoundRunner
    zone: Zone
    vintage: int
    seen: dict[tuple[int, str], None] = field(default_factory=dict)

    def layer(self, slot: str, band: str, role: str) -> Layer:
        """Return a band of a slot's source; ``role`` says what part it takes."""
        files = self.bound.files(slot, band, self.vintage, self.zone)
        self.seen.update({(file.asset_id, role): None for file in files})
        return Layer(files, self.bound.rule(slot, band))


class Reducer(Protocol):
    """Takes in a place's strips, then gives the receipts of its partitions."""

    def add(self, strip: Strip) -> None:
        """Take in one strip."""

    def receipts(self) -> Iterator[list[Receipt]]:
        """Give the receipts of all strips, partition by partition."""
