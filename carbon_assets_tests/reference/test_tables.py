"""Every table that ships is valid, and the tables fit each other."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import get_args

import pytest
import rfc8785

from carbon_assets.errors import CatalogueError
from carbon_assets.reference.biomes import (
    biome,
    load_biomes,
    load_root_to_shoot,
    root_to_shoot,
)
from carbon_assets.reference.catalogue import load_catalogue
from carbon_assets.reference.documents import as_document
from carbon_assets.reference.legend import Group, load_legend
from carbon_assets.reference.metric_types import load_metric_types, metric_type
from carbon_assets.reference.packaged import packaged
from carbon_assets.reference.strata_map import load_strata, load_taxonomy
from carbon_assets.reference.units import check_unit

LEGENDS = sorted(path.stem for path in packaged("legends").glob("*.csv"))


def test_every_csv_says_where_its_facts_come_from() -> None:
    tables = list(packaged().rglob("*.csv"))
    assert len(tables) >= 8
    for table in tables:
        with table.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                assert row["source"].strip(), table
                assert row["confidence"].strip(), table


@pytest.mark.parametrize("name", LEGENDS)
def test_legend_and_strata_fit(name: str) -> None:
    legend, strata = load_legend(name), load_strata(name)
    assert {0, 27} == set(legend.ids) - legend.observed_ids
    assert set(strata.terms) == set(legend.ids)
    for one in legend.classes:
        assert strata.terms[one.id]["forest_type"]
        is_not_observed = strata.terms[one.id]["forest_type"] == "not_observed"
        assert is_not_observed == (not one.observed)
    children = {one.parent for one in legend.classes if one.parent is not None}
    assert children <= legend.ids_in("aggregate")


def test_collections_differ_where_the_publisher_says_so() -> None:
    old, new = (load_legend(f"mapbiomas-brazil-col-{collection}") for collection in (8, 10))
    assert set(old.ids) - set(new.ids) == {13}
    assert set(new.ids) - set(old.ids) == {75}
    assert new.unknown([3, 13, 255]) == (13, 255)


def test_strata_select_classes_by_all_terms() -> None:
    strata = load_strata("mapbiomas-brazil-col-10")
    assert strata.ids_for({"forest_type": "mangrove"}) == {5}
    assert strata.ids_for({"forest_type": "mangrove", "age_class": "primary"}) == frozenset()
    assert len(strata.ids_for({})) == 39
    with pytest.raises(CatalogueError, match="did you mean 'mangrove'"):
        strata.ids_for({"forest_type": "mangroves"})


def test_land_cover_alone_states_neither_disturbance_nor_age() -> None:
    for name in LEGENDS:
        assert all(set(terms) == {"forest_type"} for terms in load_strata(name).terms.values())
    assert {term.axis for term in load_taxonomy()} == {"forest_type", "disturbance", "age_class"}


def test_class_lookup() -> None:
    legend = load_legend("mapbiomas-brazil-col-10")
    assert legend.get(3).name == "Forest Formation"
    assert legend.ids_in("natural_forest") == {3, 5, 6, 49}
    assert sum(map(len, legend.groups.values())) == len(legend.ids)
    with pytest.raises(CatalogueError) as caught:
        legend.get(13)
    assert caught.value.code == "CLASS_UNKNOWN"


def test_every_metric_unit_parses_and_every_group_has_an_area() -> None:
    metrics = load_metric_types()
    for metric in metrics.values():
        check_unit(metric.unit)
    for group in get_args(Group):
        assert metrics[f"{group}_area"].unit == "ha"
    with pytest.raises(CatalogueError, match="did you mean 'forest_cover'"):
        metric_type("forest_covr")


def test_biomes_follow_the_ipcc_default() -> None:
    assert {one.carbon_fraction for one in load_biomes().values()} == {0.47}
    assert biome("cerrado").description is not None
    assert biome(None).key == "default"
    with pytest.raises(CatalogueError, match="did you mean 'cerrado'"):
        biome("cerado")


@pytest.mark.parametrize(
    ("zone", "agb", "expected"),
    [
        ("tropical_rainforest_americas", 307.1, 0.221),
        ("tropical_dry_americas", 125.0, 0.334),
        ("tropical_dry_americas", 125.1, 0.379),
        ("tropical_rainforest_africa", 80.0, 0.825),
    ],
)
def test_root_to_shoot_steps_at_the_threshold(zone: str, agb: float, expected: float) -> None:
    assert root_to_shoot(zone).ratio(agb) == expected


def test_root_to_shoot_worked_example_and_unknown_zone() -> None:
    assert 307.1 * root_to_shoot("tropical_rainforest_americas").ratio(307.1) == pytest.approx(
        67.87, abs=5e-3
    )
    with pytest.raises(CatalogueError) as caught:
        root_to_shoot("tropical_rain_forest_americas")
    assert caught.value.code == "ECOLOGICAL_ZONE_UNKNOWN"
    assert "tropical_rainforest_americas" in caught.value.what


def test_documents_are_json_and_hold_no_prose() -> None:
    catalogue = load_catalogue()
    items = [
        *catalogue,
        *(band for source in catalogue for band in source.bands),
        *map(load_legend, LEGENDS),
        *map(load_strata, LEGENDS),
        *load_biomes().values(),
        *load_root_to_shoot().values(),
        *load_metric_types().values(),
    ]
    for item in items:
        text = rfc8785.dumps(as_document(item)).decode()
        assert json.loads(text) == as_document(item)
        for word in ("http", "IPCC", "CC BY", str(Path.home()), "primary:"):
            assert word not in text
    with pytest.raises(TypeError):
        as_document("a string")


def test_document_ignores_the_order_and_the_wording_of_a_legend() -> None:
    legend = load_legend("mapbiomas-brazil-col-10")
    reworded = legend.model_copy(
        update={
            "classes": tuple(
                one.model_copy(update={"source": "another", "name": "x"})
                for one in reversed(legend.classes)
            )
        }
    )
    assert as_document(reworded) == as_document(legend)
    regrouped = legend.model_copy(update={"classes": legend.classes[:-1]})
    assert as_document(regrouped) != as_document(legend)


HEADER = "id,level,name,parent,group,observed,source,confidence\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEADER.replace("parent", "parents"), ":1 parents: unknown column; did you mean 'parent'"),
        (HEADER + "1,1,A,,water,true,x,own\n1,1,B,,water,true,x,own\n", ":3 id: 1 stands on line"),
        (HEADER + "1,1,A,,sea,true,x,own\n", ":2 group: Input should be"),
        (HEADER + "1,1,A,,water,true,,own\n", ":2 source: "),
        (HEADER + "1,1,A,,water,false,x,own\n", "observed is false in group not_observed"),
        (HEADER + "1,1,A,9,water,true,x,own\n", "class 1: no parent 9"),
        (HEADER + "1,1,A,,water,true,x,own,more\n", ":2 (extra cell): "),
        (HEADER + "1,1,A\n", ":2 "),
    ],
)
def test_bad_legends_name_line_and_column(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "legend.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CatalogueError) as caught:
        load_legend(str(path))
    assert caught.value.code == "REFERENCE_INVALID"
    assert message in caught.value.what


def test_own_legend_is_read_again_after_an_edit(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(HEADER + "1,1,A,,water,true,x,own\n", encoding="utf-8")
    assert load_legend(str(path)).get(1).group == "water"
    path.write_text(HEADER + "1,1,A,,pasture,true,x,own\n", encoding="utf-8")
    assert load_legend(str(path)).get(1).group == "pasture"
    assert load_legend(str(path)).name == "mine"


def test_strata_must_cover_the_legend(tmp_path: Path) -> None:
    path = tmp_path / "strata.csv"
    head = "id,forest_type,disturbance,age_class,source,confidence\n"
    path.write_text(head + "3,natural_forest,,,x,own\n", encoding="utf-8")
    with pytest.raises(CatalogueError, match="missing"):
        load_strata(str(path), "mapbiomas-brazil-col-10")
    path.write_text(head + "3,natural_forst,,,x,own\n", encoding="utf-8")
    with pytest.raises(CatalogueError, match=r":2: .*did you mean 'natural_forest'"):
        load_strata(str(path), "mapbiomas-brazil-col-8")
