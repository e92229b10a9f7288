"""Which partitions are stale: what is recorded laid beside what should be, as whole arrays.

The arrays of one asset have a row per subject (a place, or a project) and a column per vintage.
The graph is followed from upstream to downstream, so a partition is stale when anything that it
rests on is, however far away. Nothing here reads a database.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from carbon_assets.provenance.graph import Level, Node, edge_offsets, topological
from carbon_assets.provenance.tokens import Ints, member_tokens

MISSING, GEOMETRY, INPUTS, UPSTREAM = 1, 2, 4, 8
"""Bits of a stale partition; ``INPUTS`` is told apart further by its input document."""

STATE = np.dtype(
    [
        ("subject", ">i4"),
        ("vintage", ">i2"),
        ("geometry", ">i4"),
        ("inputs", ">i4"),
        ("upstream", ">i8"),
        ("token", ">i8"),
    ]
)
"""A row of ``partition_state`` as it is read, packed in network order; NULL is 0, which is no
row number, and the combination of no token at all."""

State = npt.NDArray[np.void]
Flags = npt.NDArray[np.bool_]

_UNEXPECTED, _NEVER_USED = -2, -1


@dataclass(frozen=True)
class Expected:
    """What should be, in plain numbers.

    Attributes:
        nodes: The assets.
        assets: Asset numbers by key.
        subjects: (asset number, place or project, zone, current geometry version or None).
        inputs: (asset number, zone, vintage, row of ``partition_inputs`` or None if this
            document was never used).
        members: (project, place) of every place that a project's assets read; those of projects
            that are not among the subjects are passed over.
    """

    nodes: Sequence[Node]
    assets: Mapping[str, int]
    subjects: Sequence[tuple[int, int, int, int | None]]
    inputs: Sequence[tuple[int, int, int, int | None]]
    members: Sequence[tuple[int, int]] = ()

    @cached_property
    def _subjects(self) -> Ints:
        """(asset, subject, zone, geometry version or 0), sorted by asset."""
        return _table([(a, one, zone, version or 0) for a, one, zone, version in self.subjects])

    @cached_property
    def _inputs(self) -> Ints:
        """(asset, zone, vintage, row of ``partition_inputs``), sorted by asset."""
        return _table([(a, z, v, _NEVER_USED if i is None else i) for a, z, v, i in self.inputs])

    @cached_property
    def fan_in(self) -> Ints:
        """(project, place), sorted."""
        return np.array(sorted(set(self.members)), dtype=np.int64).reshape(-1, 2)

    @cached_property
    def levels(self) -> Mapping[int, Level]:
        """Level of each asset, by its number."""
        return {self.assets[n.key]: n.level for n in self.nodes if n.key in self.assets}

    @cached_property
    def of_level(self) -> Mapping[Level, Ints]:
        """Every place that is expected or read, and every project, ascending."""
        owned: dict[Level, list[Ints]] = {"place": [self.fan_in[:, 1]], "project": []}
        for asset in np.unique(self._subjects[:, 0]).tolist():
            owned[self.levels[asset]].append(self.of(asset)[0][:, 1])
        nothing = np.zeros(0, dtype=np.int64)
        return {level: np.unique(np.concatenate([nothing, *o])) for level, o in owned.items()}

    @cached_property
    def vintages(self) -> Ints:
        """Every vintage, ascending."""
        return np.unique(self._inputs[:, 2])

    @property
    def read(self) -> set[int]:
        """Numbers of the assets that are expected, and of those that they read."""
        expected = set(np.unique(self._subjects[:, 0]).tolist())
        upstream = {
            self.assets[edge.upstream]
            for node in self.nodes
            if self.assets.get(node.key) in expected
            for edge in node.edges
            if edge.upstream in self.assets
        }
        return expected | upstream

    def of(self, asset: int) -> tuple[Ints, Ints]:
        """Subjects and inputs of one asset."""
        return _slice(self._subjects, asset), _slice(self._inputs, asset)


@dataclass(frozen=True)
class Stale:
    """Stale partitions as columns, upstream first, then by subject and vintage.

    Attributes:
        asset: Asset numbers.
        subject: Places or projects, as the asset's level says.
        vintage: Vintages.
        mask: Bits that say why.
        recorded: Row of ``partition_inputs`` that is recorded; 0 for a missing partition.
    """

    asset: Ints
    subject: Ints
    vintage: Ints
    mask: Ints
    recorded: Ints

    def __len__(self) -> int:
        return len(self.asset)

    def rows(self) -> Iterator[tuple[int, int, int, int, int]]:
        """Its rows as plain numbers: asset, subject, vintage, mask, recorded."""
        columns = (self.asset, self.subject, self.vintage, self.mask, self.recorded)
        return zip(*(column.tolist() for column in columns), strict=True)


def find_stale(expected: Expected, state: Mapping[int, State]) -> Stale:
    """Compare what is recorded with what should be.

    Args:
        expected: What should be.
        state: Recorded partitions by asset number, of all assets that ``expected`` reads; rows
            of other subjects are passed over.
    """
    frames = _frames(expected, state)
    planes: dict[str, _Plane] = {}
    found: list[tuple[Ints, ...]] = []
    for node in topological(expected.nodes):
        if node.key in expected.assets:
            number = expected.assets[node.key]
            plane = _Plane.of(frames[node.level], state.get(number, np.zeros(0, STATE)))
            plane.judge(*expected.of(number))
            if node.edges:
                read = [(planes[k], by) for k, by in edge_offsets(node) if k in planes]
                plane.follow(read, expected.fan_in)
            planes[node.key] = plane
            found.append(plane.found(number))
    return Stale(*(np.concatenate(columns) for columns in zip(*found, strict=True)))


def _frames(expected: Expected, state: Mapping[int, State]) -> dict[Level, _Frame]:
    years = [expected.vintages, *(np.unique(rows["vintage"]) for rows in state.values())]
    every = np.concatenate(years)
    first = int(every.min(initial=9999))
    count = max(0, int(every.max(initial=0)) - first + 1)
    return {level: _Frame(who, first, count) for level, who in expected.of_level.items()}


@dataclass(frozen=True)
class _Frame:
    """The axes that all planes of a level share: subjects, and an unbroken range of vintages."""

    subjects: Ints
    first: int
    vintages: int

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.subjects), self.vintages

    def rows(self, subjects: npt.NDArray[Any]) -> Ints:
        return np.searchsorted(self.subjects, subjects)

    def locate(self, state: State) -> tuple[State, Ints, Ints]:
        """State of the frame's own subjects, with row and column of each partition."""
        subjects = state["subject"].astype(np.int64)
        rows = self.rows(subjects)
        known = rows < len(self.subjects)
        known[known] = self.subjects[rows[known]] == subjects[known]
        if not known.all():
            state, rows = state[known], rows[known]
        return state, rows, state["vintage"].astype(np.int64) - self.first


