"""``sources``: the catalogue of raster sources, what is registered, checks and local copies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from carbon_assets.cli.output import AsJson, capped, number, print_json, print_table, say

if TYPE_CHECKING:
    from carbon_assets.intake.sources import Binding
    from carbon_assets.rasters.registered import Bounds

app = typer.Typer(help="Raster sources: list, show, check, mirror.", no_args_is_help=True)

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

    found = check_files(*_needs(portfolio))
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


def _needs(portfolio: Path) -> tuple[list[Binding], list[int], list[Bounds]]:
    """What feeds each slot, the vintages, and the bounds of the places."""
    from carbon_assets.portfolio import bindings_of, read_all_places, read_portfolio

    read = read_portfolio(portfolio)
    folder = portfolio.resolve().parent
    places = [place for one in read_all_places(read, folder) for place in one.accepted]
    return bindings_of(read, folder), read.vintages, [place.geometry.bbox for place in places]


@app.command()
def mirror(
    portfolio: Annotated[Path, typer.Argument(metavar="PORTFOLIO.yaml")],
    to: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Where copies go; by default mirror/ in CARBON_HOME."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Copy the remote rasters of a portfolio's vintages; computations read the copies then."""
    from carbon_assets.cli.transfers import transfers
    from carbon_assets.intake.mirroring import mirror_files, remote_hrefs
    from carbon_assets.store.database import open_database
    from carbon_assets.store.home import carbon_home

    hrefs = remote_hrefs(*_needs(portfolio))
    folder = to or carbon_home() / "mirror"
    database = open_database()
    with transfers(quiet=as_json) as progress:
        made = mirror_files(database, hrefs, folder, progress=progress)
    document = {
        "folder": str(folder.resolve()),
        "fetched": sum(one.action == "fetched" for one in made),
        "unchanged": sum(one.action == "unchanged" for one in made),
        "size_bytes": sum(one.size_bytes for one in made),
        "files": [one.as_dict() for one in made],
    }
    if as_json:
        print_json(document)
    else:
        _print_mirror(document)


def _print_mirror(document: dict[str, Any]) -> None:
    if not document["files"]:
        say("The portfolio needs no remote raster: there is nothing to copy.")
        return
    size = number(document["size_bytes"] / 1024**2, 1)
    fetched, unchanged = document["fetched"], document["unchanged"]
    say(f"{fetched} files fetched, {unchanged} unchanged: {size} MiB in {document['folder']}.")
    say("Check them with `sha256sum --check SHA256SUMS` in that folder.")
