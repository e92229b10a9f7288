"""``carbon-assets database``: the embedded server's address and life."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from carbon_assets.cli.backup import backup, restore
from carbon_assets.cli.pruning import prune
from carbon_assets.errors import StoreError

if TYPE_CHECKING:
    from carbon_assets.store.database import Database

app = typer.Typer(
    help="The database: its address, start, stop, status; backup and restore; pruning.",
    no_args_is_help=True,
)
app.command()(backup)
app.command()(restore)
app.command()(prune)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


@app.command()
def url(as_json: AsJson = False) -> None:
    """Print the application's URL (with its password) and keep the server running."""
    database = _opened()
    _say(database.plain_app_url, {"url": database.plain_app_url}, as_json)


@app.command()
def start(as_json: AsJson = False) -> None:
    """Start the embedded server and keep it running after this command."""
    _refuse_external("start")
    database = _opened()
    text = f"PostgreSQL runs at {database.place} until 'carbon-assets database stop'."
    _say(text, {"running": True, "place": database.place}, as_json)


@app.command()
def stop(as_json: AsJson = False) -> None:
    """Stop the embedded server, or let it stop with the last command that uses it."""
    from carbon_assets.store.home import carbon_home
    from carbon_assets.store.server import stop_server

    _refuse_external("stop")
    down = stop_server(carbon_home())
    text = "PostgreSQL is stopped." if down else "In use: PostgreSQL stops with its last user."
    _say(text, {"running": not down}, as_json)


@app.command()
def status(as_json: AsJson = False) -> None:
    """Tell which server is used, where its files lie and whether it runs; starts nothing."""
    from carbon_assets.store.database import external_url

    facts = _external_facts() if external_url() else _embedded_facts()
    text = "\n".join(f"{name}: {value}" for name, value in facts.items() if value is not None)
    _say(text, facts, as_json)


def _opened() -> Database:
    """Open the database; an embedded server stays up afterwards."""
    from carbon_assets.store.database import external_url, open_database, open_embedded
    from carbon_assets.store.home import carbon_home

    if external_url():
        return open_database()
    from carbon_assets.store.server import keep_running, use_server

    server = use_server(carbon_home())
    keep_running(server)
    return open_embedded(server)


def _embedded_facts() -> dict[str, Any]:
    from carbon_assets.store.home import carbon_home
    from carbon_assets.store.server import server_status

    found = asdict(server_status(carbon_home()))
    found["folder"] = str(found["folder"]) if found["folder"] else None
    return {"server": "embedded", **found}


def _external_facts() -> dict[str, Any]:
    from carbon_assets.store.database import external_url
    from carbon_assets.store.external import connect, parse_url, place_of

    address = parse_url(external_url() or "")
    with connect(address) as connection:
        version = connection.info.parameter_status("server_version")
    return {"server": "external", "running": True, "place": place_of(address), "version": version}


def _refuse_external(action: str) -> None:
    from carbon_assets.store.database import external_url

    if external_url():
        raise StoreError(
            "DATABASE_NOT_EMBEDDED",
            f"CARBON_DATABASE_URL names a server that carbon-assets does not {action}.",
            do="Unset CARBON_DATABASE_URL to use the embedded server.",
        )


def _say(text: str, facts: dict[str, Any], as_json: bool) -> None:
    typer.echo(json.dumps(facts) if as_json else text)
