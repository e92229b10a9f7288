"""Staleness over synthetic graphs: against plain dictionaries, and edge by edge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings

from carbon_assets.provenance.graph import Edge, Node, edge_offsets, topological
from carbon_assets.provenance.staleness import (
    GEOMETRY,
    INPUTS,
    MISSING,
    STATE,
    UPSTREAM,
    Stale,
    State,
    find_stale,
)
from carbon_assets_tests.provenance.oracle import Partition, Scene
from carbon_assets_tests.provenance.scenes import PROJECTS, YEARS, calm, compute, scenes


def numbers(scene: Scene) -> dict[str, int]:
    return {node.key: 20 + i for i, node in enumerate(scene.nodes)}


def packed(scene: Scene) -> dict[int, State]:
    """The state as it is read from the database."""
    rows: dict[int, list[tuple[int, ...]]] = {}
    for (asset, place, vintage), one in scene.state.items():
        row = (place, vintage, one.geometry or 0, one.inputs, one.upstream or 0, one.token)
        rows.setdefault(numbers(scene)[asset], []).append(row)
    return {asset: np.array(found, dtype=STATE) for asset, found in rows.items()}


def as_mapping(stale: Stale, assets: Mapping[str, int]) -> dict[Partition, int]:
    names = {number: key for key, number in assets.items()}
    found = {(names[a], place, vintage): mask for a, place, vintage, mask, _ in stale.rows()}
    assert len(found) == len(stale), "a partition is told twice"
    return found


def found_in(scene: Scene) -> dict[Partition, int]:
    assets = numbers(scene)
    return as_mapping(find_stale(scene.expected(assets), packed(scene)), assets)


@settings(max_examples=300, deadline=None)
@given(scenes())
def test_it_agrees_with_plain_dictionaries(scene: Scene) -> None:
    assert found_in(scene) == scene.stale()


@settings(max_examples=50, deadline=None)
@given(scenes())
def test_computing_what_is_stale_from_upstream_down_leaves_nothing_stale(scene: Scene) -> None:
    scene.inputs = {key: document or 3 for key, document in scene.inputs.items()}
    nodes = {node.key: node for node in scene.nodes}
    order = [node.key for node in topological(scene.nodes)]
    for asset, place, vintage in sorted(
        found_in(scene), key=lambda one: (order.index(one[0]), one[2])
    ):
        compute(scene, nodes[asset], place, vintage)
    assert found_in(scene) == {}


@settings(max_examples=50, deadline=None)
@given(scenes())
def test_one_place_alone_is_judged_as_among_all(scene: Scene) -> None:
    levels = {node.key: node.level for node in scene.nodes}
    of_places = {key: zone for key, zone in scene.places.items() if levels[key[0]] == "place"}
    whole = found_in(scene)
    for place in {place for _, place in of_places}:
        alone = replace(scene, places={k: zone for k, zone in of_places.items() if k[1] == place})
        assert found_in(alone) == {
            one: m for one, m in whole.items() if levels[one[0]] == "place" and one[1] == place
        }


DIAMOND = (
    Node("top", uses_geometry=True),
    Node("left", uses_geometry=False, edges=(Edge("top"),)),
    Node("right", uses_geometry=True, edges=(Edge("top"),)),
    Node("bottom", uses_geometry=False, edges=(Edge("left"), Edge("right"))),
    Node("aside", uses_geometry=True),
)


def test_nothing_is_stale_where_all_is_as_it_should_be() -> None:
    assert found_in(calm(DIAMOND)) == {}


def test_a_change_at_the_top_of_a_diamond_reaches_its_bottom_once() -> None:
    scene = calm(DIAMOND)
    zone, _ = scene.places["top", 7]
    scene.places["top", 7] = (zone, 999)
    stale = {("top", 7, year): GEOMETRY for year in YEARS}
    for key in ("left", "right", "bottom"):
        stale |= {(key, 7, year): UPSTREAM for year in YEARS}
    assert found_in(scene) == stale


def test_an_asset_that_reads_no_polygon_does_not_see_an_edit_itself() -> None:
    scene = calm(DIAMOND)
    scene.places["right", 7] = (1, 999)
    assert {one[0] for one in found_in(scene)} == {"right", "bottom"}


def test_a_changed_document_touches_its_zone_and_vintage_only() -> None:
    scene = calm(DIAMOND)
    scene.inputs["left", 1, 2017] = 2
    stale = {("left", place, 2017): INPUTS for place in (3, 7)}
    stale |= {("bottom", place, 2017): UPSTREAM for place in (3, 7)}
    assert found_in(scene) == stale


def test_a_document_that_was_never_used_is_a_changed_one() -> None:
    scene = calm(DIAMOND)
    scene.inputs["aside", 0, 2019] = None
    assert found_in(scene) == {("aside", 8, 2019): INPUTS}


def test_a_missing_partition_makes_what_read_it_stale() -> None:
    scene = calm(DIAMOND)
    del scene.state["left", 3, 2016]
    assert found_in(scene) == {("left", 3, 2016): MISSING, ("bottom", 3, 2016): UPSTREAM}


def test_recomputed_upstream_with_another_result_is_seen_although_it_is_fresh() -> None:
    scene = calm(DIAMOND)
    scene.inputs["left", 1, 2016] = 2
    compute(scene, DIAMOND[1], 3, 2016)
    compute(scene, DIAMOND[1], 7, 2016)
    assert found_in(scene) == {("bottom", place, 2016): UPSTREAM for place in (3, 7)}


WINDOW = (
    Node("cover", uses_geometry=True),
    Node("loss", uses_geometry=False, edges=(Edge("cover", first=-2, last=0),)),
    Node("delayed", uses_geometry=False, edges=(Edge("loss", first=-1, last=-1),)),
)


@pytest.mark.parametrize(
    ("year", "loss", "delayed"),
    [
        (2015, [2015, 2016, 2017], [2016, 2017, 2018]),
        (2017, [2017, 2018, 2019], [2018, 2019]),
        (2019, [2019], []),
    ],
)
def test_a_window_reaches_the_vintages_that_look_back_and_no_others(
    year: int, loss: list[int], delayed: list[int]
) -> None:
    scene = calm(WINDOW)
    scene.inputs["cover", 0, year] = 2
    found = found_in(scene)
    assert {one: m for one, m in found.items() if one[0] == "cover"} == {("cover", 8, year): INPUTS}
    for key, years in (("loss", loss), ("delayed", delayed)):
        assert sorted(one[2] for one in found if one[0] == key) == years
    assert {place for _, place, _ in found} == {8}


def test_vintages_before_the_first_are_not_missed() -> None:
    assert found_in(calm(WINDOW)) == {}


def test_a_vintage_that_comes_into_a_window_later_makes_it_stale() -> None:
    scene = calm(WINDOW)
    kept = scene.state.pop(("cover", 8, 2015))
    for year in (2015, 2016, 2017):
        compute(scene, WINDOW[1], 8, year)
        compute(scene, WINDOW[2], 8, year + 1)
    assert found_in(scene) == {
        ("cover", 8, 2015): MISSING,
        **{("loss", 8, year): UPSTREAM for year in (2015, 2016, 2017)},
        **{("delayed", 8, year): UPSTREAM for year in (2016, 2017, 2018)},
    }
    scene.state["cover", 8, 2015] = kept
    assert sorted(found_in(scene)) == [
        *(("delayed", 8, year) for year in (2016, 2017, 2018)),
        *(("loss", 8, year) for year in (2015, 2016, 2017)),
    ]


def test_overlapping_windows_do_not_cancel_out() -> None:
    nodes = (
        Node("cover", uses_geometry=True),
        Node("both", uses_geometry=False, edges=(Edge("cover"), Edge("cover", -1, 0))),
    )
    assert list(edge_offsets(nodes[1])) == [("cover", 0), ("cover", -1)]
    scene = calm(nodes)
    scene.inputs["cover", 0, 2019] = 2
    compute(scene, nodes[0], 8, 2019)
    assert found_in(scene) == {("both", 8, 2019): UPSTREAM}


FAN_IN = (
    Node("cover", uses_geometry=True),
    Node("metrics", uses_geometry=False, edges=(Edge("cover"),)),
    Node("total", uses_geometry=False, edges=(Edge("metrics"),), level="project"),
    Node("ledger", uses_geometry=False, edges=(Edge("total", -1, 0),), level="project"),
)
EVEN, ODD = PROJECTS
"""Projects of place 8, and of places 3 and 7."""


def of_projects(scene: Scene) -> set[Partition]:
    return {one for one in found_in(scene) if one[0] in ("total", "ledger")}


def test_an_edit_of_a_member_reaches_its_project_and_no_other() -> None:
    scene = calm(FAN_IN)
    assert found_in(scene) == {}
    scene.inputs["cover", 1, 2017] = 2
    compute(scene, FAN_IN[0], 3, 2017)
    compute(scene, FAN_IN[0], 7, 2017)
    compute(scene, FAN_IN[1], 3, 2017)
    compute(scene, FAN_IN[1], 7, 2017)
    assert found_in(scene) == {
        ("total", ODD, 2017): UPSTREAM,
        ("ledger", ODD, 2017): UPSTREAM,
        ("ledger", ODD, 2018): UPSTREAM,
    }


@pytest.mark.parametrize(
    ("leaves", "enters", "projects"),
    [
        ([(ODD, 7)], [], {ODD}),
        ([(ODD, 7)], [(EVEN, 7)], {ODD, EVEN}),
        ([(EVEN, 8)], [(EVEN, 3)], {EVEN}),
        ([(EVEN, 8)], [], {EVEN}),
    ],
    ids=["removed", "moved", "exchanged", "last one removed"],
)
def test_who_belongs_to_a_project_is_noticed_without_any_new_number(
    leaves: list[tuple[int, int]], enters: list[tuple[int, int]], projects: set[int]
) -> None:
    scene = calm(FAN_IN)
    scene.members = scene.members - set(leaves) | set(enters)
    assert of_projects(scene) == {
        (asset, project, year)
        for asset in ("total", "ledger")
        for project in projects
        for year in YEARS
    }


def test_two_members_with_the_same_fingerprint_do_not_cancel_out() -> None:
    scene = calm(FAN_IN)
    for year in YEARS:
        for place in (3, 7):  # the same polygon under two keys: the same numbers
            state = scene.state["metrics", place, year]
            scene.state["metrics", place, year] = replace(state, token=42)
        compute(scene, FAN_IN[2], ODD, year)
        compute(scene, FAN_IN[3], ODD, year)
    assert of_projects(scene) == set()
    scene.members -= {(ODD, 3), (ODD, 7)}
    assert of_projects(scene) == {(a, ODD, y) for a in ("total", "ledger") for y in YEARS}


def test_a_project_without_members_is_computed_once() -> None:
    scene = calm(FAN_IN)
    scene.members -= {(EVEN, 8)}
    for year in YEARS:
        compute(scene, FAN_IN[2], EVEN, year)
    for year in YEARS:
        compute(scene, FAN_IN[3], EVEN, year)
    assert of_projects(scene) == set()


def test_more_upstream_partitions_than_dagster_looks_at_are_all_followed() -> None:
    scene = calm(FAN_IN, places=tuple(range(4, 404)))
    last = scene.state["metrics", 402, 2019]
    scene.state["metrics", 402, 2019] = replace(last, token=last.token + 1)
    assert of_projects(scene) == {("total", EVEN, 2019), ("ledger", EVEN, 2019)}


def test_an_asset_of_places_cannot_read_one_of_projects() -> None:
    nodes = (
        Node("total", uses_geometry=False, level="project"),
        Node("place", uses_geometry=True, edges=(Edge("total"),)),
    )
    with pytest.raises(ValueError, match="cannot read an asset of projects"):
        topological(nodes)


def test_partitions_of_places_that_are_not_expected_are_passed_over() -> None:
    scene = calm(DIAMOND)
    del scene.places["top", 8], scene.places["left", 8]
    scene.places["bottom", 8] = (0, 5)
    assert {one[:2] for one in found_in(scene)} == {("bottom", 8)}


def test_nothing_expected_is_nothing_stale() -> None:
    scene = calm(DIAMOND)
    scene.places.clear()
    assert found_in(scene) == {}


@pytest.mark.parametrize(
    "nodes",
    [
        (Node("a", True, (Edge("b"),)), Node("b", True, (Edge("a"),))),
        (Node("a", True, (Edge("nowhere"),)),),
    ],
)
def test_a_cycle_or_an_unknown_upstream_is_refused(nodes: tuple[Node, ...]) -> None:
    with pytest.raises(ValueError, match="cycle or unknown"):
        topological(nodes)
