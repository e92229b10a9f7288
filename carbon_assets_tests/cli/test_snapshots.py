"""What ``--json`` prints for the demo."""

from __future__ import annotations

import pytest

from carbon_assets_tests.cli.command import carbon
from carbon_assets_tests.cli.conftest import Demo
from carbon_assets_tests.cli.snapshots import compared

COMMANDS = {
    "run_again": ["run", "{portfolio}"],
    "metrics": ["metrics", "--farm", "north-01", "--vintage", "2023"],
    "status": ["status", "--list"],
    "trace": ["trace", "north-01", "total_carbon_stock", "2023"],
    "trace_project": ["trace", "north", "total_carbon_stock", "2023"],
    "trace_stratum": [
        "trace",
        "south-02",
        "agb_carbon_stock",
        "2020",
        "--stratum",
        "forest_type=natural_forest",
    ],
    "sources": ["sources", "list"],
    "source": ["sources", "show", "hgb", "2010-demo"],
    "sources_check": ["sources", "check", "{portfolio}"],
    "farms": ["farms", "list"],
    "farms_import": ["farms", "import", "{portfolio}"],
    "farms_validate": ["farms", "validate", "{folder}/farms.gpkg", "--key", "farm_key"],
    "materialize": ["materialize", "--farms", "north-01", "--vintages", "2014-2016,2020"],
    "reproduce": ["reproduce", "--all"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_prints_what_its_snapshot_says(demo: Demo, name: str) -> None:
    paths = {"portfolio": demo.portfolio, "folder": demo.portfolio.parent}
    arguments = [argument.format(**paths) for argument in COMMANDS[name]]
    document = carbon(*arguments, "--json").document()
    found, expected = compared(name, document, demo.home)
    assert found == expected


def test_the_demo_prints_what_its_snapshot_says(demo: Demo) -> None:
    found, expected = compared("demo", demo.document, demo.home)
    assert found == expected
    assert demo.stderr == ""
