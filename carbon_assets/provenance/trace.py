"""From a number back to its pixels, polygon, factors and code: the audit conversation.

The documents returned here are JSON-ready; :mod:`carbon_assets.provenance.trace_text` puts
them into words.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, text

from carbon_assets.errors import ProvenanceError
from carbon_assets.provenance.trace_history import computation
from carbon_assets.provenance.trace_text import as_text

__all__ = ["as_text", "trace_metric", "trace_metric_id", "trace_receipt"]

Document = dict[str, Any]


def trace_metric(
    connection: Connection,
    *,
    place: str,
    metric: str,
    vintage: int,
    company: str | None = None,
    stratum: Mapping[str, str] | None = None,
) -> Document:
    """Trace the current value of a farm metric.

    Args:
        connection: An open transaction.
        place: Key of the place, or its partition key.
        metric: Metric code.
        vintage: Vintage year.
        company: Key of the company, where several have a place of this key.
        stratum: Stratum filter; None for the whole place.

    Raises:
        ProvenanceError: ``METRIC_NOT_FOUND``, ``METRIC_AMBIGUOUS``.
    """
    rows = connection.execute(
        text(
            "SELECT m.id, m.stratum_filter, c.key AS company FROM current_farm_metrics AS m"
            " JOIN farms AS f ON f.id = m.farm_id JOIN companies AS c ON c.id = m.company_id"
            " WHERE (f.key = :place OR f.partition_key = :place) AND m.metric_code = :metric"
            " AND m.vintage_year = :vintage"
            " AND (CAST(:company AS text) IS NULL OR c.key = :company)"
        ),
        {"place": place, "metric": metric, "vintage": vintage, "company": company},
    ).all()
    wanted = dict(stratum) if stratum else None
    found = [row for row in rows if row.stratum_filter == wanted]
    if not found:
        raise ProvenanceError(
            "METRIC_NOT_FOUND",
            f"there is no current {metric} of {place} for {vintage}"
            + (f" and {wanted}" if wanted else ""),
            do="list what there is: `carbon-assets metrics`",
            details={"strata": [row.stratum_filter for row in rows]},
        )
    if len(found) > 1:
        raise ProvenanceError(
            "METRIC_AMBIGUOUS",
            f"several companies have a place {place}: "
            + ", ".join(sorted(row.company for row in found)),
            do="name the company with --company",
        )
    return trace_metric_id(connection, found[0].id)


def trace_metric_id(connection: Connection, metric_id: int) -> Document:
    """Trace a row of ``farm_metrics``, current or not.

    Raises:
        ProvenanceError: ``METRIC_NOT_FOUND``.
    """
    row = _one(
        connection,
        "SELECT m.*, f.key AS place, f.name AS place_name, f.geometry_kind, p.key AS project,"
        " c.key AS company, t.label, EXISTS (SELECT 1 FROM current_farm_metrics AS n"
        "  WHERE n.id = m.id) AS current"
        " FROM farm_metrics AS m JOIN farms AS f ON f.id = m.farm_id"
        " JOIN companies AS c ON c.id = m.company_id"
        " JOIN lookup_metric_type AS t ON t.code = m.metric_code"
        " LEFT JOIN projects AS p ON p.id = f.project_id WHERE m.id = :id",
        metric_id,
        "METRIC_NOT_FOUND",
    )
    sources = connection.execute(
        text(
            "SELECT raster_aggregate_id, role FROM farm_metric_sources"
            " WHERE farm_metric_id = :id ORDER BY role, raster_aggregate_id"
        ),
        {"id": metric_id},
    ).all()
    return {
        "metric": {
            "id": row["id"],
            "code": row["metric_code"],
            "label": row["label"],
            "value": row["value_canonical"],
            "unit": row["unit_canonical"],
            "interval_95": [row["value_min_canonical"], row["value_max_canonical"]],
            "valid_share": row["valid_share"],
            "flags": row["flags"],
            "formula": row["formula"],
            "source": row["source_tag"],
            "stratum": row["stratum_filter"],
            "vintage": row["vintage_year"],
            "current": row["current"],
        },
        "place": _place(row),
        "computation": computation(connection, "farm_metrics", row, row["farm_id"]),
        "receipts": [
            {"role": one.role, **trace_receipt(connection, one.raster_aggregate_id)}
            for one in sources
        ],
    }


def trace_receipt(connection: Connection, receipt_id: int) -> Document:
    """Trace a row of ``raster_aggregates`` down to files, hashes, polygon and code.

    Raises:
        ProvenanceError: ``RECEIPT_NOT_FOUND``.
    """
    row = _one(
        connection,
        "SELECT r.*, f.key AS place, f.name AS place_name, p.key AS project, c.key AS company,"
        " s.key AS source_key, s.title, s.licence, s.citation, s.epoch, EXISTS ("
        "  SELECT 1 FROM current_raster_aggregates AS n WHERE n.id = r.id) AS current"
        " FROM raster_aggregates AS r JOIN farms AS f ON f.id = r.geometry_id"
        " JOIN companies AS c ON c.id = r.company_id"
        " LEFT JOIN raster_data_sources AS s ON s.id = r.raster_source_id"
        " LEFT JOIN projects AS p ON p.id = f.project_id WHERE r.id = :id",
        receipt_id,
        "RECEIPT_NOT_FOUND",
    )
    context = dict(row["context"] or {})
    asset = f"raster_aggregates/{row['runner_key'].split('.', 1)[0]}"
    return {
        "receipt": {
            "id": row["id"],
            "runner": row["runner_key"],
            "metric": row["metric_code"],
            "method": row["aggregate_method"],
            "stratum": row["stratum_filter"],
            "vintage": row["vintage_year"],
            "value": row["value"],
            "unit": row["value_unit"],
            "histogram": row["histogram"],
            "cells": row["pixel_count"],
            "nodata_cells": row["pixel_nodata_count"],
            "weighted_cells": row["weighted_pixel_count"],
            "covered_area_ha": row["covered_area_ha"],
            "valid_area_ha": row["valid_area_ha"],
            "uncertainty_pct_ci95": row["uncertainty_pct_ci95"],
            "uncertainty_method": row["uncertainty_method"],
            "carbon_fraction": context.pop("carbon_fraction", None),
            "carbon_fraction_source": context.pop("carbon_fraction_source", None),
            "libraries": context.pop("libraries", {}),
            "context": context,
            "current": row["current"],
        },
        "place": _place(row),
        "source": {
            "key": row["source_key"],
            "version": row["raster_version"],
            "title": row["title"],
            "epoch": row["epoch"],
            "licence": row["licence"],
            "citation": row["citation"],
        },
        "rasters": _rasters(connection, receipt_id),
        "geometry": _geometry(connection, row["geometry_id"], row["geometry_version"]),
        "computation": computation(connection, asset, row, row["geometry_id"]),
    }


def _one(connection: Connection, query: str, row_id: int, code: str) -> Mapping[str, Any]:
    row = connection.execute(text(query), {"id": row_id}).mappings().one_or_none()
    if row is None:
        raise ProvenanceError(code, f"there is no row {row_id}", do="list rows: metrics, trace")
    return dict(row)


def _place(row: Mapping[str, Any]) -> Document:
    return {
        "key": row["place"],
        "name": row["place_name"],
        "kind": row["geometry_kind"],
        "project": row["project"],
        "company": row["company"],
    }


def _rasters(connection: Connection, receipt_id: int) -> list[Document]:
    rows = connection.execute(
        text(
            "SELECT i.role, a.band, a.vintage, a.tile, a.href, a.content_hash, a.size_bytes,"
            " a.header, s.key AS source, s.version FROM raster_aggregate_inputs AS i"
            " JOIN raster_assets AS a ON a.id = i.raster_asset_id"
            " JOIN raster_data_sources AS s ON s.id = a.raster_source_id"
            " WHERE i.raster_aggregate_id = :id ORDER BY i.role DESC, a.band, a.tile"
        ),
        {"id": receipt_id},
    )
    return [dict(row) for row in rows.mappings()]


def _geometry(connection: Connection, place_id: int, geometry_hash: str) -> Document:
    row = (
        connection.execute(
            text(
                "SELECT version, geometry_hash, area_ha, source_file, source_crs, source_feature,"
                " repaired, repair_note, created_at FROM geometry_versions"
                " WHERE farm_id = :place AND geometry_hash = :hash"
            ),
            {"place": place_id, "hash": geometry_hash},
        )
        .mappings()
        .one()
    )
    return {**row, "created_at": row["created_at"].isoformat()}
