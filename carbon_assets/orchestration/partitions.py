"""The two partition spaces: place × vintage, and project × vintage.

Dimension ``farm`` is dynamic and holds the permanent partition key of every place (a farm, a
project boundary, a leakage belt, …); dimension ``vintage`` holds the calendar years that the
projects ask for. Dagster writes such a key as ``<place>|<year>``.

Dimension ``project`` holds the permanent partition key of every project in the same way. One run
is in one space: Dagster holds a single partitions definition per run.

A range run covers a rectangle: a stretch of places, in the order in which they were added to
Dagster, times a stretch of years; a work list narrows it. A place that is gone leaves the list,
and comes back under its own key; a key is never given to another place, because Dagster would
show the materializations of the one as those of the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeVar

from dagster import (
    DagsterInstance,
    DynamicPartitionsDefinition,
    MultiPartitionKey,
    MultiPartitionsDefinition,
    StaticPartitionsDefinition,
)

FARM = "farm"
PROJECT = "project"
VINTAGE = "vintage"
ANY_VINTAGE = range(1985, 2051)
"""Offered as long as no project says which years it wants."""

RANGE_START_TAG = "dagster/asset_partition_range_start"
RANGE_END_TAG = "dagster/asset_partition_range_end"
ADD_SIZE = 5_000
WIDEST_RANGE = 5_000
"""Largest rectangle, in partitions, that the tags of a run with a work list spell out."""

farm_partitions = DynamicPartitionsDefinition(name=FARM)
project_partitions = DynamicPartitionsDefinition(name=PROJECT)


def place_vintages(vintages: Iterable[int]) -> MultiPartitionsDefinition:
    """Return the partition space of every place times some calendar years.

    Args:
        vintages: The years, in any order; none at all stands for :data:`ANY_VINTAGE`.
    """
    return MultiPartitionsDefinition({FARM: farm_partitions, VINTAGE: _years(vintages)})


def project_vintages(vintages: Iterable[int]) -> MultiPartitionsDefinition:
    """Return the partition space of every project times some calendar years.

    Args:
        vintages: As in :func:`place_vintages`.
    """
    return MultiPartitionsDefinition({PROJECT: project_partitions, VINTAGE: _years(vintages)})


def _years(vintages: Iterable[int]) -> StaticPartitionsDefinition:
    years = sorted(set(vintages)) or ANY_VINTAGE
    return StaticPartitionsDefinition([str(year) for year in years])


class PlaceVintage(NamedTuple):
    """One partition: a place and a calendar year.

    Attributes:
        place: Permanent partition key of the place (``farms.partition_key``).
        vintage: Calendar year.
    """

    place: str
    vintage: int

    @property
    def dimension(self) -> str:
        """Name of the dimension of places."""
        return FARM

    @property
    def key(self) -> MultiPartitionKey:
        """The partition key in Dagster's own type; as a string ``<place>|<year>``."""
        return MultiPartitionKey({FARM: self.place, VINTAGE: str(self.vintage)})


class ProjectVintage(NamedTuple):
    """One partition: a project and a calendar year.

    Attributes:
        project: Permanent partition key of the project (``projects.partition_key``).
        vintage: Calendar year.
    """

    project: str
    vintage: int

    @property
    def dimension(self) -> str:
        """Name of the dimension of projects."""
        return PROJECT

    @property
    def key(self) -> MultiPartitionKey:
        """The partition key in Dagster's own type; as a string ``<project>|<year>``."""
        return MultiPartitionKey({PROJECT: self.project, VINTAGE: str(self.vintage)})


P = TypeVar("P", PlaceVintage, ProjectVintage)


def parse_key(key: str) -> PlaceVintage:
    """Read a partition key of the place × vintage space.

    Args:
        key: ``<place>|<year>``.

    Raises:
        ValueError: The key has not this form.
    """
    return PlaceVintage(*_parts(key))


