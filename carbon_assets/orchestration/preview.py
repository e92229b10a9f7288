"""What a run shows of the rows it touched: a map and a small table of the newest vintage."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dagster as dg
from sqlalchemy import Connection, text

from carbon_assets.orchestration.metadata import MAX_PREVIEW_SHAPES, map_preview, table_metadata
from carbon_assets.provenance.graph import FARM_METRICS
from carbon_assets.provenance.plan import Key
from carbon_assets.provenance.world import CompanyWorld, Place
from carbon_assets.store.database import Database
from carbon_assets.store.engines import transaction

if TYPE_CHECKING:
    from shapely import MultiPolygon, Polygon


@dataclass(frozen=True)
class Shown:
    """The one number per place that stands for an asset.

    Attributes:
        metric: Farm metric whose trace leads through the asset.
        title: What it is.
        unit: Its unit.
        query: Statement that selects ``place`` and ``value`` of the whole place, for the
            places ``:places`` and the year ``:vintage``.
    """

    metric: str
    title: str
    unit: str
    query: str

    @property
    def label(self) -> str:
        """Title with unit."""
        return f"{self.title} ({self.unit})"


_RECEIPTS = (
    " FROM current_raster_aggregates"
    " WHERE geometry_id = ANY(:places) AND vintage_year = :vintage AND stratum_filter IS NULL"
)
SHOWN = {
    "raster_aggregates/land_cover": Shown(
        "observed_area",
        "share of the area with data",
        "%",
        "SELECT geometry_id AS place, 100 * valid_area_ha / nullif(covered_area_ha, 0) AS value"
        f"{_RECEIPTS} AND metric_code = 'land_cover_area'",
    ),
    "raster_aggregates/biomass": Shown(
        "agb_carbon_density",
        "above-ground carbon density",
        "tC/ha",
        f"SELECT geometry_id AS place, value{_RECEIPTS}"
        " AND metric_code = 'agb_carbon_density' AND aggregate_method = 'mean'",
    ),
    "raster_aggregates/deforestation": Shown(
        "deforestation_area",
        "deforested in the year",
        "ha",
        f"SELECT geometry_id AS place, value{_RECEIPTS} AND metric_code = 'deforestation_area'",
    ),
    "raster_aggregates/fire": Shown(
        "burned_area",
        "burned in the year",
        "ha",
        f"SELECT geometry_id AS place, value{_RECEIPTS} AND metric_code = 'burned_area'",
    ),
    FARM_METRICS: Shown(
        "forest_cover_pct",
        "forest cover",
        "%",
        "SELECT farm_id AS place, value_canonical AS value FROM current_farm_metrics"
        " WHERE farm_id = ANY(:places) AND vintage_year = :vintage AND stratum_filter IS NULL"
        " AND metric_code = 'forest_cover_pct'",
    ),
}
"""By asset key; an asset that is not named here shows no map."""


def headlines(
    database: Database, asset: str, keys: Collection[Key]
) -> dict[Key, tuple[str, float]]:
    """Return the number that stands for an asset in each partition, with its label.

    Dagster draws it over the partitions. One without data has no number.

    Args:
        database: The database.
        asset: Asset key with slashes.
        keys: (place, vintage) of partitions that are current.
    """
    if asset not in SHOWN:
        return {}
    shown, places = SHOWN[asset], sorted({place for place, _ in keys})
    found: dict[Key, tuple[str, float]] = {}
    with transaction(database) as connection:
        for vintage in sorted({vintage for _, vintage in keys}):
            rows = connection.execute(text(shown.query), {"places": places, "vintage": vintage})
            found |= {
                (row.place, vintage): (shown.label, round(row.value, 2))
                for row in rows
                if row.value is not None
            }
    return found


def asset_summary(
    database: Database, companies: Sequence[CompanyWorld], asset: str, done: Collection[Key]
) -> dict[str, Any]:
    """Return metadata with the size of the table, a map and a table of places.

    Args:
        database: The database.
        companies: The companies of the places.
        asset: Asset key with slashes.
        done: At least one partition; its newest vintage is shown, on its largest places.
    """
    newest = max(vintage for _, vintage in done)
    wanted = {place for place, vintage in done if vintage == newest}
    places = [p for one in companies for p in one.places.values() if p.id in wanted]
    with transaction(database) as connection:
        summary: dict[str, Any] = {"dagster/row_count": _row_count(connection, asset)}
        if asset in SHOWN:
            summary |= _newest(connection, companies, SHOWN[asset], newest, places)
    return summary


def _newest(
    connection: Connection,
    companies: Sequence[CompanyWorld],
    shown: Shown,
    vintage: int,
    places: Sequence[Place],
) -> dict[str, Any]:
    places = sorted(places, key=lambda place: -place.area_ha)[:MAX_PREVIEW_SHAPES]
    found = connection.execute(
        text(shown.query), {"places": [place.id for place in places], "vintage": vintage}
    )
    values = {row.place: row.value for row in found}
    rows = [_row(place, values.get(place.id), shown.label) for place in places]
    shapes = _shapes(connection, companies, places)
    return {
        "vintage shown": vintage,
        "map": _map(places, shapes, values, shown, vintage),
        "places": table_metadata(sorted(rows, key=lambda row: (row["kind"], row["place"]))),
    }


def _map(
    places: Sequence[Place],
    shapes: Mapping[int, MultiPolygon | Polygon],
    values: Mapping[int, float | None],
    shown: Shown,
    vintage: int,
) -> dg.MarkdownMetadataValue:
    """Colour the farms; places that hold farms are outlines, unless there are no farms."""
    farms = [place for place in places if place.kind == "farm"]
    filled = farms or places
    return map_preview(
        [shapes[place.id] for place in filled],
        [values.get(place.id) for place in filled],
        title=f"{shown.title}, {vintage}",
        unit=shown.unit,
        outlines=[shapes[place.id] for place in places if farms and place.kind != "farm"],
    )


def _row_count(connection: Connection, asset: str) -> int:
    """Rows that the asset owns, those of earlier computations included."""
    if asset == FARM_METRICS:
        found = connection.execute(text("SELECT count(*) FROM farm_metrics"))
    else:
        found = connection.execute(
            text("SELECT count(*) FROM raster_aggregates WHERE runner_key LIKE :runner || '.%'"),
            {"runner": asset.rsplit("/", 1)[-1]},
        )
    return int(found.scalar_one())


def _shapes(
    connection: Connection, companies: Sequence[CompanyWorld], places: Sequence[Place]
) -> dict[int, MultiPolygon | Polygon]:
    import shapely

    shapes = {}
    for company in companies:
        own = [place.id for place in places if place.id in company.places]
        shapes.update({t.place_id: shapely.from_wkb(t.wkb) for t in company.tasks(connection, own)})
    return shapes


def _row(place: Place, value: float | None, label: str) -> dict[str, Any]:
    return {
        "place": place.key,
        "name": place.name,
        "kind": place.kind,
        "project": place.project or "",
        "area (ha)": round(place.area_ha, 2),
        label: None if value is None else round(value, 2),
    }
