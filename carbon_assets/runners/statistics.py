"""Reducer for quantities: area-weighted statistics for the whole place and every stratum."""

from __future__ import annotations

import numpy as np

from carbon_assets.runners.bound import class_band
from carbon_assets.runners.declaration import Method, Output, Quantity
from carbon_assets.runners.gather import Mask, Strip
from carbon_assets.runners.inputs import Inputs
from carbon_assets.runners.receipts import M2_PER_HA, Receipt
from carbon_assets.science.uncertainty import ci95_half_width_pct, standard_error
from carbon_assets.science.zonal.grid import Floats
from carbon_assets.science.zonal.statistics import (
    Extent,
    Ints,
    Moments,
    collapse,
    extent,
    moments,
    percentile,
)

_PERCENTILES: dict[Method, float] = {"p05": 0.05, "p50": 0.50, "p95": 0.95}


class _Series:
    """Running moments of one quantity by group; keeps the cells only for percentiles."""

    def __init__(self, groups: int, methods: set[Method]) -> None:
        self._groups = groups
        self._extremes = bool(methods & {"min", "max"})
        self._keep = bool(methods & _PERCENTILES.keys())
        self._kept: list[tuple[Floats, Floats, Ints]] = []
        self.moments: Moments | None = None

    def add(self, values: Floats, missing: Mask | None, area: Floats, group: Ints) -> None:
        if missing is not None:
            values, area, group = values[~missing], area[~missing], group[~missing]
        part = moments(values, group, area, self._groups, extremes=self._extremes)
        self.moments = part if self.moments is None else self.moments + part
        if self._keep:
            self._kept.append((values, area, group))

    def percentile(self, share: float, group: int | None) -> float:
        values, area, groups = (np.concatenate(one) for one in zip(*self._kept, strict=True))
        chosen = slice(None) if group is None else groups == group
        return percentile(values[chosen], area[chosen], share)


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
        self._touched = Extent.empty(groups)
        self._values = _Series(groups, {output.method for output in quantity.outputs})
        self._errors = _Series(groups, set())

    def add(self, strip: Strip) -> None:
        """Take in one strip.

        Raises:
            RasterError: ``UNKNOWN_CLASS`` from the class map that gives the strata.
        """
        cells = strip.cells
        group, touched = strip.keep(("strata", self._mask), lambda: self._stratify(strip))
        self._touched += touched
        values, missing = strip.keep(
            (self._quantity.key, self._value), lambda: self._convert(strip)
        )
        self._values.add(values, missing, cells.area_m2, group)
        if self._error is not None:
            errors, no_error = strip.keep(
                (self._quantity.key, self._error), lambda: self._standard_error(strip)
            )
            self._errors.add(errors, no_error, cells.area_m2, group)

    def _stratify(self, strip: Strip) -> tuple[Ints, Extent]:
        cells = strip.cells
        if self._strata is None or self._mask is None:
            group = np.zeros(len(cells), dtype=np.int64)
        else:
            raw = strip.raw(self._mask.files)
            missing = raw.missing(self._mask.rule.nodata)
            group = self._strata.group_of(raw.values, missing, self._mask.href)
        groups = len(self._touched.cells)
        return group, extent(group, cells.coverage, cells.area_m2, groups)

    def _convert(self, strip: Strip) -> tuple[Floats, Mask | None]:
        values, missing = strip.physical(self._value.files, self._value.rule)
        return self._quantity.conversion.apply(values), missing

    def _standard_error(self, strip: Strip) -> tuple[Floats, Mask | None]:
        """Standard error of the band's own value, over the cells that have both."""
        if self._error is None or self._quantity.band.uncertainty is None:
            raise ValueError("the quantity has no uncertainty layer")
        stated = self._quantity.band.uncertainty
        values, no_value = strip.physical(self._value.files, self._value.rule)
        layer, no_error = strip.physical(self._error.files, self._error.rule)
        error = standard_error(layer, values, stated.meaning, stated.level)
        error = self._quantity.conversion.apply(error)
        if no_value is None or no_error is None:
            return error, no_value if no_error is None else no_error
        return error, no_value | no_error

    def receipts(self) -> list[Receipt]:
        """Return one receipt per output for the whole place, then for every stratum in it."""
        if self._values.moments is None:
            return []
        made = self._receipts_of(None, collapse(self._values.moments), self._touched.collapse())
        if self._strata is not None:
            for group in np.flatnonzero(self._touched.cells).tolist():
                at = slice(group, group + 1)
                made += self._receipts_of(
                    group, self._values.moments.select(at), self._touched.select(at)
                )
        return made

    def _receipts_of(self, group: int | None, found: Moments, touched: Extent) -> list[Receipt]:
        stratum = None
        if group is not None and self._strata is not None:
            stratum = self._strata.filter_of(group)
        uncertainty = self._uncertainty(group, float(found.mean[0]))
        return [
            Receipt(
                metric_code=output.metric,
                aggregate_method=output.method,
                stratum_filter=stratum,
                value=self._number(output, group, found),
                value_unit=output.unit,
                histogram=None,
                pixel_count=int(touched.cells[0]),
                pixel_nodata_count=int(touched.cells[0] - found.cells[0]),
                weighted_pixel_count=float(touched.coverage[0]),
                covered_area_ha=float(touched.area_m2[0]) / M2_PER_HA,
                valid_area_ha=float(found.area_m2[0]) / M2_PER_HA,
                uncertainty_pct_ci95=uncertainty if output.method in ("mean", "sum") else None,
                uncertainty_method=self._method(output, uncertainty),
                context=self._context,
            )
            for output in self._quantity.outputs
        ]

    def _number(self, output: Output, group: int | None, found: Moments) -> float | None:
        """Value of an output; None where no cell has data."""
        if not found.cells[0]:
            return None
        if output.method in _PERCENTILES:
            return self._values.percentile(_PERCENTILES[output.method], group)
        return {
            "mean": lambda: float(found.mean[0]),
            "std": lambda: float(found.std[0]),
            "sum": lambda: float(found.total[0]) / M2_PER_HA,
            "min": lambda: float(found.minimum[0]),
            "max": lambda: float(found.maximum[0]),
        }[output.method]()

    def _uncertainty(self, group: int | None, mean: float) -> float | None:
        """95 % half-width in percent, pixel errors fully correlated."""
        if self._errors.moments is None:
            return None
        errors = self._errors.moments
        part = collapse(errors) if group is None else errors.select(slice(group, group + 1))
        return ci95_half_width_pct(float(part.mean[0]), mean) if part.cells[0] else None

    @staticmethod
    def _method(output: Output, uncertainty: float | None) -> str:
        stated = uncertainty is not None and output.method in ("mean", "sum")
        return "raster_layer" if stated else "none"