def parse_project_key(key: str) -> ProjectVintage:
    """Read a partition key of the project × vintage space.

    Args:
        key: ``<project>|<year>``.

    Raises:
        ValueError: The key has not this form.
    """
    return ProjectVintage(*_parts(key))


def _parts(key: str) -> tuple[str, int]:
    subject, separator, vintage = key.rpartition("|")
    if not (subject and separator and vintage.isdigit()):
        raise ValueError(f"not a partition key with a vintage: {key!r}")
    return subject, int(vintage)


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
    return _add(instance, FARM, places)


def add_projects(instance: DagsterInstance, projects: Iterable[str]) -> list[str]:
    """Make projects known to Dagster, as :func:`add_places` does with places.

    Args:
        instance: Dagster instance.
        projects: Partition keys in the order in which new ones are appended.

    Returns:
        The keys that were new.

    Raises:
        ValueError: A key holds ``|`` or another character that Dagster refuses.
    """
    return _add(instance, PROJECT, projects)


def _add(instance: DagsterInstance, dimension: str, keys: Iterable[str]) -> list[str]:
    known = set(instance.get_dynamic_partitions(dimension))
    new = [key for key in dict.fromkeys(keys) if key not in known]
    bad = [key for key in new if not key or set(key) & {"|", ",", "[", "]", "\n"}]
    if bad:
        raise ValueError(f"not usable as a partition key: {bad[0]!r}")
    for start in range(0, len(new), ADD_SIZE):
        instance.add_dynamic_partitions(dimension, new[start : start + ADD_SIZE])
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
    instance: DagsterInstance, wanted: Iterable[P]
) -> tuple[MultiPartitionKey, MultiPartitionKey]:
    """Return the two corners of the smallest rectangle around a scattered work list.

    Args:
        instance: Dagster instance, which knows the order of the places and projects.
        wanted: At least one partition, all of one space; their places must have been added.

    Returns:
        First and last partition key of the rectangle.

    Raises:
        ValueError: The list is empty, or names a place or project that Dagster does not know.
    """
    chosen = list(wanted)
    if not chosen:
        raise ValueError("an empty work list has no range")
    kind = type(chosen[0])
    subjects = {one[0] for one in chosen}
    known = instance.get_dynamic_partitions(chosen[0].dimension)
    ordered = [subject for subject in known if subject in subjects]
    if len(ordered) < len(subjects):
        raise ValueError(f"unknown to Dagster: {sorted(subjects - set(ordered))[0]!r}")
    vintages = [one.vintage for one in chosen]
    return kind(ordered[0], min(vintages)).key, kind(ordered[-1], max(vintages)).key


def in_order(instance: DagsterInstance, wanted: Iterable[P]) -> list[P]:
    """Return the partitions of a work list in the order in which a run works on them.

    Args:
        instance: Dagster instance, which knows the order of the places and projects.
        wanted: Partitions of one space, in any order.

    Returns:
        Without repeats and without places that Dagster does not know, by position of the
        place, then by vintage.
    """
    chosen = set(wanted)
    positions = {
        dimension: {key: n for n, key in enumerate(instance.get_dynamic_partitions(dimension))}
        for dimension in {one.dimension for one in chosen}
    }
    known = [one for one in chosen if one[0] in positions[one.dimension]]
    return sorted(known, key=lambda one: (positions[one.dimension][one[0]], one.vintage))


def range_tags(
    instance: DagsterInstance, wanted: Iterable[P], *, listed: bool = False
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
    if listed and _cells(instance, chosen[0].dimension, start, end) > WIDEST_RANGE:
        start = end = in_order(instance, chosen)[0].key
    return {RANGE_START_TAG: str(start), RANGE_END_TAG: str(end)}


def _cells(instance: DagsterInstance, dimension: str, first: str, last: str) -> int:
    """Number of partitions in a rectangle, or a little more where years are left out."""
    ordered = list(instance.get_dynamic_partitions(dimension))
    (start, first_year), (end, last_year) = _parts(first), _parts(last)
    return (ordered.index(end) - ordered.index(start) + 1) * (last_year - first_year + 1)
