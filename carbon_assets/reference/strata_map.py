"""Maps from the class ids of a raster to strata: {forest_type, disturbance, age_class}."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Literal, Self, get_args

from pydantic import Field, model_validator

from carbon_assets.errors import CatalogueError
from carbon_assets.reference.legend import Legend, load_legend
from carbon_assets.reference.packaged import find_table, packaged
from carbon_assets.reference.rows import Frozen, Row, load_rows
from carbon_assets.reference.yaml_files import suggestion

Axis = Literal["forest_type", "disturbance", "age_class"]
AXES: tuple[Axis, ...] = get_args(Axis)


class Term(Row):
    """A word of the taxonomy.

    Attributes:
        axis: What it describes.
        term: The word, unique over all axes.
        label: Name for people.
        description: What it means.
    """

    axis: Axis
    term: str = Field(pattern=r"^[a-z0-9_]+$")
    label: str
    description: str


class StrataRow(Row):
    """The stratum of one class.

    Attributes:
        id: Class id.
        forest_type: Term, or None where the raster does not state it.
        disturbance: Term, or None.
        age_class: Term, or None.
    """

    id: int
    forest_type: str | None
    disturbance: str | None
    age_class: str | None

    @model_validator(mode="after")
    def _terms_exist(self) -> Self:
        for axis, term in self.terms.items():
            known = taxonomy()[axis]
            if term not in known:
                raise ValueError(f"{axis} has no term {term}{suggestion(term, known)}")
        return self

    @property
    def terms(self) -> dict[Axis, str]:
        """The terms that the raster states, by axis."""
        stated = {axis: getattr(self, axis) for axis in AXES}
        return {axis: term for axis, term in stated.items() if term is not None}


class StrataMap(Frozen):
    """The strata of every class of a legend.

    Attributes:
        name: Name of the map.
        rows: One row per class.
    """

    name: str
    rows: tuple[StrataRow, ...]

    @property
    def terms(self) -> Mapping[int, Mapping[Axis, str]]:
        """Terms by axis for each class id; an axis that is not stated is absent."""
        return {row.id: row.terms for row in self.rows}

    def ids_for(self, stratum: Mapping[str, str]) -> frozenset[int]:
        """Return the class ids that lie in a stratum.

        Args:
            stratum: Terms by axis that a class must all have.

        Raises:
            CatalogueError: ``STRATUM_UNKNOWN`` for an axis or term outside the taxonomy.
        """
        known = taxonomy()
        for axis, term in stratum.items():
            if axis not in known or term not in known[axis]:
                hint = suggestion(term, known[axis]) if axis in known else suggestion(axis, AXES)
                raise CatalogueError("STRATUM_UNKNOWN", f"no stratum {axis}={term}{hint}")
        return frozenset(row.id for row in self.rows if stratum.items() <= row.terms.items())


@cache
def load_taxonomy() -> tuple[Term, ...]:
    """Load the words that strata are made of, with their definitions."""
    return load_rows(packaged("strata", "taxonomy.csv"), Term, key="term")


@cache
def taxonomy() -> Mapping[str, tuple[str, ...]]:
    """Return the terms of each axis."""
    return {axis: tuple(one.term for one in load_taxonomy() if one.axis == axis) for axis in AXES}


def load_strata(name: str, legend: str | None = None) -> StrataMap:
    """Load the strata of a legend's classes; a user's own file is read each time.

    Args:
        name: Name of a packaged map, or the path of a user's own ``.csv`` file.
        legend: Legend that the map must cover; the one of the same name if None.

    Raises:
        CatalogueError: ``STRATA_UNKNOWN``, ``LEGEND_UNKNOWN``, or ``REFERENCE_INVALID`` for
            a map with terms outside the taxonomy or other classes than the legend's.
    """
    path = find_table("strata", name, code="STRATA_UNKNOWN")
    strata = _read(path) if name.endswith(".csv") else _packaged(path)
    _check_covers(path, strata, load_legend(legend or name))
    return strata


def _read(path: Path) -> StrataMap:
    return StrataMap(name=path.stem, rows=load_rows(path, StrataRow, key="id"))


_packaged = cache(_read)


def _check_covers(path: Path, strata: StrataMap, legend: Legend) -> None:
    given, wanted = {row.id for row in strata.rows}, set(legend.ids)
    if given != wanted:
        raise CatalogueError(
            "REFERENCE_INVALID",
            f"{path}: classes differ from legend {legend.name}: "
            f"missing {sorted(wanted - given)}, unknown {sorted(given - wanted)}",
        )
