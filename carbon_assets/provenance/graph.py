"""The partitioned assets and what each reads: the graph that staleness follows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from carbon_assets.runners.all_runners import RUNNERS


@dataclass(frozen=True)
class Edge:
    """A partition reads another asset's partitions of the same place.

    Attributes:
        upstream: Asset key that is read.
        first: First vintage read, relative to the partition's own.
        last: Last vintage read; an edge that looks back has ``first < 0``.
    """

    upstream: str
    first: int = 0
    last: int = 0


@dataclass(frozen=True)
class Node:
    """A partitioned asset.

    Attributes:
        key: Asset key.
        uses_geometry: Whether it reads the place's polygon itself.
        edges: What it reads.
    """

    key: str
    uses_geometry: bool
    edges: tuple[Edge, ...] = ()


FARM_METRICS = "farm_metrics"

GRAPH: tuple[Node, ...] = (
    *(Node(runner.asset, uses_geometry=True) for runner in RUNNERS),
    Node(FARM_METRICS, uses_geometry=False, edges=tuple(Edge(r.asset) for r in RUNNERS)),
)
"""Upstream before downstream."""


def topological(nodes: Iterable[Node]) -> tuple[Node, ...]:
    """Order nodes so that each stands after what it reads.

    Raises:
        ValueError: For a cycle, or an edge to an asset that is not there.
    """
    waiting = {node.key: node for node in nodes}
    ordered: dict[str, Node] = {}
    while waiting:
        ready = [n for n in waiting.values() if all(e.upstream in ordered for e in n.edges)]
        if not ready:
            raise ValueError(f"cycle or unknown upstream among {sorted(waiting)}")
        for node in ready:
            ordered[node.key] = waiting.pop(node.key)
    return tuple(ordered.values())


def edge_offsets(node: Node) -> Iterator[tuple[str, int]]:
    """(upstream asset, vintage offset) of every partition that a partition reads, in order.

    Each once, however many edges name it: a token that is combined twice would cancel out.
    """
    yield from dict.fromkeys(
        (edge.upstream, offset)
        for edge in node.edges
        for offset in range(edge.first, edge.last + 1)
    )
