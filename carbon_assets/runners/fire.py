"""Fire: the hectares that burned in the vintage."""

from __future__ import annotations

from carbon_assets.reference.catalogue import SourceVersion
from carbon_assets.runners.declaration import Occurrence, Output, Quantity, Runner, Setting


def _quantities(source: SourceVersion, _setting: Setting) -> tuple[Quantity, ...]:
    (band,) = source.value_bands
    burned = Output("burned_area", "sum", "ha")
    return (Quantity(band=band, outputs=(burned,), occurrence=Occurrence(("fire",))),)


FIRE = Runner(
    name="fire",
    title="Burned area",
    description=(
        "Receipts per place and vintage: hectares that burned at least once in the year. A cell "
        "that burned twice counts once."
    ),
    value_slot="fire",
    accepts=frozenset({"change_map"}),
    events=frozenset({"fire"}),
    quantities=_quantities,
    module=__name__,
)
