"""Which computation each partition should rest on now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select

from carbon_assets.metrics.derive import DERIVED_CODES
from carbon_assets.provenance.canonical import digest
from carbon_assets.provenance.code import code_hash
from carbon_assets.provenance.fingerprint import InputDocument, as_text
from carbon_assets.provenance.graph import FARM_METRICS, GRAPH, Level, Node
from carbon_assets.provenance.probe import numerics_probe
from carbon_assets.provenance.world import (
    CompanyWorld,
    Place,
    ProjectSpace,
    land_cover_legend,
)
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
SUM_UP = "carbon_assets.metrics.projects"


@dataclass
class Expectation:
    """Input documents of every partition that should exist.

    Places of one zone have the same vintages and differ by polygon only, so the number of
    documents grows with assets × vintages × zones, not with places. A project is a zone of its
    own: no other has its members.

    Attributes:
        subjects: (asset key, place or project) → zone number.
        documents: (asset key, zone number, vintage) → input document.
        described: Zones whose documents are there.
    """

    subjects: dict[tuple[str, int], int] = field(default_factory=dict)
    documents: dict[tuple[str, int, int], InputDocument] = field(default_factory=dict)
    described: set[int] = field(default_factory=set)
    _zones: dict[Hashable, int] = field(default_factory=dict)

    def document(self, asset: str, subject_id: int, vintage: int) -> InputDocument | None:
        """Input document of a partition, or None if it should not exist."""
        zone = self.subjects.get((asset, subject_id))
        return None if zone is None else self.documents.get((asset, zone, vintage))

    def of_level(self, level: Level) -> set[int]:
        """Places, or projects, of which anything is expected."""
        assets = {node.key for node in GRAPH if node.level == level}
        return {subject for asset, subject in self.subjects if asset in assets}

    def partitions(self) -> dict[str, int]:
        """Number of partitions that should exist, by asset key; those without any are left out."""
        vintages = Counter((asset, zone) for asset, zone, _ in self.documents)
        counts: Counter[str] = Counter()
        for (asset, _), zone in self.subjects.items():
            counts[asset] += vintages[asset, zone]
        return dict(counts)

    def zone_number(self, *identity: Hashable) -> int:
        """Small number of a zone."""
        return self._zones.setdefault(identity, len(self._zones))

    def add(
        self,
        asset: str,
        subject: Place | ProjectSpace,
        kind: Hashable,
        document: Callable[[int], dict[str, Any]],
    ) -> None:
        """Expect the partitions of a subject, described unless another of its zone was."""
        zone = self.zone_number(subject.company_id, asset, subject.vintages, kind)
        self.subjects[asset, subject.id] = zone
        if zone not in self.described:
            self.described.add(zone)
            for vintage in subject.vintages:
                self.documents[asset, zone, vintage] = InputDocument(asset, document(vintage))


def expect(
    worlds: Iterable[CompanyWorld],
    *,
    assets: Iterable[str] | None = None,
    places: Iterable[int] | None = None,
    projects: Iterable[int] | None = None,
) -> Expectation:
    """Work out what partitions should rest on.

    Args:
        worlds: The companies.
        assets: Asset keys; by default all.
        places: Rows of ``farms``; by default all, or none where projects are named.
        projects: Rows of ``projects``; by default all, or none where places are named.
    """
    wanted_assets = None if assets is None else set(assets)
    chosen = [node for node in GRAPH if wanted_assets is None or node.key in wanted_assets]
    everything = places is None and projects is None
    wanted: dict[Level, list[int]] = {
        "place": sorted(set(places or ())),
        "project": sorted(set(projects or ())),
    }
    expectation = Expectation()
    for world in worlds:
        known: dict[Level, Mapping[int, Any]] = {"place": world.places, "project": world.projects}
        for node in chosen:
            if world.computes(node.key):
                there = known[node.level]
                numbers = there if everything else [n for n in wanted[node.level] if n in there]
                for number in numbers:
                    _expect(expectation, world, node, there[number])
    return expectation


def _expect(
    expectation: Expectation, world: CompanyWorld, node: Node, subject: Place | ProjectSpace
) -> None:
    if isinstance(subject, ProjectSpace):
        members = membership([farm.key for farm in world.members(subject.id)])
        expectation.add(
            node.key, subject, subject.key, lambda year: _of_project(subject, members, year)
        )
    else:
        expectation.add(
            node.key,
            subject,
            _kind(world, subject, node),
            lambda year: _of_place(world, subject, node, year),
        )


def membership(farms: Sequence[str]) -> dict[str, Any]:
    """What an input document says of a project's farms: how many, and a hash of their keys."""
    return {"farms": len(farms), "keys": as_text(digest(sorted(farms)))}


def _kind(world: CompanyWorld, place: Place, node: Node) -> Hashable:
    """What of a place, besides polygon and vintages, an asset's numbers depend on."""
    if node.key == FARM_METRICS:
        return place.metrics
    return world.runners[node.key].zone(place.setting, place.bounds)


def _of_place(world: CompanyWorld, place: Place, node: Node, vintage: int) -> dict[str, Any]:
    if node.key == FARM_METRICS:
        return {
            "vintage": vintage,
            "rasters": {},
            "reference": {"legend": _legend(world), "units": _units()},
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


def _of_project(project: ProjectSpace, members: dict[str, Any], vintage: int) -> dict[str, Any]:
    share = project.metrics.as_document()["min_valid_share"]
    return {
        "vintage": vintage,
        "rasters": {},
        "reference": {"units": _units()},
        "parameters": {"min_valid_share": share},
        "membership": members,
        "code": code_hash(SUM_UP),
        "numerics": None,
    }


def _legend(world: CompanyWorld) -> dict[str, Any] | None:
    legend = land_cover_legend(world)
    return None if legend is None else as_document(legend)


def _units() -> dict[str, str]:
    """Unit in which each metric that is derived is stored."""
    known = load_metric_types().items()
    return {code: metric.unit for code, metric in known if code in DERIVED_CODES}


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
