"""Reducer for quantities: area-weighted statistics for the whole place and every stratum."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from carbon_assets.runners.bound import class_band
from carbon_assets.runners.declaration import Method, Output, Quantity
from carbon_assets.runners.gather import Strip
from carbon_assets.runners.inputs import Inputs
from carbon_assets.runners.receipts import M2_PER_HA, Receipt
from carbon_assets.runners.series import PERCENTILES, Series, sample_of
from carbon_assets.science.uncertainty import ci95_half_width_pct, standard_error
from carbon_assets.science.zonal.grid import Floats
from carbon_assets.science.zonal.statistics import Extent, Moments, Sample, extent
from carbon_assets.science.zonal.sums import Grouping, Ints


class StatisticsReducer:
    """Statistics of one quantity; a stratum is a group of cells, the whole their union."""

    def __init__(self, inputs: Inputs, quantity: Quantity) -> None:
        bound = inputs.bound
        slot = bound.runner.value_slot
        self._quantity, self._strata = quantity, bound.strata
        self._context = {**bound.context(inputs.vintage), **quantity.context}
        self._value = inputs.layer(slot, quantity.band.name, "value")
        source = bound.strata_source
        self._mask = (
            inputs.layer(bound.runner.strata_slot, class_band(source), "mask")
            if bound.runner.strata_slot and source
            else None
        )
        error = quantity.band.uncertainty if quantity.has_uncertainty else None
        self._error = inputs.layer(slot, error.band, "uncertainty") if error else None
        groups = len(self._strata.terms) if self._strata else 1
        self._whole = Extent.empty(1)
        self._touched = Extent.empty(groups)
        self._values = Series(groups, {output.method for output in quantity.outputs})
        self._errors = Series(groups, set())

    def add(self, strip: Strip) -> None:
        """Take in one strip.

        Raises:
            RasterError: ``UNKNOWN_CLASS`` from the class map that gives the strata.
        """
        mask = self._mask.name if self._mask else None
        by, touched = strip.keep(("strata", mask), lambda: self._stratify(strip))
        self._whole += strip.extent
        self._touched += touched
        name = (self._quantity.key, self._value.name)
        values = strip.keep(("value", name), lambda: self._convert(strip))
        self._values.add(strip, ("value", name), values, by)
        if self._error is not None:
            error = strip.keep(("error", name), lambda: self._standard_error(strip))
            self._errors.add(strip, ("error", name), error, by)

    def _stratify(self, strip: Strip) -> tuple[Grouping, Extent]:
        cells = strip.cells
        if self._strata is None or self._mask is None:
            group = np.zeros(len(cells), dtype=np.int32)
        else:
            raw = strip.raw(self._mask.files)
            group = self._strata.group_of(raw.values, raw.outside, self._mask.href)
        by = Grouping(group, len(self._touched.cells))
        return by, extent(by, cells.columns)

    def _convert(self, strip: Strip) -> Sample:
        values, missing = strip.physical(self._value.files, self._value.rule)
        return sample_of(strip, self._quantity.conversion.apply(values), missing)

    def _standard_error(self, strip: Strip) -> Sample:
        """Standard error of the band's own value, over the cells that have both."""
        if self._error is None or self._quantity.band.uncertainty is None:
            raise ValueError("the quantity has no uncertainty layer")
        stated = self._quantity.band.uncertainty
        values, no_value = strip.physical(self._value.files, self._value.rule)
        layer, no_error = strip.physical(self._error.files, self._error.rule)
        error = standard_error(layer, values, stated.meaning, stated.level)
        error = self._quantity.conversion.apply(error)
        if no_value is None or no_error is None:
            return sample_of(strip, error, no_value if no_error is None else no_error)
        return sample_of(strip, error, no_value | no_error)

    def receipts(self) -> list[Receipt]:
        """Return one receipt per output for the whole place, then for every stratum in it."""
        touched, strata = self._touched, self._strata
        present = np.flatnonzero(touched.cells) if strata else np.zeros(0, dtype=np.int64)
        found = self._values.moments(present)
        filters = [None, *(strata.filter_of(i) for i in present.tolist())] if strata else [None]
        extents = _extents(self._whole.with_groups(touched.select(present)), found)
        uncertainty = list(self._uncertainty(found, present))
        columns = [
            (output, self._column(output.method, found, present).tolist())
            for output in self._quantity.outputs
        ]
        return [
            Receipt(
                output.metric,
                output.method,
                filters[row],
                column[row] if has_data else None,
                output.unit,
                None,
                *extents[row],
                *_stated(output, uncertainty[row]),
                self._context,
            )
            for row, has_data in enumerate(found.cells.tolist())
            for output, column in columns
        ]

    def _column(self, method: Method, found: Moments, present: Ints) -> Floats:
        """One method's values for the whole, then for the strata; NaN where no cell has data."""
        if method in PERCENTILES:
            return self._values.percentiles(PERCENTILES[method], present)
        columns: dict[str, Callable[[], Floats]] = {
            "mean": lambda: found.mean,
            "std": lambda: found.std,
            "sum": lambda: found.total / M2_PER_HA,
            "min": lambda: found.minimum,
            "max": lambda: found.maximum,
        }
        return columns[method]()

    def _uncertainty(self, found: Moments, present: Ints) -> Iterator[float | None]:
        """95 % half-widths in percent, pixel errors fully correlated."""
        if self._error is None:
            yield from [None] * len(found.cells)
            return
        errors = self._errors.moments(present)
        for cells, error, mean in zip(errors.cells, errors.mean, found.mean, strict=True):
            yield ci95_half_width_pct(float(error), float(mean)) if cells else None


def _extents(touched: Extent, found: Moments) -> list[tuple[int, int, float, float, float]]:
    """Pixels, those without data, weighted pixels, covered and valid hectares of each row."""
    columns = (
        touched.cells,
        touched.cells - found.cells,
        touched.coverage,
        touched.area_m2 / M2_PER_HA,
        found.area_m2 / M2_PER_HA,
    )
    return list(zip(*(column.tolist() for column in columns), strict=True))


def _stated(output: Output, uncertainty: float | None) -> tuple[float | None, str]:
    """An output's uncertainty and where it is from; a spread or a percentile has none."""
    if uncertainty is None or output.method not in ("mean", "sum"):
        return None, "none"
    return uncertainty, "raster_layer"
