"""``sources``: the catalogue of raster sources, what is registered, and checks of files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from carbon_assets.cli.output import AsJson, capped, print_json, print_table, say

app = typer.Typer(help="Raster sources: list, show, check.", no_args_is_help=True)

CATALOGUE_COLUMNS = ("key", "version", "quantity", "years", "title", "licence")


@app.command("list")
def list_sources(as_json: AsJson = False) -> None:
    """List the packaged catalogue, and which sources feed which company."""
    from carbon_assets.cli.reading import source_rows
    from carbon_assets.reference.catalogue import load_catalogue
    from carbon_assets.store.database import open_database
    from carbon_assets.store.engines import transaction

    catalogue = [_entry(version) for version in load_catalogue()]
    with transaction(open_database()) as connection:
        registered = source_rows(connection)
    if as_json:
        print_json({"catalogue": catalogue, "registered": registered})
        return
    rows = [[entry[name] for name in CATALOGUE_COLUMNS] for entry in catalogue]
    print_table(CATALOGUE_COLUMNS, rows, title="Catalogue")
    columns = ("company", "slot", "key", "version", "files")
    feeds = [[row[name] for name in columns] for row in registered]
    print_table((*columns[:-1], ">files"), feeds, title="Registered")


def _entry(version: Any) -> dict[str, Any]:
    return {
        **{name: getattr(version, name) for name in CATALOGUE_COLUMNS if name != "years"},
        "years": _years(version),
        "family": version.family,
        "bands": [band.name for band in version.bands],
        "citation": version.citation,
    }


def _years(version: Any) -> str:
    if version.epoch is not None:
        return f"static, {version.epoch}"
    if version.vintages is not None:
        return f"{version.vintages[0]}-{version.vintages[1]}"
    return ", ".join(map(str, version.years))


@app.command()
def show(key: str, version: str, as_json: AsJson = False) -> None:
    """Show the catalogue entry of a source version, and its registered files."""
    from carbon_assets.cli.reading import file_rows, registered_entry
    from carbon_assets.reference.catalogue import load_catalogue
    from carbon_assets.store.database import open_database
    from carbon_assets.store.engines import transaction

    with transaction(open_database()) as connection:
        entry = registered_entry(connection, key, version)
        files = file_rows(connection, key, version)
    if entry is None:
        entry = load_catalogue().get(key, version).model_dump(mode="json")
    if as_json:
        print_json({"entry": entry, "files": files})
    else:
        _print_entry(entry, files)


def _print_entry(entry: dict[str, Any], files: list[dict[str, Any]]) -> None:
    for name, value in entry.items():
        if value not in (None, [], {}) and name not in ("bands", "facts"):
            say(f"{name}: {value}")
    for band in entry["bands"]:
        known = {n: v for n, v in band.items() if v not in (None, []) and n != "name"}
        say(f"band {band['name']}: " + ", ".join(f"{n} {v}" for n, v in known.items()))
    for name, fact in entry["facts"].items():
        say(f"fact {name}: {fact}")
    shown, more = capped(files)
    columns = ("band", "vintage", "tile", "content_hash", "href")
    print_table(columns, [[row[name] for name in columns] for row in shown], "Registered files")
    if more:
        say(f"… and {more} more: --json lists all.")


@app.command()
def check(
    portfolio: Annotated[Path, typer.Argument(metavar="PORTFOLIO.yaml")], as_json: AsJson = False
) -> None:
    """Open every raster of a portfolio and compare it with the catalogue; nothing is written."""
    from carbon_assets.intake.checking import check_files
    from carbon_assets.portfolio import bindings_of, read_all_places, read_portfolio

    read = read_portfolio(portfolio)
    folder = portfolio.resolve().parent
    places = [place for one in read_all_places(read, folder) for place in one.accepted]
    bounds = [place.geometry.bbox for place in places]
    found = check_files(bindings_of(read, folder), read.vintages, bounds)
    verdicts = [verdict.as_dict() for verdict in found]
    bad = [verdict for verdict in verdicts if verdict["error"]]
    if as_json:
        print_json({"files": verdicts, "refused": len(bad)})
    else:
        _print_verdicts(verdicts, bad)
    if bad:
        raise typer.Exit(1)


def _print_verdicts(verdicts: list[dict[str, Any]], bad: list[dict[str, Any]]) -> None:
    say(f"{len(verdicts)} files opened, {len(bad)} refused.")
    for verdict in bad:
        error = verdict["error"]
        say(f"{error['code']}: {error['what']}\n  where: {verdict['href']}\n  do: {error['do']}")
