"""Registering rasters: every file is opened, checked against the catalogue, and hashed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects.postgresql import insert

from carbon_assets.errors import CatalogueError
from carbon_assets.intake.contents import look
from carbon_assets.intake.files import File, current_file
from carbon_assets.rasters.addresses import require_address
from carbon_assets.rasters.registered import Bounds, RegisteredSource, SourceFile
from carbon_assets.rasters.remote.transfer import Progress
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
    *,
    progress: Progress | None = None,
) -> dict[str, RegisteredSource]:
    """Register the sources of a company in the caller's transaction.

    Args:
        connection: An open transaction.
        company_id: Tenant.
        bindings: What feeds each slot.
        vintages: Vintages that must be there.
        bounds: Bounds of the places, to know which tiles are needed.
        progress: Told how much of a remote file has been read.

    Raises:
        CatalogueError: ``SOURCE_REDEFINED`` if a version says something else than when it was
            first registered, ``VINTAGE_UNAVAILABLE``.
        RasterError: As :func:`carbon_assets.intake.files.current_file`.
    """
    found = {}
    for binding in bindings:
        version = binding.version
        require_addresses(version)
        source_id = _save_version(connection, version)
        files = tuple(_files(connection, source_id, version, vintages, bounds, progress))
        _save_binding(connection, company_id, binding, source_id, manifest_hash(files))
        found[binding.slot] = RegisteredSource(source_id, version, files)
    return found


def require_addresses(version: SourceVersion) -> None:
    """Refuse a version whose addresses may not be used, whichever year or tile is filled in.

    Raises:
        RasterError: As :func:`carbon_assets.rasters.addresses.require_address`.
    """
    for band in version.bands:
        if band.href is not None:
            require_address(band.href.replace("{vintage}", "2000").replace("{tile}", "tile"))


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
    for changed in {source_id} | ({saved.raster_source_id} if saved is not None else set()):
        _renew_manifest(connection, changed)


def renew_binding(connection: Connection, company_id: int, slot: str, manifest: str) -> None:
    """Store the manifest of a binding whose files are others now."""
    renewed = connection.execute(
        update(SourceBinding)
        .where(SourceBinding.company_id == company_id, SourceBinding.slot == slot)
        .where(SourceBinding.manifest_hash != manifest)
        .values(manifest_hash=manifest)
        .returning(SourceBinding.raster_source_id)
    )
    for source_id in renewed.scalars().all():
        _renew_manifest(connection, source_id)


def _renew_manifest(connection: Connection, source_id: int) -> None:
    """Store what all bindings of a source together hold: one manifest, or a hash of several."""
    manifests = connection.execute(
        select(SourceBinding.manifest_hash)
        .where(SourceBinding.raster_source_id == source_id)
        .distinct()
        .order_by(SourceBinding.manifest_hash)
    )
    held = list(manifests.scalars().all())
    if held:
        manifest = held[0] if len(held) == 1 else _hash_of(held)
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
    progress: Progress | None,
) -> Iterator[SourceFile]:
    wanted = list(wanted_files(version, vintages, bounds))
    looks = look(connection, (one.href for one in wanted))
    for one in wanted:
        file = File(source_id, version, one.band, one.vintage, one.tile)
        registered = current_file(connection, file, one.href, looks=looks, progress=progress)
        yield SourceFile(one.band.name, one.year, one.tile, registered)


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
    return manifest_of((f.band, f.year, f.tile, f.file.content_hash) for f in files)


def manifest_of(files: Iterable[tuple[str, int, str | None, str]]) -> str:
    """The same, of band, year, tile and content hash of each file."""
    return _hash_of(sorted(" ".join(map(str, file)) for file in files))


def _hash_of(lines: Iterable[str]) -> str:
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
