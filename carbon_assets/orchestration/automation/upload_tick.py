"""One evaluation of the sensor of uploads."""

from __future__ import annotations

import json
from collections.abc import Sequence

import dagster as dg

from carbon_assets.orchestration.automation import uploads
from carbon_assets.orchestration.automation.cursors import is_quiet, told
from carbon_assets.orchestration.automation.requests import TAG_PREFIX, shortened
from carbon_assets.orchestration.automation.settings import inbox
from carbon_assets.orchestration.automation.take_uploads import OP, UPLOADS_JOB
from carbon_assets.orchestration.store import CarbonStore

FIRST_TAG = f"{TAG_PREFIX}first_upload"


def uploads_tick(context: dg.SensorEvaluationContext, store: CarbonStore) -> dg.SensorResult:
    """Evaluate the sensor of uploads once."""
    seen, notes = uploads.notice(store, inbox(), read_seen(context.cursor))
    requests = []
    # One run at a time: a later file may redraw what an earlier one drew.
    if is_quiet(context.instance, {f"{TAG_PREFIX}sensor": uploads.SENSOR}):
        batch, attempt, refused = uploads.next_batch(
            store, lambda number: _runs_begun_with(context.instance, number)
        )
        notes += refused
        requests = [_request(batch, attempt)] if batch else []
    reason = told(notes) or "no file has settled"
    return dg.SensorResult(
        run_requests=requests,
        skip_reason=None if requests else reason,
        cursor=json.dumps({"seen": seen}),
    )


def _runs_begun_with(instance: dg.DagsterInstance, number: int) -> int:
    filters = dg.RunsFilter(tags={FIRST_TAG: str(number)})
    return len(instance.get_run_ids(filters, limit=uploads.ATTEMPTS))


def _request(batch: Sequence[uploads.Received], attempt: int) -> dg.RunRequest:
    tags = {
        f"{TAG_PREFIX}sensor": uploads.SENSOR,
        f"{TAG_PREFIX}cause": uploads.CAUSE,
        f"{TAG_PREFIX}object": shortened(one.file_name for one in batch),
        FIRST_TAG: str(batch[0].id),
    }
    companies = {one.company for one in batch}
    if len(companies) == 1:
        tags[f"{TAG_PREFIX}company"] = companies.pop()
    return dg.RunRequest(
        run_key=f"{uploads.SENSOR}:{batch[0].id}-{batch[-1].id}:{attempt}",
        job_name=UPLOADS_JOB,
        run_config={"ops": {OP: {"config": {"uploads": [one.id for one in batch]}}}},
        tags=tags,
    )


def read_seen(cursor: str | None) -> dict[str, str]:
    """Read what the sensor of uploads saw at its last tick."""
    try:
        found = json.loads(cursor or "{}").get("seen", {})
    except (ValueError, AttributeError):
        return {}
    return found if isinstance(found, dict) else {}
