"""Receipts for the tests, made from the few facts that matter."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Any

from hypothesis import settings

from carbon_assets.metrics.derive import derive_metrics
from carbon_assets.metrics.model import Metric, ReceiptRow, stratum_key
from carbon_assets.metrics.settings import MetricSettings
from carbon_assets.reference.legend import Legend, load_legend

PROPERTY = settings(deadline=None, derandomize=True, database=None, max_examples=60)
LEGEND = load_legend("mapbiomas-brazil-col-8")
UNOBSERVED = frozenset(LEGEND.ids) - LEGEND.observed_ids

_ids = itertools.count(1)


def histogram(
    hectares: Mapping[int, float], outside: float = 0.0, *, nodata: Iterable[int] = UNOBSERVED
) -> ReceiptRow:
    """A class histogram with ten cells per class."""
    missing = set(nodata)
    valid = [ha for class_id, ha in hectares.items() if class_id not in missing]
    covered = sum(hectares.values()) + outside
    return ReceiptRow(
        id=next(_ids),
        runner_key="land_cover.mapbiomas",
        metric_code="land_cover_area",
        aggregate_method="class_histogram",
        stratum_filter=None,
        value=covered,
        value_unit="ha",
        histogram={str(i): {"ha": ha, "cells": 10} for i, ha in hectares.items()},
        pixel_count=10 * len(hectares) + (10 if outside else 0),
        pixel_nodata_count=10 * (len(hectares) - len(valid)) + (10 if outside else 0),
        covered_area_ha=covered,
        valid_area_ha=sum(valid),
        uncertainty_pct_ci95=None,
        uncertainty_method="none",
        context={"source": "mapbiomas-brazil col-8", "outside_raster_ha": outside},
        raster_version="col-8",
    )


def statistic(code: str, method: str, value: float | None, **fields: Any) -> ReceiptRow:
    """A biomass statistic over 100 ha, all of it valid unless the value is None."""
    unit = {"agb_density_mg_ha": "Mg/ha", "agb_stock_mg": "Mg"}.get(code)
    facts: dict[str, Any] = {
        "id": next(_ids),
        "runner_key": "biomass.hgb",
        "stratum_filter": None,
        "value_unit": unit or ("tC/ha" if code.endswith("density") else "tC"),
        "histogram": None,
        "pixel_count": 40,
        "pixel_nodata_count": 40 if value is None else 0,
        "covered_area_ha": 100.0,
        "valid_area_ha": 0.0 if value is None else 100.0,
        "uncertainty_pct_ci95": None,
        "uncertainty_method": "none",
        "context": {"source": "hgb 2010", "epoch": 2010},
        "raster_version": "2010",
    }
    return ReceiptRow(metric_code=code, aggregate_method=method, value=value, **(facts | fields))


def derive(
    *receipts: ReceiptRow, legend: Legend = LEGEND, **settings: Any
) -> dict[tuple[Any, ...], Metric]:
    """Metrics by code, and by code and stratum where there is one."""
    found = derive_metrics(receipts, legend=legend, settings=MetricSettings(**settings))
    keyed = {(one.metric_code, *stratum_key(one.stratum_filter)): one for one in found}
    assert len(keyed) == len(found)
    return keyed


def value(metrics: Mapping[tuple[Any, ...], Metric], code: str, **stratum: str) -> float | None:
    """Value of a metric of the whole place, or of a stratum."""
    return metrics[(code, *stratum_key(stratum))].value_canonical
