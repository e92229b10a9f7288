"""Writing designed places as GeoPackage files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from shapely import MultiPolygon, Polygon, box, union_all

from carbon_assets.demo.design import Place

FILE_DATE = "2024-01-01T00:00:00.000Z"
"""Date that GDAL writes into the file: a clock would make each copy differ."""


def polygon(place: Place) -> MultiPolygon:
    """Return a place as a multipolygon of longitude and latitude.

    Every corner is the double nearest to a whole multiple of 1e-9 degrees.
    """
    adds, cuts = (
        union_all([box(*map(float, (b.x0, b.y0, b.x1, b.y1))) for b in boxes])
        for boxes in (place.adds, place.cuts)
    )
    # The union keeps a node wherever boxes met; tolerance 0 drops only those on straight edges.
    shape = adds.difference(cuts).simplify(0).normalize()
    return MultiPolygon([shape]) if isinstance(shape, Polygon) else shape


def write_places(path: Path, places: Sequence[Place]) -> None:
    """Write places into one layer, named like the file, in EPSG:4326.

    Columns: ``<kind>_key`` (``farm_key``, ``project_boundary_key``), ``name``,
    ``project_key``, ``biome``.

    Args:
        path: The GeoPackage to write. An existing file is replaced.
        places: Places of one kind.
    """
    import geopandas

    table = geopandas.GeoDataFrame(
        {
            f"{places[0].kind}_key": [place.key for place in places],
            "name": [place.name for place in places],
            "project_key": [place.project for place in places],
            "biome": [place.biome for place in places],
        },
        geometry=[polygon(place) for place in places],
        crs="EPSG:4326",
    )
    path.unlink(missing_ok=True)
    with _fixed_date():
        table.to_file(path, driver="GPKG", engine="pyogrio", layer=path.stem)


@contextmanager
def _fixed_date() -> Iterator[None]:
    import pyogrio

    before = pyogrio.get_gdal_config_option("OGR_CURRENT_DATE")
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": FILE_DATE})
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": before})
