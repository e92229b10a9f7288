"""``status``: which partitions are fresh, stale or missing, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from carbon_assets.cli.output import AsJson, Company, capped, print_json, print_table, say

if TYPE_CHECKING:
    from carbon_assets.provenance.expectation import Expectation
    from carbon_assets.provenance.status import StalePartition
    from carbon_assets.provenance.world import CompanyWorld

MISSING = ("missing",)


def status(
    company: Company = None,
    list_stale: Annotated[
        bool, typer.Option("--list", help="List the stale partitions with their causes.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Exit with status 1 if anything is not fresh.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Tell what is stale, and why: per asset, exact to place and vintage."""
    document = _document(company, with_list=list_stale)
    if as_json:
        print_json(document)
    else:
        _print(document)
    if check and document["total"]["fresh"] < document["total"]["expected"]:
        raise typer.Exit(1)


def _document(company: str | None, *, with_list: bool) -> dict[str, Any]:
    from carbon_assets.cli.reading import require_company
    from carbon_assets.provenance.expectation import expect
    from carbon_assets.provenance.status import stale_partitions
    from carbon_assets.provenance.world import load_companies
    from carbon_assets.store.database import open_database
    from carbon_assets.store.engines import transaction

    with transaction(open_database()) as connection:
        require_company(connection, company)
        worlds = load_companies(connection, company)
        expectation = expect(worlds)
        stale = stale_partitions(connection, worlds, expectation)
    assets = [_asset(key, count, stale) for key, count in _expected(expectation).items()]
    names = ("expected", "fresh", "stale", "missing")
    document = {
        "assets": assets,
        "total": {name: sum(asset[name] for asset in assets) for name in names},
    }
    return document | ({"partitions": _listed(worlds, stale)} if with_list else {})


def _expected(expectation: Expectation) -> dict[str, int]:
    """Partitions that should exist, per asset that has any, in the order of the graph."""
    from carbon_assets.provenance.graph import GRAPH

    counts = expectation.partitions()
    return {node.key: counts[node.key] for node in GRAPH if counts.get(node.key)}


def _asset(key: str, expected: int, stale: Iterable[StalePartition]) -> dict[str, Any]:
    own = [one for one in stale if one.asset == key]
    missing = sum(one.causes == MISSING for one in own)
    return {
        "asset": key,
        "expected": expected,
        "fresh": expected - len(own),
        "stale": len(own) - missing,
        "missing": missing,
        "causes": dict(sorted(Counter(c for o in own for c in o.causes if c != "missing").items())),
    }


def _listed(
    worlds: Sequence[CompanyWorld], stale: Iterable[StalePartition]
) -> list[dict[str, Any]]:
    names = {
        (level, number): (world.key, kind, key)
        for world in worlds
        for level, number, kind, key in _subjects(world)
    }
    rows = []
    for one in stale:
        company, kind, key = names[one.level, one.subject_id]
        rows.append(
            {
                "asset": one.asset,
                "company": company,
                "kind": kind,
                "place": key,
                "vintage": one.vintage,
                "causes": list(one.causes),
            }
        )
    return rows


def _subjects(world: CompanyWorld) -> Iterator[tuple[str, int, str, str]]:
    """Level, row number, kind and key of every place and project."""
    for number, place in world.places.items():
        yield "place", number, place.kind, place.key
    for number, project in world.projects.items():
        yield "project", number, "project", project.key


def _print(document: dict[str, Any]) -> None:
    print_table(
        ["asset", ">expected", ">fresh", ">stale", ">missing", "stale because"],
        [
            (*(asset[n] for n in ("asset", "expected", "fresh", "stale", "missing")), _why(asset))
            for asset in document["assets"]
        ],
    )
    _print_list(document.get("partitions", []))
    total = document["total"]
    if not total["expected"]:
        say("Nothing is expected: import a portfolio with `carbon-assets run PORTFOLIO.yaml`.")
    elif total["fresh"] == total["expected"]:
        say("Everything is fresh.")
    else:
        say("`carbon-assets materialize` computes what is stale or missing.")


def _why(asset: dict[str, Any]) -> str:
    return ", ".join(f"{cause} {count}" for cause, count in asset["causes"].items())


def _print_list(partitions: Sequence[dict[str, Any]]) -> None:
    if not partitions:
        return
    shown, more = capped(partitions)
    print_table(
        ["asset", "kind", "place", ">vintage", "because"],
        [
            (*(row[n] for n in ("asset", "kind", "place", "vintage")), ", ".join(row["causes"]))
            for row in shown
        ],
    )
    if more:
        say(f"… and {more} more: --list --json lists all.")
