"""Running Dagster from a command: what was stale, what was computed, and how long it took."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from carbon_assets.cli.output import print_table, say
from carbon_assets.cli.progress import shown

if TYPE_CHECKING:
    from carbon_assets.orchestration.refresh import Choice, Refreshed
    from carbon_assets.store.database import Database

COUNTS = {
    "computed": "partitions computed",
    "confirmed": "partitions confirmed",
    "rows": "rows",
}
"""Name in the output → name in the totals of a run."""


def compute(
    database: Database,
    *,
    company: str | None = None,
    assets: Collection[str] | None = None,
    choose: Choice | None = None,
    quiet: bool = False,
) -> dict[str, Any]:
    """Bring partitions up to date through Dagster, with a progress bar on stderr.

    Returns:
        ``run_id`` and ``project_run_id``, ``partitions`` and ``project_partitions``, ``stale``
        (asset, causes, partitions), ``assets`` (counts) and ``seconds``.
    """
    from carbon_assets.orchestration.instance import open_instance
    from carbon_assets.orchestration.reaper import reap
    from carbon_assets.orchestration.refresh import bring_up_to_date
    from carbon_assets.orchestration.store import CarbonStore

    started = time.monotonic()
    with shown(quiet=quiet) as progress, open_instance(database) as instance:
        reap(instance, database)
        store = CarbonStore(database, progress=progress)
        done = bring_up_to_date(store, instance, company=company, assets=assets, choose=choose)
    return {**_document(done), "seconds": round(time.monotonic() - started, 1)}


def _document(done: Refreshed) -> dict[str, Any]:
    causes = Counter((one.asset, one.causes) for one in done.stale)
    return {
        "run_id": done.run_id,
        "project_run_id": done.project_run_id,
        "partitions": done.partitions,
        "project_partitions": done.project_partitions,
        "stale": [
            {"asset": asset, "causes": list(why), "partitions": count}
            for (asset, why), count in causes.items()
        ],
        "assets": {
            asset: {name: totals.get(key, 0) for name, key in COUNTS.items()}
            for asset, totals in done.totals.items()
        },
    }


def print_computed(document: dict[str, Any]) -> None:
    """Say what was computed and why, or that nothing was stale."""
    if document["run_id"] is None:
        say(f"Nothing is stale; nothing was computed ({document['seconds']} s).")
        return
    print_table(
        ["asset", "stale because", ">partitions"],
        [(one["asset"], ", ".join(one["causes"]), one["partitions"]) for one in document["stale"]],
        title="What was stale",
    )
    print_table(
        ["asset", ">computed", ">current again", ">rows written"],
        [
            (asset, totals["computed"], totals["confirmed"], totals["rows"])
            for asset, totals in document["assets"].items()
        ],
        title=f"What was done, in {document['seconds']} s (run {document['run_id']})",
    )
