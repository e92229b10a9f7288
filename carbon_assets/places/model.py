"""What an import of places gives: places, rejections, and the file they came from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from carbon_assets.errors import PlaceError
from carbon_assets.places.geometry import PlaceGeometry

REJECTIONS_SHOWN = 10
"""Rejections spelled out in the text of an error; its details list all of them."""


class PlaceKind(StrEnum):
    """What a polygon stands for."""

    FARM = "farm"
    PROJECT_BOUNDARY = "project_boundary"
    LEAKAGE_BELT = "leakage_belt"
    REFERENCE_REGION = "reference_region"
    JURISDICTION = "jurisdiction"

    @classmethod
    def parse(cls, text: str) -> PlaceKind:
        """Return the kind with this name.

        Raises:
            PlaceError: ``PLACE_KIND_UNKNOWN``.
        """
        try:
            return cls(text)
        except ValueError:
            raise PlaceError(
                "PLACE_KIND_UNKNOWN",
                f"'{text}' is not a kind of place.",
                do=f"Use one of: {', '.join(cls)}.",
            ) from None


@dataclass(frozen=True)
class Place:
    """One accepted feature.

    Attributes:
        key: The user's own key, unique per kind (Unicode NFC).
        name: Name for people; the key where the file has none.
        kind: What the polygon stands for.
        project_key: Key of the project it belongs to, if any.
        biome: Key of the biome given for the import, if any.
        geometry: The polygon in its stored form.
        source_file: Name of the file, without its folder.
        source_crs: Coordinate system of the file, ``EPSG:4674`` or WKT where it has no code.
        source_feature: Feature id (row number for GeoParquet) in the file.
    """

    key: str
    name: str
    kind: PlaceKind
    project_key: str | None
    biome: str | None
    geometry: PlaceGeometry
    source_file: str
    source_crs: str
    source_feature: str


@dataclass(frozen=True)
class Rejection:
    """One reason why one feature was not accepted.

    Attributes:
        feature: Feature id (row number for GeoParquet) in the file.
        key: The feature's key as far as it could be read.
        code: Stable upper-snake-case reason.
        what: What is wrong, with the offending values.
        do: What to do about it.
    """

    feature: str
    key: str | None
    code: str
    what: str
    do: str

    def as_dict(self) -> dict[str, Any]:
        """Return the rejection as a JSON-ready mapping."""
        return {
            "feature": self.feature,
            "key": self.key,
            "code": self.code,
            "what": self.what,
            "do": self.do,
        }

    def __str__(self) -> str:
        label = f"feature {self.feature}" + (f" ({self.key})" if self.key else "")
        return f"{label}: {self.code}: {self.what}"


@dataclass(frozen=True)
class PlaceImport:
    """The outcome of reading one file.

    Attributes:
        source_file: Name of the file, without its folder.
        source_crs: Coordinate system of the file.
        transformation: How its coordinates became longitude and latitude, accuracy included,
            in PROJ's words; null where they already were.
        kind: Kind of all places in it.
        accepted: Good features in file order.
        rejected: Reasons against the others in file order; one feature may have several.
        warnings: What the format's reader remarked.
    """

    source_file: str
    source_crs: str
    transformation: str | None
    kind: PlaceKind
    accepted: tuple[Place, ...]
    rejected: tuple[Rejection, ...]
    warnings: tuple[str, ...] = ()

    def raise_if_rejected(self) -> None:
        """Refuse the whole file if any feature was rejected.

        Raises:
            PlaceError: ``PLACES_REJECTED``; its text names the first rejections, its details
                all of them.
        """
        if not self.rejected:
            return
        features = len({rejection.feature for rejection in self.rejected})
        shown = [f"\n    {rejection}" for rejection in self.rejected[:REJECTIONS_SHOWN]]
        if more := len(self.rejected) - REJECTIONS_SHOWN:
            shown += [f"\n    … and {more} more"] if more > 0 else []
        raise PlaceError(
            "PLACES_REJECTED",
            f"{features} of {features + len(self.accepted)} features are not usable:"
            + "".join(shown),
            where=self.source_file,
            do=_advice(self.rejected),
            details={"rejected": [rejection.as_dict() for rejection in self.rejected]},
        )


def _advice(rejected: tuple[Rejection, ...]) -> str:
    distinct = dict.fromkeys(rejection.do for rejection in rejected)
    return " ".join(list(distinct)[:3]) + " Nothing was imported."
