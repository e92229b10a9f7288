"""Legends of maps of change: two codings of one product, and what each says of a year."""

from __future__ import annotations

from pathlib import Path

import pytest

from carbon_assets.errors import CatalogueError
from carbon_assets.reference.change_legend import load_change_legend
from carbon_assets.reference.documents import as_document
from carbon_assets.reference.packaged import packaged


@pytest.mark.parametrize(
    "path", sorted(packaged("changes").glob("*.csv")), ids=lambda path: path.stem
)
def test_every_event_of_a_year_has_one_class(path: Path) -> None:
    legend = load_change_legend(path.stem)
    dated = [(one.event, one.forest, one.year) for one in legend.classes if one.year]
    assert len(set(dated)) == len(dated)
    assert as_document(legend)["classes"]


@pytest.mark.parametrize(
    ("name", "cleared", "late"),
    [("prodes-brazil-2023", 18, 58), ("prodes-regional-2021", 17, 26)],
)
def test_the_two_codings_of_2018(name: str, cleared: int, late: int) -> None:
    legend = load_change_legend(name)
    assert legend.ids_of(["deforestation"], 2018) == {cleared}
    assert legend.ids_of(["late_detection"], 2018) == {late}
    assert legend.ids_of(["deforestation", "late_detection"], 2018) == {cleared, late}


def test_clearing_before_the_record_belongs_to_no_year() -> None:
    legend = load_change_legend("prodes-brazil-2023")
    assert 0 in legend.observed_ids
    years = range(2001, 2024)
    assert all(0 not in legend.ids_of(["deforestation"], year) for year in years)
    assert legend.ids_of(["deforestation"], 2001) == set()
    assert set(legend.ids) - legend.observed_ids == {99}


def test_a_yearly_map_tells_primary_from_secondary_forest() -> None:
    legend = load_change_legend("mapbiomas-deforestation")
    assert legend.ids_of(["deforestation"], None) == {4, 6}
    assert legend.ids_of(["deforestation"], None, "primary") == {4}
    assert legend.ids_of(["deforestation"], None, "secondary") == {6}


def test_hansens_loss_years() -> None:
    legend = load_change_legend("hansen-gfc-1.12")
    for year in range(2001, 2025):
        assert legend.ids_of(["deforestation"], year) == {year - 2000}


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("1,Forest,none,2004,,own,own", "go with an event"),
        ("1,Forest,logged,2004,,own,own", "event"),
        ("-1,Forest,none,,,own,own", "id"),
    ],
)
def test_a_legend_that_is_none(tmp_path: Path, line: str, word: str) -> None:
    path = tmp_path / "own.csv"
    path.write_text(f"id,name,event,year,forest,source,confidence\n{line}\n", encoding="utf-8")
    with pytest.raises(CatalogueError) as raised:
        load_change_legend(str(path))
    assert raised.value.code == "REFERENCE_INVALID"
    assert word in raised.value.what
