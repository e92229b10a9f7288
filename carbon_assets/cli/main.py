"""``carbon-assets``: the command line.

Commands import what they need when they run, so that ``--help`` answers at once.
"""

from __future__ import annotations

import json
import os
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import typer

from carbon_assets import logs
from carbon_assets.cli import database, farms, metrics, run, sources, state, system, trace
from carbon_assets.errors import CarbonAssetsError

DEBUG = "CARBON_DEBUG"
"""Environment variable; with ``1``, tracebacks and warnings are shown."""

app = typer.Typer(
    help="Carbon numbers that anyone can follow back to pixels and compute again.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    epilog="Data is kept in CARBON_HOME (default: .carbon in the current folder), or in the "
    "PostgreSQL database that CARBON_DATABASE_URL names.",
)

START, LOOK, DATA, MACHINE = "Start here", "Look", "Data", "Machine room"

for name, command, panel in (
    ("demo", run.demo, START),
    ("run", run.run, START),
    ("metrics", metrics.metrics, LOOK),
    ("status", state.status, LOOK),
    ("trace", trace.trace, LOOK),
    ("reproduce", trace.reproduce, LOOK),
    ("ui", system.ui, LOOK),
    ("materialize", run.materialize, MACHINE),
    ("version", system.version, MACHINE),
):
    app.command(name, rich_help_panel=panel)(command)
app.add_typer(farms.app, name="farms", rich_help_panel=DATA)
app.add_typer(sources.app, name="sources", rich_help_panel=DATA)
app.add_typer(database.app, name="database", rich_help_panel=MACHINE)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and end the process with its exit status.

    0 is success; 1 an error that the user can act on, or a check that found something; 2 a
    wrong command line or an error inside carbon-assets; 130 after Ctrl-C.

    Args:
        arguments: Command line without the program's name; by default that of the process.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    with _logged(given):
        _run(given)


def _run(given: list[str]) -> None:
    debug = os.environ.get(DEBUG) == "1"
    if not debug:
        warnings.simplefilter("ignore")
    try:
        logs.configure()
        app(given, prog_name="carbon-assets")
    except CarbonAssetsError as error:
        _report(error, as_json="--json" in given)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        if debug:
            raise
        _report(_internal(error), as_json="--json" in given)
        sys.exit(2)


@contextmanager
def _logged(given: list[str]) -> Iterator[None]:
    """Log how a command ended and how long it took, where lines for programs are wanted."""
    started = time.monotonic()
    try:
        yield
    except SystemExit as ended:
        seconds = round(time.monotonic() - started, 3)
        logs.log("command ended", command=given[:1], status=ended.code or 0, seconds=seconds)
        raise


def _internal(error: Exception) -> CarbonAssetsError:
    reason = " ".join(str(error).split())
    return CarbonAssetsError(
        "INTERNAL_ERROR",
        f"{type(error).__name__}: {reason}"[:500],
        do=f"set {DEBUG}=1 and run the command again to see the traceback",
    )


def _report(error: CarbonAssetsError, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"error": error.as_dict()}, indent=2, ensure_ascii=False))
        return
    if logs.configured():
        logs.log_error(error)
        return
    from rich.text import Text

    from carbon_assets.cli.output import console

    text = Text(error.code, style="bold red").append(f": {error.what}", style="not bold default")
    for label, value in (("where", error.where), ("do", error.do)):
        if value:
            text.append(f"\n  {label}: ", style="bold default").append(value, style="default")
    console(error=True).print(text, soft_wrap=True)
