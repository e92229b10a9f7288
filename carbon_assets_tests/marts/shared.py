"""What the tests of this folder ask of the demo, and how they write models of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from sqlalchemy import text

from carbon_assets.demo.design import Place, load_design
from carbon_assets.demo.plane import Box
from carbon_assets.store.database import Database
from carbon_assets.store.engines import transaction

VINTAGES = (2018, 2019, 2020, 2021)
UNCOMPUTED = ("south-06", 2019)
"""A partition that is left out: what is not computed is neither zero nor without data."""

SOURCES = "sources: {companies: {follows: rows}, partition_history: {follows: history}}\n"


def clouded() -> Place:
    """A farm of 20 by 20 cells that lies wholly under the clouds of 2021, and of no other year."""
    cells = Box(*map(Fraction, (190, 210, 400, 420)))
    degrees = load_design().products["land_cover"].grid.to_degrees(cells)
    box = Box(*(round(edge, 9) for edge in degrees))
    return replace(load_design().places["north-07"], key="clouded", name="Clouded", adds=(box,))


def rows_of(database: Database, query: str, **values: Any) -> Sequence[Any]:
    """Rows of a query, as the application's role."""
    with transaction(database) as connection:
        return connection.execute(text(query), values).all()


def write_models(folder: Path, models: Mapping[str, str], sources: str = SOURCES) -> Path:
    """Write models by name; a body gets a header unless it has one of its own."""
    for layer in ("staging", "marts"):
        (folder / layer).mkdir(parents=True, exist_ok=True)
        for old in (folder / layer).glob("*.sql"):
            old.unlink()
    (folder / "sources.yaml").write_text(sources, encoding="utf-8")
    for name, body in models.items():
        path = name if "/" in name else f"marts/{name}"
        head = "" if body.startswith("--") else "-- description: A test.\n-- materialized: view\n"
        (folder / f"{path}.sql").write_text(head + body, encoding="utf-8")
    return folder
