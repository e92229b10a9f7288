"""``database backup`` and ``database restore``."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from carbon_assets.cli.output import AsJson, print_json, say
from carbon_assets.cli.progress import shown

if TYPE_CHECKING:
    from carbon_assets.store.backup.archive import Manifest
    from carbon_assets.store.database import Database


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Such as carbon-2026-01-31.zip.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace an older file of this name.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Save every table, ours and Dagster's, to one file, as of one moment."""
    from carbon_assets.store.backup.saving import save
    from carbon_assets.store.database import open_database

    database = open_database()
    with shown(quiet=as_json, unit="tables") as progress:
        manifest = save(database, file, replace=replace, progress=partial(progress, "backup"))
    facts = {**_facts(file, manifest), "bytes": file.stat().st_size}
    if as_json:
        print_json(facts)
    else:
        size = facts["bytes"] / 1e6
        say(f"Saved {facts['rows']:,} rows of {facts['tables']} tables to {file} ({size:,.1f} MB).")
        say("Back up rasters and portfolio files besides: they are not in the database.")


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file of `database backup`.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read and check the file; touch no database.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Bring a backup into an empty database: all of it, or nothing."""
    from carbon_assets.store.backup.restoring import Restoring, check
    from carbon_assets.store.backup.restoring import restore as bring_back
    from carbon_assets.store.database import locate_database

    manifest = check(file)  # before a server is started for nothing
    place = None
    if not dry_run:
        database = locate_database()
        with shown(quiet=as_json, unit="tables") as progress:
            bring_back(file, Restoring(database, _dagster_tables, partial(progress, "restore")))
        _make_marts(database)
        place = database.place
    facts = {**_facts(file, manifest), "restored_to": place}
    if as_json:
        print_json(facts)
    elif dry_run:
        say(f"{file} is whole: {facts['rows']:,} rows of {facts['tables']} tables.")
    else:
        say(f"Restored {facts['rows']:,} rows of {facts['tables']} tables to {place}.")
        say("`carbon-assets status` and `carbon-assets reproduce --all` prove it.")


def _facts(file: Path, manifest: Manifest) -> dict[str, Any]:
    return {
        "file": str(file),
        "created_at": manifest.created_at,
        "revision": manifest.revision,
        "package_version": manifest.package_version,
        "tables": len(manifest.tables),
        "rows": manifest.rows,
    }


def _dagster_tables(database: Database) -> None:
    from carbon_assets.orchestration.storage import CarbonStorage

    CarbonStorage(database.dagster_url).event_log_storage.dispose()


def _make_marts(database: Database) -> None:
    from carbon_assets.marts.apply import apply_models
    from carbon_assets.marts.models import load_models

    apply_models(database, load_models())
