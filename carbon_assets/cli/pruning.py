"""``database prune``."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from carbon_assets.cli.output import AsJson, print_json, print_table, say
from carbon_assets.cli.progress import shown


def prune(
    older_than: Annotated[
        int | None,
        typer.Option(
            metavar="DAYS",
            min=1,
            help="Age from which on records may go; by default CARBON_KEEP_EVENTS_DAYS, or 180.",
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count; remove nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove old records of Dagster that the audit trail does not rest on."""
    from carbon_assets.orchestration.instance import open_instance
    from carbon_assets.orchestration.upkeep import keep_days
    from carbon_assets.orchestration.upkeep import prune as remove
    from carbon_assets.store.database import open_database

    days = keep_days() if older_than is None else older_than
    database = open_database()
    with shown(quiet=as_json, unit="records") as progress, open_instance(database) as instance:
        done = remove(
            instance, database, days, dry_run=dry_run, progress=partial(progress, "prune")
        )
    if as_json:
        print_json(
            {
                "before": done.before.isoformat(timespec="seconds"),
                "dry_run": dry_run,
                "events": done.events,
                "work_lists": done.work_lists,
            }
        )
        return
    counts = {name: n for name, n in (*done.events.items(), ("work lists", done.work_lists)) if n}
    if not counts:
        say(f"Nothing older than {days} days may go.")
        return
    title = "Would be removed" if dry_run else "Removed"
    say(f"{title}: older than {days} days, and superseded")
    print_table(["record", ">number"], [(kind, f"{count:,}") for kind, count in counts.items()])
    say("Receipts, metrics, their history, runs and the latest event per partition stay.")
