"""What becomes stale, and why: each cause touches exactly the partitions that it should."""

from __future__ import annotations

import os
import random
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from sqlalchemy import text

from carbon_assets.demo.edits import apply_edit
from carbon_assets.portfolio import import_portfolio
from carbon_assets.provenance import expectation, status
from carbon_assets.provenance.expectation import asset_ids, expect
from carbon_assets.provenance.graph import GRAPH, PLACE_ASSETS
from carbon_assets.provenance.plan import plan
from carbon_assets.provenance.staleness import UPSTREAM
from carbon_assets.provenance.status import compare, stale_partitions
from carbon_assets.reference.legend import Legend, load_legend
from carbon_assets.store.copying import copy_rows
from carbon_assets.store.database import Database
from carbon_assets.store.engines import transaction
from carbon_assets.store.models import PartitionHistory, PartitionInputs
from carbon_assets_tests.provenance.chain import (
    BIOMASS,
    LAND_COVER,
    METRICS,
    VINTAGES,
    edited,
    load,
    record_only,
    stale,
)
from carbon_assets_tests.provenance.oracle import Scene
from carbon_assets_tests.provenance.scenes import calm
from carbon_assets_tests.provenance.test_staleness import DIAMOND, WINDOW, as_mapping

NORTH = [f"north-{i:02d}" for i in range(1, 9)] + ["north-boundary"]
SOUTH = [f"south-{i:02d}" for i in range(1, 7)] + ["south-boundary"]
PLACES = [*NORTH, *SOUTH]


@pytest.fixture
def fresh(imported: Database) -> Database:
    """The demo company with a history that says that everything is current."""
    record_only(imported)
    assert stale(imported) == {}
    return imported


def expected(
    causes: dict[str, str], places: list[str] = PLACES, vintages: object = VINTAGES
) -> dict[tuple[str, str, int], tuple[str, ...]]:
    return {
        (asset, place, vintage): (cause,)
        for asset, cause in causes.items()
        for place in places
        for vintage in vintages  # type: ignore[attr-defined]
    }


def repaint(path: Path) -> None:
    """Change one cell of a raster to another class of its legend."""
    with rasterio.open(path) as dataset:
        profile, values = dataset.profile, dataset.read(1)
    values[0, 0] = 15 if values[0, 0] != 15 else 3
    profile.update(driver="GTiff")
    with rasterio.open(path.with_suffix(".new"), "w", **profile) as dataset:
        dataset.write(values, 1)
    path.with_suffix(".new").replace(path)


def test_everything_is_missing_at_first(imported: Database) -> None:
    every = dict.fromkeys((LAND_COVER, BIOMASS, METRICS), "missing")
    assert stale(imported) == expected(every)


def test_an_edited_polygon(fresh: Database, own_landscape: Path) -> None:
    edit = apply_edit(own_landscape)
    import_portfolio(fresh, own_landscape / "portfolio.yaml")
    causes = {LAND_COVER: "geometry", BIOMASS: "geometry", METRICS: "upstream"}
    assert stale(fresh) == expected(causes, [edit.farm_key])


def test_one_vintage_s_raster(fresh: Database, own_landscape: Path) -> None:
    repaint(own_landscape / "rasters/brazil_coverage_2019.tif")
    causes = {LAND_COVER: "raster_version", BIOMASS: "raster_version", METRICS: "upstream"}
    assert stale(fresh) == expected(causes, vintages=[2019])


def test_a_static_raster_touches_every_vintage_of_what_reads_it(
    fresh: Database, own_landscape: Path
) -> None:
    repaint(own_landscape / "rasters/belowground_biomass_carbon_2010.tif")
    assert stale(fresh) == expected({BIOMASS: "raster_version", METRICS: "upstream"})


def test_the_same_files_elsewhere_and_with_other_dates(
    fresh: Database, own_landscape: Path, tmp_path: Path
) -> None:
    other = Path(shutil.copytree(own_landscape, tmp_path / "elsewhere"))
    for path in other.rglob("*.tif"):
        os.utime(path, ns=(1_600_000_000_000_000_000, 1_600_000_000_000_000_000))
    import_portfolio(fresh, other / "portfolio.yaml")
    shutil.rmtree(own_landscape)
    assert stale(fresh) == {}


def test_a_project_s_forest_definition(fresh: Database, own_landscape: Path) -> None:
    portfolio = own_landscape / "portfolio.yaml"
    with edited(portfolio) as document:
        document["projects"][1]["forest_groups"] = ["natural_forest", "savanna"]
    import_portfolio(fresh, portfolio)
    assert stale(fresh) == expected({METRICS: "parameter"}, SOUTH)


