"""From a number in some unit to a metric: units, interval, flags and links, the same for all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from carbon_assets.metrics.model import FLAGS, Metric, ReceiptRow, Role
from carbon_assets.metrics.settings import MetricSettings
from carbon_assets.reference.metric_types import metric_type
from carbon_assets.reference.units import convert


@dataclass(frozen=True)
class Derived:
    """A number as a rule makes it.

    Attributes:
        code: Metric.
        value: The number; None if it is unknown.
        unit: Its unit.
        formula: What follows ``<code> = ``.
        sources: The receipts and their roles.
        stratum_filter: The slice of the place.
        half_width: Half-width of the 95 % interval in ``unit``; None if not stated.
        has_interval: Whether the metric is one that an interval is expected of.
        rests_on_data: False for what holds whatever the cells say, such as the total area.
        obstacles: Flags that say why there is no value, other than missing data.
    """

    code: str
    value: float | None
    unit: str
    formula: str
    sources: tuple[tuple[ReceiptRow, Role], ...]
    stratum_filter: dict[str, str] | None = None
    half_width: float | None = None
    has_interval: bool = False
    rests_on_data: bool = True
    obstacles: frozenset[str] = frozenset()

    @property
    def receipts(self) -> tuple[ReceiptRow, ...]:
        """Its receipts, each once."""
        return tuple({receipt.id: receipt for receipt, _ in self.sources}.values())

    @property
    def valid_share(self) -> float | None:
        """The smallest valid share of its receipts; None where nothing is covered."""
        shares = [receipt.valid_share if self.rests_on_data else 1.0 for receipt in self.receipts]
        known = [share for share in shares if share is not None]
        return min(known) if len(known) == len(shares) else None


def build(derived: Derived, settings: MetricSettings) -> Metric:
    """Turn a number into a metric in its canonical unit.

    Raises:
        CatalogueError: ``METRIC_UNKNOWN``, ``UNIT_UNKNOWN``, ``UNIT_MISMATCH``.
    """
    unit = metric_type(derived.code).unit
    value, half = derived.value, derived.half_width
    ends: dict[str, Any] = {"value_min_canonical": None, "value_max_canonical": None}
    if value is not None and half is not None:
        ends["value_min_canonical"] = convert(value - half, derived.unit, unit)
        ends["value_max_canonical"] = convert(value + half, derived.unit, unit)
    receipts = derived.receipts
    return Metric(
        metric_code=derived.code,
        stratum_filter=derived.stratum_filter,
        value_canonical=None if value is None else convert(value, derived.unit, unit),
        unit_canonical=unit,
        **ends,
        valid_share=derived.valid_share,
        flags=_flags(derived, settings),
        source_tag=" + ".join(dict.fromkeys(receipt.label for receipt in receipts)),
        raster_aggregate_id=receipts[0].id if len(receipts) == 1 else None,
        formula=f"{derived.code} = {derived.formula}{_conversion(derived.unit, unit)}",
        sources=tuple((receipt.id, role) for receipt, role in derived.sources),
    )


def _flags(derived: Derived, settings: MetricSettings) -> tuple[str, ...]:
    share = derived.valid_share
    unknown = derived.value is None
    raised = {
        "no_data": unknown and not derived.obstacles,
        "low_valid_share": share is not None and share < settings.min_valid_share,
        "static_epoch": any(receipt.epoch is not None for receipt in derived.receipts),
        "uncertainty_unstated": (
            derived.has_interval and not unknown and derived.half_width is None
        ),
    } | dict.fromkeys(derived.obstacles, True)
    return tuple(flag for flag in FLAGS if raised.get(flag))


def _conversion(unit: str, canonical: str) -> str:
    return "" if unit == canonical else f", converted from {unit} to {canonical}"
