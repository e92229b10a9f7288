"""What an import of a portfolio did, as JSON and for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from carbon_assets.cli.output import capped, number, print_table, say

if TYPE_CHECKING:
    from carbon_assets.portfolio import Loaded

ACTIONS = ("added", "changed", "restored", "removed")
SHOWN_KEYS = 10
SHOWN_OVERLAPS = 10


def import_document(loaded: Loaded) -> dict[str, Any]:
    """What is printed with ``--json``: keys by action, overlaps with areas, remarks."""
    return {
        "company": loaded.company,
        "vintages": list(loaded.vintages),
        "places": {action: list(getattr(loaded.changes, action)) for action in ACTIONS}
        | {"unchanged": len(loaded.changes.unchanged)},
        "overlaps": [overlap.as_dict() for overlap in loaded.overlaps],
        "warnings": list(loaded.warnings),
    }


def print_import(document: dict[str, Any]) -> None:
    """Say what an import did."""
    places = document["places"]
    done = [f"{len(places[action])} {action}" for action in ACTIONS if places[action]]
    said = ", ".join([*done, f"{places['unchanged']} unchanged"])
    say(f"Places of {document['company']}: {said}.")
    for action in ACTIONS[1:]:
        if places[action]:
            say(f"  {action}: {listed(places[action])}")
    _print_overlaps(document["overlaps"])
    for warning in document["warnings"]:
        say(f"  remark: {warning}")


def listed(keys: list[str]) -> str:
    """The first keys of a list, and how many more there are."""
    shown, more = capped(keys, SHOWN_KEYS)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _print_overlaps(overlaps: list[dict[str, Any]]) -> None:
    if not overlaps:
        return
    print_overlaps(overlaps, f"{len(overlaps)} overlaps between farms: counted in each of them")


def print_overlaps(overlaps: list[dict[str, Any]], title: str) -> None:
    """Print pairs of places that share an area, the largest first."""
    shown, more = capped(overlaps, SHOWN_OVERLAPS)
    print_table(
        ["place", "and", ">shared ha", ">% of place", ">% of the other"],
        [
            (
                one["first"],
                one["second"],
                number(one["area_ha"], 4),
                number(100 * one["share_of_first"]),
                number(100 * one["share_of_second"]),
            )
            for one in shown
        ],
        title=title,
    )
    if more:
        say(f"… and {more} more: --json lists all.")
