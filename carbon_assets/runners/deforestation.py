"""Deforestation: the hectares that a map of change says were cleared in the vintage.

The publisher's year counts: a PRODES year runs from August to July, and every receipt states
its period. Loss that the publisher detected late is a number of its own, never added silently.
"""

from __future__ import annotations

from carbon_assets.reference.catalogue import SourceVersion
from carbon_assets.reference.change_legend import Event, Forest, load_change_legend
from carbon_assets.runners.declaration import Occurrence, Output, Quantity, Runner, Setting

_QUANTITIES: tuple[tuple[str, Event, Forest | None], ...] = (
    ("deforestation_area", "deforestation", None),
    ("primary_deforestation_area", "deforestation", "primary"),
    ("secondary_deforestation_area", "deforestation", "secondary"),
    ("late_detected_deforestation_area", "late_detection", None),
)


def _quantities(source: SourceVersion, _setting: Setting) -> tuple[Quantity, ...]:
    """What the map tells apart: each kind of event that its legend names."""
    if source.legend is None:
        return ()
    legend = load_change_legend(source.legend)
    told = legend.events | {(event, None) for event, _ in legend.events}
    (band,) = source.value_bands
    return tuple(
        Quantity(
            band=band,
            outputs=(Output(metric, "sum", "ha"),),
            occurrence=Occurrence((event,), forest),
        )
        for metric, event, forest in _QUANTITIES
        if (event, forest) in told
    )


DEFORESTATION = Runner(
    name="deforestation",
    title="Deforestation by year",
    description=(
        "Receipts per place and vintage: hectares cleared in the publisher's year, of primary "
        "and of secondary forest where the map tells them apart, and hectares of earlier "
        "clearing that were detected in that year. Clouds are cells without data."
    ),
    value_slot="deforestation",
    accepts=frozenset({"change_map"}),
    events=frozenset({"deforestation", "late_detection"}),
    quantities=_quantities,
    module=__name__,
)
