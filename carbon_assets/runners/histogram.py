"""Reducer for class maps: area and cells of every class."""

from __future__ import annotations

from carbon_assets.rasters.reader import raise_unknown
from carbon_assets.runners.bound import class_band
from carbon_assets.runners.class_ids import UNKNOWN, count_unknown, number_classes
from carbon_assets.runners.gather import Strip
from carbon_assets.runners.inputs import Inputs
from carbon_assets.runners.receipts import M2_PER_HA, Receipt
from carbon_assets.science.zonal.statistics import Extent, extent
from carbon_assets.science.zonal.sums import Grouping


class HistogramReducer:
    """Area and cells of every class id, those that mean 'not observed' included."""

    def __init__(self, inputs: Inputs, metric: str) -> None:
        bound = inputs.bound
        self._metric = metric
        self._layer = inputs.layer(bound.runner.value_slot, class_band(bound.value_source), "value")
        self._legend = bound.required_legend
        self._context = bound.context(inputs.vintage)
        self._ids, self._missing = bound.class_ids
        self._numbers = tuple((class_id, number) for number, class_id in enumerate(self._ids))
        # The last group holds the cells outside the raster.
        self._found = Extent.empty(len(self._ids) + 1)
        self._whole = Extent.empty(1)

    def add(self, strip: Strip) -> None:
        """Take in one strip.

        Raises:
            RasterError: ``UNKNOWN_CLASS``.
        """
        raw = strip.raw(self._layer.files)
        number = number_classes(raw.values, self._numbers)
        if raw.outside is not None:
            number[raw.outside] = len(self._ids)
        if number.min(initial=0) == UNKNOWN:
            unknown = count_unknown(raw.values, number)
            raise_unknown(unknown, self._layer.href, self._legend.name)
        by = Grouping(number, len(self._ids) + 1)
        self._found += extent(by, strip.cells.columns)
        self._whole += strip.extent

    def receipts(self) -> list[Receipt]:
        """Return the one histogram receipt; its value is the covered area."""
        cells = dict(zip(self._ids, self._found.cells.tolist(), strict=False))
        area = (self._found.area_m2 / M2_PER_HA).tolist()
        histogram = {
            i: {"ha": ha, "cells": cells[i]}
            for i, ha in zip(self._ids, area, strict=False)
            if cells[i]
        }
        observed = [i for i in histogram if i not in self._missing]
        whole = self._whole
        pixels, covered_ha = int(whole.cells[0]), float(whole.area_m2[0]) / M2_PER_HA
        return [
            Receipt(
                metric_code=self._metric,
                aggregate_method="class_histogram",
                stratum_filter=None,
                value=covered_ha,
                value_unit="ha",
                histogram={str(i): entry for i, entry in histogram.items()},
                pixel_count=pixels,
                pixel_nodata_count=pixels - sum(cells[i] for i in observed),
                weighted_pixel_count=float(whole.coverage[0]),
                covered_area_ha=covered_ha,
                valid_area_ha=sum(histogram[i]["ha"] for i in observed),
                uncertainty_pct_ci95=None,
                uncertainty_method="none",
                context={**self._context, "outside_raster_ha": area[-1]},
            )
        ]
