"""The part of a trace that says which code made a number, and since when it is current."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, text

from carbon_assets.provenance.fingerprint import as_bytes

Document = dict[str, Any]


def computation(
    connection: Connection, asset: str, row: Mapping[str, Any], subject_id: int
) -> Document:
    """Fingerprint, code, and every time that this computation became current."""
    history = connection.execute(
        text(
            "SELECT h.cause, h.run_id, h.recorded_at, p.document FROM partition_history AS h"
            " JOIN asset_keys AS a ON a.id = h.asset_id"
            " JOIN partition_inputs AS p ON p.id = h.inputs_id"
            " WHERE a.key = :asset AND h.subject_id = :subject AND h.vintage = :vintage"
            " AND h.fingerprint = :mark ORDER BY h.id"
        ),
        {
            "asset": asset,
            "subject": subject_id,
            "vintage": row["vintage_year"],
            "mark": as_bytes(row["inputs_fingerprint"]),
        },
    ).all()
    inputs = history[0].document if history else {}
    return {
        "asset": asset,
        "fingerprint": row["inputs_fingerprint"],
        "code_version": row["code_version"],
        "code": inputs.get("code"),
        "numerics": inputs.get("numerics"),
        "parameters": inputs.get("parameters"),
        "computed_at": row["computed_at"].isoformat(),
        "became_current": _became_current(history),
    }


def _became_current(history: Sequence[Any]) -> list[Document]:
    return [
        {"at": one.recorded_at.isoformat(), "cause": one.cause, "run": one.run_id}
        for one in history
    ]
