"""Reducer for class maps: area and cells of every class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from carbon_assets.rasters.reader import raise_unknown
from carbon_assets.runners.bound import class_band
from carbon_assets.runners.class_ids import UNKNOWN, count_unknown, number_classes
from carbon_assets.runners.gather import Strip
from carbon_assets.runners.inputs import Inputs, Layer
from carbon_assets.runners.receipts import M2_PER_HA, Receipt
from carbon_assets.science.zonal.statistics import Extent, extent
from carbon_assets.science.zonal.sums import Grouping


class HistogramReducer:
    """Area and cells of every class id, those that mean 'not observed' included."""

    def __init__(self, partitions: Sequence[Inputs], metric: str) -> None:
        bound = partitions[0].bound
        slot, band = bound.runner.value_slot, class_band(bound.value_source)
        self._metric = metric
        self._layers = [inputs.layer(slot, band, "value") for inputs in partitions]
        self._contexts = [bound.context(inputs.vintage) for inputs in partitions]
        self._legend = bound.required_legend
        self._ids, self._missing = bound.class_ids
        self._numbers = tuple((class_id, number) for number, class_id in enumerate(self._ids))
        # The last group holds the cells outside the raster.
        self._groups = len(self._ids) + 1
        self._found = Extent.empty(len(partitions) * self._groups)
        self._whole = Extent.empty(1)

    def add(self, strip: Strip) -> None:
        """Take in one strip.

        Raises:
            RasterError: ``UNKNOWN_CLASS``.
        """
        groupings = [self._classes(strip, layer) for layer in self._layers]
        self._found += extent(groupings, strip.cells.columns)
        self._whole += strip.extent

    def _classes(self, strip: Strip, layer: Layer) -> Grouping:
        raw = strip.raw(layer.files)
        number = number_classes(raw.values, self._numbers)
        if raw.outside is not None:
            number[raw.outside] = len(self._ids)
        if number.min(initial=0) == UNKNOWN:
            unknown = count_unknown(raw.values, number)
            raise_unknown(unknown, layer.href, self._legend.name)
        return Grouping(number, self._groups)

    def receipts(self) -> Iterator[list[Receipt]]:
        """Give the one histogram receipt of each partition; its value is the covered area."""
        for at, context in enumerate(self._contexts):
            found = self._found.select(slice(at * self._groups, (at + 1) * self._groups))
            yield [self._receipt(found, context)]

    def _receipt(self, found: Extent, context: dict[str, Any]) -> Receipt:
        cells = dict(zip(self._ids, found.cells.tolist(), strict=False))
        area = (found.area_m2 / M2_PER_HA).tolist()
        histogram = {
            i: {"ha": ha, "cells": cells[i]}
            for i, ha in zip(self._ids, area, strict=False)
            if cells[i]
        }
        observed = [i for i in histogram if i not in self._missing]
        pixels = int(self._whole.cells[0])
        covered_ha = float(self._whole.area_m2[0]) / M2_PER_HA
        return Receipt(
            metric_code=self._metric,
            aggregate_method="class_histogram",
            stratum_filter=None,
            value=covered_ha,
            value_unit="ha",
            histogram={str(i): entry for i, entry in histogram.items()},
            pixel_count=pixels,
            pixel_nodata_count=pixels - sum(cells[i] for i in observed),
            weighted_pixel_count=float(self._whole.coverage[0]),
            covered_area_ha=covered_ha,
            valid_area_ha=sum(histogram[i]["ha"] for i in observed),
            uncertainty_pct_ci95=None,
            uncertainty_method="none",
            context={**context, "outside_raster_ha": area[-1]},
        )
