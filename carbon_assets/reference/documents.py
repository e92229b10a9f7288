"""Reference data as it enters a fingerprint: what can change a number, and nothing else.

A document is JSON-ready and holds no path, address, title or citation: correcting the
wording of a source leaves every fingerprint as it was.
"""

from __future__ import annotations

from functools import singledispatch
from typing import Any

from carbon_assets.reference.bands import Band
from carbon_assets.reference.biomes import Biome, RootToShoot
from carbon_assets.reference.change_legend import ChangeLegend
from carbon_assets.reference.legend import Legend
from carbon_assets.reference.metric_types import MetricType
from carbon_assets.reference.source_models import SourceVersion
from carbon_assets.reference.strata_map import StrataMap

Document = dict[str, Any]


@singledispatch
def as_document(item: object) -> Document:
    """Return the part of a reference record that can change a number.

    Args:
        item: A ``SourceVersion``, ``Band``, ``Legend``, ``ChangeLegend``, ``StrataMap``, ``Biome``,
            ``RootToShoot`` or ``MetricType``.

    Raises:
        TypeError: For anything else.
    """
    raise TypeError(f"no reference document for {type(item).__name__}")


@as_document.register
def _source(item: SourceVersion) -> Document:
    return {
        "key": item.key,
        "version": item.version,
        "quantity": item.quantity,
        "epoch": item.epoch,
        "bands": {band.name: as_document(band) for band in item.bands},
    }


@as_document.register
def _band(item: Band) -> Document:
    return {
        "index": item.index,
        "pool": item.pool,
        "unit": item.unit,
        "nodata": sorted(set(item.nodata)),
        "scale": item.scale,
        "offset": item.offset,
        "uncertainty": item.uncertainty.model_dump() if item.uncertainty else None,
    }


@as_document.register
def _legend(item: Legend) -> Document:
    classes = sorted(item.classes, key=lambda one: one.id)
    fields = {"id", "parent", "group", "observed"}
    return {"name": item.name, "classes": [one.model_dump(include=fields) for one in classes]}


@as_document.register
def _changes(item: ChangeLegend) -> Document:
    classes = sorted(item.classes, key=lambda one: one.id)
    fields = {"id", "event", "year", "forest"}
    return {"name": item.name, "classes": [one.model_dump(include=fields) for one in classes]}


@as_document.register
def _strata(item: StrataMap) -> Document:
    rows = sorted(item.rows, key=lambda row: row.id)
    return {"name": item.name, "classes": [{"id": row.id, **row.terms} for row in rows]}


@as_document.register
def _biome(item: Biome) -> Document:
    return {"key": item.key, "carbon_fraction": item.carbon_fraction}


@as_document.register
def _root_to_shoot(item: RootToShoot) -> Document:
    return item.model_dump(exclude={"zone", "continent", "origin", "source", "confidence"})


@as_document.register
def _metric(item: MetricType) -> Document:
    return {"code": item.code, "unit": item.unit, "kind": item.kind}
