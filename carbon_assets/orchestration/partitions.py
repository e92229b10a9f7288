"""The partition space: place × vintage.

Dimension ``farm`` is dynamic and holds the permanent partition key of every place (a farm, a
project boundary, a leakage belt, …); dimension ``vintage`` holds the calendar years that the
projects ask for. Dagster writes such a key as ``<place>|<year>``.

A range run covers a rectangle: a stretch of places, in the order in which they were added to
Dagster, times a stretch of years; a work list narrows it. A place that is gone leaves the list,
and comes back under its own key; a key is never given to another place, because Dagster would
show the materializations of the one as those of the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from dagster import (
    DagsterInstance,
    DynamicPartitionsDefinition,
    MultiPartitionKey,
    MultiPartitionsDefinition,
    StaticPartitionsDefinition,
)

FARM = "farm"
VINTAGE = "vintage"
ANY_VINTAGE = range(1985, 2051)
"""Offered as long as no project says which years it wants."""

RANGE_START_TAG = "dagster/asset_partition_range_start"
RANGE_END_TAG = "dagster/asset_partition_range_end"
ADD_SIZE = 5_000
WIDEST_RANGE = 5_000
"""Largest rectangle, in partitions, that the tags of a run with a work list spell out."""

farm_partitions = DynamicPartitionsDefinition(name=FARM)


def place_vintages(vintages: Iterable[int]) -> MultiPartitionsDefinition:
    """Return the partition space of every place times some calendar years.

    Args:
        vintages: The years, in any order; none at all stands for :data:`ANY_VINTAGE`.
    """
    years = sorted(set(vintages)) or ANY_VINTAGE
    return MultiPartitionsDefinition(
        {FARM: farm_partitions, VINTAGE: StaticPartitionsDefinition([str(y) for y in years])}
    )


class PlaceVintage(NamedTuple):
    """One partition: a place and a calendar year.

    Attributes:
        place: Permanent partition key of the place (``farms.partition_key``).
        vintage: Calendar year.
    """

    place: str
    vintage: int

    @property
    def key(self) -> MultiPartitionKey:
        """The partition key in Dagster's own type; as a string ``<place>|<year>``."""
        return MultiPartitionKey({FARM: self.place, VINTAGE: str(self.vintage)})


def parse_key(key: str) -> PlaceVintage:
    """Read a partition key.

    Args:
        key: ``<place>|<year>``.

    Raises:
        ValueError: The key has not this form.
    """
    place, separator, vintage = key.rpartition("|")
    if not (place and separator and vintage.isdigit()):
        raise ValueError(f"not a place × vintage partition key: {key!r}")
    return PlaceVintage(place, int(vintage))


def add_places(instance: DagsterInstance, places: Iterable[str]) -> list[str]:
    """Make places known to Dagster; those it knows already keep their position.

    Args:
        instance: Dagster instance.
        places: Partition keys in the order in which new ones are appended.

    Returns:
        The keys that were new.

    Raises:
        ValueError: A key holds ``|`` or another character that Dagster refuses.
    """
    known = set(instance.get_dynamic_partitions(FARM))
    new = [place for place in dict.fromkeys(places) if place not in known]
    bad = [place for place in new if not place or set(place) & {"|", ",", "[", "]", "\n"}]
    if bad:
        raise ValueError(f"not usable as a partition key: {bad[0]!r}")
    for start in range(0, len(new), ADD_SIZE):
        instance.add_dynamic_partitions(FARM, new[start : start + ADD_SIZE])
    return new


def forget_places(instance: DagsterInstance, active: Iterable[str]) -> list[str]:
    """Take places that are gone out of Dagster's list; their events stay in the log.

    Without this, "all partitions" in the UI would include partitions that no run makes any
    more, and Dagster would call such a backfill failed.

    Args:
        instance: Dagster instance.
        active: Partition keys of all places that are not gone.

    Returns:
        The keys that were taken out.
    """
    keep = set(active)
    gone = [place for place in instance.get_dynamic_partitions(FARM) if place not in keep]
    for place in gone:
        instance.delete_dynamic_partition(FARM, place)
    return gone


def bounding_range(
    instance: DagsterInstance, wanted: Iterable[PlaceVintage]
) -> tuple[MultiPartitionKey, MultiPartitionKey]:
    """Return the two corners of the smallest rectangle around a scattered work list.

    Args:
        instance: Dagster instance, which knows the order of the places.
        wanted: At least one partition; its place must have been added.

    Returns:
        First and last partition key of the rectangle.

    Raises:
        ValueError: The list is empty, or names a place that Dagster does not know.
    """
    places: set[str] = set()
    vintages: set[int] = set()
    for place, vintage in wanted:
        places.add(place)
        vintages.add(vintage)
    if not places:
        raise ValueError("an empty work list has no range")
    ordered = [place for place in instance.get_dynamic_partitions(FARM) if place in places]
    if len(ordered) < len(places):
        raise ValueError(f"unknown to Dagster: {sorted(places - set(ordered))[0]!r}")
    return (
        PlaceVintage(ordered[0], min(vintages)).key,
        PlaceVintage(ordered[-1], max(vintages)).key,
    )


def in_order(instance: DagsterInstance, wanted: Iterable[tuple[str, int]]) -> list[PlaceVintage]:
    """Return the partitions of a work list in the order in which a run works on them.

    Args:
        instance: Dagster instance, which knows the order of the places.
        wanted: Place keys with vintages, in any order.

    Returns:
        Without repeats and without places that Dagster does not know, by position of the
        place, then by vintage.
    """
    position = {place: n for n, place in enumerate(instance.get_dynamic_partitions(FARM))}
    known = {PlaceVintage(place, vintage) for place, vintage in wanted if place in position}
    return sorted(known, key=lambda item: (position[item.place], item.vintage))


def range_tags(
    instance: DagsterInstance, wanted: Iterable[PlaceVintage], *, listed: bool = False
) -> Mapping[str, str]:
    """Return the run tags that make one run cover some partitions, see :func:`bounding_range`.

    Dagster lists the partitions of a rectangle one by one, twice per asset of a run and once
    per check: 100,000 take seconds each time. Where a work list says what is wanted, a
    rectangle of more than :data:`WIDEST_RANGE` partitions is therefore not spelled out: the
    tags name one of the wanted partitions, and the work list alone says what is worked on.

    Args:
        instance: Dagster instance.
        wanted: Partitions that the run must cover.
        listed: Whether the run has a work list that holds them.
    """
    chosen = list(wanted)
    start, end = bounding_range(instance, chosen)
    if listed and _cells(instance, start, end) > WIDEST_RANGE:
        start = end = in_order(instance, chosen)[0].key
    return {RANGE_START_TAG: str(start), RANGE_END_TAG: str(end)}


def _cells(instance: DagsterInstance, first: str, last: str) -> int:
    """Number of partitions in a rectangle, or a little more where years are left out."""
    ordered = list(instance.get_dynamic_partitions(FARM))
    start, end = parse_key(first), parse_key(last)
    places = ordered.index(end.place) - ordered.index(start.place) + 1
    return places * (end.vintage - start.vintage + 1)
