"""Strata as masks: class ids of a map turned into small group numbers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from carbon_assets.rasters.reader import raise_unknown
from carbon_assets.reference.legend import Legend
from carbon_assets.reference.strata_map import Axis, StrataMap
from carbon_assets.runners.class_ids import UNKNOWN, Numbers, count_unknown, number_classes
from carbon_assets.science.zonal.sums import Groups

NOT_OBSERVED = "not_observed"
"""Stratum of the cells where the class map has no data: it keeps strata summing to the whole."""


@dataclass(frozen=True)
class Strata:
    """One axis of the stratum taxonomy as seen by one class map.

    Attributes:
        axis: Axis of the taxonomy.
        terms: Terms in the order of their group numbers; the last is :data:`NOT_OBSERVED`.
        groups: Group number by class id.
        legend: Name of the legend, for messages.
    """

    axis: Axis
    terms: tuple[str, ...]
    groups: Numbers
    legend: str

    @cached_property
    def filters(self) -> tuple[dict[str, str], ...]:
        """The ``stratum_filter`` of each group."""
        return tuple({self.axis: term} for term in self.terms)

    def group_of(
        self, classes: npt.NDArray[Any], outside: npt.NDArray[np.bool_] | None, href: str
    ) -> Groups:
        """Group number of each cell.

        Args:
            classes: Raw class ids.
            outside: Cells that lie outside the class map, or None.
            href: The class map, for messages.

        Raises:
            RasterError: ``UNKNOWN_CLASS`` with id and count.
        """
        group = number_classes(classes, self.groups)
        if outside is not None:
            group = np.where(outside, np.int32(len(self.terms) - 1), group)
        if group.min(initial=0) == UNKNOWN:
            raise_unknown(count_unknown(classes, group), href, self.legend)
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
    ids = sorted({*legend.ids} | missing)
    groups = tuple((i, order[stated.get(i) or NOT_OBSERVED]) for i in ids)
    return Strata(axis, tuple(order), groups, legend.name)
