"""``demo``, ``run`` and ``materialize``: from a portfolio to farm metrics."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from carbon_assets.cli.output import AsJson, Company, print_json, say

if TYPE_CHECKING:
    from carbon_assets.orchestration.refresh import Choice
    from carbon_assets.store.database import Database

Repair = Annotated[
    bool, typer.Option("--repair", help="Repair invalid polygons, and store that they were.")
]
Vintage = Annotated[
    int | None, typer.Option(help="Vintage of the table of metrics; by default the newest.")
]
TRACED = ("total_carbon_stock", "agb_carbon_stock", "forest_cover", "total_area")
"""What is suggested for a trace: the first of these that a farm has."""


def demo(as_json: AsJson = False) -> None:
    """Write a demo landscape and compute it: start here."""
    from carbon_assets.demo.landscape import write_landscape
    from carbon_assets.store.home import carbon_home

    path = write_landscape(carbon_home() / "demo")
    document = _brought_up_to_date(path, quiet=as_json)
    if as_json:
        print_json(document)
    else:
        say(f"The demo landscape lies in {path.parent}; its portfolio file is {path.name}.")
        _print(document)
        _print_where_to_look(document)


def run(
    portfolio: Annotated[Path, typer.Argument(metavar="PORTFOLIO.yaml")],
    repair: Repair = False,
    vintage: Vintage = None,
    as_json: AsJson = False,
) -> None:
    """Import a portfolio and compute whatever is stale."""
    document = _brought_up_to_date(portfolio, repair=repair, vintage=vintage, quiet=as_json)
    if as_json:
        print_json(document)
    else:
        _print(document)


def materialize(
    farms: Annotated[
        list[str] | None, typer.Option(metavar="KEY", help="A farm; may be repeated.")
    ] = None,
    places: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY", help="A place of any kind; may be repeated."),
    ] = None,
    vintages: Annotated[
        str | None, typer.Option(metavar="YEARS", help="Such as 2013-2015,2020.")
    ] = None,
    select: Annotated[
        list[str] | None, typer.Option(metavar="ASSET", help="An asset; may be repeated.")
    ] = None,
    company: Company = None,
    as_json: AsJson = False,
) -> None:
    """Compute what is stale among chosen places, vintages and assets, in one run."""
    from carbon_assets.cli.choosing import chosen_assets, chosen_partitions
    from carbon_assets.cli.computing import compute, print_computed
    from carbon_assets.store.database import open_database

    assets = chosen_assets(select)
    database = open_database()
    choose: Choice = chosen_partitions(
        database, company=company, farms=farms or [], places=places or [], vintages=vintages
    )
    done = compute(database, company=company, assets=assets, choose=choose, quiet=as_json)
    if as_json:
        print_json(done)
    else:
        print_computed(done)


def _brought_up_to_date(
    portfolio: Path, *, repair: bool = False, vintage: int | None = None, quiet: bool
) -> dict[str, Any]:
    from carbon_assets.cli.computing import compute
    from carbon_assets.cli.importing import import_document
    from carbon_assets.cli.transfers import transfers
    from carbon_assets.portfolio import import_portfolio, read_portfolio
    from carbon_assets.store.database import open_database

    read_portfolio(portfolio)  # before a server is started for nothing
    database = open_database()
    with transfers(quiet=quiet) as progress:
        loaded = import_portfolio(database, portfolio, repair=repair, progress=progress)
    done = compute(database, company=loaded.company, quiet=quiet)
    return {
        "import": import_document(loaded),
        "run": done,
        "metrics": _summary(database, loaded.company, vintage),
    }


def _summary(database: Database, company: str, vintage: int | None) -> dict[str, Any]:
    from carbon_assets.cli.summary import summary
    from carbon_assets.store.engines import transaction

    with transaction(database) as connection:
        return summary(connection, company, vintage)


def _print(document: dict[str, Any]) -> None:
    from carbon_assets.cli.computing import print_computed
    from carbon_assets.cli.importing import print_import
    from carbon_assets.cli.summary import print_summary

    print_import(document["import"])
    print_computed(document["run"])
    print_summary(document["metrics"])


def _print_where_to_look(document: dict[str, Any]) -> None:
    say("Where to look next:")
    for command, reason in (
        (_trace_of(document["metrics"]), "one number, down to files, pixels and code"),
        ("carbon-assets status", "what is stale, and why"),
        ("carbon-assets reproduce --all", "compute every receipt again and compare"),
        ("carbon-assets metrics --csv metrics.csv", "all metrics as a table"),
        ("carbon-assets ui", "the same in Dagster"),
    ):
        say(f"  {command:<58} {reason}")


def _trace_of(found: dict[str, Any]) -> str:
    farm = found["farms"][0]
    metric = next(code for code in TRACED if code in farm["metrics"])
    return f"carbon-assets trace {shlex.quote(farm['farm'])} {metric} {found['vintage']}"
