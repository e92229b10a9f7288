"""Registering rasters: every file is opened, checked against the catalogue, and hashed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects.postgresql import insert

from carbon_assets.errors import CatalogueError
from carbon_assets.intake.files import File, current_file
from carbon_assets.rasters.registered import Bounds, RegisteredSource, SourceFile
from carbon_assets.reference.catalogue import Band, SourceVersion
from carbon_assets.store.models import RasterDataSource, SourceBinding


@dataclass(frozen=True)
class Binding:
    """Which source version feeds a slot, with the addresses of its files filled in."""

    slot: str
    version: SourceVersion


def register(
    connection: Connection,
    company_id: int,
    bindings: Sequence[Binding],
    vintages: Iterable[int],
    bounds: Sequence[Bounds],
) -> dict[str, RegisteredSource]:
    """Register the sources of a company in the caller's transaction.

    Args:
        connection: An open transaction.
        company_id: Tenant.
        bindings: What feeds each slot.
        vintages: Vintages that must be there.
        bounds: Bounds of the places, to know which tiles are needed.

    Raises:
        CatalogueError: ``SOURCE_REDEFINED`` if a version says something else than when it was
            first registered, ``VINTAGE_UNAVAILABLE``.
        RasterError: ``RASTER_MISSING``, ``RASTER_UNREADABLE``, ``RASTER_TRUNCATED``,
            ``HEADER_MISMATCH``, ``UNKNOWN_CLASS``.
    """
    found = {}
    for binding in bindings:
        version = binding.version
        source_id = _save_version(connection, version)
        files = tuple(_files(connection, source_id, version, vintages, bounds))
        _save_binding(connection, company_id, binding, source_id, manifest_hash(files))
        found[binding.slot] = RegisteredSource(source_id, version, files)
    return found


def _save_binding(
    connection: Connection, company_id: int, binding: Binding, source_id: int, manifest: str
) -> None:
    """Store a binding and the manifest, unless they are stored already: to look is not to write."""
    hrefs = {band.name: band.href for band in binding.version.bands}
    values = {"raster_source_id": source_id, "hrefs": hrefs, "manifest_hash": manifest}
    columns = (SourceBinding.raster_source_id, SourceBinding.hrefs, SourceBinding.manifest_hash)
    saved = connection.execute(
        select(*columns).where(
            SourceBinding.company_id == company_id, SourceBinding.slot == binding.slot
        )
    ).one_or_none()
    if saved is not None and tuple(saved) == tuple(values.values()):
        return
    row = insert(SourceBinding).values(company_id=company_id, slot=binding.slot, **values)
    connection.execute(
        row.on_conflict_do_update(index_elements=["company_id", "slot"], set_=values)
    )
    connection.execute(
        update(RasterDataSource)
        .where(RasterDataSource.id == source_id)
        .where(RasterDataSource.manifest_hash != manifest)
        .values(manifest_hash=manifest)
    )


def bound_sources(connection: Connection, company_id: int) -> list[Binding]:
    """Return a company's bindings as they were last registered."""
    rows = connection.execute(
        select(SourceBinding.slot, SourceBinding.hrefs, RasterDataSource.catalogue)
        .join(RasterDataSource, RasterDataSource.id == SourceBinding.raster_source_id)
        .where(SourceBinding.company_id == company_id)
        .order_by(SourceBinding.slot)
    )
    return [Binding(row.slot, _with_hrefs(row.catalogue, row.hrefs)) for row in rows]


def _with_hrefs(catalogue: Mapping[str, Any], hrefs: Mapping[str, str]) -> SourceVersion:
    bands = [{**band, "href": hrefs[band["name"]]} for band in catalogue["bands"]]
    return SourceVersion.model_validate({**catalogue, "bands": bands})


def _files(
    connection: Connection,
    source_id: int,
    version: SourceVersion,
    vintages: Iterable[int],
    bounds: Sequence[Bounds],
) -> Iterator[SourceFile]:
    for wanted in wanted_files(version, vintages, bounds):
        file = File(source_id, version, wanted.band, wanted.vintage, wanted.tile)
        registered = current_file(connection, file, wanted.href)
        yield SourceFile(wanted.band.name, wanted.year, wanted.tile, registered)


