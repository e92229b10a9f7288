"""Legends of maps of change: which event, of which year, each class id of a raster means."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, ValidationError, model_validator

from carbon_assets.errors import CatalogueError
from carbon_assets.reference.legend import Legend, load_legend
from carbon_assets.reference.packaged import find_table
from carbon_assets.reference.rows import Frozen, Row, load_rows
from carbon_assets.reference.source_models import SourceVersion

Event = Literal["none", "deforestation", "late_detection", "fire", "not_observed"]
"""What happened to a cell. ``late_detection``: cleared in an earlier year, seen in this one."""

Forest = Literal["primary", "secondary"]


class ChangeClass(Row):
    """One class of a map of change.

    Attributes:
        id: Value in the raster.
        name: Publisher's name.
        event: What happened; ``none`` for land without an event.
        year: Year of the event in the publisher's count; None in a yearly map, whose events
            are of its own year, and for events before the record.
        forest: Forest that the event struck, where the map tells.
    """

    id: int = Field(ge=0)
    name: str = Field(min_length=1)
    event: Event
    year: int | None = Field(default=None, ge=1900, le=2200)
    forest: Forest | None = None

    @model_validator(mode="after")
    def _year_of_an_event(self) -> Self:
        if self.event in ("none", "not_observed") and (self.year or self.forest):
            raise ValueError("year and forest go with an event")
        return self


class ChangeLegend(Frozen):
    """The classes of one version of a map of change.

    Attributes:
        name: Name of the legend.
        classes: Its classes.
    """

    name: str
    classes: tuple[ChangeClass, ...]

    @property
    def ids(self) -> tuple[int, ...]:
        """All class ids."""
        return tuple(one.id for one in self.classes)

    @property
    def observed_ids(self) -> frozenset[int]:
        """Ids of the classes that say what happened, or that nothing did."""
        return frozenset(one.id for one in self.classes if one.event != "not_observed")

    @property
    def events(self) -> frozenset[tuple[Event, Forest | None]]:
        """Kinds of event that the map tells apart."""
        return frozenset((one.event, one.forest) for one in self.classes)

    def ids_of(
        self, events: Collection[Event], year: int | None, forest: Forest | None = None
    ) -> frozenset[int]:
        """Return the ids of events of a year.

        Args:
            events: Kinds of event.
            year: Year in the publisher's count; None for a yearly map.
            forest: Only events in this kind of forest.
        """
        return frozenset(
            one.id
            for one in self.classes
            if one.event in events and one.year == year and forest in (None, one.forest)
        )


def load_change_legend(name: str) -> ChangeLegend:
    """Load a legend of a map of change; a packaged one is read once.

    Args:
        name: Name of a packaged legend, or the path of a user's own ``.csv`` file.

    Raises:
        CatalogueError: ``LEGEND_UNKNOWN``, or ``REFERENCE_INVALID`` for a file that is not
            such a legend.
    """
    path = find_table("changes", name, code="LEGEND_UNKNOWN")
    return _read(path) if name.endswith(".csv") else _packaged(path)


def legend_of(version: SourceVersion) -> Legend | ChangeLegend | None:
    """Return the legend of a source version, of whichever kind it has; None if it has none.

    Raises:
        CatalogueError: As :func:`load_change_legend`.
    """
    if version.legend is None:
        return None
    is_change = version.quantity == "change_map"
    return load_change_legend(version.legend) if is_change else load_legend(version.legend)


def _read(path: Path) -> ChangeLegend:
    classes = load_rows(path, ChangeClass, key="id")
    try:
        return ChangeLegend(name=path.stem, classes=classes)
    except ValidationError as invalid:
        reason = invalid.errors()[0]["msg"].removeprefix("Value error, ")
        raise CatalogueError("REFERENCE_INVALID", f"{path}: {reason}") from invalid


_packaged = cache(_read)
