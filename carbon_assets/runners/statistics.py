"""Reducer for quantities: area-weighted statistics for the whole place and every stratum."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from carbon_assets.rasters.reader import raise_unknown
from carbon_assets.runners.bound import class_band
from carbon_assets.runners.class_ids import UNKNOWN, count_unknown, number_classes
from carbon_assets.runners.declaration import Method, Occurrence, Output, Quantity
from carbon_assets.runners.gather import Strip
from carbon_assets.runners.inputs import Inputs, Layer
from carbon_assets.runners.receipts import M2_PER_HA, Receipt
from carbon_assets.runners.series import PERCENTILES, Series, sample_of
from carbon_assets.science.uncertainty import ci95_half_width_pct, standard_error
from carbon_assets.science.zonal.grid import Floats
from carbon_assets.science.zonal.statistics import Extent, Moments, Sample, extent
from carbon_assets.science.zonal.sums import Grouping, Ints

NO_DATA = 2
"""Number of a cell of a map of change that says nothing, as :meth:`BoundRunner.struck` gives it."""


@dataclass(frozen=True)
class Layers:
    """The bands that one partition reads.

    Attributes:
        vintage: Its vintage.
        value: The quantity's band.
        mask: The class map that gives the strata, or None.
        error: The layer of the band's uncertainty, or None.
    """

    vintage: int
    value: Layer
    mask: Layer | None
    error: Layer | None

    @classmethod
    def of(cls, inputs: Inputs, quantity: Quantity) -> Layers:
        """Ask for the bands of a partition, noting each."""
        runner, source = inputs.bound.runner, inputs.bound.strata_source
        error = quantity.band.uncertainty if quantity.has_uncertainty else None
        value = inputs.layer(runner.value_slot, quantity.band.name, "value")
        mask = (
            inputs.layer(runner.strata_slot, class_band(source), "mask")
            if runner.strata_slot and source
            else None
        )
        return cls(
            inputs.vintage,
            value,
            mask,
            inputs.layer(runner.value_slot, error.band, "uncertainty") if error else None,
        )


class StatisticsReducer:
    """Statistics of one quantity; a stratum is a group of cells, the whole their union.

    The partitions of a place are reduced together: what they share is worked out once, and
    none depends on which others there are.
    """

    def __init__(self, partitions: Sequence[Inputs], quantity: Quantity) -> None:
        bound = partitions[0].bound
        self._bound, self._quantity, self._strata = bound, quantity, bound.strata
        self._layers = [Layers.of(inputs, quantity) for inputs in partitions]
        self._contexts = [
            {**bound.context(inputs.vintage), **quantity.context} for inputs in partitions
        ]
        self._has_error = self._layers[0].error is not None
        count, methods = len(partitions), {output.method for output in quantity.outputs}
        self._groups = len(self._strata.terms) if self._strata else 1
        self._whole = Extent.empty(1)
        self._touched = Extent.empty(count * self._groups)
        self._values = Series(count, self._groups, methods)
        self._errors = Series(count, self._groups, set())

    def add(self, strip: Strip) -> None:
        """Take in one strip.

        Raises:
            RasterError: ``UNKNOWN_CLASS`` from a class map that gives the strata.
        """
        strata = [self._strata_in(strip, layers) for layers in self._layers]
        self._whole += strip.extent
        masks = tuple(layers.mask.name if layers.mask else None for layers in self._layers)
        self._touched += strip.keep(("touched", masks), lambda: extent(strata, strip.cells.columns))
        self._values.add(strip, [self._value_in(strip, one) for one in self._layers], strata)
        if self._has_error:
            self._errors.add(strip, [self._error_in(strip, one) for one in self._layers], strata)

    def _strata_in(self, strip: Strip, layers: Layers) -> Grouping:
        mask, strata = layers.mask, self._strata
        if mask is None or strata is None:
            return strip.whole

        def make() -> Grouping:
            raw = strip.raw(mask.files)
            return Grouping(strata.group_of(raw.values, raw.outside, mask.href), self._groups)

        return strip.keep(("strata", mask.name), make)

    def _value_in(self, strip: Strip, layers: Layers) -> Sample:
        if self._quantity.occurrence is not None:
            return self._struck_in(strip, layers, self._quantity.occurrence)

        def make() -> Sample:
            values, missing = strip.physical(layers.value.files, layers.value.rule)
            return sample_of(strip, self._quantity.conversion.apply(values), missing)

        return strip.keep(("value", self._quantity.key, layers.value.name), make)

    def _struck_in(self, strip: Strip, layers: Layers, occurrence: Occurrence) -> Sample:
        legend, numbers = self._bound.struck(occurrence, layers.vintage)

        def make() -> Sample:
            raw = strip.raw(layers.value.files)
            number = number_classes(raw.values, numbers)
            if raw.outside is not None:
                number[raw.outside] = NO_DATA
            if number.min(initial=0) == UNKNOWN:
                raise_unknown(count_unknown(raw.values, number), layers.value.href, legend.name)
            missing = number == NO_DATA
            return sample_of(strip, (number == 1).astype(np.float64), missing)

        key = ("struck", self._quantity.key, layers.value.name, layers.vintage)
        return strip.keep(key, make)

    def _error_in(self, strip: Strip, layers: Layers) -> Sample:
        """Standard error of the band's own value, over the cells that have both."""
        layer, stated = layers.error, self._quantity.band.uncertainty
        if layer is None or stated is None:
            raise ValueError("the quantity has no uncertainty layer")

        def make() -> Sample:
            values, no_value = strip.physical(layers.value.files, layers.value.rule)
            spread, no_error = strip.physical(layer.files, layer.rule)
            error = standard_error(spread, values, stated.meaning, stated.level)
            error = self._quantity.conversion.apply(error)
            if no_value is None or no_error is None:
                return sample_of(strip, error, no_value if no_error is None else no_error)
            return sample_of(strip, error, no_value | no_error)

        return strip.keep(("error", self._quantity.key, layers.value.name), make)

    def receipts(self) -> Iterator[list[Receipt]]:
        """Give one receipt per output for the whole place, then for every stratum in it."""
        count = len(self._layers)
        strata = [self._present(partition) for partition in range(count)]
        # Rows of a partition: the whole, then its strata.
        rows = np.concatenate(
            [
                np.concatenate([[partition], count + partition * self._groups + present])
                for partition, present in enumerate(strata)
            ]
        )
        found = self._values.moments().select(rows)
        whole = self._whole.select(np.zeros(count, dtype=np.int64))
        numbers = Numbers(
            has_data=(found.cells > 0).tolist(),
            extents=_extents(whole.with_groups(self._touched).select(rows), found),
            uncertainty=list(self._uncertainty(found, rows)),
            columns=[
                self._column(output.method, found, strata).tolist()
                for output in self._quantity.outputs
            ],
        )
        first = 0
        for present, context in zip(strata, self._contexts, strict=True):
            last = first + 1 + len(present)
            yield self._partition(numbers, range(first, last), present, context)
            first = last

    def _present(self, partition: int) -> Ints:
        """Strata that have a cell in a partition; none where there are no strata."""
        if self._strata is None:
            return np.zeros(0, dtype=np.int64)
        start = partition * self._groups
        return np.flatnonzero(self._touched.cells[start : start + self._groups])

    def _partition(
        self, numbers: Numbers, rows: range, present: Ints, context: dict[str, Any]
    ) -> list[Receipt]:
        strata = self._strata.filters if self._strata else ()
        filters = [None, *(strata[group] for group in present.tolist())]
        return [
            Receipt(
                output.metric,
                output.method,
                stratum,
                column[row] if numbers.has_data[row] else None,
                output.unit,
                None,
                *numbers.extents[row],
                *_stated(output, numbers.uncertainty[row]),
                context,
            )
            for row, stratum in zip(rows, filters, strict=True)
            for output, column in zip(self._quantity.outputs, numbers.columns, strict=True)
        ]

    def _column(self, method: Method, found: Moments, strata: Sequence[Ints]) -> Floats:
        """One method's values, row by row; NaN where no cell has data."""
        if method in PERCENTILES:
            share = PERCENTILES[method]
            parts = enumerate(strata)
            return np.concatenate([self._values.percentiles(share, at, one) for at, one in parts])
        columns: dict[str, Callable[[], Floats]] = {
            "mean": lambda: found.mean,
            "std": lambda: found.std,
            "sum": lambda: found.total / M2_PER_HA,
            "min": lambda: found.minimum,
            "max": lambda: found.maximum,
        }
        return columns[method]()

    def _uncertainty(self, found: Moments, rows: Ints) -> Iterator[float | None]:
        """95 % half-widths in percent, pixel errors fully correlated."""
        if not self._has_error:
            yield from [None] * len(rows)
            return
        errors = self._errors.moments().select(rows)
        for cells, error, mean in zip(errors.cells, errors.mean, found.mean, strict=True):
            yield ci95_half_width_pct(float(error), float(mean)) if cells else None


class Numbers(NamedTuple):
    """What the receipts of a place say, one item per row: a whole place or a stratum.

    Attributes:
        has_data: Whether any cell has data.
        extents: Pixels, those without data, weighted pixels, covered and valid hectares.
        uncertainty: 95 % half-width in percent, or None.
        columns: Values of each output.
    """

    has_data: list[bool]
    extents: list[tuple[int, int, float, float, float]]
    uncertainty: list[float | None]
    columns: list[list[float]]


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
