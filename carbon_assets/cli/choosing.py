"""Which assets, places and vintages a batch run is for."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from carbon_assets.cli.vintages import parse_vintages
from carbon_assets.errors import PlaceError, ProvenanceError

if TYPE_CHECKING:
    from carbon_assets.orchestration.refresh import Choice
    from carbon_assets.provenance.world import Place
    from carbon_assets.store.database import Database


def chosen_assets(given: Sequence[str] | None) -> set[str] | None:
    """Asset keys by their own name or the last part of it; None for all.

    Raises:
        ProvenanceError: ``ASSET_UNKNOWN``.
    """
    from carbon_assets.provenance.graph import GRAPH

    if not given:
        return None
    known = {name: node.key for node in GRAPH for name in (node.key, node.key.split("/")[-1])}
    for name in given:
        if name not in known:
            raise ProvenanceError(
                "ASSET_UNKNOWN",
                f"there is no asset {name}",
                where="--select",
                do=f"use one of: {', '.join(node.key for node in GRAPH)}",
            )
    return {known[name] for name in given}


def chosen_partitions(
    database: Database,
    *,
    company: str | None,
    farms: Collection[str],
    places: Collection[str],
    vintages: str | None,
) -> Choice:
    """Say which place and vintage is meant; without any key, all places are.

    Raises:
        PortfolioError: ``VINTAGES_INVALID``, ``COMPANY_UNKNOWN``.
        PlaceError: ``PLACE_UNKNOWN``.
    """
    years = None if vintages is None else set(parse_vintages(vintages))
    _require_known(database, company, farms, places)

    def chosen(place: Place, vintage: int) -> bool:
        by_key = place.key in places or (place.kind == "farm" and place.key in farms)
        return (by_key or not (farms or places)) and (years is None or vintage in years)

    return chosen


def _require_known(
    database: Database, company: str | None, farms: Collection[str], places: Collection[str]
) -> None:
    from carbon_assets.cli.reading import place_rows, require_company
    from carbon_assets.store.engines import transaction

    with transaction(database) as connection:
        require_company(connection, company)
        rows = [row for row in place_rows(connection, company) if row["status"] == "active"]
    known = {row["key"] for row in rows}
    known_farms = {row["key"] for row in rows if row["kind"] == "farm"}
    unknown = sorted((set(places) - known) | (set(farms) - known_farms))
    if unknown:
        raise PlaceError(
            "PLACE_UNKNOWN",
            f"there is no active {'place' if places else 'farm'} {', '.join(unknown)}",
            do="list what there is: `carbon-assets farms list`",
        )