class _Plane:
    """One asset: a row per subject, a column per vintage; 0 where nothing is recorded."""

    def __init__(self, frame: _Frame) -> None:
        self.frame = frame
        self.held: Flags = np.zeros(frame.shape, dtype=bool)
        self.expected: Flags = np.zeros(frame.shape, dtype=bool)
        self.geometry, self.inputs, self.upstream, self.token, self.mask = (
            np.zeros(frame.shape, dtype=np.int64) for _ in range(5)
        )

    @classmethod
    def of(cls, frame: _Frame, rows: State) -> _Plane:
        plane = cls(frame)
        known, *at = frame.locate(rows)
        flat = np.ravel_multi_index(tuple(at), frame.shape)
        plane.held.reshape(-1)[flat] = True
        for name in ("geometry", "inputs", "upstream", "token"):
            getattr(plane, name).reshape(-1)[flat] = known[name]
        return plane

    def judge(self, subjects: Ints, inputs: Ints) -> None:
        """Compare polygon and input document of each partition with what they should be."""
        zones, zone_of = np.unique(subjects[:, 2], return_inverse=True)
        by_zone = np.full((len(zones), self.frame.vintages), _UNEXPECTED)
        inputs = inputs[np.isin(inputs[:, 1], zones)]
        at = np.searchsorted(zones, inputs[:, 1]), inputs[:, 2] - self.frame.first
        by_zone[at] = inputs[:, 3]
        rows = self.frame.rows(subjects[:, 1])
        wanted = by_zone[zone_of]
        exists, held = wanted != _UNEXPECTED, self.held[rows]
        other_polygon = self.geometry[rows] != subjects[:, 3, np.newaxis]
        bits = MISSING * ~held + held * (
            GEOMETRY * other_polygon + INPUTS * (self.inputs[rows] != wanted)
        )
        self.expected[rows] = exists
        self.mask[rows] = np.where(exists, bits, 0)

    def follow(self, upstreams: Sequence[tuple[_Plane, int]], fan_in: Ints) -> None:
        """Mark what rests on something else than is current now, or on something stale."""
        now, unsure = np.zeros_like(self.token), np.zeros_like(self.held)
        for other, by in upstreams:
            here, there = _window(self.frame.vintages, by)
            if other.frame is self.frame:
                token, stale = other.token, other.mask != 0
            else:
                token, stale = other.gathered(self.frame, fan_in)
            now[:, here] ^= token[:, there]
            unsure[:, here] |= stale[:, there]
        differs = self.expected & self.held & (unsure | (now != self.upstream))
        self.mask += UPSTREAM * differs

    def gathered(self, projects: _Frame, fan_in: Ints) -> tuple[Ints, Flags]:
        """What the members of each project give: their tokens combined, and any that is stale."""
        token, stale = np.zeros(projects.shape, np.int64), np.zeros(projects.shape, bool)
        fan_in = fan_in[np.isin(fan_in[:, 0], projects.subjects)]
        if len(fan_in):
            owners, starts = np.unique(fan_in[:, 0], return_index=True)
            rows, at = self.frame.rows(fan_in[:, 1]), projects.rows(owners)
            bound = np.where(self.held[rows], member_tokens(fan_in[:, 1], self.token[rows]), 0)
            token[at] = np.bitwise_xor.reduceat(bound, starts, axis=0)
            stale[at] = np.logical_or.reduceat(self.mask[rows] != 0, starts, axis=0)
        return token, stale

    def found(self, number: int) -> tuple[Ints, ...]:
        """Columns of :class:`Stale` for this asset."""
        at = np.nonzero(self.mask)
        asset = np.full(len(at[0]), number)
        vintage = at[1] + self.frame.first
        return asset, self.frame.subjects[at[0]], vintage, self.mask[at], self.inputs[at]


def _window(vintages: int, by: int) -> tuple[slice, slice]:
    """Columns of a partition's own vintage, and of the vintage ``by`` years from it."""
    if by < 0:
        return slice(min(-by, vintages), vintages), slice(0, max(vintages + by, 0))
    return slice(0, max(vintages - by, 0)), slice(min(by, vintages), vintages)


def _table(rows: Iterable[tuple[int, int, int, int]]) -> Ints:
    """Rows of four numbers, sorted by the first."""
    table = np.array(list(rows), dtype=np.int64).reshape(-1, 4)
    return table[np.argsort(table[:, 0], kind="stable")]


def _slice(table: Ints, asset: int) -> Ints:
    first, end = np.searchsorted(table[:, 0], [asset, asset + 1])
    return table[first:end]
