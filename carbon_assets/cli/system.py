"""``version`` and ``ui``."""

from __future__ import annotations

from typing import Annotated

import typer

from carbon_assets.cli.output import AsJson, print_json, say, warn


def version(as_json: AsJson = False) -> None:
    """Print the version."""
    from carbon_assets import __version__

    if as_json:
        print_json({"version": __version__})
    else:
        say(f"carbon-assets {__version__}")


def ui(
    port: Annotated[int, typer.Option(help="Port on this machine.", min=1, max=65535)] = 3000,
    daemon: Annotated[
        bool, typer.Option("--daemon/--no-daemon", help="Also run sensors, schedules and queues.")
    ] = True,
) -> None:
    """Start Dagster's web interface on the same data; Ctrl-C stops it."""
    from carbon_assets.cli.servers import serving
    from carbon_assets.orchestration.instance import open_instance
    from carbon_assets.orchestration.reaper import reap
    from carbon_assets.store.database import open_database
    from carbon_assets.store.home import carbon_home

    database = open_database()
    with open_instance(database) as instance:
        for left in reap(instance, database):
            warn(f"Run {left.run_id}: {left.message}")
        with serving(carbon_home() / "dagster", port, daemon=daemon) as served:
            say(f"Dagster runs at {served.address} until Ctrl-C.")
            served.wait(warn)
