"""Computing numbers again from the inputs that they name, and comparing every bit."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, text

from carbon_assets.errors import CarbonAssetsError, ProvenanceError
from carbon_assets.intake.contents import content_of, copy_of
from carbon_assets.intake.files import registered_file
from carbon_assets.provenance.expectation import code_of
from carbon_assets.provenance.fingerprint import as_text
from carbon_assets.provenance.reproduce_projects import computations as project_computations
from carbon_assets.provenance.reproduce_projects import reproduce_projects
from carbon_assets.provenance.reproduction import Reproduction
from carbon_assets.rasters.opening import gdal_session
from carbon_assets.rasters.reader import OpenRasters
from carbon_assets.rasters.registered import RegisteredSource, SourceFile
from carbon_assets.reference.catalogue import SourceVersion
from carbon_assets.runners.all_runners import runner_named
from carbon_assets.runners.bound import BoundRunner
from carbon_assets.runners.compute import PlaceTask, compute_place
from carbon_assets.runners.declaration import Setting
from carbon_assets.runners.receipts import Receipt
from carbon_assets.store.database import Database
from carbon_assets.store.engines import transaction

COMPARED = (
    "value",
    "value_unit",
    "histogram",
    "pixel_count",
    "pixel_nodata_count",
    "weighted_pixel_count",
    "covered_area_ha",
    "valid_area_ha",
    "uncertainty_pct_ci95",
    "uncertainty_method",
)
"""Fields of a receipt that must come out the same, to the last bit."""

Progress = Callable[[int, int], None]


def reproduce(
    database: Database,
    *,
    receipt_ids: Collection[int] | None = None,
    company: str | None = None,
    progress: Progress | None = None,
) -> Reproduction:
    """Compute numbers again and compare: receipts from polygon and rasters.

    With all receipts come all project metrics, from the farm metrics that they name.

    Args:
        database: The database; nothing is written but the cache of file hashes.
        receipt_ids: Rows of ``raster_aggregates``; None for all that are current, and for the
            current project metrics.
        company: Only rows of this company.
        progress: Called with computations done and to do.

    Raises:
        ProvenanceError: ``RECEIPT_NOT_FOUND``.
    """
    result = Reproduction()
    with transaction(database) as connection, gdal_session(), OpenRasters() as rasters:
        computations = _computations(connection, receipt_ids, company)
        inputs = Inputs(connection)
        projects = [] if receipt_ids is not None else project_computations(connection, company)
        total, done = len(computations) + len(projects), 0
        told = progress or _silent
        for group in _groups(computations, inputs):
            _repeat(connection, group, inputs, rasters, result)
            done += len(group)
            told(done, total)
        for number in reproduce_projects(connection, projects, result):
            told(done + number, total)
    return result


def _silent(_done: int, _total: int) -> None:
    pass


def _computations(
    connection: Connection, receipt_ids: Collection[int] | None, company: str | None
) -> list[Any]:
    """One row per computation: place, vintage, fingerprint and the receipts in question."""
    rows = connection.execute(
        text(
            "SELECT r.geometry_id, f.key AS place, r.vintage_year, r.inputs_fingerprint,"
            " r.runner_key, r.geometry_version, array_agg(r.id ORDER BY r.id) AS ids"
            " FROM raster_aggregates AS r JOIN farms AS f ON f.id = r.geometry_id"
            " JOIN companies AS c ON c.id = r.company_id"
            " WHERE (r.id = ANY(CAST(:ids AS bigint[])) OR CAST(:ids AS bigint[]) IS NULL"
            "  AND r.id IN (SELECT id FROM current_raster_aggregates))"
            " AND (CAST(:company AS text) IS NULL OR c.key = :company)"
            " AND r.raster_source_id IS NOT NULL"
            " GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY r.runner_key, r.geometry_id, r.vintage_year"
        ),
        {"ids": None if receipt_ids is None else sorted(receipt_ids), "company": company},
    ).all()
    found = {number for row in rows for number in row.ids}
    missing = sorted(set(receipt_ids or ()) - found)
    if missing:
        raise ProvenanceError(
            "RECEIPT_NOT_FOUND",
            f"there is no receipt {', '.join(map(str, missing))}",
            do="`carbon-assets trace` names the receipts of a metric",
        )
    return list(rows)


def _groups(computations: Sequence[Any], inputs: Inputs) -> Iterator[list[Any]]:
    """Vintages of one place that are computed together, as they were the first time."""
    groups: dict[tuple[Any, ...], list[Any]] = {}
    for one in computations:
        key = (one.runner_key, one.geometry_id, one.geometry_version, inputs.setting(one))
        group = groups.setdefault(key, [])
        if any(other.vintage_year == one.vintage_year for other in group):
            yield [one]
        else:
            group.append(one)
    yield from groups.values()


def _repeat(
    connection: Connection,
    group: Sequence[Any],
    inputs: Inputs,
    rasters: OpenRasters,
    result: Reproduction,
) -> None:
    ids = [number for one in group for number in one.ids]
    result.checked += len(ids)
    try:
        bound = inputs.bound(group)
        _note_code(bound, [inputs.document(one) for one in group], result)
        task = inputs.task(group[0])
        made = {
            (part.vintage, *_identity(receipt._asdict())): receipt
            for part in compute_place(bound, task, [one.vintage_year for one in group], rasters)
            for receipt in part.receipts
        }
    except CarbonAssetsError as error:
        where = {"place": group[0].place, "vintages": [one.vintage_year for one in group]}
        result.failed.append({"receipts": ids, **where, "error": error.as_dict()})
        return
    rows = connection.execute(
        text("SELECT * FROM raster_aggregates WHERE id = ANY(:ids) ORDER BY id"), {"ids": ids}
    )
    for row in rows.mappings():
        recorded = dict(row)
        again = made.get((recorded["vintage_year"], *_identity(recorded)))
        differences = list(_differences(recorded, again))
        result.different += differences
        result.equal += not differences


def _identity(row: Mapping[str, Any]) -> tuple[str, str, str]:
    stratum = row["stratum_filter"]
    return row["metric_code"], row["aggregate_method"], str(sorted((stratum or {}).items()))


def _note_code(
    bound: BoundRunner, documents: Sequence[Mapping[str, Any]], result: Reproduction
) -> None:
    for code in sorted({document["code"] for document in documents} - {code_of(bound.runner)}):
        note = f"{bound.runner_key}: the code has changed since ({code})"
        if note not in result.notes:
            result.notes.append(note)


class Inputs:
    """What receipts were computed from, read back from the database."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._documents: dict[tuple[int, str], Mapping[str, Any]] = {}
        self._contents: dict[str, str] = {}

    def document(self, computation: Any) -> Mapping[str, Any]:
        """The input document that a computation was recorded with."""
        key = (computation.geometry_id, computation.inputs_fingerprint)
        if key not in self._documents:
            rows = self._connection.execute(
                text(
                    "SELECT h.fingerprint, p.document FROM partition_history AS h"
                    " JOIN partition_inputs AS p ON p.id = h.inputs_id"
                    " JOIN asset_keys AS a ON a.id = h.asset_id"
                    " WHERE h.subject_id = :place AND a.key LIKE 'raster_aggregates/%'"
                ),
                {"place": computation.geometry_id},
            )
            for row in rows:
                mark = as_text(bytes(row.fingerprint))
                self._documents[computation.geometry_id, mark] = row.document
        return self._documents[key]

    def setting(self, computation: Any) -> Setting:
        """Biome and ecological zone that a computation used."""
        reference = self.document(computation)["reference"]
        return Setting(
            biome=(reference.get("biome") or {}).get("key"),
            ecological_zone=(reference.get("root_to_shoot") or {}).get("key"),
        )

    def bound(self, group: Sequence[Any]) -> BoundRunner:
        """The runner with exactly the files that the computations name."""
        runner = runner_named(group[0].runner_key.split(".", 1)[0])
        rows = self._connection.execute(
            text(
                "SELECT DISTINCT i.role, a.*, s.catalogue FROM raster_aggregates AS r"
                " JOIN raster_aggregate_inputs AS i ON i.raster_aggregate_id = r.id"
                " JOIN raster_assets AS a ON a.id = i.raster_asset_id"
                " JOIN raster_data_sources AS s ON s.id = a.raster_source_id"
                " WHERE r.geometry_id = :place AND r.inputs_fingerprint = ANY(:marks)"
            ),
            {
                "place": group[0].geometry_id,
                "marks": [one.inputs_fingerprint for one in group],
            },
        ).all()
        sources = {}
        for slot in runner.slots:
            roles = ("mask",) if slot == runner.strata_slot else ("value", "uncertainty")
            sources[slot] = self._source([row for row in rows if row.role in roles])
        return BoundRunner(runner, sources)

    def _source(self, rows: Sequence[Any]) -> RegisteredSource:
        version = SourceVersion.model_validate(rows[0].catalogue)
        files = []
        for row in {row.id: row for row in rows}.values():
            copy = copy_of(self._connection, row.content_hash)
            if copy is None:
                self._require_same(row)
            file = registered_file(version, version.band(row.band), row, copy)
            files.append(SourceFile(row.band, version.epoch or row.vintage, row.tile, file))
        return RegisteredSource(rows[0].raster_source_id, version, tuple(files))

    def _require_same(self, row: Any) -> None:
        if row.href not in self._contents:
            self._contents[row.href] = content_of(self._connection, row.href).content_hash
        found = self._contents[row.href]
        if found != row.content_hash:
            raise ProvenanceError(
                "RASTER_CHANGED",
                f"the raster's bytes are {found}, the receipt was computed from {row.content_hash}",
                where=row.href,
                do="put the original file back to repeat the computation",
            )

    def task(self, computation: Any) -> PlaceTask:
        """The place with the polygon that a computation used."""
        row = self._connection.execute(
            text(
                "SELECT geometry, bbox FROM geometry_versions"
                " WHERE farm_id = :place AND geometry_hash = :hash"
            ),
            {"place": computation.geometry_id, "hash": computation.geometry_version},
        ).one()
        west, south, east, north = row.bbox
        return PlaceTask(
            place_id=computation.geometry_id,
            key=computation.place,
            wkb=bytes(row.geometry),
            bounds=(west, south, east, north),
            setting=self.setting(computation),
        )


def _differences(row: Mapping[str, Any], made: Receipt | None) -> Iterator[dict[str, Any]]:
    for name in COMPARED:
        again = None if made is None else getattr(made, name)
        if row[name] != again:
            yield {
                "receipt": row["id"],
                "metric": row["metric_code"],
                "field": name,
                "recorded": row[name],
                "recomputed": again,
            }
            if made is None:
                return
