"""What a raster's header says, and whether that is what the catalogue says."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pyproj import CRS

from carbon_assets.errors import RasterError
from carbon_assets.science.zonal.grid import Lattice, Window

if TYPE_CHECKING:
    from rasterio.io import DatasetReader

    from carbon_assets.reference.catalogue import Band, SourceVersion

MAX_DRIFT_CELLS = 1e-3
"""How far the file's own cell size may lead away from the catalogue's over its whole extent."""


@dataclass(frozen=True)
class Header:
    """Header facts of one band of one file."""

    crs: str
    width: int
    height: int
    cell_width: float
    cell_height: float
    left: float
    top: float
    count: int
    dtype: str
    nodata: float | None
    scale: float
    offset: float
    block_height: int
    block_width: int

    def as_document(self) -> dict[str, Any]:
        """JSON-ready mapping; NaN nodata becomes the string ``nan``."""
        document = asdict(self)
        if self.nodata is not None and math.isnan(self.nodata):
            document["nodata"] = "nan"
        return document

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Header:
        """Inverse of :meth:`as_document`."""
        nodata = document["nodata"]
        return cls(**{**document, "nodata": None if nodata is None else float(nodata)})

    def lattice(self, source: SourceVersion) -> Lattice:
        """Lattice of the file: its origin, and the catalogue's cell size where it states one."""
        width, height = source.resolution or (self.cell_width, self.cell_height)
        x, y = source.origin or (self.left, self.top)
        return Lattice.from_origin(self.crs, width, height, x, y)

    def window(self, lattice: Lattice) -> Window:
        """The file's place on its lattice."""
        return lattice.window_at(self.left, self.top, self.height, self.width)


def read_header(dataset: DatasetReader, index: int, href: str) -> Header:
    """Read the header facts of one band.

    Raises:
        RasterError: ``HEADER_MISMATCH`` for a missing CRS, a rotated or south-up grid, or a
            band number that the file does not have.
    """
    if dataset.crs is None:
        raise mismatch(href, "crs", "none", "a coordinate reference system")
    transform = dataset.transform
    if transform.b or transform.d or transform.a <= 0 or transform.e >= 0:
        raise mismatch(href, "transform", str(tuple(transform)[:6]), "a north-up grid")
    if not 1 <= index <= dataset.count:
        raise mismatch(href, "bands", str(dataset.count), f"at least {index}")
    at = index - 1
    block_height, block_width = dataset.block_shapes[at]
    return Header(
        crs=_crs_name(dataset.crs.to_wkt()),
        width=dataset.width,
        height=dataset.height,
        cell_width=transform.a,
        cell_height=-transform.e,
        left=transform.c,
        top=transform.f,
        count=dataset.count,
        dtype=dataset.dtypes[at],
        nodata=dataset.nodatavals[at],
        scale=dataset.scales[at],
        offset=dataset.offsets[at],
        block_height=block_height,
        block_width=block_width,
    )


def _crs_name(wkt: str) -> str:
    crs = CRS.from_wkt(wkt)
    authority = crs.to_authority(min_confidence=100)
    return ":".join(authority) if authority else crs.to_wkt()


def check_header(header: Header, source: SourceVersion, band: Band, href: str) -> None:
    """Compare a header with what the catalogue asserts.

    Raises:
        RasterError: ``HEADER_MISMATCH`` that names the field, the header's value and the
            catalogue's.
    """
    if source.crs and not CRS.from_user_input(source.crs).equals(CRS.from_user_input(header.crs)):
        raise mismatch(href, "crs", header.crs, source.crs)
    if source.resolution:
        _check_resolution(header, source.resolution, href)
    if source.origin:
        _check_origin(header, source, href)
    _check_dtype(header, source, band, href)
    if not _nodata_fits(header.nodata, band.header_nodata):
        raise mismatch(href, "nodata", str(header.nodata), str(band.header_nodata))
    for field in ("scale", "offset"):
        stated, found = getattr(band, field), getattr(header, field)
        if found not in (stated, {"scale": 1.0, "offset": 0.0}[field]):
            raise mismatch(href, field, str(found), str(stated))


def _check_dtype(header: Header, source: SourceVersion, band: Band, href: str) -> None:
    if band.dtype and header.dtype != band.dtype:
        raise mismatch(href, "dtype", header.dtype, band.dtype)
    if source.quantity == "class_map" and "int" not in header.dtype:
        raise mismatch(href, "dtype", header.dtype, "a class map: whole numbers")


def _nodata_fits(found: float | None, stated: float | str | None) -> bool:
    """Whether a header's nodata tag is the asserted one; None asserts nothing."""
    if stated is None:
        return True
    if stated == "none":
        return found is None
    if found is None or math.isnan(found):
        return found is not None and math.isnan(float(stated))
    return found == stated


def _check_resolution(header: Header, resolution: tuple[float, float], href: str) -> None:
    found = (header.cell_width, header.cell_height)
    for ours, stated, cells in zip(found, resolution, (header.width, header.height), strict=True):
        if abs(ours - stated) / stated * cells > MAX_DRIFT_CELLS:
            raise mismatch(href, "resolution", str(found), str(tuple(resolution)))


def _check_origin(header: Header, source: SourceVersion, href: str) -> None:
    lattice = header.lattice(source)
    for cells in (lattice.columns(header.left), lattice.rows(header.top)):
        if abs(float(cells) - round(float(cells))) > MAX_DRIFT_CELLS:
            raise mismatch(href, "origin", f"({header.left}, {header.top})", str(source.origin))


def mismatch(href: str, field: str, found: str, stated: str) -> RasterError:
    """Describe a difference between a raster's header and its catalogue entry."""
    return RasterError(
        "HEADER_MISMATCH",
        f"the header's {field} is {found}; the catalogue says {stated}",
        where=href,
        do=f"use the raster that the catalogue describes, or correct `{field}` in the catalogue",
        details={"field": field, "header": found, "catalogue": stated},
    )
