"""Which computation each partition should rest on now."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select

from carbon_assets.provenance.code import code_hash
from carbon_assets.provenance.fingerprint import InputDocument
from carbon_assets.provenance.graph import FARM_METRICS, GRAPH, Node
from carbon_assets.provenance.probe import numerics_probe
from carbon_assets.provenance.world import CompanyWorld, Place, land_cover_legend
from carbon_assets.reference.documents import as_document
from carbon_assets.reference.metric_types import load_metric_types
from carbon_assets.runners.declaration import Runner
from carbon_assets.store.copying import copy_new_rows
from carbon_assets.store.models import AssetKey, PartitionInputs
from carbon_assets.store.queries import among

COMPUTE = "carbon_assets.runners.compute"
PLACEMENT = "carbon_assets.rasters.header"
"""Puts a file on its lattice, before a runner sees it."""
DERIVE = "carbon_assets.metrics.derive"


@dataclass
class Expectation:
    """Input documents of every partition that should exist.

    Places of one zone have the same vintages and differ by polygon only, so the number of
    documents grows with assets × vintages × zones, not with places.

    Attributes:
        places: (asset key, place) → zone number.
        documents: (asset key, zone number, vintage) → input document.
        described: Zones whose documents are there.
    """

    places: dict[tuple[str, int], int] = field(default_factory=dict)
    documents: dict[tuple[str, int, int], InputDocument] = field(default_factory=dict)
    described: set[int] = field(default_factory=set)
    _zones: dict[Hashable, int] = field(default_factory=dict)

    def document(self, asset: str, place_id: int, vintage: int) -> InputDocument | None:
        """Input document of a partition, or None if it should not exist."""
        zone = self.places.get((asset, place_id))
        return None if zone is None else self.documents.get((asset, zone, vintage))

    def zone_number(self, *identity: Hashable) -> int:
        """Small number of a zone."""
        return self._zones.setdefault(identity, len(self._zones))


def expect(
    worlds: Iterable[CompanyWorld],
    *,
    assets: Iterable[str] | None = None,
    places: Iterable[int] | None = None,
) -> Expectation:
    """Work out what every partition, or those of some assets and places, should rest on."""
    wanted_assets = None if assets is None else set(assets)
    wanted_places = None if places is None else sorted(set(places))
    chosen = [node for node in GRAPH if wanted_assets is None or node.key in wanted_assets]
    expectation = Expectation()
    for world in worlds:
        numbers = world.places if wanted_places is None else wanted_places
        for node in chosen:
            if world.computes(node.key):
                for number in numbers:
                    if number in world.places:
                        _expect(expectation, world, world.places[number], node)
    return expectation


def _expect(expectation: Expectation, world: CompanyWorld, place: Place, node: Node) -> None:
    zone = expectation.zone_number(world.id, node.key, place.vintages, _kind(world, place, node))
    expectation.places[node.key, place.id] = zone
    if zone not in expectation.described:
        expectation.described.add(zone)
        for vintage in place.vintages:
            document = InputDocument(node.key, _document(world, place, node, vintage))
            expectation.documents[node.key, zone, vintage] = document


def _kind(world: CompanyWorld, place: Place, node: Node) -> Hashable:
    """What of a place, besides polygon and vintages, an asset's numbers depend on."""
    if node.key == FARM_METRICS:
        return place.metrics
    return world.runners[node.key].zone(place.setting, place.bounds)


def _document(world: CompanyWorld, place: Place, node: Node, vintage: int) -> dict[str, Any]:
    if node.key == FARM_METRICS:
        return {
            "vintage": vintage,
            "rasters": {},
            "reference": {"legend": as_document(land_cover_legend(world)), "units": _units()},
            "parameters": place.metrics.as_document(),
            "code": code_hash(DERIVE),
            "numerics": None,
        }
    bound = world.runners[node.key]
    return {
        **bound.document(vintage, bound.zone(place.setting, place.bounds)),
        "code": code_of(bound.runner),
        "numerics": numerics_probe(),
    }


def _units() -> dict[str, str]:
    """Unit in which each metric is stored."""
    return {code: metric.unit for code, metric in load_metric_types().items()}


def code_of(runner: Runner) -> str:
    """Hash of the code that makes a runner's receipts."""
    return code_hash(COMPUTE, PLACEMENT, runner.module)


def asset_ids(connection: Connection, keys: Iterable[str]) -> dict[str, int]:
    """Numbers of assets by key, given out on first use."""
    wanted = sorted(set(keys))
    query = select(AssetKey.key, AssetKey.id).where(among(AssetKey.key, wanted))
    known = {row.key: row.id for row in connection.execute(query)}
    if len(known) < len(wanted):
        copy_new_rows(connection, AssetKey, ["key"], [(key,) for key in wanted if key not in known])
        known = {row.key: row.id for row in connection.execute(query)}
    return known


def inputs_ids(connection: Connection, documents: Iterable[InputDocument]) -> dict[bytes, int]:
    """Row numbers of input documents that were used before, by digest."""
    query = select(PartitionInputs.digest, PartitionInputs.id).where(
        among(PartitionInputs.digest, [one.digest for one in documents])
    )
    return {bytes(row.digest): row.id for row in connection.execute(query)}


def intern_inputs(
    connection: Connection, documents: Mapping[bytes, InputDocument]
) -> dict[bytes, int]:
    """Row numbers of input documents by digest; new ones are stored."""
    known = inputs_ids(connection, documents.values())
    missing = {digest: one for digest, one in documents.items() if digest not in known}
    if missing:
        rows = [(digest, one.stored) for digest, one in missing.items()]
        copy_new_rows(connection, PartitionInputs, ["digest", "document"], rows)
        known = inputs_ids(connection, documents.values())
    return known
