"""The catalogue of raster sources: packaged files and a user's own, in one form."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from carbon_assets.errors import CatalogueError
from carbon_assets.reference.bands import Band, Key, Uncertainty, absolute
from carbon_assets.reference.packaged import packaged
from carbon_assets.reference.rows import Frozen
from carbon_assets.reference.source_models import SourceVersion
from carbon_assets.reference.tiles import Tiles
from carbon_assets.reference.yaml_files import (
    Location,
    Problem,
    YamlDocument,
    raise_problems,
    read_yaml,
    suggestion,
    validate_model,
)

__all__ = ["Band", "Catalogue", "SourceVersion", "Tiles", "Uncertainty", "load_catalogue"]

_Name = tuple[str, str]
_TIME_AXES = frozenset({"vintages", "years", "epoch"})


class _Extends(Frozen):
    key: Key
    version: Key


class _VersionHead(Frozen):
    version: Key
    extends: _Extends | None = None


class _SourceFile(Frozen):
    key: Key
    family: str | None = None
    title: str | None = None
    licence: str | None = None
    citation: str | None = None
    versions: Annotated[list[dict[str, Any]], Field(min_length=1)]


@dataclass(frozen=True)
class _Entry:
    """A version as written, before what it extends is filled in."""

    document: YamlDocument
    index: int
    head: _VersionHead
    raw: dict[str, Any]

    def problem(self, message: str, *fields: str) -> Problem:
        at: Location = ("versions", self.index, *fields)
        field = ".".join(map(str, at))
        return Problem(str(self.document.path), self.document.line_of(at), field, message)

    def fail(self, message: str, *fields: str) -> None:
        raise_problems(
            [self.problem(message, *fields)], error=CatalogueError, code="CATALOGUE_INVALID"
        )


class Catalogue(Frozen):
    """Every source version that is known.

    Attributes:
        versions: The versions, ordered by key and version.
    """

    versions: tuple[SourceVersion, ...]

    def __iter__(self) -> Iterator[SourceVersion]:  # type: ignore[override]
        return iter(self.versions)

    def get(self, key: str, version: str) -> SourceVersion:
        """Return a source version.

        Raises:
            CatalogueError: ``SOURCE_UNKNOWN``, listing what exists.
        """
        for source in self.versions:
            if (source.key, source.version) == (key, version):
                return source
        of_key = [source.version for source in self.versions if source.key == key]
        if of_key:
            what = f"source {key} has no version {version}{suggestion(version, of_key)}"
        else:
            what = f"no source {key}{suggestion(key, sorted({one.key for one in self.versions}))}"
        raise CatalogueError(
            "SOURCE_UNKNOWN",
            what,
            do=f"Known sources: {'; '.join(source.label for source in self.versions)}.",
            details={"known": [[source.key, source.version] for source in self.versions]},
        )


def load_catalogue(extra: Sequence[Path] = ()) -> Catalogue:
    """Load the packaged source catalogue together with a user's own files.

    Args:
        extra: The user's files. A version may say ``extends: {key: ..., version: ...}``:
            fields that it does not give are inherited, bands merge by name. A band that
            gives its own ``href`` does not inherit ``header_nodata``; a version that gives
            ``vintages``, ``years`` or ``epoch`` inherits none of them.

    Raises:
        CatalogueError: ``CATALOGUE_INVALID``, with one ``file:line field: message`` per
            problem.
    """
    paths = [*sorted(packaged("sources").glob("*.yaml")), *(Path(path) for path in extra)]
    entries = _unique(entry for path in paths for entry in _entries(path))
    problems = [entry.problem("extends in a circle", "extends") for entry in _circular(entries)]
    raise_problems(problems, error=CatalogueError, code="CATALOGUE_INVALID")
    versions = [_validated(entry, entries) for _, entry in sorted(entries.items())]
    return Catalogue(versions=tuple(versions))


@cache
def _packaged_document(path: Path) -> YamlDocument:
    return read_yaml(path)


def _entries(path: Path) -> list[_Entry]:
    document = _packaged_document(path) if path.parent == packaged("sources") else read_yaml(path)
    file = validate_model(document, _SourceFile)
    common = file.model_dump(exclude={"versions"}, exclude_none=True)
    folder = path.resolve().parent
    entries = []
    for index, version in enumerate(file.versions):
        # A version that names a key of its own fails here, as a key belongs to the file.
        picked = {name: version[name] for name in ("key", "version", "extends") if name in version}
        head = validate_model(document, _VersionHead, data=picked, at=("versions", index))
        raw = common | _absolute_hrefs(version, folder)
        raw.pop("extends", None)
        entries.append(_Entry(document, index, head, raw))
    return entries


def _absolute_hrefs(version: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return a version with the paths that it names made absolute."""
    result = dict(version)
    for name in ("legend", "strata"):
        if str(result.get(name) or "").endswith(".csv"):
            result[name] = absolute(result[name], folder)
    if isinstance(result.get("bands"), list):
        result["bands"] = [_absolute_href(band, folder) for band in result["bands"]]
    return result


