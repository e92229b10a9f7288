"""Importing places: from a vector file to accepted places and coded rejections."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from carbon_assets.errors import PlaceError
from carbon_assets.places.geometry import PlaceGeometry
from carbon_assets.places.labels import key_rejections, label_rejection, text_of
from carbon_assets.places.model import Place, PlaceImport, PlaceKind, Rejection
from carbon_assets.places.projection import Bounds
from carbon_assets.places.reading import VectorLayer, read_layer
from carbon_assets.places.validate import Fault, judge_geometries

Texts = list[str | None]


@dataclass(frozen=True)
class _Labels:
    """Texts per feature, and what holds for all of them."""

    keys: Texts
    names: Texts
    projects: Texts
    kind: PlaceKind
    biome: str | None


def read_places(
    path: str | Path,
    *,
    kind: str,
    key: str,
    name: str | None = None,
    project: str | None = None,
    project_is: str | None = None,
    biome: str | None = None,
    layer: str | None = None,
    repair: bool = False,
    expected_bounds: Bounds | None = None,
) -> PlaceImport:
    """Read, judge and normalise the places in a vector file; nothing is stored.

    Args:
        path: Local GeoPackage, GeoJSON, zipped Shapefile, KML or GeoParquet.
        kind: A value of ``PlaceKind``.
        key: Column with the place's key.
        name: Column with its name; the key is the name where there is none.
        project: Column with the key of its project; an empty value means no project.
        project_is: The project of all places, instead of a column.
        biome: Key of the biome of all places.
        layer: Layer to read where the file has several.
        repair: Repair invalid polygons (stored as such) instead of rejecting them.
        expected_bounds: ``(minx, miny, maxx, maxy)`` in degrees where the places should be, such
            as the extent of the rasters; it serves to notice swapped axes.

    Returns:
        Accepted places and rejections, in file order. A feature with any rejection is not
        accepted.

    Raises:
        PlaceError: When the file as a whole is not usable (see ``read_layer`` and
            ``judge_geometries``), ``PLACES_COLUMN_UNKNOWN``, ``PLACE_KIND_UNKNOWN``, or
            ``PLACES_OPTIONS_CONFLICT`` for both a project column and a fixed project.
    """
    place_kind = PlaceKind.parse(kind)
    if project is not None and project_is is not None:
        raise PlaceError(
            "PLACES_OPTIONS_CONFLICT",
            f"The project is given both as column '{project}' and as '{project_is}'.",
            do="Give one of them.",
        )
    read = read_layer(path, layer)
    labels = _Labels(
        keys=_texts(read, key),
        names=_texts(read, name),
        projects=_texts(read, project, otherwise=project_is),
        kind=place_kind,
        biome=biome,
    )
    verdicts = judge_geometries(read, repair=repair, expected_bounds=expected_bounds)
    rejected = _rejections(read.features, labels, verdicts)
    refused = {rejection.feature for rejection in rejected}
    accepted = [
        _place(read, index, verdict, labels)
        for index, verdict in enumerate(verdicts)
        if isinstance(verdict, PlaceGeometry) and read.features[index] not in refused
    ]
    return PlaceImport(
        source_file=read.file,
        source_crs=read.crs.label,
        transformation=read.crs.transformation(),
        kind=place_kind,
        accepted=tuple(accepted),
        rejected=tuple(rejected),
        warnings=read.warnings,
    )


def _texts(layer: VectorLayer, column: str | None, *, otherwise: str | None = None) -> Texts:
    if column is None:
        return [otherwise] * len(layer.features)
    return [text_of(value) for value in layer.column(column)]


def _place(layer: VectorLayer, index: int, geometry: PlaceGeometry, labels: _Labels) -> Place:
    key = labels.keys[index] or ""
    return Place(
        key=key,
        name=labels.names[index] or key,
        kind=labels.kind,
        project_key=labels.projects[index],
        biome=labels.biome,
        geometry=geometry,
        source_file=layer.file,
        source_crs=layer.crs.label,
        source_feature=layer.features[index],
    )


def _rejections(
    features: Sequence[str], labels: _Labels, verdicts: Sequence[PlaceGeometry | Fault]
) -> list[Rejection]:
    found = chain(
        key_rejections(features, labels.keys),
        _label_rejections(features, labels),
        _geometry_rejections(features, labels.keys, verdicts),
        _duplicate_rejections(features, labels.keys, verdicts),
    )
    position = {feature: index for index, feature in enumerate(features)}
    return sorted(found, key=lambda rejection: position[rejection.feature])


def _label_rejections(features: Sequence[str], labels: _Labels) -> list[Rejection]:
    columns = (("name", labels.names), ("project", labels.projects))
    checked = [
        label_rejection(feature, key, what, value)
        for what, values in columns
        for feature, key, value in zip(features, labels.keys, values, strict=True)
    ]
    return [rejection for rejection in checked if rejection is not None]


def _geometry_rejections(
    features: Sequence[str], keys: Texts, verdicts: Sequence[PlaceGeometry | Fault]
) -> list[Rejection]:
    return [
        Rejection(feature, key, verdict.code, verdict.what, verdict.do)
        for feature, key, verdict in zip(features, keys, verdicts, strict=True)
        if isinstance(verdict, Fault)
    ]


def _duplicate_rejections(
    features: Sequence[str], keys: Texts, verdicts: Sequence[PlaceGeometry | Fault]
) -> list[Rejection]:
    """Reject features with the same stored geometry under different keys.

    All of them, since counting one place twice is as wrong as choosing the wrong key for it.
    """
    holders: dict[str, list[int]] = defaultdict(list)
    for index, verdict in enumerate(verdicts):
        if isinstance(verdict, PlaceGeometry):
            holders[verdict.hash].append(index)
    return [
        Rejection(
            features[index],
            keys[index],
            "GEOMETRY_DUPLICATE",
            f"The same polygon is drawn for {', '.join(_tag(features, keys, i) for i in group)}.",
            "Keep one of these features.",
        )
        for group in holders.values()
        if len({keys[index] for index in group}) > 1
        for index in group
    ]


def _tag(features: Sequence[str], keys: Texts, index: int) -> str:
    return f"feature {features[index]} ({keys[index] or 'no key'})"
