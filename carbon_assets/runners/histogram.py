"""Reducer for class maps: area and cells of every class."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from carbon_assets.rasters.reader import raise_unknown
from carbon_assets.runners.bound import class_band, unobserved
from carbon_assets.runners.gather import Strip
from carbon_assets.runners.inputs import Inputs
from carbon_assets.runners.receipts import M2_PER_HA, Receipt
from carbon_assets.science.zonal.statistics import Extent, extent


class HistogramReducer:
    """Area and cells of every class id, those that mean 'not observed' included."""

    def __init__(self, inputs: Inputs, metric: str) -> None:
        bound = inputs.bound
        self._metric = metric
        self._layer = inputs.layer(bound.runner.value_slot, class_band(bound.value_source), "value")
        self._legend = bound.required_legend
        self._context = bound.context(inputs.vintage)
        self._missing = unobserved(self._legend, self._layer.rule)
        self._known = {*self._legend.ids} | self._missing
        self._classes = Extent.empty(max(self._known) + 1)
        self._outside = Extent.empty(1)

    def add(self, strip: Strip) -> None:
        """Take in one strip.

        Raises:
            RasterError: ``UNKNOWN_CLASS``.
        """
        raw, cells = strip.raw(self._layer.files), strip.cells
        values, coverage, area = raw.values, cells.coverage, cells.area_m2
        if raw.outside is not None:
            out, held = raw.outside, ~raw.outside
            nowhere = np.zeros(int(out.sum()), dtype=np.int64)
            self._outside += extent(nowhere, coverage[out], area[out], 1)
            values, coverage, area = values[held], coverage[held], area[held]
        self._require_known(values)
        size = len(self._classes.cells)
        self._classes += extent(values.astype(np.int64), coverage, area, size)

    def _require_known(self, values: npt.NDArray[Any]) -> None:
        counts = np.bincount(values)
        unknown = {int(i): int(counts[i]) for i in np.flatnonzero(counts) if i not in self._known}
        raise_unknown(unknown, self._layer.href, self._legend.name)

    def receipts(self) -> list[Receipt]:
        """Return the one histogram receipt; its value is the covered area."""
        found = self._classes
        present = np.flatnonzero(found.cells).tolist()
        hectares = {i: float(found.area_m2[i]) / M2_PER_HA for i in present}
        outside_ha = float(self._outside.area_m2[0]) / M2_PER_HA
        missing_cells = sum(int(found.cells[i]) for i in present if i in self._missing)
        return [
            Receipt(
                metric_code=self._metric,
                aggregate_method="class_histogram",
                stratum_filter=None,
                value=sum(hectares.values()) + outside_ha,
                value_unit="ha",
                histogram={
                    str(i): {"ha": hectares[i], "cells": int(found.cells[i])} for i in present
                },
                pixel_count=int(found.cells.sum() + self._outside.cells[0]),
                pixel_nodata_count=missing_cells + int(self._outside.cells[0]),
                weighted_pixel_count=float(found.coverage.sum() + self._outside.coverage[0]),
                covered_area_ha=sum(hectares.values()) + outside_ha,
                valid_area_ha=sum(ha for i, ha in hectares.items() if i not in self._missing),
                context={**self._context, "outside_raster_ha": outside_ha},
            )
        ]
