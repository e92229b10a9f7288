"""The partitioned assets and what each reads: the graph that staleness follows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from carbon_assets.runners.all_runners import RUNNERS

Level = Literal["place", "project"]
"""What the partitions of an asset are of, besides a vintage: rows of ``farms`` or ``projects``."""


@dataclass(frozen=True)
class Edge:
    """A partition reads partitions of another asset.

    Between assets of one level they are those of the same subject; an asset of projects reads,
    of an asset of places, all members of the project.

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
        level: What its partitions are of.
    """

    key: str
    uses_geometry: bool
    edges: tuple[Edge, ...] = ()
    level: Level = "place"


FARM_METRICS = "farm_metrics"
PROJECT_METRICS = "project_metrics"

GRAPH: tuple[Node, ...] = (
    *(Node(runner.asset, uses_geometry=True) for runner in RUNNERS),
    Node(FARM_METRICS, uses_geometry=False, edges=tuple(Edge(r.asset) for r in RUNNERS)),
    Node(PROJECT_METRICS, uses_geometry=False, edges=(Edge(FARM_METRICS),), level="project"),
)
"""Upstream before downstream."""

_NODES = {node.key: node for node in GRAPH}

PLACE_ASSETS = frozenset(node.key for node in GRAPH if node.level == "place")
PROJECT_ASSETS = frozenset(node.key for node in GRAPH if node.level == "project")


def level_of(asset: str) -> Level:
    """Return what the partitions of an asset of :data:`GRAPH` are of.

    Raises:
        KeyError: There is no such asset.
    """
    return node_of(asset).level


def node_of(asset: str) -> Node:
    """Return an asset of :data:`GRAPH`.

    Raises:
        KeyError: There is no such asset.
    """
    return _NODES[asset]


def topological(nodes: Iterable[Node]) -> tuple[Node, ...]:
    """Order nodes so that each stands after what it reads.

    Raises:
        ValueError: For a cycle, an edge to an asset that is not there, or an asset of places
            that reads one of projects.
    """
    waiting = {node.key: node for node in nodes}
    ordered: dict[str, Node] = {}
    while waiting:
        ready = [n for n in waiting.values() if all(e.upstream in ordered for e in n.edges)]
        if not ready:
            raise ValueError(f"cycle or unknown upstream among {sorted(waiting)}")
        for node in ready:
            _require_upward(node, ordered)
            ordered[node.key] = waiting.pop(node.key)
    return tuple(ordered.values())


def _require_upward(node: Node, nodes: dict[str, Node]) -> None:
    read = {nodes[edge.upstream].level for edge in node.edges}
    if node.level == "place" and "project" in read:
        raise ValueError(f"{node.key} is of places and cannot read an asset of projects")


def edge_offsets(node: Node) -> Iterator[tuple[str, int]]:
    """(upstream asset, vintage offset) of every partition that a partition reads, in order.

    Each once, however many edges name it: a token that is combined twice would cancel out.
    """
    yield from dict.fromkeys(
        (edge.upstream, offset)
        for edge in node.edges
        for offset in range(edge.first, edge.last + 1)
    )


def with_upstream(asset: str) -> frozenset[str]:
    """Return an asset and everything that it rests on, however far away."""
    found: set[str] = set()
    ahead = [asset]
    while ahead:
        key = ahead.pop()
        if key not in found:
            found.add(key)
            ahead += [edge.upstream for edge in node_of(key).edges]
    return frozenset(found)
