"""Reading one layer of a vector file, as it stands: nothing is judged, moved or repaired here.

Formats: GeoPackage, GeoJSON, zipped Shapefile and KML through GDAL (pyogrio), GeoParquet
through geopandas. Curves are read as GDAL's linear approximation of them.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from carbon_assets.errors import PlaceError
from carbon_assets.places.archive import shapefile_layers, unpacked_shapefile
from carbon_assets.places.door import DRIVERS, Admitted, Format, admit
from carbon_assets.places.projection import SourceCrs, geojson_crs


@dataclass(frozen=True)
class VectorLayer:
    """One layer of a vector file.

    Attributes:
        file: File name without its folder.
        crs: Its coordinate system.
        features: Feature ids (row numbers for GeoParquet), as text.
        geometries: (n,) shapely geometries in the file's own coordinates, or None.
        unreadable: (n,) whether there are bytes that are no geometry (an open ring, a ring of
            less than four points); such a geometry is None.
        attributes: Column name → n values.
        warnings: What the reader remarked.
    """

    file: str
    crs: SourceCrs
    features: tuple[str, ...]
    geometries: NDArray[np.object_]
    unreadable: NDArray[np.bool_]
    attributes: Mapping[str, NDArray[Any]]
    warnings: tuple[str, ...] = ()

    def column(self, name: str) -> NDArray[Any]:
        """Return a column's values.

        Raises:
            PlaceError: ``PLACES_COLUMN_UNKNOWN``, listing the columns there are.
        """
        if name not in self.attributes:
            there = ", ".join(f"'{column}'" for column in self.attributes) or "none"
            raise PlaceError(
                "PLACES_COLUMN_UNKNOWN",
                f"There is no column '{name}'.",
                where=self.file,
                do=f"Name one of the file's columns: {there}.",
                details={"columns": list(self.attributes)},
            )
        return self.attributes[name]


def list_layers(path: str | Path) -> list[str]:
    """Return the names of the layers with geometries in a vector file.

    Raises:
        PlaceError: As ``admit``, or ``PLACES_FILE_UNREADABLE``.
    """
    return _layers(admit(path))


def read_layer(path: str | Path, layer: str | None = None) -> VectorLayer:
    """Read a layer of a vector file; the file's only one unless named.

    Raises:
        PlaceError: As ``admit``, ``SourceCrs.parse`` and ``geojson_crs``;
            ``PLACES_FILE_UNREADABLE``; ``PLACES_LAYER_UNKNOWN`` or ``PLACES_LAYER_AMBIGUOUS``,
            listing the layers; ``PLACES_EMPTY``.
    """
    admitted = admit(path)
    chosen = _choose(_layers(admitted), layer, admitted.path.name)
    read = _READERS.get(admitted.format, _read_with_gdal)
    found = read(admitted, chosen)
    if not found.features:
        raise PlaceError(
            "PLACES_EMPTY",
            f"Layer '{chosen}' has no features.",
            where=admitted.path.name,
            do="Check the export, or name another layer.",
        )
    return found


def _choose(layers: list[str], wanted: str | None, file: str) -> str:
    names = ", ".join(f"'{name}'" for name in layers)
    details = {"layers": layers}
    if not layers:
        raise PlaceError(
            "PLACES_EMPTY", "The file has no layer with geometries.", where=file, details=details
        )
    if wanted is None and len(layers) > 1:
        raise PlaceError(
            "PLACES_LAYER_AMBIGUOUS",
            f"The file has {len(layers)} layers: {names}.",
            where=file,
            do="Name the layer to read.",
            details=details,
        )
    if wanted is not None and wanted not in layers:
        raise PlaceError(
            "PLACES_LAYER_UNKNOWN",
            f"There is no layer '{wanted}'.",
            where=file,
            do=f"Name one of: {names}.",
            details=details,
        )
    return wanted or layers[0]


def _layers(admitted: Admitted) -> list[str]:
    if admitted.format is Format.GEOPARQUET:
        return [admitted.path.stem]
    if admitted.format is Format.SHAPEFILE:
        return shapefile_layers(admitted.path)
    import pyogrio

    with _reader_errors(admitted.path.name):
        listed = pyogrio.list_layers(admitted.path)
        names = [str(name) for name, geometry_type in listed if geometry_type is not None]
        if admitted.format is Format.KML and len(names) > 1:
            # GDAL adds a layer for the document around the folders, mostly an empty one.
            names = [name for name in names if _feature_count(admitted.path, name)]
    return names


def _feature_count(path: Path, layer: str) -> int:
    import pyogrio

    return int(pyogrio.read_info(path, layer=layer, force_feature_count=True)["features"])


def _read_with_gdal(admitted: Admitted, layer: str) -> VectorLayer:
    return _read_local(admitted, admitted.path, layer)


def _read_shapefile(admitted: Admitted, layer: str) -> VectorLayer:
    with unpacked_shapefile(admitted.path, layer) as path:
        return _read_local(admitted, path, None)


def _read_local(admitted: Admitted, path: Path, layer: str | None) -> VectorLayer:
    from pyogrio import raw, read_info

    file = admitted.path.name
    with _reader_errors(file), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", RuntimeWarning)
        driver = read_info(path, layer=layer)["driver"]
        if driver not in DRIVERS[admitted.format]:
            raise PlaceError(
                "PLACES_FORMAT_UNSUPPORTED",
                f"GDAL takes the file for {driver}, which is not allowed here.",
                where=file,
                do=f"Save the places as {admitted.format} again.",
            )
        meta, fids, wkb, values = raw.read(path, layer=layer, return_fids=True)
    definition = geojson_crs(admitted) if admitted.format is Format.GEOJSON else meta["crs"]
    geometries, unreadable = _parse(wkb)
    return VectorLayer(
        file=file,
        crs=SourceCrs.parse(definition, file),
        features=tuple(str(fid) for fid in fids),
        geometries=geometries,
        unreadable=unreadable,
        attributes=dict(zip((str(name) for name in meta["fields"]), values, strict=True)),
        warnings=_remarks(caught),
    )


def _remarks(caught: list[warnings.WarningMessage]) -> tuple[str, ...]:
    remarks = (str(warning.message) for warning in caught if warning.category is RuntimeWarning)
    return tuple(dict.fromkeys(remarks))


def _parse(wkb: NDArray[np.object_]) -> tuple[NDArray[np.object_], NDArray[np.bool_]]:
    with np.errstate(invalid="ignore"):  # coordinates that are no numbers are judged later
        geometries = np.asarray(shapely.from_wkb(wkb, on_invalid="ignore"), dtype=object)
    present = np.array([item is not None for item in wkb], dtype=bool)
    return geometries, present & shapely.is_missing(geometries)


def _read_geoparquet(admitted: Admitted, _layer: str) -> VectorLayer:
    import geopandas
    from pyarrow.fs import LocalFileSystem

    file = admitted.path.name
    with _reader_errors(file), np.errstate(invalid="ignore"):
        # The file system is named so that no other one is derived from the path.
        frame = geopandas.read_parquet(str(admitted.path), filesystem=LocalFileSystem())
    geometries = np.asarray(frame.geometry.array, dtype=object)
    columns = frame.drop(columns=frame.geometry.name)
    return VectorLayer(
        file=file,
        crs=SourceCrs.parse(frame.crs, file),
        features=tuple(str(row) for row in range(len(frame))),
        geometries=geometries,
        unreadable=np.zeros(len(frame), dtype=bool),
        attributes={str(name): columns[name].to_numpy(dtype=object) for name in columns},
    )


_READERS: dict[Format, Callable[[Admitted, str], VectorLayer]] = {
    Format.SHAPEFILE: _read_shapefile,
    Format.GEOPARQUET: _read_geoparquet,
}


@contextmanager
def _reader_errors(file: str) -> Iterator[None]:
    """Turn whatever a format's reader raises into one coded error."""
    try:
        yield
    except PlaceError:
        raise
    except Exception as error:
        raise PlaceError(
            "PLACES_FILE_UNREADABLE",
            f"The file cannot be read: {error}",
            where=file,
            do="Open it in a GIS and save it again.",
        ) from error