def _absolute_href(band: Any, folder: Path) -> Any:
    if isinstance(band, dict) and isinstance(band.get("href"), str) and band["href"]:
        return band | {"href": absolute(band["href"], folder)}
    return band


def _unique(entries: Iterable[_Entry]) -> dict[_Name, _Entry]:
    found: dict[_Name, _Entry] = {}
    for entry in entries:
        name = (entry.raw["key"], entry.head.version)
        if name in found:
            other = found[name].problem("")
            first = f"{other.file}:{other.line}"
            entry.fail(f"{name[0]} {name[1]} is defined already, at {first}", "version")
        found[name] = entry
    return found


def _circular(entries: Mapping[_Name, _Entry]) -> Iterator[_Entry]:
    for name, entry in entries.items():
        seen, parent = {name}, _parent(entry, entries)
        while parent is not None and parent not in seen:
            seen.add(parent)
            parent = _parent(entries[parent], entries)
        if parent is not None:
            yield entry


def _parent(entry: _Entry, entries: Mapping[_Name, _Entry]) -> _Name | None:
    extends = entry.head.extends
    if extends is None:
        return None
    name = (extends.key, extends.version)
    if name not in entries:
        known = [" ".join(one) for one in entries]
        entry.fail(f"no source {' '.join(name)}{suggestion(' '.join(name), known)}", "extends")
    return name


def _validated(entry: _Entry, entries: Mapping[_Name, _Entry]) -> SourceVersion:
    return validate_model(
        entry.document, SourceVersion, data=_merged(entry, entries), at=("versions", entry.index)
    )


def _merged(entry: _Entry, entries: Mapping[_Name, _Entry]) -> dict[str, Any]:
    name = _parent(entry, entries)
    if name is None:
        return entry.raw
    inherited = _merged(entries[name], entries)
    if _TIME_AXES & entry.raw.keys():
        inherited = {field: value for field, value in inherited.items() if field not in _TIME_AXES}
    bands = _merged_bands(entry.raw.get("bands"), inherited.get("bands"))
    return inherited | entry.raw | {"bands": bands}


def _merged_bands(own: Any, inherited: Any) -> Any:
    """Merge bands by name; the version's own come first, so that their lines still fit."""
    if own is None or not _named(own) or not _named(inherited):
        return inherited if own is None else own
    by_name = {band["name"]: band for band in inherited}
    merged = [_merged_band(band, by_name.pop(band["name"], {})) for band in own]
    return merged + list(by_name.values())


def _merged_band(own: dict[str, Any], inherited: dict[str, Any]) -> dict[str, Any]:
    # An own copy may be a clip that was given another nodata tag than the publisher's file.
    dropped = {"header_nodata": None} if "href" in own else {}
    return inherited | dropped | own


def _named(bands: Any) -> bool:
    return isinstance(bands, list) and all(
        isinstance(band, dict) and isinstance(band.get("name"), str) for band in bands
    )
