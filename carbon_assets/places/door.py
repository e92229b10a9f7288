"""Which files may be opened at all, decided before GDAL sees them.

GDAL chooses a driver by looking at the content, and some drivers follow links out of it. A file
is therefore recognised here by its suffix and its first bytes, and GDAL gets only an absolute
local path whose content one of the allowed drivers will claim.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from carbon_assets.errors import PlaceError

_NOT_LOCAL = re.compile(r"^(//|/vsi|[A-Za-z][A-Za-z0-9+.\-]+:)")
_REINTERPRETED = "!;"
"""pyogrio reads ``archive!member`` and drops what follows a semicolon: another file opens."""

_KML_ROOT = re.compile(rb"<(\w+:)?kml[\s>]")
_GPKG_APPLICATION_IDS = {b"GPKG", b"GP10", b"GP11"}
_GEOJSON_TYPES = {
    "FeatureCollection",
    "Feature",
    "Polygon",
    "MultiPolygon",
    "Point",
    "MultiPoint",
    "LineString",
    "MultiLineString",
    "GeometryCollection",
}


class Format(StrEnum):
    """The vector formats that may be opened."""

    GEOPACKAGE = "GeoPackage"
    GEOJSON = "GeoJSON"
    SHAPEFILE = "zipped Shapefile"
    KML = "KML"
    GEOPARQUET = "GeoParquet"


SUFFIXES = {
    ".gpkg": Format.GEOPACKAGE,
    ".geojson": Format.GEOJSON,
    ".json": Format.GEOJSON,
    ".zip": Format.SHAPEFILE,
    ".kml": Format.KML,
    ".parquet": Format.GEOPARQUET,
    ".geoparquet": Format.GEOPARQUET,
}

DRIVERS = {
    Format.GEOPACKAGE: {"GPKG"},
    Format.GEOJSON: {"GeoJSON"},
    Format.SHAPEFILE: {"ESRI Shapefile"},
    Format.KML: {"KML", "LIBKML"},
}
"""GDAL drivers allowed per format; GeoParquet is read without GDAL."""


@dataclass(frozen=True)
class Admitted:
    """A local file whose content is what its suffix says.

    Attributes:
        path: Absolute path without symbolic links.
        format: The format it was recognised as.
        crs: The ``crs`` member of a GeoJSON file, if it has one (possibly null).
        has_crs_member: Whether a GeoJSON file has a ``crs`` member.
    """

    path: Path
    format: Format
    crs: Any = None
    has_crs_member: bool = False


def admit(path: str | Path) -> Admitted:
    """Check that a file is local, exists, and is one of the formats that may be opened.

    Raises:
        PlaceError: ``PLACES_PATH_REFUSED`` for anything that would be taken for a network or
            virtual path or another file; ``PLACES_FILE_MISSING``; ``PLACES_FORMAT_UNSUPPORTED``
            for another format, or content that is not what the suffix says;
            ``PLACES_FILE_UNREADABLE`` for broken JSON.
    """
    resolved = _local(path)
    file_format = SUFFIXES.get(resolved.suffix.lower())
    if file_format is None:
        raise _unsupported(resolved, f"The suffix '{resolved.suffix}' is not a supported format.")
    if file_format is Format.GEOJSON:
        return _admit_geojson(resolved)
    if not _LOOKS_LIKE[file_format](resolved):
        raise _unsupported(resolved, f"The content is not {file_format}.")
    return Admitted(resolved, file_format)


def _local(path: str | Path) -> Path:
    if _NOT_LOCAL.match(str(path)):
        raise PlaceError(
            "PLACES_PATH_REFUSED",
            f"'{path}' is a network, virtual or driver path.",
            do="Download the file and name its local path.",
        )
    resolved = Path(path).resolve()
    if any(char in str(resolved) for char in _REINTERPRETED):
        raise PlaceError(
            "PLACES_PATH_REFUSED",
            "The path has a '!' or ';', which the reader takes for another file.",
            where=str(resolved),
            do="Rename the file or its folder.",
        )
    if not resolved.is_file():
        raise PlaceError(
            "PLACES_FILE_MISSING",
            "There is no such file.",
            where=str(path),
            do="Check the path; a relative path counts from the file that names it.",
        )
    return resolved


def _unsupported(path: Path, what: str) -> PlaceError:
    return PlaceError(
        "PLACES_FORMAT_UNSUPPORTED",
        what,
        where=path.name,
        do=f"Save the places as one of: {', '.join(sorted(SUFFIXES))} "
        "(a Shapefile as .zip with its .shp, .shx, .dbf and .prj).",
    )


def _head(path: Path, size: int) -> bytes:
    with path.open("rb") as file:
        return file.read(size)


def _is_geopackage(path: Path) -> bool:
    head = _head(path, 72)
    return head.startswith(b"SQLite format 3\0") and head[68:72] in _GPKG_APPLICATION_IDS


def _is_zip(path: Path) -> bool:
    return _head(path, 4) == b"PK\x03\x04"


def _is_parquet(path: Path) -> bool:
    return _head(path, 4) == b"PAR1"


def _is_kml(path: Path) -> bool:
    content = path.read_bytes()
    # A document type is where XML hides entities that expand or point elsewhere.
    return bool(_KML_ROOT.search(content[:4096])) and b"<!DOCTYPE" not in content


_LOOKS_LIKE = {
    Format.GEOPACKAGE: _is_geopackage,
    Format.SHAPEFILE: _is_zip,
    Format.GEOPARQUET: _is_parquet,
    Format.KML: _is_kml,
}


def _admit_geojson(path: Path) -> Admitted:
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise PlaceError(
            "PLACES_FILE_UNREADABLE",
            f"The file is not JSON in UTF-8: {error}",
            where=path.name,
            do="Export the file again.",
        ) from error
    if not isinstance(document, dict) or document.get("type") not in _GEOJSON_TYPES:
        raise _unsupported(path, "The JSON is not GeoJSON.")
    return Admitted(path, Format.GEOJSON, document.get("crs"), "crs" in document)
