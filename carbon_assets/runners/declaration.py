"""What a runner is: a declaration of the rasters it reads and the numbers it writes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from carbon_assets.reference.catalogue import Band, SourceVersion
from carbon_assets.reference.change_legend import Event, Forest
from carbon_assets.reference.strata_map import Axis
from carbon_assets.science.biomass import Conversion, Unchanged

Method = Literal["mean", "std", "sum", "min", "max", "p05", "p50", "p95"]
"""``sum`` integrates a density per hectare over the covered hectares; the others describe
the cells with data, weighted by covered area."""


@dataclass(frozen=True)
class Setting:
    """What a place contributes to a computation besides its polygon.

    Attributes:
        biome: Key in ``reference/biomes.csv``, for the carbon fraction.
        ecological_zone: Key in ``reference/root_to_shoot.csv``.
    """

    biome: str | None = None
    ecological_zone: str | None = None


@dataclass(frozen=True)
class Output:
    """One number per group of cells: a metric and the method that makes it.

    Attributes:
        metric: Metric code.
        method: How the cells are aggregated.
        unit: Unit of the value.
    """

    metric: str
    method: Method
    unit: str


@dataclass(frozen=True)
class Occurrence:
    """Whether an event of the vintage struck a cell: 1 or 0, read from a map of change.

    Attributes:
        events: Kinds of event that count.
        forest: Only events in this kind of forest; None for all.
    """

    events: tuple[Event, ...]
    forest: Forest | None = None

    def as_document(self) -> dict[str, Any]:
        """Return what of it enters a fingerprint."""
        return {"events": sorted(self.events), "forest": self.forest}


@dataclass(frozen=True)
class Quantity:
    """A physical quantity per cell, and the numbers that are made of it.

    Attributes:
        band: The value band that it is read from.
        conversion: What turns the band's physical value into the quantity.
        outputs: The numbers.
        context: Facts for the receipt: carbon fraction, its source, biome.
        has_uncertainty: Whether the band's own uncertainty layer speaks for the quantity.
        occurrence: For a map of change, the event; its ``sum`` is the area struck.
    """

    band: Band
    outputs: tuple[Output, ...]
    conversion: Conversion = field(default_factory=Unchanged)
    context: dict[str, Any] = field(default_factory=dict)
    has_uncertainty: bool = True
    occurrence: Occurrence | None = None

    @property
    def key(self) -> str:
        """What tells it from the runner's other quantities."""
        return self.outputs[0].metric

    def as_document(self) -> dict[str, Any]:
        """Return what of it enters a fingerprint."""
        return {
            "band": self.band.name,
            "conversion": self.conversion.as_document(),
            "outputs": [[o.metric, o.method, o.unit] for o in self.outputs],
            **({"occurrence": self.occurrence.as_document()} if self.occurrence else {}),
        }


@dataclass(frozen=True)
class Runner:
    """A declaration that the shared machinery carries out.

    Attributes:
        name: Name of the asset: ``raster_aggregates/<name>``.
        title: One line for people.
        description: What its receipts say, for the Dagster UI and the documentation.
        value_slot: The source that is aggregated.
        accepts: Quantity kinds that the value source may have.
        strata_slot: The class map whose strata slice the receipts, or None.
        strata_axis: Axis of the stratum taxonomy, e.g. ``forest_type``.
        events: Events, one of which the legend of a map of change must know; none for other
            sources.
        histogram_metric: Metric code of the class histogram, for a class map.
        quantities: What is computed per cell, given the source and the place's setting.
        reference: Reference rows that a setting uses, for the fingerprint.
        uses_setting: Whether results depend on biome or ecological zone, given the source.
        module: Module that declares the runner; its code enters the fingerprint.
    """

    name: str
    title: str
    description: str
    value_slot: str
    accepts: frozenset[str]
    module: str
    strata_slot: str | None = None
    strata_axis: Axis | None = None
    events: frozenset[Event] = frozenset()
    histogram_metric: str | None = None
    quantities: Callable[[SourceVersion, Setting], tuple[Quantity, ...]] = lambda _s, _p: ()
    reference: Callable[[SourceVersion, Setting], dict[str, Any]] = lambda _s, _p: {}
    uses_setting: Callable[[SourceVersion], bool] = lambda _s: False

    @property
    def slots(self) -> tuple[str, ...]:
        """The sources that it reads, the value source first."""
        return (self.value_slot, self.strata_slot) if self.strata_slot else (self.value_slot,)

    @property
    def asset(self) -> str:
        """Key of its asset, with slashes."""
        return f"raster_aggregates/{self.name}"
