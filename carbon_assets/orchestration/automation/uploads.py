"""Sensor of uploads: files that have settled in the watched folder become rows of ``uploads``.

One run at a time takes what has been received, in the order in which it arrived. A file whose
run was killed is asked for again; after three such runs it is refused.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, select, update

from carbon_assets.errors import CarbonAssetsError, IntakeError
from carbon_assets.intake.inbox import (
    REFUSED,
    TAKEN,
    Arrival,
    arrivals,
    content_of,
    not_a_file,
    put_away,
)
from carbon_assets.intake.uploads import kind_named
from carbon_assets.orchestration.store import CarbonStore
from carbon_assets.store.engines import transaction
from carbon_assets.store.models import Company, Upload

SENSOR = "uploads"
CAUSE = "upload"
FILES_PER_TICK = 100
ATTEMPTS = 3


@dataclass(frozen=True)
class Received:
    """A row of ``uploads`` that waits to be taken.

    Attributes:
        id: Its number.
        company: Key of the company.
        file_name: Name under which it arrived.
    """

    id: int
    company: str
    file_name: str


def notice(
    store: CarbonStore, folder: Path, seen: Mapping[str, str]
) -> tuple[dict[str, str], list[str]]:
    """Receive files that are as they were at the last tick, and put away what is done with.

    Args:
        store: The database.
        folder: The watched folder.
        seen: Stamp and size of each file at the last tick, by path.

    Returns:
        The same as of now, and remarks.
    """
    now: dict[str, str] = {}
    notes: list[str] = []
    settled = 0
    with transaction(store.opened()) as connection:
        rows = connection.execute(select(Company.key, Company.id)).all()
    companies = {row.key: row.id for row in rows}
    for one in arrivals(folder):
        if one.company not in companies:
            notes.append(f"UPLOAD_COMPANY_UNKNOWN: {one.path}")
            continue
        now[one.path] = f"{one.stamp} {one.size}"
        if seen.get(one.path) == now[one.path] and settled < FILES_PER_TICK:
            settled += 1
            note = _receive(store, folder, one, companies[one.company])
            notes += [note] if note else []
    return now, notes


def _receive(store: CarbonStore, folder: Path, one: Arrival, company_id: int) -> str | None:
    """Store a settled file, unless it is stored already; then finish what was left undone."""
    with transaction(store.opened()) as connection:
        known = _row_of(connection, company_id, one)
    if known is not None:
        _finish(folder, one, known)
        return None
    try:
        if not one.regular:
            raise not_a_file(one)
        _require_text(one)
        kind_named(one.kind)
        digest = content_of(folder, one)
    except IntakeError as error:
        return _turn_away(store, folder, one, company_id, error)
    with transaction(store.opened()) as connection:
        newest = _newest(connection, company_id, one.kind)
        if newest is None or newest.content_hash != digest:
            connection.execute(
                insert(Upload), [_values(company_id, one) | {"content_hash": digest}]
            )
            return None
    if newest.status == TAKEN:
        put_away(folder, one, TAKEN, newest.id, None)
    return f"{one.path} holds what {newest.file_name} held, and is not taken again"


def _require_text(one: Arrival) -> None:
    if not one.name.isprintable():
        raise IntakeError(
            "UPLOAD_NAME_INVALID",
            f"the name of the file cannot be written down: {one.name!r}",
            do="rename the file",
        )


def _turn_away(
    store: CarbonStore, folder: Path, one: Arrival, company_id: int, error: IntakeError
) -> str | None:
    if error.code == "UPLOAD_CHANGED":  # it has not settled after all: the next tick sees it anew
        return None
    values = {"status": REFUSED, "reason_code": error.code, "reason": str(error)}
    with transaction(store.opened()) as connection:
        row = insert(Upload).values(_values(company_id, one) | values).returning(Upload.id)
        number = connection.execute(row).scalar_one()
    put_away(folder, one, REFUSED, number, note_of(error))
    return f"{error.code}: {one.path}"


def _values(company_id: int, one: Arrival) -> dict[str, Any]:
    name = one.name if one.name.isprintable() else ascii(one.name)
    return {
        "company_id": company_id,
        "kind": one.kind,
        "file_name": name,
        "size_bytes": one.size,
        "stamp": one.stamp,
    }


def _row_of(connection: Connection, company_id: int, one: Arrival) -> Any:
    """What is stored of exactly this file."""
    return connection.execute(
        select(Upload)
        .where(
            Upload.company_id == company_id,
            Upload.kind == one.kind,
            Upload.file_name == one.name,
            Upload.stamp == one.stamp,
            Upload.size_bytes == one.size,
        )
        .order_by(Upload.id.desc())
        .limit(1)
    ).one_or_none()


def _newest(connection: Connection, company_id: int, kind: str) -> Any:
    """The last file of a kind that was not refused."""
    return connection.execute(
        select(Upload)
        .where(Upload.company_id == company_id, Upload.kind == kind, Upload.status != REFUSED)
        .order_by(Upload.id.desc())
        .limit(1)
    ).one_or_none()


def _finish(folder: Path, one: Arrival, row: Any) -> None:
    """Put a file away whose row says what became of it: the run was killed before it did."""
    if row.status == TAKEN:
        put_away(folder, one, TAKEN, row.id, None)
    elif row.status == REFUSED:
        put_away(folder, one, REFUSED, row.id, json.dumps({"code": row.reason_code}))


def note_of(error: CarbonAssetsError) -> str:
    """What is written beside a refused file."""
    return json.dumps(error.as_dict(), indent=1, ensure_ascii=False) + "\n"


def waiting(store: CarbonStore) -> list[Received]:
    """Files that were received and not taken yet, oldest first."""
    with transaction(store.opened()) as connection:
        rows = connection.execute(
            select(Upload.id, Company.key.label("company"), Upload.file_name)
            .join(Company, Company.id == Upload.company_id)
            .where(Upload.status == "received")
            .order_by(Upload.id)
            .limit(FILES_PER_TICK)
        ).mappings()
        return [Received(**row) for row in rows]


def next_batch(
    store: CarbonStore, attempts: Callable[[int], int]
) -> tuple[list[Received], int, list[str]]:
    """Files to take in the next run, refusing one that several runs have died of.

    Args:
        store: The database.
        attempts: How many runs began with this upload.

    Returns:
        The files, which attempt this is, and remarks.
    """
    received = waiting(store)
    if not received:
        return [], 0, []
    tried = attempts(received[0].id)
    if tried < ATTEMPTS:
        return received, tried, []
    first = received[0]
    error = IntakeError(
        "UPLOAD_FAILED",
        f"{tried} runs ended while they took this file",
        where=first.file_name,
        do="see these runs in the UI; nothing of the file was taken",
    )
    refuse(store, first.id, error, None)
    return received[1:], 0, [f"{error.code}: {first.file_name}"]


def refuse(store: CarbonStore, number: int, error: CarbonAssetsError, run_id: str | None) -> None:
    """Record that an upload is refused, and why."""
    with transaction(store.opened()) as connection:
        connection.execute(
            update(Upload)
            .where(Upload.id == number, Upload.status == "received")
            .values(status=REFUSED, reason_code=error.code, reason=str(error), run_id=run_id)
        )
