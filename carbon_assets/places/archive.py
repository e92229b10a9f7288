"""Shapefiles inside a zip archive, unpacked with limits before GDAL sees them."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from carbon_assets.errors import PlaceError

MAX_UNPACKED_BYTES = 4 * 1024**3
"""A Shapefile's parts end at 2 GiB each by its format; more is not a Shapefile."""

REQUIRED = (".shp", ".shx", ".dbf")
OPTIONAL = (".prj", ".cpg")


def shapefile_layers(path: Path) -> list[str]:
    """Return the layer names in an archive: each ``.shp`` by its path without the suffix.

    Raises:
        PlaceError: ``PLACES_FILE_UNREADABLE`` when the archive cannot be read.
    """
    with _opened(path) as archive:
        return sorted(_layers(archive))


@contextmanager
def unpacked_shapefile(path: Path, layer: str) -> Iterator[Path]:
    """Give the local path of one layer's ``.shp``, for as long as the context lasts.

    Args:
        path: The archive.
        layer: A name from ``shapefile_layers``.

    Raises:
        PlaceError: ``PLACES_FILE_UNREADABLE`` for a damaged or incomplete layer,
            ``PLACES_ARCHIVE_UNSAFE`` for one that unpacks to more than a Shapefile can be.
    """
    with TemporaryDirectory(prefix="carbon-assets-") as folder:
        with _opened(path) as archive:
            members = _members(archive, layer, path.name)
            for suffix, member in members.items():
                _unpack(archive, member, Path(folder) / f"layer{suffix}")
        yield Path(folder) / "layer.shp"


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise _unreadable(path.name, f"The archive cannot be read: {error}.") from error


def _layers(archive: zipfile.ZipFile) -> list[str]:
    return [
        str(PurePosixPath(name).with_suffix(""))
        for name in archive.namelist()
        if name.lower().endswith(".shp") and not _is_finder_copy(name)
    ]


def _is_finder_copy(name: str) -> bool:
    path = PurePosixPath(name)
    return path.parts[0] == "__MACOSX" or path.name.startswith("._")


def _members(archive: zipfile.ZipFile, layer: str, file: str) -> dict[str, zipfile.ZipInfo]:
    found: dict[str, zipfile.ZipInfo] = {}
    for member in archive.infolist():
        path = PurePosixPath(member.filename)
        suffix = path.suffix.lower()
        if str(path.with_suffix("")) == layer and suffix in REQUIRED + OPTIONAL:
            found[suffix] = member
    missing = [suffix for suffix in REQUIRED if suffix not in found]
    if missing:
        raise _unreadable(file, f"Layer '{layer}' lacks its {', '.join(missing)}.")
    if sum(member.file_size for member in found.values()) > MAX_UNPACKED_BYTES:
        raise PlaceError(
            "PLACES_ARCHIVE_UNSAFE",
            f"Layer '{layer}' unpacks to more than {MAX_UNPACKED_BYTES} bytes.",
            where=file,
            do="Save the places as a GeoPackage.",
        )
    return found


def _unpack(archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> None:
    with archive.open(member) as source, target.open("wb") as sink:
        shutil.copyfileobj(source, sink)


def _unreadable(file: str, what: str) -> PlaceError:
    return PlaceError(
        "PLACES_FILE_UNREADABLE", what, where=file, do="Export the Shapefile again and zip it."
    )
