"""Project metrics from the farm metrics that were read: loading, deriving, writing.

Everything is read by fingerprint, not by what is current: so the same call that computes a
partition also computes it again, from exactly what it was computed from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, text

from carbon_assets.metrics.projects import derive_project_metrics
from carbon_assets.metrics.projects_model import FarmNumber, ProjectNumber
from carbon_assets.metrics.settings import MetricSettings
from carbon_assets.provenance.code import code_version
from carbon_assets.provenance.fingerprint import as_text
from carbon_assets.provenance.plan import Key, Step
from carbon_assets.provenance.world import CompanyWorld
from carbon_assets.store.copying import copy_rows, reserve_ids
from carbon_assets.store.models import ProjectMember, ProjectMetric, ProjectMetricSource

Members = Mapping[str, tuple[int, str | None]]
"""Farms of a project by key: row of ``farms``, and the fingerprint of the metrics read."""


def derive_projects(
    connection: Connection, world: CompanyWorld, steps: Sequence[Step]
) -> dict[Key, int]:
    """Derive and store the metrics of some project partitions; return how many each has.

    Args:
        connection: An open transaction.
        world: The company, with its projects.
        steps: What to compute.
    """
    overlaps = Overlaps(connection)
    written = {}
    for step in steps:
        members = _members_of(step)
        settings = world.projects[step.subject_id].metrics
        made = derive(connection, members, settings, overlaps)
        _write(connection, step, members, made)
        written[step.key] = len(made)
    return written


def derive(
    connection: Connection, members: Members, settings: MetricSettings, overlaps: Overlaps
) -> list[ProjectNumber]:
    """Derive the metrics of one project and vintage from the farm metrics that were read."""
    return derive_project_metrics(
        farm_numbers(connection, members), settings=settings, overlaps=overlaps.among(members)
    )


def _members_of(step: Step) -> dict[str, tuple[int, str | None]]:
    return {
        one.member: (one.subject_id, as_text(one.fingerprint) if one.fingerprint else None)
        for one in step.read
        if one.member is not None
    }


_NUMBERS = """
SELECT m.id, read.farm, m.metric_code, m.stratum_filter, m.value_canonical AS value,
    m.value_min_canonical AS low, m.value_max_canonical AS high, m.valid_share,
    area.valid_area_ha, area.covered_area_ha, m.flags, m.source_tag
FROM unnest(CAST(:farms AS int[]), CAST(:marks AS text[])) AS read(farm, mark)
JOIN farm_metrics AS m ON m.farm_id = read.farm AND m.inputs_fingerprint = read.mark
CROSS JOIN LATERAL (
    SELECT min(r.valid_area_ha) AS valid_area_ha, max(r.covered_area_ha) AS covered_area_ha
    FROM farm_metric_sources AS s JOIN raster_aggregates AS r ON r.id = s.raster_aggregate_id
    WHERE s.farm_metric_id = m.id
) AS area
"""
"""Receipts behind one metric differ in valid area by rounding at most; the least is taken."""


def farm_numbers(connection: Connection, members: Members) -> dict[str, list[FarmNumber]]:
    """Farm metrics of each member; of one without metrics they are empty."""
    found: dict[str, list[FarmNumber]] = {key: [] for key in members}
    keys = {farm: key for key, (farm, _) in members.items()}
    for row in connection.execute(text(_NUMBERS), _read(members)).mappings():
        values = {name: row[name] for name in FarmNumber.__dataclass_fields__}
        number = FarmNumber(**{**values, "flags": tuple(row["flags"])})
        found[keys[row["farm"]]].append(number)
    return found


def _read(members: Members) -> dict[str, list[Any]]:
    with_metrics = [(farm, mark) for farm, mark in members.values() if mark is not None]
    return {
        "farms": [farm for farm, _ in with_metrics],
        "marks": [mark for _, mark in with_metrics],
    }


_POLYGONS = """
SELECT DISTINCT v.id, read.farm
FROM unnest(CAST(:farms AS int[]), CAST(:marks AS text[])) AS read(farm, mark)
JOIN farm_metrics AS m ON m.farm_id = read.farm AND m.inputs_fingerprint = read.mark
    AND m.metric_code = 'total_area' AND m.stratum_filter IS NULL
JOIN farm_metric_sources AS s ON s.farm_metric_id = m.id
JOIN raster_aggregates AS r ON r.id = s.raster_aggregate_id
JOIN geometry_versions AS v ON v.farm_id = r.geometry_id AND v.geometry_hash = r.geometry_version
ORDER BY v.id
"""
"""The polygons that the receipts rest on, which an edit since then has not moved."""


@dataclass
class Overlaps:
    """Which farms share ground; vintages of one project mostly have the same polygons.

    Attributes:
        connection: An open transaction.
    """

    connection: Connection

    def __post_init__(self) -> None:
        self._known: dict[tuple[int, ...], list[tuple[int, int]]] = {}

    def among(self, members: Members) -> list[tuple[str, str]]:
        """Pairs of members, by key, that overlap by more than neighbours' slivers."""
        rows = self.connection.execute(text(_POLYGONS), _read(members)).all()
        versions = tuple(row.id for row in rows)
        if versions not in self._known:
            self._known[versions] = self._pairs(versions)
        keys = {farm: key for key, (farm, _) in members.items()}
        of_version = [keys[row.farm] for row in rows]
        return [(of_version[i], of_version[j]) for i, j in self._known[versions]]

    def _pairs(self, versions: Sequence[int]) -> list[tuple[int, int]]:
        import numpy as np
        import shapely

        from carbon_assets.places.overlaps import overlapping_pairs

        query = text("SELECT geometry FROM geometry_versions WHERE id = ANY(:ids) ORDER BY id")
        polygons = self.connection.execute(query, {"ids": list(versions)}).scalars()
        shapes = np.array([shapely.from_wkb(bytes(wkb)) for wkb in polygons], dtype=object)
        return [(i, j) for i, j, _ in overlapping_pairs(shapes)] if len(shapes) else []


_HEAD = [
    "id",
    "company_id",
    "project_id",
    "vintage_year",
    "inputs_fingerprint",
    "code_version",
    "computed_at",
]
_OWN = [name for name in ProjectNumber.__dataclass_fields__ if name != "sources"]


def _write(
    connection: Connection, step: Step, members: Members, made: Sequence[ProjectNumber]
) -> None:
    mark = as_text(step.fingerprint)
    of_step = (step.company_id, step.subject_id, step.vintage, mark)
    copy_rows(
        connection,
        ProjectMember,
        ["company_id", "project_id", "vintage_year", "inputs_fingerprint", *_MEMBER],
        [(*of_step, farm, farm_mark) for farm, farm_mark in members.values()],
    )
    ids = reserve_ids(connection, ProjectMetric, len(made))
    tail = (code_version(), datetime.now(tz=UTC))
    rows: list[tuple[Any, ...]] = []
    sources: list[tuple[int, int, str]] = []
    for number, one in zip(ids, made, strict=True):
        rows.append((number, *of_step, *tail, *_values(one)))
        sources += [(number, metric, role) for metric, role in one.sources]
    copy_rows(connection, ProjectMetric, [*_HEAD, *_OWN], rows)
    columns = ["project_metric_id", "farm_metric_id", "role"]
    copy_rows(connection, ProjectMetricSource, columns, sources)


_MEMBER = ["farm_id", "farm_fingerprint"]


def _values(one: ProjectNumber) -> Iterable[Any]:
    values = {**one.__dict__, "flags": list(one.flags)}
    return [values[name] for name in _OWN]