@dataclass(frozen=True)
class WantedFile:
    """A file that a source must have.

    Attributes:
        band: Band it holds.
        year: Year that it describes: the epoch of a static product.
        vintage: The same, or None for a static product.
        tile: Tile, or None.
        href: Its address.
    """

    band: Band
    year: int
    vintage: int | None
    tile: str | None
    href: str


def wanted_files(
    version: SourceVersion, vintages: Iterable[int], bounds: Iterable[Bounds]
) -> Iterator[WantedFile]:
    """Yield the files that a source must have for some vintages and places.

    Raises:
        CatalogueError: ``VINTAGE_UNAVAILABLE``, ``HREF_MISSING``.
    """
    years = sorted({version.vintage_for(vintage) for vintage in vintages})
    tiles: list[str | None] = [None]
    if version.tiles:
        tiles = [*sorted({tile for box in bounds for tile in version.tiles_for_bounds(*box)})]
    for band in version.bands:
        for year in years:
            for tile in tiles:
                href = version.href(band.name, year, tile)
                yield WantedFile(band, year, None if version.epoch else year, tile, href)


def manifest_hash(files: Iterable[SourceFile]) -> str:
    """``sha256:…`` over the contents of a source's files: its data version in Dagster."""
    lines = sorted(f"{f.band} {f.year} {f.tile} {f.file.content_hash}" for f in files)
    return f"sha256:{hashlib.sha256(chr(10).join(lines).encode()).hexdigest()}"


_WORDING = {"title", "licence", "citation", "facts"}
"""What may be reworded without making another version."""


def _save_version(connection: Connection, version: SourceVersion) -> int:
    saved = _saved_version(connection, version)
    if saved is None:
        _insert_version(connection, version)
        saved = _saved_version(connection, version)
    if saved is None:
        raise LookupError(f"{version.label} was not registered")
    _require_same(version, _document(SourceVersion.model_validate(saved.catalogue)))
    return int(saved.id)


def _saved_version(connection: Connection, version: SourceVersion) -> Any:
    return connection.execute(
        select(RasterDataSource.id, RasterDataSource.catalogue).where(
            RasterDataSource.key == version.key, RasterDataSource.version == version.version
        )
    ).one_or_none()


def _insert_version(connection: Connection, version: SourceVersion) -> None:
    address = version.bands[0].href or ""
    row = insert(RasterDataSource).values(
        key=version.key,
        version=version.version,
        family=version.family,
        title=version.title,
        quantity_kind=version.quantity,
        storage_tier=_tier(address),
        uri_pattern=address,
        manifest_hash=manifest_hash([]),
        catalogue=_document(version),
        licence=version.licence,
        citation=version.citation,
        epoch=version.epoch,
    )
    connection.execute(row.on_conflict_do_nothing(index_elements=["key", "version"]))


def _document(version: SourceVersion) -> dict[str, Any]:
    """Catalogue entry without what belongs to a binding: addresses, and the tag in the header.

    An own copy of a band may carry another nodata tag than the publisher's file.
    """
    document = version.model_dump(mode="json")
    blank = {"href": None, "header_nodata": None}
    document["bands"] = [{**band, **blank} for band in document["bands"]]
    return document


def _require_same(version: SourceVersion, saved: dict[str, Any]) -> None:
    given = _document(version)
    changed = sorted(name for name in given.keys() - _WORDING if given[name] != saved.get(name))
    if changed:
        raise CatalogueError(
            "SOURCE_REDEFINED",
            f"{version.label} was registered before with another {', '.join(changed)}",
            do="a registered version never changes: give the corrected entry a new version",
            details={"fields": changed},
        )


def _tier(href: str) -> str:
    scheme = href.split("://", 1)[0] if "://" in href else "local"
    return {"http": "https"}.get(scheme, scheme)