def test_a_biome_touches_a_biomass_product_and_no_carbon_product(
    fresh_database: Database, own_landscape: Path
) -> None:
    portfolio = own_landscape / "portfolio.yaml"
    import_portfolio(fresh_database, portfolio)
    record_only(fresh_database)
    set_biome(portfolio, "caatinga")
    import_portfolio(fresh_database, portfolio)
    assert stale(fresh_database) == {}

    with edited(portfolio) as document:
        document["sources"]["biomass"] = {"source": "esa-cci-biomass", "version": "5.01-demo"}
    import_portfolio(fresh_database, portfolio)
    assert {asset for asset, _, _ in stale(fresh_database)} == {BIOMASS, METRICS}
    record_only(fresh_database)
    set_biome(portfolio, "amazon")
    import_portfolio(fresh_database, portfolio)
    found = stale(fresh_database)
    assert found.keys() == expected({BIOMASS: "", METRICS: ""}, NORTH).keys()
    for (asset, _, _), causes in found.items():
        assert ("reference_data" if asset == BIOMASS else "upstream") in causes


def set_biome(portfolio: Path, biome: str) -> None:
    """Give the northern project a biome."""
    with edited(portfolio) as document:
        document["projects"][0]["biome"] = biome


def test_a_legend(fresh: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    original = load_legend("mapbiomas-brazil-col-10")
    first, *others = original.classes
    regrouped = Legend(
        name=original.name, classes=(first.model_copy(update={"group": "mosaic"}), *others)
    )
    for name in ("carbon_assets.runners.bound", "carbon_assets.provenance.world"):
        monkeypatch.setattr(f"{name}.load_legend", lambda _: regrouped)
    own = expected({LAND_COVER: "reference_data"})
    derived = dict.fromkeys(expected({METRICS: ""}), ("reference_data", "upstream"))
    assert stale(fresh) == own | derived


def test_code_of_one_runner(fresh: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    original = expectation.code_hash

    def changed(*modules: str) -> str:
        biomass = any(name.endswith("runners.biomass") for name in modules)
        return "sha256:changed" if biomass else original(*modules)

    monkeypatch.setattr(expectation, "code_hash", changed)
    assert stale(fresh) == expected({BIOMASS: "code", METRICS: "upstream"})


def test_code_that_derives_metrics(fresh: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    original = expectation.code_hash
    monkeypatch.setattr(
        expectation,
        "code_hash",
        lambda *modules: "sha256:x" if expectation.DERIVE in modules else original(*modules),
    )
    assert stale(fresh) == expected({METRICS: "code"})


def test_a_library(fresh: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expectation, "numerics_probe", lambda: "sha256:other digits")
    causes = {LAND_COVER: "library", BIOMASS: "library", METRICS: "upstream"}
    assert stale(fresh) == expected(causes)


def test_two_causes_at_once_are_both_told(
    fresh: Database, own_landscape: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit = apply_edit(own_landscape)
    import_portfolio(fresh, own_landscape / "portfolio.yaml")
    monkeypatch.setattr(expectation, "numerics_probe", lambda: "sha256:other digits")
    found = stale(fresh)
    assert found[LAND_COVER, edit.farm_key, 2014] == ("geometry", "library")
    assert found[LAND_COVER, "south-01", 2014] == ("library",)


def test_a_new_vintage_is_missing_and_touches_no_other(
    fresh_database: Database, own_landscape: Path
) -> None:
    portfolio = own_landscape / "portfolio.yaml"
    with edited(portfolio) as document:
        document["vintages"] = "2014-2022"
    import_portfolio(fresh_database, portfolio)
    record_only(fresh_database)
    with edited(portfolio) as document:
        document["vintages"] = "2014-2023"
    import_portfolio(fresh_database, portfolio)
    every = dict.fromkeys((LAND_COVER, BIOMASS, METRICS), "missing")
    assert stale(fresh_database) == expected(every, vintages=[2023])


def test_a_vintage_that_a_project_no_longer_has_is_not_asked_for(
    fresh: Database, own_landscape: Path
) -> None:
    """Regression: places of one zone were expected in every vintage of any of them."""
    with transaction(fresh) as connection:
        connection.execute(text("UPDATE projects SET vintages = '{2014}' WHERE key = 'north'"))
    repaint(own_landscape / "rasters/brazil_coverage_2014.tif")
    repaint(own_landscape / "rasters/brazil_coverage_2019.tif")
    found = Counter(
        (place[:5], vintage) for asset, place, vintage in stale(fresh) if asset == LAND_COVER
    )
    assert found == {("north", 2014): 9, ("south", 2014): 7, ("south", 2019): 7}


def test_a_removed_place_is_not_asked_for_and_keeps_its_rows(
    fresh: Database, own_landscape: Path
) -> None:
    with edited(own_landscape / "portfolio.yaml") as document:
        document["places"] = [one for one in document["places"] if one["kind"] == "farm"]
    changes = import_portfolio(fresh, own_landscape / "portfolio.yaml").changes
    assert changes.removed == ("north-boundary", "south-boundary")
    repaint(own_landscape / "rasters/brazil_coverage_2014.tif")
    assert {place for _, place, _ in stale(fresh)} == {*PLACES} - {*changes.removed}
    with transaction(fresh) as connection:
        kept = text("SELECT count(*) FROM partition_state")
        assert connection.execute(kept).scalar_one() == 3 * 16 * 10 + 2 * 10


def test_a_question_about_some_assets_and_places(fresh: Database, own_landscape: Path) -> None:
    repaint(own_landscape / "rasters/brazil_coverage_2014.tif")
    world = load(fresh)
    place = next(i for i, one in world.places.items() if one.key == "south-03")
    with transaction(fresh) as connection:
        expectations = expect([world], assets=[BIOMASS], places=[place, 10**6])
        found = stale_partitions(connection, [world], expectations)
    assert [(one.asset, one.subject_id, one.vintage) for one in found] == [(BIOMASS, place, 2014)]


def test_places_of_one_setting_share_their_documents(imported: Database) -> None:
    world = load(imported)
    documents = expect([world], assets=PLACE_ASSETS).documents
    assert len(documents) == 3 * len(VINTAGES)
    places = {i + 10**6: replace(one, id=i + 10**6) for i, one in world.places.items()}
    more = expect([replace(world, places={**world.places, **places})], assets=PLACE_ASSETS)
    assert len(more.documents) == len(documents)
    assert len(more.subjects) == 3 * 32


def test_a_plan_reads_and_writes_only_what_it_is_asked_for(
    fresh: Database, own_landscape: Path
) -> None:
    repaint(own_landscape / "rasters/brazil_coverage_2014.tif")
    world = load(fresh)
    one, two = sorted(world.places)[:2]
    keys = [(one, 2014), (one, 2015), (two, 2016)]
    with transaction(fresh) as connection:
        steps = plan(connection, world, LAND_COVER, keys)
    assert [(step.key, step.causes) for step in steps] == [((one, 2014), ("raster_version",))]


@pytest.fixture
def store_scene(fresh_database: Database) -> object:
    def store(scene: Scene) -> dict[str, int]:
        with transaction(fresh_database) as connection:
            assets = asset_ids(connection, [node.key for node in scene.nodes])
            documents = [(bytes([i]) * 32, {"n": i}) for i in (1, 2)]
            copy_rows(connection, PartitionInputs, ["digest", "document"], documents)
            copy_rows(
                connection,
                PartitionHistory,
                [
                    "asset_id",
                    "subject_id",
                    "vintage",
                    "geometry_version_id",
                    "inputs_id",
                    "upstream",
                    "fingerprint",
                    "cause",
                ],
                [
                    (
                        assets[asset],
                        place,
                        vintage,
                        one.geometry,
                        one.inputs,
                        one.upstream,
                        one.token.to_bytes(8, "big", signed=True) + bytes(24),
                        "missing",
                    )
                    for (asset, place, vintage), one in scene.state.items()
                ],
            )
        return assets

    return store


@pytest.mark.parametrize("listed", [2_000, 0], ids=["listed", "range"])
@pytest.mark.parametrize("nodes", [DIAMOND, WINDOW], ids=["diamond", "window"])
def test_the_database_tells_what_plain_dictionaries_tell(
    fresh_database: Database,
    store_scene: object,
    monkeypatch: pytest.MonkeyPatch,
    nodes: tuple[object, ...],
    listed: int,
) -> None:
    monkeypatch.setattr(status, "LISTED_SUBJECTS", listed)
    scene = calm(nodes)  # type: ignore[arg-type]
    chance = random.Random(7)
    for one in chance.sample(sorted(scene.state), 12):
        del scene.state[one]
    assets = store_scene(scene)  # type: ignore[operator]
    for key in chance.sample(sorted(scene.inputs), 3):
        scene.inputs[key] = chance.choice([None, 2])
    for key in chance.sample(sorted(scene.places), 2):
        scene.places[key] = (scene.places[key][0], 999 if scene.places[key][1] else None)
    with transaction(fresh_database) as connection:
        before = connection.execute(text("SHOW max_parallel_workers_per_gather")).scalar_one()
        found = compare(connection, scene.expected(assets))
        after = connection.execute(text("SHOW max_parallel_workers_per_gather")).scalar_one()
    assert as_mapping(found, assets) == scene.stale()
    assert np.any(found.mask & UPSTREAM)
    assert before == after


def test_the_graph_reads_downwards() -> None:
    seen: set[str] = set()
    for node in GRAPH:
        assert {edge.upstream for edge in node.edges} <= seen
        seen.add(node.key)
