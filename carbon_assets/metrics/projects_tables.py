"""The frame of project metrics: its columns, with meaning and unit, and what they obey."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pandera.pandas as pa

from carbon_assets.metrics import row_rules
from carbon_assets.metrics.checks import failures
from carbon_assets.metrics.projects_model import PROJECT_FLAGS
from carbon_assets.metrics.tables import FARM_METRICS, column, known_flags, of_rows

_SHARED = (
    "vintage_year",
    "metric_code",
    "stratum_filter",
    "value_canonical",
    "unit_canonical",
    "value_min_canonical",
    "value_max_canonical",
    "valid_share",
    "source_tag",
    "formula",
)
_NOT_NEGATIVE = pa.Check.ge(0, error="Not negative")

PROJECT_METRICS = pa.DataFrameSchema(
    {
        "project_id": column("int64", "Project (projects.id)"),
        **{name: FARM_METRICS.columns[name] for name in _SHARED},
        "farms_counted": column("int64", "Farms whose number is in the value", _NOT_NEGATIVE),
        "farms_without_data": column(
            "int64", "Farms of which it is unknown; they are not in the value", _NOT_NEGATIVE
        ),
        "farms_flagged": column(
            "int64", "Farms counted whose own metric is flagged low_valid_share", _NOT_NEGATIVE
        ),
        "flags": column("object", "Reservations", known_flags(PROJECT_FLAGS)),
        "sources": column("object", "Farm metrics and their roles"),
    },
    checks=[
        of_rows(rule)
        for rule in (
            row_rules.projects_unique,
            row_rules.unit_canonical,
            row_rules.interval_encloses,
            row_rules.share_within_bounds,
            row_rules.unknown_is_flagged,
            row_rules.known_where_counted,
            row_rules.gaps_are_flagged,
            row_rules.project_strata_sum,
            row_rules.linked_to_farm_metrics,
        )
    ],
    name="project_metrics",
    description="Metrics of a project and vintage in canonical units, over its active farms",
)


def check_project_metrics(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the bad rows of a frame of project metrics, each with a reason.

    See :func:`carbon_assets.metrics.checks.check_receipts` for their form, with
    ``value_canonical`` as the value.
    """
    return failures(PROJECT_METRICS, frame, (*row_rules.PROJECT_KEY, "value_canonical"))
