"""Computing, confirming and recording: what is written when, and what never is written again."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from carbon_assets.demo.edits import apply_edit, undo_edit
from carbon_assets.errors import RasterError
from carbon_assets.portfolio import import_portfolio
from carbon_assets.provenance import materialize as materializing
from carbon_assets.provenance.announce import announced, unannounced
from carbon_assets.provenance.canonical import digest
from carbon_assets.provenance.expectation import expect
from carbon_assets.provenance.fingerprint import as_text
from carbon_assets.provenance.graph import GRAPH, PLACE_ASSETS
from carbon_assets.provenance.materialize import compute_here, materialize
from carbon_assets.provenance.rows import current_fingerprints
from carbon_assets.store.database import Database
from carbon_assets.store.engines import transaction
from carbon_assets_tests.provenance.chain import (
    BIOMASS,
    LAND_COVER,
    METRICS,
    actions,
    bring_up,
    count,
    load,
    partitions,
    record_only,
    stale,
)
from carbon_assets_tests.scratch import Host, scratch_database

PARTITIONS = 16 * 10


def rows(database: Database, query: str, **values: Any) -> list[Any]:
    with transaction(database) as connection:
        return list(connection.execute(text(query), values).all())


def current_receipts(database: Database, place: str) -> list[int]:
    query = (
        "SELECT r.id FROM current_raster_aggregates AS r JOIN farms AS f ON f.id = r.geometry_id"
        " WHERE f.key = :place ORDER BY r.id"
    )
    return [row.id for row in rows(database, query, place=place)]


@pytest.fixture
def own(computed: Database, own_landscape: Path) -> Database:
    """The computed demo company, bound to files that the test may change."""
    import_portfolio(computed, own_landscape / "portfolio.yaml")
    return computed


def test_everything_was_computed_once(shared_computed: Database) -> None:
    assert stale(shared_computed) == {}
    assert count(shared_computed, "partition_history") == 3 * PARTITIONS
    assert count(shared_computed, "partition_history", "cause = 'missing'") == 3 * PARTITIONS
    fingerprints = "(SELECT DISTINCT geometry_id, inputs_fingerprint FROM raster_aggregates) AS r"
    assert count(shared_computed, fingerprints) == 2 * PARTITIONS


def test_what_is_fresh_is_left_alone(own: Database) -> None:
    before = count(own, "partition_history")
    for outcomes in bring_up(own).values():
        assert actions(outcomes) == {"fresh": PARTITIONS}
    assert count(own, "partition_history") == before


def test_a_polygon_there_and_back_again(own: Database, own_landscape: Path) -> None:
    portfolio = own_landscape / "portfolio.yaml"
    first = current_receipts(own, "north-01")
    receipts = count(own, "raster_aggregates")

    edit = apply_edit(own_landscape)
    assert import_portfolio(own, portfolio).changes.changed == (edit.farm_key,)
    for outcomes in bring_up(own).values():
        assert actions(outcomes) == {"computed": 10, "fresh": PARTITIONS - 10}
    second = current_receipts(own, "north-01")
    assert not {*first} & {*second}
    assert stale(own) == {}

    receipts_of_both, metrics_of_both = count(own, "raster_aggregates"), count(own, "farm_metrics")
    assert receipts_of_both == receipts + len(second)
    undo_edit(own_landscape)
    assert import_portfolio(own, portfolio).changes.changed == (edit.farm_key,)
    for outcomes in bring_up(own).values():
        assert actions(outcomes) == {"confirmed": 10, "fresh": PARTITIONS - 10}
        confirmed = [one for one in outcomes if one.action == "confirmed"]
        assert {one.rows for one in confirmed} == {0}
    assert current_receipts(own, "north-01") == first
    assert count(own, "raster_aggregates") == receipts_of_both
    assert count(own, "farm_metrics") == metrics_of_both
    assert stale(own) == {}

    place = "farm_id = (SELECT id FROM farms WHERE key = 'north-01')"
    assert count(own, "geometry_versions", place) == 2
    edits = "SELECT action, geometry_version_id FROM geometry_edits WHERE " + place + " ORDER BY id"
    log = rows(own, edits)
    assert [row.action for row in log] == ["added", "changed", "changed"]
    assert log[0].geometry_version_id == log[2].geometry_version_id != log[1].geometry_version_id
    history = rows(
        own,
        "SELECT h.cause, h.fingerprint FROM partition_history AS h"
        " JOIN asset_keys AS a ON a.id = h.asset_id"
        " JOIN farms AS f ON f.id = h.subject_id"
        " WHERE a.key = :asset AND h.vintage = 2020 AND f.key = 'north-01' ORDER BY h.id",
        asset=LAND_COVER,
    )
    assert [row.cause for row in history] == ["missing", "geometry", "geometry"]
    assert history[0].fingerprint == history[2].fingerprint != history[1].fingerprint


def test_a_raster_there_and_back_again(own: Database, own_landscape: Path) -> None:
    path = own_landscape / "rasters/brazil_coverage_2019.tif"
    first = current_receipts(own, "north-03")
    shutil.move(path, own_landscape / "original.tif")
    shutil.copy(own_landscape / "rasters/brazil_coverage_2018.tif", path)
    outcomes = bring_up(own)
    for asset in (LAND_COVER, BIOMASS):
        assert actions(outcomes[asset]) == {"computed": 16, "fresh": PARTITIONS - 16}
    assert current_receipts(own, "north-03") != first
    written = count(own, "raster_aggregates")

    shutil.move(own_landscape / "original.tif", path)
    for found in bring_up(own).values():
        assert actions(found) == {"confirmed": 16, "fresh": PARTITIONS - 16}
    assert current_receipts(own, "north-03") == first
    assert count(own, "raster_aggregates") == written
    assert stale(own) == {}


def test_a_partition_that_should_not_exist_is_passed_over(own: Database) -> None:
    world = load(own)
    place = min(world.places)
    keys = [(place, 2014), (place, 1999), (10**6, 2014)]
    (chunk,) = materialize(own, world, LAND_COVER, keys)
    assert [(one.subject_id, one.vintage, one.action) for one in chunk] == [(place, 2014, "fresh")]


def test_an_older_view_takes_no_newer_polygon_back(own: Database, own_landscape: Path) -> None:
    older = load(own)
    apply_edit(own_landscape)
    import_portfolio(own, own_landscape / "portfolio.yaml")
    bring_up(own, [LAND_COVER])
    with transaction(own) as connection:
        newer = current_fingerprints(connection, LAND_COVER, partitions(older))
    (edited,) = {place for _, place, _ in stale(own)}
    late = [one for c in materialize(own, older, LAND_COVER, partitions(older)) for one in c]
    assert {older.places[one.subject_id].key for one in late} == (
        {place.key for place in older.places.values()} - {edited}
    )
    assert actions(late) == {"fresh": len(late)}
    with transaction(own) as connection:
        assert current_fingerprints(connection, LAND_COVER, partitions(older)) == newer


def test_an_error_leaves_whole_chunks_and_nothing_of_the_one_it_struck(
    imported: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(materializing, "CHUNK_PARTITIONS", 20)
    world = load(imported)
    asked: list[int] = []

    def failing(bound: Any, places: Any, vintages: Any) -> Any:
        for one in compute_here(bound, places, vintages):
            asked.append(one.place_id)
            if len(asked) == 50:
                raise RasterError("RASTER_UNREADABLE", "a block does not decode")
            yield one

    done = []
    with pytest.raises(RasterError):
        done += [
            one
            for chunk in materialize(
                imported, world, LAND_COVER, partitions(world), compute=failing
            )
            for one in chunk
        ]
    assert count(imported, "partition_history") == 40
    assert count(imported, "raster_aggregates") == 40
    outcomes = bring_up(imported, [LAND_COVER])[LAND_COVER]
    assert actions(outcomes) == {"fresh": 40, "computed": PARTITIONS - 40}


def test_a_raster_that_changes_while_it_is_read_is_refused(
    imported: Database, own_landscape: Path
) -> None:
    world = load(imported)
    path = own_landscape / "rasters/brazil_coverage_2016.tif"

    def disturbed(bound: Any, places: Any, vintages: Any) -> Any:
        yield from compute_here(bound, places, vintages)
        shutil.copy(own_landscape / "rasters/brazil_coverage_2015.tif", path)

    with pytest.raises(RasterError) as caught:
        list(materialize(imported, world, LAND_COVER, partitions(world), compute=disturbed))
    assert caught.value.code == "RASTER_CHANGED"
    assert caught.value.where == str(path)
    assert count(imported, "raster_aggregates") == count(imported, "partition_history") == 0


def test_receipts_name_the_rasters_that_took_part(shared_computed: Database) -> None:
    found = rows(
        shared_computed,
        "SELECT DISTINCT r.runner_key, i.role, a.band, a.vintage FROM raster_aggregates AS r"
        " JOIN raster_aggregate_inputs AS i ON i.raster_aggregate_id = r.id"
        " JOIN raster_assets AS a ON a.id = i.raster_asset_id WHERE r.vintage_year = 2017",
    )
    read = {(row.runner_key, row.role, row.band, row.vintage) for row in found}
    assert ("land_cover.mapbiomas", "value", "class", 2017) in read
    assert ("biomass.hgb", "mask", "class", 2017) in read
    assert ("biomass.hgb", "uncertainty", "agb_uncertainty", None) in read
    assert {vintage for *_, vintage in read} == {2017, None}


def fingerprints(database: Database) -> dict[tuple[str, str, int], str]:
    world = load(database)
    with transaction(database) as connection:
        return {
            (node.key, world.places[place].key, vintage): as_text(mark)
            for node in GRAPH
            if node.key in PLACE_ASSETS
            for (place, vintage), mark in current_fingerprints(
                connection, node.key, partitions(world)
            ).items()
        }


def test_another_folder_another_database_and_other_row_numbers_give_the_same_fingerprints(
    shared_computed: Database,
    database_host: Host,
    template_database: str,
    own_landscape: Path,
) -> None:
    with scratch_database(database_host, template_database) as (_, other):
        portfolio = own_landscape / "portfolio.yaml"
        text_of = portfolio.read_text(encoding="utf-8")
        portfolio.write_text(text_of.replace("key: demo", "key: earlier"), encoding="utf-8")
        import_portfolio(other, portfolio)
        record_only(other, "earlier")
        portfolio.write_text(text_of, encoding="utf-8")
        import_portfolio(other, portfolio)
        record_only(other)
        ours, theirs = fingerprints(shared_computed), fingerprints(other)
        assert min(load(other).places) > max(load(shared_computed).places)
    assert len(ours) == 3 * PARTITIONS
    assert ours == theirs
    assert len({*ours.values()}) == 3 * PARTITIONS


def strings(document: Any) -> list[str]:
    if isinstance(document, dict):
        return [*document, *(text for value in document.values() for text in strings(value))]
    if isinstance(document, list):
        return [text for value in document for text in strings(value)]
    return [document] if isinstance(document, str) else []


def test_no_document_holds_a_path_an_address_or_a_clock(
    shared_computed: Database, landscape: Path
) -> None:
    found = rows(shared_computed, "SELECT digest, document FROM partition_inputs")
    assert len(found) == 30
    for row in found:
        for one in strings(row.document):
            assert str(landscape) not in one
            assert not any(mark in one for mark in (".tif", ".gpkg", "://", "/rasters"))
            assert not re.search(r"\d{4}-\d\d-\d\d|\d\d:\d\d:\d\d", one)
        assert digest(row.document) == bytes(row.digest)


def test_a_document_names_every_raster_by_content(shared_computed: Database) -> None:
    contents = {row[0] for row in rows(shared_computed, "SELECT content_hash FROM raster_assets")}
    named: set[str] = set()
    for row in rows(shared_computed, "SELECT document FROM partition_inputs"):
        for files in row.document["rasters"].values():
            named |= {file["content"] for file in files}
    assert named == contents
    assert len(contents) == 14


def test_the_fingerprint_can_be_computed_again_from_what_is_stored(
    shared_computed: Database,
) -> None:
    found = rows(
        shared_computed,
        "SELECT a.key, s.fingerprint, g.geometry_hash, p.document FROM partition_state AS s"
        " JOIN asset_keys AS a ON a.id = s.asset_id"
        " JOIN partition_inputs AS p ON p.id = s.inputs_id"
        " JOIN geometry_versions AS g ON g.id = s.geometry_version_id WHERE s.vintage = 2021",
    )
    assert len(found) == 32
    for row in found:
        whole = {
            "asset": row.key,
            "fingerprint": 1,
            "geometry": row.geometry_hash,
            "inputs": row.document,
            "upstream": [],
        }
        assert digest(whole) == bytes(row.fingerprint)


def test_a_farm_metric_rests_on_the_fingerprints_of_its_receipts(
    shared_computed: Database,
) -> None:
    found = rows(
        shared_computed,
        "SELECT s.subject_id, s.fingerprint, p.document,"
        " (SELECT array_agg(encode(u.fingerprint, 'hex') ORDER BY a.key DESC)"
        "  FROM partition_state AS u JOIN asset_keys AS a ON a.id = u.asset_id"
        "  WHERE u.subject_id = s.subject_id AND u.vintage = s.vintage AND a.key <> :asset)"
        " AS upstream"
        " FROM partition_state AS s JOIN asset_keys AS k ON k.id = s.asset_id AND k.key = :asset"
        " JOIN partition_inputs AS p ON p.id = s.inputs_id WHERE s.vintage = 2021",
        asset=METRICS,
    )
    assert len(found) == 16
    for row in found:
        whole = {
            "asset": METRICS,
            "fingerprint": 1,
            "geometry": None,
            "inputs": row.document,
            "upstream": row.upstream,
        }
        assert digest(whole) == bytes(row.fingerprint)


def test_dagster_is_told_of_what_became_current_since_it_was_told_last(own: Database) -> None:
    world = load(own)
    keys = partitions(world)
    with transaction(own) as connection:
        assert unannounced(connection, LAND_COVER) == {*keys}
        announced(connection, LAND_COVER, keys[:5])
        assert len(unannounced(connection, LAND_COVER)) >= len(keys) - 5
        announced(connection, LAND_COVER, keys)
        assert unannounced(connection, LAND_COVER) == set()
        announced(connection, LAND_COVER, [])
        assert unannounced(connection, LAND_COVER) == set()
        assert unannounced(connection, METRICS) == {*keys}


def test_every_partition_of_the_expectation_is_current(shared_computed: Database) -> None:
    world = load(shared_computed)
    expectation = expect([world], assets=PLACE_ASSETS)
    assert len(fingerprints(shared_computed)) == sum(expectation.partitions().values())
