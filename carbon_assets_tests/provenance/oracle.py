"""Staleness by the book: one partition at a time, in plain dictionaries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce
from operator import xor

from carbon_assets.provenance.graph import Node, edge_offsets, topological
from carbon_assets.provenance.staleness import GEOMETRY, INPUTS, MISSING, UPSTREAM, Expected

Partition = tuple[str, int, int]
"""Asset key, place or project, vintage."""

BITS = 2**64


@dataclass(frozen=True)
class Recorded:
    """What the history says of one partition; ``upstream`` is None if nothing was read."""

    geometry: int | None
    inputs: int
    upstream: int | None
    token: int


@dataclass
class Scene:
    """A graph, what should be, and what is recorded.

    Attributes:
        nodes: The assets.
        places: (asset, place or project) → (zone, current geometry version or None).
        inputs: (asset, zone, vintage) → document number, or None for one never used.
        state: What is recorded.
        members: (project, place).
    """

    nodes: tuple[Node, ...]
    places: dict[tuple[str, int], tuple[int, int | None]] = field(default_factory=dict)
    inputs: dict[tuple[str, int, int], int | None] = field(default_factory=dict)
    state: dict[Partition, Recorded] = field(default_factory=dict)
    members: set[tuple[int, int]] = field(default_factory=set)

    def should_be(self) -> dict[Partition, tuple[int | None, int | None]]:
        """Every partition that should exist: (geometry version, document)."""
        return {
            (asset, place, vintage): (geometry, document)
            for (asset, place), (zone, geometry) in self.places.items()
            for (other, other_zone, vintage), document in self.inputs.items()
            if (other, other_zone) == (asset, zone)
        }

    def read(self, node: Node, subject: int, vintage: int) -> list[Partition]:
        """Partitions that one reads, recorded or not."""
        levels = {other.key: other.level for other in self.nodes}
        found = set()
        for key, by in edge_offsets(node):
            fans_in = levels[key] != node.level
            places = [place for project, place in self.members if project == subject]
            found |= {(key, one, vintage + by) for one in (places if fans_in else [subject])}
        return sorted(found)

    def token_read(self, node: Node, subject: int, vintage: int) -> int | None:
        """Combination of the tokens that a partition would read now."""
        levels = {other.key: other.level for other in self.nodes}
        tokens = [
            self.state[one].token
            if levels[one[0]] == node.level
            else bound(one[1], self.state[one].token)
            for one in self.read(node, subject, vintage)
            if one in self.state
        ]
        return reduce(xor, tokens) if tokens else None

    def stale(self) -> dict[Partition, int]:
        """Bits of every stale partition."""
        found: dict[Partition, int] = {}
        nodes = {node.key: node for node in self.nodes}
        order = [node.key for node in topological(self.nodes)]
        for one in sorted(self.should_be(), key=lambda partition: order.index(partition[0])):
            mask = self._mask(nodes[one[0]], one, found)
            if mask:
                found[one] = mask
        return found

    def _mask(self, node: Node, one: Partition, found: Mapping[Partition, int]) -> int:
        if one not in self.state:
            return MISSING
        (geometry, document), recorded = self.should_be()[one], self.state[one]
        _, subject, vintage = one
        rests_on_stale = any(other in found for other in self.read(node, subject, vintage))
        moved = (recorded.upstream or 0) != (self.token_read(node, subject, vintage) or 0)
        return (
            GEOMETRY * (recorded.geometry != geometry)
            + INPUTS * (recorded.inputs != document)
            + UPSTREAM * bool(node.edges and (rests_on_stale or moved))
        )

    def expected(self, assets: Mapping[str, int]) -> Expected:
        """The same in plain numbers."""
        return Expected(
            self.nodes,
            assets,
            [(assets[a], place, zone, g) for (a, place), (zone, g) in self.places.items()],
            [(assets[a], zone, vintage, i) for (a, zone, vintage), i in self.inputs.items()],
            sorted(self.members),
        )


def bound(place: int, token: int) -> int:
    """A token bound to its place: splitmix64 by the book."""
    mixed = spread(token % BITS ^ spread(place))
    return mixed - BITS if mixed >= BITS // 2 else mixed


def spread(number: int) -> int:
    """One step of splitmix64."""
    number = (number + 0x9E3779B97F4A7C15) % BITS
    number = (number ^ number >> 30) * 0xBF58476D1CE4E5B9 % BITS
    number = (number ^ number >> 27) * 0x94D049BB133111EB % BITS
    return number ^ number >> 31
