"""Rasters behind https and s3: the same receipts as from disk, and changes that are noticed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from carbon_assets.errors import CarbonAssetsError, RasterError
from carbon_assets.portfolio import import_portfolio
from carbon_assets.provenance import materialize as materializing
from carbon_assets.provenance.reproduce import reproduce
from carbon_assets.store.database import Database
from carbon_assets_tests.intake.company import Files
from carbon_assets_tests.intake.served import (
    YEARS,
    compute,
    draw_maps,
    load,
    receipts,
    rows,
    serve_maps,
    stale,
)
from carbon_assets_tests.rasters.conftest import SECRET, Bucket, Web
from carbon_assets_tests.rasters.servers import age
from carbon_assets_tests.scratch import Host, scratch_database

BIG = 2048
"""Cells on a side of maps of which one farm is a small part."""


@pytest.fixture
def other_database(database_host: Host, template_database: str) -> Iterator[Database]:
    with scratch_database(database_host, template_database) as (_, opened):
        yield opened


@pytest.fixture(params=["https", "s3"])
def server(request: pytest.FixtureRequest) -> Web | Bucket:
    found: Web | Bucket = request.getfixturevalue({"https": "web", "s3": "bucket"}[request.param])
    return found


def refusal(database: Database, files: Files) -> CarbonAssetsError:
    with pytest.raises(CarbonAssetsError) as caught:
        import_portfolio(database, files.path)
    return caught.value


def test_receipts_are_those_from_disk(
    fresh_database: Database, other_database: Database, files: Files, server: Web | Bucket
) -> None:
    draw_maps(files, BIG)
    import_portfolio(fresh_database, files.path)
    compute(fresh_database)
    serve_maps(files, server)
    import_portfolio(other_database, files.path)
    held = sum(Path(files.folder, f"map_{year}.tif").stat().st_size for year in YEARS)
    assert server.wire.sent() <= 2.01 * held, "hashed, and fetched once more to be decoded"
    server.wire.reset()
    compute(other_database, {"a"})
    assert 0 < server.wire.sent() < 0.15 * held, "one farm of 8 by 8 cells among 2048 by 2048"
    compute(other_database)
    from_disk, from_server = receipts(fresh_database), receipts(other_database)
    assert len(from_disk) == 6
    assert from_server == from_disk, "fingerprints included"
    assert {row[0] for row in rows(other_database, "SELECT href FROM raster_assets")} == {
        server.href(f"map_{year}.tif") for year in YEARS
    }
    repeated = reproduce(other_database)
    assert (repeated.equal, repeated.faithful) == (repeated.checked, True)


def test_an_unchanged_file_is_looked_at_and_no_more(
    fresh_database: Database, files: Files, server: Web | Bucket
) -> None:
    serve_maps(files, server)
    import_portfolio(fresh_database, files.path)
    first = load(fresh_database).sources["land_cover"].files
    server.wire.reset()
    assert load(fresh_database).sources["land_cover"].files == first
    assert (server.wire.count("HEAD"), server.wire.count("GET")) == (len(YEARS), 0)


def test_a_changed_file_is_another_row_and_its_partitions_are_stale(
    fresh_database: Database, files: Files, server: Web | Bucket
) -> None:
    serve_maps(files, server)
    import_portfolio(fresh_database, files.path)
    compute(fresh_database)
    assert stale(fresh_database) == set()
    server.put("map_2016.tif", files.map(2016, 15).read_bytes())
    assert stale(fresh_database) == {(farm, 2016, ("raster_version",)) for farm in "abc"}
    assert rows(fresh_database, "SELECT count(*) FROM raster_assets") == [(3,)]
    assert len(compute(fresh_database)) == 6
    assert stale(fresh_database) == set()


def test_the_same_bytes_under_another_stamp_change_nothing(
    fresh_database: Database, files: Files, web: Web
) -> None:
    serve_maps(files, web)
    import_portfolio(fresh_database, files.path)
    first = load(fresh_database).sources["land_cover"].files
    os.utime(web.folder.path / "map_2016.tif", (0, 0))
    web.wire.reset()
    assert load(fresh_database).sources["land_cover"].files == first
    assert web.wire.count("GET") == 1
    load(fresh_database)
    assert web.wire.count("GET") == 1


def test_a_file_that_changes_while_it_is_read_leaves_no_receipt(
    fresh_database: Database, files: Files, server: Web | Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve_maps(files, server)
    import_portfolio(fresh_database, files.path)
    changed = files.map(2017, 15).read_bytes()
    require_unchanged = materializing.require_unchanged

    def after_a_change(*arguments: object) -> None:
        server.put("map_2017.tif", changed)
        require_unchanged(*arguments)

    monkeypatch.setattr(materializing, "require_unchanged", after_a_change)
    with pytest.raises(RasterError) as caught:
        compute(fresh_database)
    assert caught.value.code == "RASTER_CHANGED"
    assert caught.value.where == server.href("map_2017.tif")
    assert rows(fresh_database, "SELECT count(*) FROM raster_aggregates") == [(0,)]
    monkeypatch.undo()


def test_a_server_that_gives_no_stamp_has_its_files_read_each_time(
    fresh_database: Database, files: Files, web: Web
) -> None:
    web.folder.etags = web.folder.dates = False
    serve_maps(files, web)
    import_portfolio(fresh_database, files.path)
    for value in (3, 15):
        web.put("map_2016.tif", files.map(2016, value).read_bytes())
        web.wire.reset()
        source = load(fresh_database).sources["land_cover"]
        assert web.wire.count("GET") >= len(YEARS)
        held = rows(fresh_database, "SELECT content_hash FROM remote_files ORDER BY href")
        assert [(file.file.content_hash,) for file in source.files] == held
    assert rows(fresh_database, "SELECT count(*) FROM raster_assets") == [(3,)]


def test_a_time_of_change_in_the_past_is_a_stamp(
    fresh_database: Database, files: Files, web: Web
) -> None:
    web.folder.etags = False
    serve_maps(files, web)
    for year in YEARS:
        age(web.folder.path / f"map_{year}.tif")
    import_portfolio(fresh_database, files.path)
    web.wire.reset()
    load(fresh_database)
    assert web.wire.count("GET") == 0


def test_what_was_hashed_stays_known_when_the_import_is_refused(
    fresh_database: Database, files: Files, web: Web
) -> None:
    serve_maps(files, web)
    good = (web.folder.path / "map_2017.tif").read_bytes()
    (web.folder.path / "map_2017.tif").unlink()
    assert refusal(fresh_database, files).code == "RASTER_MISSING"
    assert rows(fresh_database, "SELECT count(*) FROM companies") == [(0,)]
    web.put("map_2017.tif", good)
    web.wire.reset()
    told: list[str] = []
    import_portfolio(fresh_database, files.path, progress=lambda href, *_: told.append(href))
    assert set(told) == {web.href("map_2017.tif")}, "the other was hashed before"


def test_ways_in_which_a_remote_file_is_refused(
    fresh_database: Database, files: Files, web: Web
) -> None:
    serve_maps(files, web)
    web.folder.ranges = False
    error = refusal(fresh_database, files)
    assert error.code == "RASTER_WITHOUT_RANGES"
    assert "mirror" in (error.do or "")
    web.folder.ranges = True
    files.map(2017, 99)
    web.put("map_2017.tif", (files.folder / "map_2017.tif").read_bytes())
    assert refusal(fresh_database, files).code == "UNKNOWN_CLASS"
    web.put("map_2017.tif", b"no raster")
    assert refusal(fresh_database, files).code == "RASTER_UNREADABLE"
    web.wire.spoil = lambda asked: "503"
    assert refusal(fresh_database, files).code == "RASTER_UNREACHABLE"
    for table in ("companies", "raster_data_sources", "raster_assets"):
        assert rows(fresh_database, f"SELECT count(*) FROM {table}") == [(0,)]


def test_no_secret_is_stored(fresh_database: Database, files: Files, bucket: Bucket) -> None:
    serve_maps(files, bucket)
    import_portfolio(fresh_database, files.path)
    compute(fresh_database)
    for (table,) in rows(
        fresh_database, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    ):
        found = rows(fresh_database, f"SELECT count(*) FROM {table} t WHERE t::text ~ '{SECRET}'")
        assert found == [(0,)]
