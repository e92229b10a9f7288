"""``metrics``: current farm metrics as a table, CSV or JSON."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer

from carbon_assets.cli.output import AsJson, Company, capped, number, print_json, print_table, say

COLUMNS = (
    "company",
    "project",
    "kind",
    "farm",
    "name",
    "vintage",
    "metric",
    "stratum",
    "value",
    "unit",
    "min",
    "max",
    "valid_share",
    "flags",
    "source",
    "id",
)


def metrics(
    company: Company = None,
    farm: Annotated[
        list[str] | None, typer.Option(metavar="KEY", help="A place; may be repeated.")
    ] = None,
    vintage: Annotated[
        list[str] | None,
        typer.Option(metavar="YEARS", help="Such as 2020 or 2013-2015; may be repeated."),
    ] = None,
    metric: Annotated[
        list[str] | None, typer.Option(metavar="CODE", help="A metric; may be repeated.")
    ] = None,
    csv_file: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Write CSV; - is stdout.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List current metrics of places, per vintage and stratum."""
    rows = _rows(company, farm, vintage, metric)
    if as_json:
        print_json({"metrics": rows})
    elif csv_file is not None:
        _write_csv(csv_file, rows)
    else:
        _print(rows)


def _rows(
    company: str | None, farms: list[str] | None, vintages: list[str] | None, codes: Any
) -> list[dict[str, Any]]:
    from carbon_assets.cli.reading import metric_rows, require_company
    from carbon_assets.cli.vintages import parse_vintages
    from carbon_assets.reference.metric_types import metric_type
    from carbon_assets.store.database import open_database
    from carbon_assets.store.engines import transaction

    years = {year for written in vintages or [] for year in parse_vintages(written)}
    for code in codes or []:
        metric_type(code)
    with transaction(open_database()) as connection:
        require_company(connection, company)
        return metric_rows(
            connection, company=company, farms=farms or (), vintages=years, metrics=codes or ()
        )


def _write_csv(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    to_stdout = str(path) == "-"
    target: Any = (
        nullcontext(sys.stdout) if to_stdout else path.open("w", newline="", encoding="utf-8")
    )
    with target as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows([_cell(row[name]) for name in COLUMNS] for row in rows)


def _cell(value: Any) -> Any:
    """A cell that reads back as it was: numbers with all digits, JSON for lists and mappings."""
    if isinstance(value, list | dict):
        return json.dumps(value, sort_keys=True, ensure_ascii=False)
    return value


def _print(rows: list[dict[str, Any]]) -> None:
    shown, more = capped(rows)
    print_table(
        ["place", ">vintage", "metric", "stratum", ">value", "unit", ">95 % interval", "flags"],
        [_shown(row) for row in shown],
    )
    if more:
        say(f"… and {more} more rows: narrow them, or take --csv FILE or --json for all.")


def _shown(row: dict[str, Any]) -> list[Any]:
    stratum = ", ".join(f"{k}={v}" for k, v in (row["stratum"] or {}).items())
    known = row["min"] is not None and row["max"] is not None
    interval = f"{number(row['min'])} – {number(row['max'])}" if known else ""
    return [
        row["farm"],
        row["vintage"],
        row["metric"],
        stratum,
        number(row["value"], 4),
        row["unit"],
        interval,
        ", ".join(row["flags"]),
    ]
