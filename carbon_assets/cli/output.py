"""Where output goes: figures to stdout, progress and errors to stderr; JSON is one document."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Company = Annotated[str | None, typer.Option(help="Key of one company; by default all.")]

PIPED_WIDTH = 160
"""Columns of a table that goes to a file or another program."""
SHOWN_ROWS = 50
"""Rows of a table for people; JSON and CSV hold all."""


def console(*, error: bool = False) -> Console:
    """Return a console on stdout or stderr, as they are now."""
    from rich.console import Console

    stream = sys.stderr if error else sys.stdout
    width = None if stream.isatty() else PIPED_WIDTH
    return Console(file=stream, width=width, highlight=False, emoji=False)


def print_json(document: Any) -> None:
    """Print one JSON document."""
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))


def say(text: str) -> None:
    """Print a line for people; its square brackets are no markup."""
    console().print(text, markup=False, soft_wrap=True)


def warn(text: str) -> None:
    """Print a line about something that did not go as usual, to stderr."""
    console(error=True).print(text, markup=False, soft_wrap=True)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], title: str = "") -> None:
    """Print a table; numbers are aligned to the right, None is an empty cell.

    Args:
        columns: Headings; one that starts with ``>`` is a column of numbers.
        rows: Cells, numbers already as text.
        title: Line above it.
    """
    from rich.text import Text

    table = _table(columns, title)
    for row in rows:
        table.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    console().print(table)


def _table(columns: Sequence[str], title: str) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(
        title=title or None, box=SIMPLE_HEAD, title_justify="left", padding=(0, 1), pad_edge=False
    )
    for heading in columns:
        right = heading.startswith(">")
        name = heading.removeprefix(">")
        table.add_column(name, justify="right" if right else "left", no_wrap=right)
    return table


def number(value: float | None, digits: int = 2) -> str:
    """Write a number for people; one that is unknown is said to have no data.

    Args:
        value: The number.
        digits: Decimals; a number that they would round to little or nothing keeps three
            significant digits.
    """
    if value is None:
        return "no data"
    if 0 < abs(value) < 100 * 10.0**-digits:
        return f"{value:.3g}"
    return f"{value:,.{digits}f}"


def capped(rows: Sequence[Any], limit: int = SHOWN_ROWS) -> tuple[Sequence[Any], int]:
    """Return the first rows, and how many more there are."""
    return rows[:limit], max(0, len(rows) - limit)
