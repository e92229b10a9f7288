"""The table of farm metrics that a run ends with: one row per farm."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from carbon_assets.cli.output import capped, console, number, print_table, say
from carbon_assets.cli.reading import Row, metric_rows, newest_vintage

if TYPE_CHECKING:
    from sqlalchemy import Connection

SHOWN = (
    ("total_area", "area\nha", 1),
    ("forest_cover", "forest\nha", 1),
    ("forest_cover_pct", "forest\n%", 1),
    ("agb_carbon_density", "above\ntC/ha", 2),
    ("bgb_carbon_density", "below\ntC/ha", 2),
    ("total_carbon_density", "total\ntC/ha", 2),
    ("agb_carbon_stock", "above\ntC", 0),
    ("bgb_carbon_stock", "below\ntC", 0),
    ("total_carbon_stock", "total\ntC", 0),
)
"""Metric code, heading and digits."""
NARROW = 120
"""Fewer columns on the terminal than this leave out the single pools."""
FULL_ONLY = {"agb_carbon_density", "bgb_carbon_density", "agb_carbon_stock", "bgb_carbon_stock"}


def summary(
    connection: Connection, company: str | None = None, vintage: int | None = None
) -> dict[str, Any]:
    """Metrics of the whole of each farm for one vintage, by default the newest.

    Returns:
        ``vintage`` and ``farms``; each farm has ``metrics`` by code and all their ``flags``.
    """
    chosen = vintage if vintage is not None else newest_vintage(connection, company)
    if chosen is None:
        return {"vintage": None, "farms": []}
    codes = [code for code, _, _ in SHOWN]
    rows = metric_rows(connection, company=company, vintages=[chosen], metrics=codes)
    whole = [row for row in rows if row["kind"] == "farm" and row["stratum"] is None]
    farms = [_farm(list(group)) for _, group in groupby(whole, lambda r: (r["company"], r["farm"]))]
    return {"vintage": chosen, "farms": farms}


def _farm(rows: Sequence[Row]) -> dict[str, Any]:
    names = ("company", "project", "farm", "name")
    order = {code: position for position, (code, _, _) in enumerate(SHOWN)}
    values = sorted(rows, key=lambda row: order[row["metric"]])
    return {
        **{name: rows[0][name] for name in names},
        "metrics": {
            row["metric"]: {name: row[name] for name in ("value", "unit", "min", "max")}
            for row in values
        },
        "flags": sorted({flag for row in rows for flag in row["flags"]}),
    }


def print_summary(found: dict[str, Any]) -> None:
    """Print the table, or that there is none."""
    if not found["farms"]:
        say("There are no farm metrics yet." if found["vintage"] is None else _nothing(found))
        return
    columns = [c for c in SHOWN if console().width >= NARROW or c[0] not in FULL_ONLY]
    shown, more = capped(found["farms"])
    print_table(
        ["farm", "name", "project", *(f">{heading}" for _, heading, _ in columns), "flags"],
        [_cells(farm, columns) for farm in shown],
        title=f"Farm metrics of {found['vintage']}",
    )
    if more:
        say(f"… and {more} more farms: `carbon-assets metrics --json`, or --csv FILE.")


def _nothing(found: dict[str, Any]) -> str:
    return f"There are no farm metrics of {found['vintage']}."


def _cells(farm: dict[str, Any], columns: Iterable[tuple[str, str, int]]) -> list[str]:
    metrics = farm["metrics"]
    numbers = [
        number(metrics[code]["value"], digits) if code in metrics else "–"
        for code, _, digits in columns
    ]
    flags = ", ".join(farm["flags"])
    return [farm["farm"], farm["name"], farm["project"] or "", *numbers, flags]
