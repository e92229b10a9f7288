"""From a file's coordinate system to longitude and latitude."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError, ProjError

from carbon_assets.errors import PlaceError
from carbon_assets.places.door import Admitted

Bounds = tuple[float, float, float, float]
"""``(minx, miny, maxx, maxy)`` in degrees, longitude first."""

_LONLAT = ("EPSG:4326", "OGC:CRS84")
_CRS_NAME = re.compile(r"^(EPSG:|OGC:|urn:ogc:def:crs:|https?://www\.opengis\.net/def/crs/)", re.I)


@dataclass(frozen=True)
class SourceCrs:
    """The coordinate system of a file.

    Attributes:
        crs: Its horizontal part.
    """

    crs: CRS

    @classmethod
    def parse(cls, definition: Any, file: str) -> SourceCrs:
        """Read a coordinate system in any form pyproj knows; nothing is fetched for it.

        Raises:
            PlaceError: ``PLACE_CRS_MISSING`` for null, ``PLACE_CRS_UNSUPPORTED`` for one that
                cannot be read or has no relation to the Earth.
        """
        if definition is None:
            raise PlaceError(
                "PLACE_CRS_MISSING",
                "The file does not say in which coordinate system it is.",
                where=file,
                do="Assign the coordinate system in a GIS and save again; it is never guessed.",
            )
        try:
            crs = CRS.from_user_input(definition).to_2d()
        except CRSError as error:
            raise _unsupported(file, f"The coordinate system cannot be read: {error}") from error
        if not (crs.is_geographic or crs.is_projected):
            raise _unsupported(file, f"'{crs.name}' is not a geographic or projected system.")
        return cls(crs)

    @cached_property
    def label(self) -> str:
        """The authority code, such as ``EPSG:4674``, or WKT where there is none."""
        authority = self.crs.to_authority(min_confidence=100)
        return ":".join(authority) if authority else str(self.crs.to_wkt())

    @cached_property
    def is_lonlat(self) -> bool:
        """Whether coordinates are WGS84 longitude and latitude already."""
        return self.label in _LONLAT

    @property
    def area_of_use(self) -> Bounds | None:
        """Where on the Earth the system applies, when that is stated and is not all of it."""
        area = self.crs.area_of_use
        if area is None or area.west >= area.east:
            return None
        whole = area.east - area.west >= 360 and area.north - area.south >= 180
        return None if whole else (area.west, area.south, area.east, area.north)

    @cached_property
    def _transformer(self) -> Transformer:
        return Transformer.from_crs(self.crs, "EPSG:4326", always_xy=True, allow_ballpark=False)

    def to_lonlat(
        self, geometries: NDArray[np.object_], *, swap_axes: bool = False
    ) -> NDArray[np.object_]:
        """Transform the vertices of geometries; edges stay straight between them.

        Args:
            geometries: shapely geometries (or None) in this system, x first.
            swap_axes: Take the first coordinate for y and the second for x.

        Returns:
            2-D geometries in degrees, longitude first. A vertex without an image is infinite.

        Raises:
            PlaceError: ``PLACE_CRS_UNSUPPORTED`` when no known operation leads to WGS84.
        """

        def image(xy: NDArray[np.float64]) -> NDArray[np.float64]:
            x, y = (xy[:, 1], xy[:, 0]) if swap_axes else (xy[:, 0], xy[:, 1])
            if self.is_lonlat or not len(xy):
                return np.column_stack([x, y])
            return np.column_stack(self._transformer.transform(x, y))

        try:
            moved: NDArray[np.object_] = shapely.transform(shapely.force_2d(geometries), image)
        except ProjError as error:
            raise _unsupported(
                "", f"No operation is known from '{self.crs.name}' to WGS84: {error}"
            ) from error
        return moved

    def transformation(self) -> str | None:
        """Describe the operation used last, in PROJ's words; null where none was needed."""
        if self.is_lonlat:
            return None
        used = self._transformer
        # Where several operations compete, each point takes the best; else there is only one.
        with suppress(ProjError):
            used = used.get_last_used_operation()
        accuracy = f"{used.accuracy:g} m" if used.accuracy >= 0 else "not stated"
        return f"{used.description} (accuracy {accuracy}; PROJ {used.definition})"


def _unsupported(file: str, what: str) -> PlaceError:
    return PlaceError(
        "PLACE_CRS_UNSUPPORTED",
        what,
        where=file or None,
        do="Reproject to EPSG:4326 in a GIS, where you choose the transformation.",
    )


def geojson_crs(admitted: Admitted) -> str | None:
    """Return the coordinate system of a GeoJSON file.

    RFC 7946 fixes longitude and latitude on WGS84; the ``crs`` member of the 2008 format is
    honoured where a file still has it. Its null means that none may be assumed, and its link
    form is refused, because following it would fetch something.

    Returns:
        A name for ``SourceCrs.parse``, or None where the file says that there is none.

    Raises:
        PlaceError: ``PLACE_CRS_UNSUPPORTED``.
    """
    if not admitted.has_crs_member:
        return "EPSG:4326"
    if admitted.crs is None:
        return None
    member = admitted.crs if isinstance(admitted.crs, dict) else {}
    properties = member.get("properties")
    name = properties.get("name") if isinstance(properties, dict) else None
    if member.get("type") != "name" or not isinstance(name, str) or not _CRS_NAME.match(name):
        raise _unsupported(
            admitted.path.name, f"The 'crs' member {admitted.crs!r} is not a name of a system."
        )
    return name
