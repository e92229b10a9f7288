"""All metrics of one place and vintage from its receipts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from carbon_assets.errors import ProvenanceError
from carbon_assets.metrics.building import Derived, build
from carbon_assets.metrics.carbon import POOL_RULES, TOTAL_RULES, ReceiptKey, carbon_metrics
from carbon_assets.metrics.change import CHANGE_AREAS, change_metrics
from carbon_assets.metrics.land_cover import CLASS_HISTOGRAM, EXTENT_RULES, land_cover_metrics
from carbon_assets.metrics.model import Metric, ReceiptRow, stratum_key
from carbon_assets.metrics.settings import MetricSettings
from carbon_assets.reference.legend import Group, Legend

LAND_COVER_KEY: ReceiptKey = ("land_cover_area", CLASS_HISTOGRAM, ())
DERIVED_CODES = frozenset(
    {
        *(rule.code for rule in (*EXTENT_RULES, *POOL_RULES, *TOTAL_RULES)),
        *(f"{group}_area" for group in get_args(Group)),
        *CHANGE_AREAS,
        "class_area",
        "forest_cover",
        "forest_cover_pct",
    }
)
"""Every metric that may come out of here; a metric beside them changes nothing."""


def derive_metrics(
    receipts: Sequence[ReceiptRow], *, legend: Legend | None, settings: MetricSettings
) -> list[Metric]:
    """Derive the metrics of one place and vintage, in an order of their own.

    Three things stay apart: an area or stock of zero is 0.0; one of which nothing is known is
    None with the flag ``no_data``; what failed has no receipt, and so no metric.

    Args:
        receipts: The current receipts of the place and vintage, in any order. Those that no
            rule uses, such as standard deviations, are passed over.
        legend: Legend of the class map behind the histogram; None without such a map.
        settings: The project's forest definition and threshold.

    Raises:
        ProvenanceError: ``RECEIPTS_AMBIGUOUS``.
        CatalogueError: ``HISTOGRAM_INCONSISTENT``, ``FOREST_GROUP_NOT_IN_LEGEND``,
            ``UNIT_UNKNOWN``, ``UNIT_MISMATCH``.
    """
    by_key = _by_key(receipts)
    derived: list[Derived] = []
    if LAND_COVER_KEY in by_key and legend is not None:
        derived += land_cover_metrics(by_key[LAND_COVER_KEY], legend, settings)
    derived += carbon_metrics(by_key)
    derived += change_metrics(by_key)
    return [build(one, settings) for one in derived]


def _by_key(receipts: Sequence[ReceiptRow]) -> dict[ReceiptKey, ReceiptRow]:
    found: dict[ReceiptKey, ReceiptRow] = {}
    for receipt in receipts:
        stratum = stratum_key(receipt.stratum_filter)
        key = (receipt.metric_code, receipt.aggregate_method, stratum)
        if key in found:
            other = found[key]
            raise ProvenanceError(
                "RECEIPTS_AMBIGUOUS",
                f"receipts {other.id} ({other.label}) and {receipt.id} ({receipt.label}) both "
                f"state the {receipt.aggregate_method} of {receipt.metric_code}",
                do="pass the receipts of one place, one vintage and one product per metric",
                details={"receipts": [other.id, receipt.id], "stratum": dict(stratum)},
            )
        found[key] = receipt
    return found
