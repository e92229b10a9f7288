"""Random graphs and states, and a calm one to change by hand."""

from __future__ import annotations

import hashlib

from hypothesis import strategies as st

from carbon_assets.provenance.graph import Edge, Node, topological
from carbon_assets_tests.provenance.oracle import Recorded, Scene

YEARS = range(2015, 2020)
PROJECTS = (2, 3)
"""Row numbers of projects; places may have the same."""


def token(*identity: object) -> int:
    """Return 64 bits that stand for a fingerprint."""
    mark = hashlib.sha256(repr(identity).encode()).digest()
    return int.from_bytes(mark[:8], "big", signed=True)


def calm(nodes: tuple[Node, ...], places: tuple[int, ...] = (3, 7, 8)) -> Scene:
    """Everything recorded as it should be."""
    scene = Scene(nodes)
    for node in topological(nodes):
        subjects = places if node.level == "place" else PROJECTS
        scene.members |= {(PROJECTS[place % 2], place) for place in places}
        for subject in subjects:
            geometry = 100 + subject if node.uses_geometry else None
            scene.places[node.key, subject] = (subject % 2, geometry)
            for vintage in YEARS:
                scene.inputs[node.key, subject % 2, vintage] = 1
        for subject in subjects:
            for vintage in YEARS:
                compute(scene, node, subject, vintage)
    return scene


def compute(scene: Scene, node: Node, place: int, vintage: int) -> None:
    """Record a partition as computed from what is current now."""
    zone, geometry = scene.places[node.key, place]
    document = scene.inputs[node.key, zone, vintage] or 0
    upstream = scene.token_read(node, place, vintage)
    mark = token(node.key, place, vintage, geometry, document, upstream)
    scene.state[node.key, place, vintage] = Recorded(geometry, document, upstream, mark)


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Node, ...]:
    """Up to six assets; each may read earlier ones, some over windows of vintages."""
    nodes: list[Node] = []
    for number in range(draw(st.integers(1, 6))):
        edges = []
        for other in nodes:
            if draw(st.booleans()):
                first = draw(st.integers(-3, 1))
                edges.append(Edge(other.key, first, first + draw(st.integers(0, 2))))
        if edges and draw(st.booleans()):  # two windows onto one asset, which may overlap
            edges.append(Edge(edges[0].upstream, -1, 0))
        nodes.append(Node(f"a{number}", draw(st.booleans()), tuple(edges)))
    if draw(st.booleans()):  # the last ones may be of projects, and read one another
        for number in range(draw(st.integers(0, 2))):
            first = draw(st.integers(-1, 0))
            read = (Edge(other.key, first) for other in nodes if draw(st.booleans()))
            nodes.append(Node(f"p{number}", uses_geometry=False, edges=(*read,), level="project"))
    return tuple(draw(st.permutations(nodes)))


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    """A graph with expectations and a state that partly fit."""
    scene = Scene(draw(graphs()))
    places = draw(st.lists(st.integers(1, 9), max_size=3, unique=True))
    scene.members = _members(draw, places)
    for node in topological(scene.nodes):
        subjects = places if node.level == "place" else PROJECTS
        for place in subjects:
            if draw(st.integers(0, 5)):
                geometry = draw(st.sampled_from([11, 12])) if node.uses_geometry else None
                scene.places[node.key, place] = (draw(st.integers(0, 1)), geometry)
        for zone in (0, 1):
            for vintage in YEARS:
                if draw(st.integers(0, 5)):
                    document = draw(st.sampled_from([None, 1, 2]))
                    scene.inputs[node.key, zone, vintage] = document
        for place in {*subjects, 10}:
            for vintage in (YEARS[0] - 1, *YEARS):
                if draw(st.integers(0, 4)):
                    upstream = scene.token_read(node, place, vintage)
                    recorded = _recorded(draw, node, place, vintage, upstream)
                    scene.state[node.key, place, vintage] = recorded
    return scene


def _members(draw: st.DrawFn, places: list[int]) -> set[tuple[int, int]]:
    """Some places in a project each."""
    owners = {place: draw(st.sampled_from([None, *PROJECTS])) for place in places}
    return {(owner, place) for place, owner in owners.items() if owner is not None}


def _recorded(
    draw: st.DrawFn, node: Node, place: int, vintage: int, upstream: int | None
) -> Recorded:
    """What may have been recorded, mostly of what is upstream now."""
    if not draw(st.integers(0, 4)):
        upstream = draw(st.sampled_from([None, 5]))
    return Recorded(
        draw(st.sampled_from([11, 12])) if node.uses_geometry else None,
        draw(st.integers(1, 2)),
        upstream,
        token(node.key, place, vintage, draw(st.integers(0, 1))),
    )
