"""Legends of class maps: what each class id of a raster means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, ValidationError, model_validator

from carbon_assets.errors import CatalogueError
from carbon_assets.reference.packaged import find_table
from carbon_assets.reference.rows import Frozen, Row, load_rows

Group = Literal[
    "natural_forest",
    "savanna",
    "natural_non_forest",
    "pasture",
    "agriculture",
    "forest_plantation",
    "mosaic",
    "non_vegetated",
    "water",
    "aggregate",
    "not_observed",
]
"""Groups of classes that metrics report; the area of group ``x`` is metric ``x_area``."""


class LegendClass(Row):
    """One class of a legend.

    Attributes:
        id: Value in the raster.
        level: Depth in the publisher's hierarchy, 1 at the top.
        name: Publisher's name.
        parent: Id of the class above.
        group: Our group; ``aggregate`` for a class that has classes below it.
        observed: False where the id means "not observed" or "outside the mapped area".
    """

    id: int = Field(ge=0)
    level: int | None = Field(default=None, ge=1)
    name: str = Field(min_length=1)
    parent: int | None = None
    group: Group
    observed: bool

    @model_validator(mode="after")
    def _group_of_unobserved(self) -> Self:
        if self.observed == (self.group == "not_observed"):
            raise ValueError("observed is false in group not_observed, and only there")
        return self


class Legend(Frozen):
    """The classes of one version of a class map.

    Attributes:
        name: Name of the legend.
        classes: Its classes, as the publisher orders them.
    """

    name: str
    classes: tuple[LegendClass, ...]

    @model_validator(mode="after")
    def _parents_exist(self) -> Self:
        ids = set(self.ids)
        for one in self.classes:
            if one.parent is not None and (one.parent not in ids or one.parent == one.id):
                raise ValueError(f"class {one.id}: no parent {one.parent}")
        return self

    @property
    def ids(self) -> tuple[int, ...]:
        """All class ids."""
        return tuple(one.id for one in self.classes)

    @property
    def observed_ids(self) -> frozenset[int]:
        """Ids of the classes that say what the land is."""
        return frozenset(one.id for one in self.classes if one.observed)

    def get(self, class_id: int) -> LegendClass:
        """Return a class.

        Raises:
            CatalogueError: ``CLASS_UNKNOWN``.
        """
        for one in self.classes:
            if one.id == class_id:
                return one
        raise CatalogueError(
            "CLASS_UNKNOWN",
            f"legend {self.name} has no class {class_id}",
            do="Check that the raster belongs to the source version that has this legend.",
            details={"legend": self.name, "class": class_id},
        )

    def ids_in(self, group: Group) -> frozenset[int]:
        """Return the ids of the classes in a group."""
        return frozenset(one.id for one in self.classes if one.group == group)

    @property
    def groups(self) -> Mapping[Group, frozenset[int]]:
        """Class ids by group, for the groups that the legend has."""
        return {one.group: self.ids_in(one.group) for one in self.classes}

    def unknown(self, class_ids: Iterable[int]) -> tuple[int, ...]:
        """Return the ids that the legend does not have, ascending."""
        return tuple(sorted(set(class_ids) - set(self.ids)))


def load_legend(name: str) -> Legend:
    """Load a legend; a packaged one is read once, a user's own file each time.

    Args:
        name: Name of a packaged legend, or the path of a user's own ``.csv`` file.

    Raises:
        CatalogueError: ``LEGEND_UNKNOWN``, or ``REFERENCE_INVALID`` for a file that is not
            a legend.
    """
    path = find_table("legends", name, code="LEGEND_UNKNOWN")
    return _read(path) if name.endswith(".csv") else _packaged(path)


def _read(path: Path) -> Legend:
    classes = load_rows(path, LegendClass, key="id")
    try:
        return Legend(name=path.stem, classes=classes)
    except ValidationError as invalid:
        reason = invalid.errors()[0]["msg"].removeprefix("Value error, ")
        raise CatalogueError("REFERENCE_INVALID", f"{path}: {reason}") from invalid


_packaged = cache(_read)
