"""Strata as masks: class ids of a map turned into small group numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from carbon_assets.rasters.reader import raise_unknown
from carbon_assets.reference.legend import Legend
from carbon_assets.reference.strata_map import Axis, StrataMap

NOT_OBSERVED = "not_observed"
"""Stratum of the cells where the class map has no data: it keeps strata summing to the whole."""

_UNKNOWN = -1


@dataclass(frozen=True)
class Strata:
    """One axis of the stratum taxonomy as seen by one class map.

    Attributes:
        axis: Axis of the taxonomy.
        terms: Terms in the order of their group numbers; the last is :data:`NOT_OBSERVED`.
        groups: Group number by class id; -1 for an id outside the legend.
        legend: Name of the legend, for messages.
    """

    axis: Axis
    terms: tuple[str, ...]
    groups: npt.NDArray[np.int64]
    legend: str

    def filter_of(self, group: int) -> dict[str, str]:
        """The ``stratum_filter`` of a group."""
        return {self.axis: self.terms[group]}

    def group_of(
        self, classes: npt.NDArray[Any], missing: npt.NDArray[np.bool_] | None, href: str
    ) -> npt.NDArray[np.int64]:
        """Group number of each cell.

        Args:
            classes: Raw class ids.
            missing: Cells without data in the class map, or None.
            href: The class map, for messages.

        Raises:
            RasterError: ``UNKNOWN_CLASS`` with id and count.
        """
        inside = np.minimum(classes, len(self.groups) - 1).astype(np.int64)
        group: npt.NDArray[np.int64] = self.groups[inside]
        if missing is not None:
            group = np.where(missing, len(self.terms) - 1, group)
        if (group == _UNKNOWN).any():
            ids, counts = np.unique(classes[group == _UNKNOWN], return_counts=True)
            raise_unknown(dict(zip(ids.tolist(), counts.tolist(), strict=True)), href, self.legend)
        return group


def strata_of(legend: Legend, mapping: StrataMap, axis: Axis, missing: set[int]) -> Strata:
    """Build the group numbers of one axis.

    Args:
        legend: Legend of the class map.
        mapping: Class id to taxonomy terms.
        axis: Axis of the taxonomy.
        missing: Class ids and tags that mean no data.
    """
    stated = {i: terms.get(axis) for i, terms in mapping.terms.items() if i not in missing}
    terms = sorted({term for term in stated.values() if term and term != NOT_OBSERVED})
    order = {term: number for number, term in enumerate([*terms, NOT_OBSERVED])}
    groups = np.full(max([*legend.ids, *missing]) + 2, _UNKNOWN, dtype=np.int64)
    for class_id in {*legend.ids} | missing:
        groups[class_id] = order[stated.get(class_id) or NOT_OBSERVED]
    return Strata(axis, tuple(order), groups, legend.name)
