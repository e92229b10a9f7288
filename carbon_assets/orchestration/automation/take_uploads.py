"""The job that takes uploads: one file, one transaction.

Annotations are not postponed: Dagster reads that of ``context`` as it stands.
"""

import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import dagster as dg
from sqlalchemy import Connection, func, select, update

from carbon_assets.errors import CarbonAssetsError, IntakeError, RasterError
from carbon_assets.intake.inbox import REFUSED, TAKEN, Arrival, arrivals, copy_of, put_away
from carbon_assets.intake.uploads import Taken, kind_named
from carbon_assets.orchestration.automation.settings import inbox
from carbon_assets.orchestration.automation.uploads import note_of, refuse
from carbon_assets.orchestration.store import CarbonStore
from carbon_assets.provenance.coverage import require_computable
from carbon_assets.provenance.world import load_companies
from carbon_assets.store.engines import transaction
from carbon_assets.store.models import Company, Upload

UPLOADS_JOB = "take_uploads"
OP = "take"


def take_uploads_job() -> dg.JobDefinition:
    """Build the job that takes received uploads, in order."""

    @dg.op(
        name=OP,
        config_schema={"uploads": dg.Field([int], description="Rows of `uploads`")},
        description=(
            "Takes files of the watched folder. Each is taken whole or refused with a coded "
            "reason; then it moves to `taken/` or `refused/`."
        ),
    )
    def take(context: dg.OpExecutionContext, store: dg.ResourceParam[CarbonStore]) -> None:
        counts = {TAKEN: 0, REFUSED: 0}
        for number in context.op_config["uploads"]:
            outcome = take_upload(store, inbox(), number, context.run_id)
            if outcome is not None:
                counts[outcome.status] += 1
                context.log.info(f"{outcome.file_name}: {outcome.status}. {outcome.says}")
        context.add_output_metadata(counts)

    @dg.job(name=UPLOADS_JOB, description="Takes files that arrived in the watched folder.")
    def job() -> None:
        take()

    return job


class Outcome(NamedTuple):
    """What became of an upload.

    Attributes:
        file_name: Name under which it arrived.
        status: ``taken`` or ``refused``.
        says: What it did, or why it was refused.
    """

    file_name: str
    status: str
    says: str


def take_upload(store: CarbonStore, folder: Path, number: int, run_id: str) -> Outcome | None:
    """Take one received upload whole, or refuse it.

    Args:
        store: The database.
        folder: The watched folder.
        number: Row of ``uploads``.
        run_id: Dagster run, for its row.

    Returns:
        What became of it; None if another run has taken or refused it.
    """
    with transaction(store.opened()) as connection:
        row = _received(connection, number)
    if row is None:
        return None
    found = next((one for one in arrivals(folder) if _same(one, row)), None)
    try:
        taken = _take(store, folder, row, found, run_id)
    except CarbonAssetsError as error:
        refuse(store, number, error, run_id)
        if found is not None:
            put_away(folder, found, REFUSED, number, note_of(error))
        return Outcome(row.file_name, REFUSED, str(error))
    if taken is None:
        return None
    if found is not None:
        put_away(folder, found, TAKEN, number, None)
    return Outcome(row.file_name, TAKEN, str(dict(taken.facts)))


def _received(connection: Connection, number: int, *, lock: bool = False) -> Any:
    query = (
        select(Upload, Company.key.label("company"))
        .join(Company, Company.id == Upload.company_id)
        .where(Upload.id == number, Upload.status == "received")
    )
    query = query.with_for_update(of=Upload) if lock else query
    return connection.execute(query).one_or_none()


def _same(one: Arrival, row: Any) -> bool:
    return (one.company, one.kind, one.name, one.stamp) == (
        row.company,
        row.kind,
        row.file_name,
        row.stamp,
    )


def _take(
    store: CarbonStore, folder: Path, row: Any, found: Arrival | None, run_id: str
) -> Taken | None:
    kind = kind_named(row.kind)
    if found is None:
        raise IntakeError(
            "UPLOAD_GONE",
            "the file is no longer in the folder, or another has taken its place",
            where=f"{row.company}/{row.kind}/{row.file_name}",
            do="put it there again",
        )
    with tempfile.TemporaryDirectory(prefix="carbon-upload-") as name:
        copy = Path(name) / row.file_name
        if copy_of(folder, found, copy) != row.content_hash:
            raise IntakeError(
                "UPLOAD_CHANGED",
                "the bytes of the file are not those that were noticed",
                where=found.path,
                do="leave a file alone once it lies in the folder; nothing of it was taken",
            )
        with transaction(store.opened()) as connection:
            if _received(connection, row.id, lock=True) is None:
                return None
            taken = kind.take(connection, row.company_id, copy)
            _require_computable(connection, taken)
            connection.execute(
                update(Upload)
                .where(Upload.id == row.id)
                .values(status=TAKEN, taken_at=func.now(), run_id=run_id, facts=dict(taken.facts))
            )
    return taken


def _require_computable(connection: Connection, taken: Taken) -> None:
    """Refuse what a run would refuse; rasters that cannot be read now say nothing about a file."""
    if not taken.places:
        return
    try:
        with connection.begin_nested():
            worlds = load_companies(connection, places=taken.places)
    except RasterError:
        return
    for world in worlds:
        require_computable(connection, world)
