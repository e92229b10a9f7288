"""``trace`` and ``reproduce``: from a number to its inputs, and from the inputs to the number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from carbon_assets.cli.output import AsJson, Company, capped, print_json, print_table, say
from carbon_assets.errors import ProvenanceError

if TYPE_CHECKING:
    from sqlalchemy import Connection


def trace(
    target: Annotated[
        str,
        typer.Argument(
            metavar="TARGET",
            help="Key of a farm or project, metric:ID, project-metric:ID or receipt:ID.",
        ),
    ],
    metric: Annotated[str | None, typer.Argument(help="Metric code, with a key.")] = None,
    vintage: Annotated[int | None, typer.Argument(help="Year, with a key.")] = None,
    stratum: Annotated[
        str | None, typer.Option(metavar="AXIS=TERM", help="Such as forest_type=natural_forest.")
    ] = None,
    company: Company = None,
    as_json: AsJson = False,
) -> None:
    """Follow a metric or receipt down to files, hashes, pixels, polygon and code."""
    from carbon_assets.provenance.trace import as_text
    from carbon_assets.store.database import open_database
    from carbon_assets.store.engines import transaction

    filters = _stratum(stratum)
    with transaction(open_database()) as connection:
        document = _traced(connection, target, metric, vintage, filters, company)
    if as_json:
        print_json(document)
    else:
        typer.echo(as_text(document))


def _traced(
    connection: Connection,
    target: str,
    metric: str | None,
    vintage: int | None,
    stratum: dict[str, str] | None,
    company: str | None,
) -> dict[str, Any]:
    from carbon_assets.provenance.trace import trace_metric, trace_metric_id, trace_receipt
    from carbon_assets.provenance.trace_projects import (
        is_project,
        trace_project_metric,
        trace_project_metric_id,
    )

    by_row = {
        "metric": trace_metric_id,
        "project-metric": trace_project_metric_id,
        "receipt": trace_receipt,
    }
    kind, colon, row = target.partition(":")
    if colon and row.isdigit() and kind in by_row:
        return by_row[kind](connection, int(row))
    if metric is None or vintage is None:
        raise ProvenanceError(
            "TRACE_INCOMPLETE",
            "a trace starts at a metric of a farm or project and year, or at a row",
            do="write `carbon-assets trace FARM METRIC VINTAGE`, `trace PROJECT METRIC VINTAGE`, "
            "`trace metric:ID`, `trace project-metric:ID` or `trace receipt:ID`",
        )
    which: dict[str, Any] = {
        "metric": metric,
        "vintage": vintage,
        "stratum": stratum,
        "company": company,
    }
    if is_project(connection, target, company):
        return trace_project_metric(connection, project=target, **which)
    return trace_metric(connection, place=target, **which)


def _stratum(written: str | None) -> dict[str, str] | None:
    if written is None:
        return None
    parts = [part.partition("=") for part in written.split(",")]
    if not all(axis.strip() and term.strip() for axis, _, term in parts):
        raise ProvenanceError(
            "STRATUM_INVALID",
            f"'{written}' is not a stratum",
            where="--stratum",
            do="write AXIS=TERM, such as forest_type=natural_forest",
        )
    return {axis.strip(): term.strip() for axis, _, term in parts}


def reproduce(
    receipts: Annotated[
        list[str] | None, typer.Argument(metavar="RECEIPT", help="Numbers, or receipt:ID.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Every receipt and project metric that is current.")
    ] = False,
    company: Company = None,
    as_json: AsJson = False,
) -> None:
    """Compute receipts again from their inputs and compare every digit; exit 1 on a difference."""
    from carbon_assets.cli.progress import shown
    from carbon_assets.provenance.reproduce import reproduce as again
    from carbon_assets.store.database import open_database

    chosen = _receipt_ids(receipts or [], everything=everything)
    database = open_database()
    with shown(quiet=as_json) as progress:
        found = again(
            database,
            receipt_ids=chosen,
            company=company,
            progress=lambda done, total: progress("reproduce", done, total),
        )
    if as_json:
        print_json(found.as_dict())
    else:
        _print(found.as_dict())
    if found.different or found.failed:
        raise typer.Exit(1)


def _receipt_ids(given: list[str], *, everything: bool) -> list[int] | None:
    if bool(given) == everything:
        raise ProvenanceError(
            "RECEIPTS_UNCLEAR",
            "name receipts, or say --all" if not given else "name receipts or say --all, not both",
            do="write `carbon-assets reproduce 17 18` or `carbon-assets reproduce --all`",
        )
    if everything:
        return None
    numbers = [one.removeprefix("receipt:") for one in given]
    for number in numbers:
        if not (number.isascii() and number.isdigit()):
            raise ProvenanceError(
                "RECEIPTS_UNCLEAR",
                f"'{number}' is not the number of a receipt",
                do="`carbon-assets trace FARM METRIC VINTAGE` names the receipts of a metric",
            )
    return [int(number) for number in numbers]


def _print(found: dict[str, Any]) -> None:
    say(f"{found['checked']} receipts checked, {found['equal']} equal in every digit.")
    if found["project_metrics_checked"]:
        say(
            f"{found['project_metrics_checked']} project metrics checked, "
            f"{found['project_metrics_equal']} equal in every digit."
        )
    for name in ("different", "failed"):
        if rows := found[name]:
            shown, more = capped(rows)
            headings = list(dict.fromkeys(name for row in rows for name in row))
            print_table(headings, [[row.get(h) for h in headings] for row in shown], title=name)
            if more:
                say(f"… and {more} more: --json lists all.")
    for note in found["notes"]:
        say(f"note: {note}")
