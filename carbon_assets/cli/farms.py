"""``farms``: stored places of every kind, imports, and validation of vector files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from carbon_assets.cli.output import (
    AsJson,
    Company,
    capped,
    number,
    print_json,
    print_table,
    say,
)

if TYPE_CHECKING:
    from carbon_assets.places.model import PlaceImport

app = typer.Typer(help="Places: list, import, validate.", no_args_is_help=True)


@app.command("list")
def list_farms(company: Company = None, as_json: AsJson = False) -> None:
    """List stored places of every kind with their versions, areas and policies."""
    from carbon_assets.cli.reading import place_rows, require_company
    from carbon_assets.store.database import open_database
    from carbon_assets.store.engines import transaction

    with transaction(open_database()) as connection:
        require_company(connection, company)
        rows = place_rows(connection, company)
    if as_json:
        print_json({"places": rows})
        return
    shown, more = capped(rows)
    print_table(
        ["company", "kind", "key", "name", "project", "status", ">ha", ">version", ">of", "policy"],
        [
            (
                *(row[n] for n in ("company", "kind", "key", "name", "project", "status")),
                number(row["area_ha"], 4),
                row["version"],
                row["versions"],
                row["policy"],
            )
            for row in shown
        ],
    )
    if more:
        say(f"… and {more} more: --json lists all.")


@app.command("import")
def import_farms(
    portfolio: Annotated[Path, typer.Argument(metavar="PORTFOLIO.yaml")],
    repair: Annotated[
        bool, typer.Option("--repair", help="Repair invalid polygons, and store that they were.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Import the places of a portfolio and compute nothing; a changed polygon is a new version."""
    from carbon_assets.cli.importing import import_document, print_import
    from carbon_assets.portfolio import import_portfolio, read_portfolio
    from carbon_assets.store.database import open_database

    read_portfolio(portfolio)  # before a server is started for nothing
    document = import_document(import_portfolio(open_database(), portfolio, repair=repair))
    if as_json:
        print_json(document)
    else:
        print_import(document)


@app.command()
def validate(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...")],
    key: Annotated[str, typer.Option(help="Column with the key of each place.")],
    kind: Annotated[str, typer.Option(help="Kind of all places.")] = "farm",
    name: Annotated[str | None, typer.Option(help="Column with the name.")] = None,
    project: Annotated[str | None, typer.Option(help="Column with the project's key.")] = None,
    layer: Annotated[str | None, typer.Option(help="Layer, where a file has several.")] = None,
    repair: Annotated[bool, typer.Option("--repair", help="Repair invalid polygons.")] = False,
    as_json: AsJson = False,
) -> None:
    """Judge vector files as an import would; exit with status 1 if anything is rejected."""
    from carbon_assets.places.importing import read_places

    documents = [
        _verdict(
            read_places(
                file, kind=kind, key=key, name=name, project=project, layer=layer, repair=repair
            )
        )
        for file in files
    ]
    if as_json:
        print_json({"files": documents})
    else:
        for document in documents:
            _print_verdict(document)
    if any(document["rejected"] for document in documents):
        raise typer.Exit(1)


def _verdict(read: PlaceImport) -> dict[str, Any]:
    from carbon_assets.places.overlaps import find_overlaps

    return {
        "file": read.source_file,
        "crs": read.source_crs,
        "transformation": read.transformation,
        "accepted": [
            {
                "key": place.key,
                "name": place.name,
                "area_ha": place.geometry.area_ha,
                "geometry_hash": place.geometry.hash,
                "repaired": place.geometry.repair_note,
            }
            for place in read.accepted
        ],
        "rejected": [rejection.as_dict() for rejection in read.rejected],
        "overlaps": [overlap.as_dict() for overlap in find_overlaps(read.accepted)],
        "warnings": list(read.warnings),
    }


def _print_verdict(document: dict[str, Any]) -> None:
    from carbon_assets.cli.importing import print_overlaps

    area = sum(place["area_ha"] for place in document["accepted"])
    say(
        f"{document['file']} ({document['crs']}): {len(document['accepted'])} accepted "
        f"({number(area, 4)} ha), {len(document['rejected'])} rejections"
    )
    for rejection in document["rejected"]:
        label = f"feature {rejection['feature']} ({rejection['key'] or 'no key'})"
        say(f"  {rejection['code']}: {label}: {rejection['what']} {rejection['do']}")
    if document["overlaps"]:
        print_overlaps(document["overlaps"], f"{len(document['overlaps'])} overlaps")
    for warning in document["warnings"]:
        say(f"  remark: {warning}")
