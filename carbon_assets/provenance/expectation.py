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
from carbon_assets.runners.declaration import Runner
from carbon_assets.store.copying import copy_new_rows
from carbon_assets.store.models import AssetKey, PartitionInputs

COMPUTE = "carbon_assets.runners.compute"
DERIVE = "carbon_assets.metrics.derive"


@dataclass
class Expectation:
    """Input documents of every partition that should exist.

    Partitions of one zone differ by polygon only, so the number of documents grows with
    assets × vintages × zones, not with places.

    Attributes:
        places: (asset key, place) → zone number.
        documents: (asset key, zone number, vintage) → input document.
    """

    places: dict[tuple[str, int], int] = field(default_factory=dict)
    documents: dict[tuple[str, int, int], InputDocument] = field(default_factory=dict)
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
    wanted = None if places is None else set(places)
    chosen = [node for node in GRAPH if assets is None or node.key in set(assets)]
    expectation = Expectation()
    for world in worlds:
        for place in world.places.values():
            if wanted is None or place.id in wanted:
                for node in chosen:
                    _expect(expectation, world, place, node)
    return expectation


def _expect(expectation: Expectation, world: CompanyWorld, place: Place, node: Node) -> None:
    if node.key == FARM_METRICS:
        if land_cover_legend(world) is None:
            return
        zone = expectation.zone_number(world.id, node.key, place.metrics)
    elif node.key in world.runners:
        bound_zone = world.runners[node.key].zone(place.setting, place.bounds)
        zone = expectation.zone_number(world.id, node.key, bound_zone)
    else:
        return
    expectation.places[node.key, place.id] = zone
    for vintage in place.vintages:
        key = (node.key, zone, vintage)
        if key not in expectation.documents:
            made = _document(world, place, node, vintage)
            expectation.documents[key] = InputDocument(node.key, made)


def _document(world: CompanyWorld, place: Place, node: Node, vintage: int) -> dict[str, Any]:
    if node.key == FARM_METRICS:
        return {
            "vintage": vintage,
            "rasters": {},
            "reference": {"legend": as_document(land_cover_legend(world))},
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


def code_of(runner: Runner) -> str:
    """Hash of the code that makes a runner's receipts."""
    return code_hash(COMPUTE, runner.module)


def asset_ids(connection: Connection, keys: Iterable[str]) -> dict[str, int]:
    """Numbers of assets by key, given out on first use."""
    wanted = sorted(set(keys))
    query = select(AssetKey.key, AssetKey.id).where(AssetKey.key.in_(wanted))
    known = {row.key: row.id for row in connection.execute(query)}
    if len(known) < len(wanted):
        copy_new_rows(connection, AssetKey, ["key"], [(key,) for key in wanted if key not in known])
        known = {row.key: row.id for row in connection.execute(query)}
    return known


def inputs_ids(connection: Connection, documents: Iterable[InputDocument]) -> dict[bytes, int]:
    """Row numbers of input documents that were used before, by digest."""
    query = select(PartitionInputs.digest, PartitionInputs.id).where(
        PartitionInputs.digest.in_([one.digest for one in documents])
    )
    return {bytes(row.digest): row.id for row in connection.execute(query)}


def intern_inputs(
    connection: Connection, documents: Mapping[bytes, InputDocument]
) -> dict[bytes, int]:
    """Row numbers of input documents by digest; new ones are stored."""
    known = inputs_ids(connection, documents.values())
    missing = {digest: one for digest, one in documents.items() if digest not in known}
    if missing:
        rows = [(digest, dict(one.document)) for digest, one in missing.items()]
        copy_new_rows(connection, PartitionInputs, ["digest", "document"], rows)
        known = inputs_ids(connection, documents.values())
    return known
