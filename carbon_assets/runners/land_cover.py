"""Land cover: one class histogram per place and vintage."""

from __future__ import annotations

from carbon_assets.runners.declaration import Runner

LAND_COVER = Runner(
    name="land_cover",
    title="Land cover: area of every class",
    description=(
        "One receipt per place and vintage: a histogram {class id: hectares, cells} of the "
        "annual land cover map. Areas are ellipsoidal and weighted by the share of each cell "
        "that the place covers; classes that mean 'not observed' keep their own entries, so "
        "the parts sum to the covered area."
    ),
    value_slot="land_cover",
    accepts=frozenset({"class_map"}),
    histogram_metric="land_cover_area",
    module=__name__,
)
