"""What goes into the metrics of a project, and what comes out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from carbon_assets.metrics.model import FLAGS, Role

PROJECT_FLAGS: Mapping[str, str] = {
    **FLAGS,
    "farms_without_data": "Some farms have no data: they are not in the value.",
    "farms_flagged": "Some farms in the value are flagged themselves: low_valid_share.",
    "farms_overlap": "Farms in the value overlap: what they share is counted in each.",
}
"""Every flag a project metric may carry, in the order in which they are listed."""


@dataclass(frozen=True)
class FarmNumber:
    """A row of ``farm_metrics`` with the areas of the receipts behind it.

    Attributes:
        id: Row number.
        metric_code: What was measured.
        stratum_filter: The slice of the farm, or None for all of it.
        value: The number in the metric's canonical unit; None where it is unknown.
        low: Lower end of the 95 % interval; None if not stated.
        high: Upper end of it.
        valid_share: Area with data by covered area, 0 to 1.
        valid_area_ha: Area with data, hectares.
        covered_area_ha: Covered cell area, hectares.
        flags: Reservations.
        source_tag: Readable label of the origin.
    """

    id: int
    metric_code: str
    stratum_filter: dict[str, str] | None
    value: float | None
    low: float | None
    high: float | None
    valid_share: float | None
    valid_area_ha: float
    covered_area_ha: float
    flags: tuple[str, ...]
    source_tag: str


@dataclass(frozen=True)
class ProjectNumber:
    """One metric of a project and vintage; a row of ``project_metrics`` with its sources.

    Attributes:
        metric_code: What was measured.
        stratum_filter: The slice of the farms, or None for all of them.
        value_canonical: The number; None where no farm has data.
        unit_canonical: Canonical unit of the metric.
        value_min_canonical: Lower end of the 95 % interval; None if a farm counted states none.
        value_max_canonical: Upper end of it.
        farms_counted: Farms whose number is in the value.
        farms_without_data: Farms of which it is unknown. A farm that has nothing of a slice is
            neither: it adds nothing.
        farms_flagged: Farms counted whose own metric is flagged ``low_valid_share``.
        valid_share: Area with data by covered area of the farms, 0 to 1.
        flags: Keys of :data:`PROJECT_FLAGS`.
        source_tag: Readable labels of the origin.
        formula: How the value follows from the farm metrics, by their roles.
        sources: (row of ``farm_metrics``, role); those without a value are among them.
    """

    metric_code: str
    stratum_filter: dict[str, str] | None
    value_canonical: float | None
    unit_canonical: str
    value_min_canonical: float | None
    value_max_canonical: float | None
    farms_counted: int
    farms_without_data: int
    farms_flagged: int
    valid_share: float | None
    flags: tuple[str, ...]
    source_tag: str
    formula: str
    sources: tuple[tuple[int, Role], ...]
