"""What a run shows of the rows it touched: a verdict, a map and a small table."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import dagster as dg

from carbon_assets.orchestration.metadata import map_preview, table_metadata
from carbon_assets.provenance.graph import FARM_METRICS
from carbon_assets.provenance.plan import Key
from carbon_assets.provenance.rows import current_frame
from carbon_assets.provenance.world import CompanyWorld, Place
from carbon_assets.store.database import Database
from carbon_assets.store.engines import transaction

if TYPE_CHECKING:
    import pandas as pd

CHECK_NAME = "rows_obey_the_rules"
CHECK_BATCH = 2_000
"""Partitions whose rows are checked together: memory does not grow with the run."""

MAP_OF = {
    "raster_aggregates/land_cover": ("land_cover_area", "class_histogram", "covered area", "ha"),
    "raster_aggregates/biomass": (
        "agb_carbon_density",
        "mean",
        "above-ground carbon density",
        "tC/ha",
    ),
    FARM_METRICS: ("forest_cover_pct", None, "forest cover", "%"),
}
"""Asset → metric and method on its map, title and unit."""


def check_result(
    database: Database, asset: str, key: dg.AssetKey, done: Collection[Key]
) -> dg.AssetCheckResult:
    """Check the current rows of some partitions against the table's schema."""
    from carbon_assets.metrics.checks import check_metrics, check_receipts
    from carbon_assets.metrics.tables import BIOMASS_RECEIPTS as RECEIPTS
    from carbon_assets.metrics.tables import FARM_METRICS as METRICS

    schema, check = (
        (METRICS, check_metrics) if asset == FARM_METRICS else (RECEIPTS, check_receipts)
    )
    bad: list[dict[str, Any]] = []
    rows = 0
    ahead = iter(sorted(done))
    while batch := list(islice(ahead, CHECK_BATCH)):
        with transaction(database) as connection:
            frame = current_frame(connection, asset, batch, list(schema.columns))
        rows += len(frame)
        bad += check(frame.astype({n: str(c.dtype) for n, c in schema.columns.items()}))
    return dg.AssetCheckResult(
        check_name=CHECK_NAME,
        asset_key=key,
        passed=not bad,
        description=f"{len(bad)} of {rows} rows break a rule" if bad else f"{rows} rows checked",
        metadata={"rows": rows, "bad rows": table_metadata(bad)} if bad else {"rows": rows},
    )


def asset_summary(
    database: Database, companies: Sequence[CompanyWorld], asset: str, done: Collection[Key]
) -> dict[str, Any]:
    """Map and table of the newest vintage that a run touched."""
    places = {place.id: place for one in companies for place in one.places.values()}
    newest = max(vintage for _, vintage in done)
    keys = sorted(key for key in done if key[1] == newest)
    metric, method, title, unit = MAP_OF[asset]
    names = ["metric_code", "aggregate_method", "stratum_filter", *_VALUE[asset == FARM_METRICS]]
    with transaction(database) as connection:
        frame = current_frame(connection, asset, keys, names)
        values = _values(frame, metric, method)
        shown = [places[place] for place, _ in keys]
        shapes = _shapes(connection, companies, [place.id for place in shown])
    rows = [_row(place, values.get(place.id), title, unit) for place in shown]
    return {
        "vintage": newest,
        "map": map_preview(
            [shapes[place.id] for place in shown],
            [values.get(place.id) for place in shown],
            title=f"{title}, {newest}",
            unit=unit,
        ),
        "places": table_metadata(rows),
        "dagster/row_count": len(frame),
    }


_VALUE = {True: ["farm_id", "value_canonical"], False: ["geometry_id", "value"]}


def _values(frame: pd.DataFrame, metric: str, method: str | None) -> dict[int, float | None]:
    """Value of the mapped metric for the whole of each place."""
    place, value = (
        ("farm_id", "value_canonical") if "farm_id" in frame else ("geometry_id", "value")
    )
    found: dict[int, float | None] = {}
    for row in frame.to_dict("records"):
        whole = row["stratum_filter"] is None
        if whole and row["metric_code"] == metric and method in (None, row["aggregate_method"]):
            found[int(row[place])] = row[value]
    return found


def _shapes(
    connection: Any, companies: Sequence[CompanyWorld], place_ids: Sequence[int]
) -> dict[int, Any]:
    import shapely

    shapes = {}
    for company in companies:
        own = [i for i in place_ids if i in company.places]
        shapes.update({t.place_id: shapely.from_wkb(t.wkb) for t in company.tasks(connection, own)})
    return shapes


def _row(place: Place, value: float | None, title: str, unit: str) -> dict[str, Any]:
    return {
        "place": place.key,
        "name": place.name,
        "kind": place.kind,
        "project": place.project or "",
        f"{title} ({unit})": None if value is None else round(value, 4),
    }
