"""Areas that a map of change says were cleared or burned in the vintage."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from carbon_assets.metrics.building import Derived
from carbon_assets.metrics.carbon import ReceiptKey
from carbon_assets.metrics.model import ReceiptRow

CHANGE_AREAS = (
    "deforestation_area",
    "primary_deforestation_area",
    "secondary_deforestation_area",
    "late_detected_deforestation_area",
    "burned_area",
)
"""Each is the value of one receipt, over the cells that the map observed."""


def change_metrics(receipts: Mapping[ReceiptKey, ReceiptRow]) -> Iterator[Derived]:
    """Yield the areas of the whole place.

    Args:
        receipts: By metric code, method and stratum.
    """
    for code in CHANGE_AREAS:
        receipt = receipts.get((code, "sum", ()))
        if receipt is not None:
            yield Derived(
                code, receipt.value, receipt.value_unit, "sum of primary", ((receipt, "primary"),)
            )
