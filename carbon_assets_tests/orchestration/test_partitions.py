from __future__ import annotations

import dagster as dg
import pytest

from carbon_assets.orchestration import partitions
from carbon_assets.orchestration.partitions import (
    FARM,
    RANGE_END_TAG,
    RANGE_START_TAG,
    PlaceVintage,
    ProjectVintage,
    add_places,
    add_projects,
    bounding_range,
    forget_places,
    in_order,
    parse_key,
    parse_project_key,
    place_vintages,
    project_vintages,
    range_tags,
)


def test_a_key_survives_the_way_there_and_back() -> None:
    partition = PlaceVintage("rio-claro-17", 2020)
    assert partition.key == "rio-claro-17|2020"
    assert parse_key(partition.key) == partition


@pytest.mark.parametrize("key", ["", "rio-claro-17", "|2020", "rio-claro-17|", "a|20x"])
def test_what_is_no_key_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="partition key"):
        parse_key(key)


def test_places_keep_their_position_when_added_again(instance: dg.DagsterInstance) -> None:
    assert add_places(instance, ["c-3", "a-1", "c-3"]) == ["c-3", "a-1"]
    assert add_places(instance, ["b-2", "a-1"]) == ["b-2"]
    assert list(instance.get_dynamic_partitions(FARM)) == ["c-3", "a-1", "b-2"]


def test_a_place_that_is_gone_leaves_and_comes_back_at_the_end(
    instance: dg.DagsterInstance,
) -> None:
    add_places(instance, ["a-1", "b-2", "c-3"])
    assert forget_places(instance, ["c-3", "b-2"]) == ["a-1"]
    assert forget_places(instance, ["c-3", "b-2"]) == []
    assert add_places(instance, ["a-1", "b-2", "c-3"]) == ["a-1"]
    assert list(instance.get_dynamic_partitions(FARM)) == ["b-2", "c-3", "a-1"]


@pytest.mark.parametrize("place", ["", "a|b", "a,b", "[a]"])
def test_a_place_that_dagster_could_not_address_is_refused(
    instance: dg.DagsterInstance, place: str
) -> None:
    with pytest.raises(ValueError, match="not usable"):
        add_places(instance, ["good-1", place])
    assert instance.get_dynamic_partitions(FARM) == []


def test_the_range_is_the_smallest_rectangle_in_the_order_of_adding(
    instance: dg.DagsterInstance,
) -> None:
    add_places(instance, ["d-4", "c-3", "b-2", "a-1"])
    wanted = [PlaceVintage("b-2", 2001), PlaceVintage("c-3", 2003)]
    start, end = bounding_range(instance, wanted)
    covered = place_vintages(range(1999, 2010)).get_partition_keys_in_range(
        dg.PartitionKeyRange(start, end), dynamic_partitions_store=instance
    )
    assert sorted(covered) == sorted(
        f"{place}|{year}" for place in ("c-3", "b-2") for year in (2001, 2002, 2003)
    )
    assert range_tags(instance, wanted) == {
        RANGE_START_TAG: "c-3|2001",
        RANGE_END_TAG: "b-2|2003",
    }


def test_an_unknown_place_or_an_empty_list_has_no_range(instance: dg.DagsterInstance) -> None:
    add_places(instance, ["a-1"])
    with pytest.raises(ValueError, match="'z-9'"):
        bounding_range(instance, [PlaceVintage("a-1", 2000), PlaceVintage("z-9", 2000)])
    with pytest.raises(ValueError, match="empty"):
        bounding_range(instance, [])


def test_a_wide_rectangle_is_left_to_the_work_list(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_places(instance, ["d-4", "c-3", "b-2", "a-1"])
    wanted = [PlaceVintage("a-1", 2001), PlaceVintage("d-4", 2003)]
    whole = {RANGE_START_TAG: "d-4|2001", RANGE_END_TAG: "a-1|2003"}
    monkeypatch.setattr(partitions, "WIDEST_RANGE", 12)
    assert range_tags(instance, wanted, listed=True) == whole
    monkeypatch.setattr(partitions, "WIDEST_RANGE", 11)
    assert range_tags(instance, wanted) == whole
    assert range_tags(instance, wanted, listed=True) == {
        RANGE_START_TAG: "d-4|2003",
        RANGE_END_TAG: "d-4|2003",
    }


def test_a_work_list_is_ordered_and_cut_to_known_places(instance: dg.DagsterInstance) -> None:
    add_places(instance, ["d-4", "c-3", "b-2", "a-1"])
    asked = [("b-2", 2001), ("c-3", 2002), ("c-3", 2001), ("b-2", 2001), ("unknown", 2001)]
    wanted = [PlaceVintage(*one) for one in asked]
    assert in_order(instance, wanted) == [("c-3", 2001), ("c-3", 2002), ("b-2", 2001)]


def test_projects_have_a_space_of_their_own(instance: dg.DagsterInstance) -> None:
    add_places(instance, ["a-1", "same-1"])
    assert add_projects(instance, ["same-1", "b-2"]) == ["same-1", "b-2"]
    assert add_projects(instance, ["b-2"]) == []
    wanted = [ProjectVintage("b-2", 2001), ProjectVintage("same-1", 2000)]
    assert in_order(instance, wanted) == [("same-1", 2000), ("b-2", 2001)]
    assert range_tags(instance, wanted) == {
        RANGE_START_TAG: "same-1|2000",
        RANGE_END_TAG: "b-2|2001",
    }
    assert parse_project_key(str(wanted[0].key)) == wanted[0]
    assert "b-2|2000" in project_vintages([2000, 2001]).get_partition_keys(
        dynamic_partitions_store=instance
    )
    with pytest.raises(ValueError, match="'a-1'"):
        bounding_range(instance, [ProjectVintage("a-1", 2000)])
