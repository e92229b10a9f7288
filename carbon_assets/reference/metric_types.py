"""The metrics that receipts and farm metrics may hold, each with its canonical unit."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Literal

from pydantic import Field

from carbon_assets.errors import CatalogueError
from carbon_assets.reference.packaged import packaged
from carbon_assets.reference.rows import Row, load_rows
from carbon_assets.reference.yaml_files import suggestion


class MetricType(Row):
    """A metric.

    Attributes:
        code: Permanent code.
        label: Name for people.
        unit: Canonical unit, as ``units`` knows it.
        kind: What sort of number it is; areas and stocks add up over places.
        description: What the number means.
    """

    code: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    label: str
    unit: str
    kind: Literal["histogram", "area", "share", "density", "stock"]
    description: str


@cache
def load_metric_types() -> Mapping[str, MetricType]:
    """Load all metrics by code."""
    rows = load_rows(packaged("metric_types.csv"), MetricType, key="code")
    return {row.code: row for row in rows}


def metric_type(code: str) -> MetricType:
    """Return a metric.

    Raises:
        CatalogueError: ``METRIC_UNKNOWN``.
    """
    known = load_metric_types()
    if code not in known:
        raise CatalogueError(
            "METRIC_UNKNOWN",
            f"no metric {code}{suggestion(code, list(known))}",
            do=f"Known metrics: {', '.join(known)}.",
        )
    return known[code]
