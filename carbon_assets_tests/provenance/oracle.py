"""Staleness by the book: one partition at a time, in plain dictionaries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce
from operator import xor

from carbon_assets.provenance.graph import Node, edge_offsets, topological
from carbon_assets.provenance.staleness import GEOMETRY, INPUTS, MISSING, UPSTREAM, Expected

Partition = tuple[str, int, int]
"""Asset key, place, vintage."""


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
        places: (asset, place) → (zone, current geometry version or None).
        inputs: (asset, zone, vintage) → document number, or None for one never used.
        state: What is recorded.
    """

    nodes: tuple[Node, ...]
    places: dict[tuple[str, int], tuple[int, int | None]] = field(default_factory=dict)
    inputs: dict[tuple[str, int, int], int | None] = field(default_factory=dict)
    state: dict[Partition, Recorded] = field(default_factory=dict)

    def should_be(self) -> dict[Partition, tuple[int | None, int | None]]:
        """Every partition that should exist: (geometry version, document)."""
        return {
            (asset, place, vintage): (geometry, document)
            for (asset, place), (zone, geometry) in self.places.items()
            for (other, other_zone, vintage), document in self.inputs.items()
            if (other, other_zone) == (asset, zone)
        }

    def read(self, node: Node, place: int, vintage: int) -> list[Partition]:
        """Recorded partitions that one reads."""
        every = {(key, place, vintage + by) for key, by in edge_offsets(node)}
        return sorted(every & self.state.keys())

    def token_read(self, node: Node, place: int, vintage: int) -> int | None:
        """Combination of the tokens that a partition would read now."""
        tokens = [self.state[one].token for one in self.read(node, place, vintage)]
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
        _, place, vintage = one
        reads = [(key, place, vintage + by) for key, by in edge_offsets(node)]
        rests_on_stale = any(other in found for other in reads)
        moved = recorded.upstream != self.token_read(node, place, vintage)
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
        )
