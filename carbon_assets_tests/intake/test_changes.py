"""What automation asks of rasters: which files changed, and whether a vintage is there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from carbon_assets.errors import RasterError
from carbon_assets.intake.availability import availability
from carbon_assets.intake.changes import Looked, look_for_changes, register_again
from carbon_assets.intake.mirroring import mirror
from carbon_assets.intake.sources import manifest_hash
from carbon_assets.portfolio import import_portfolio
from carbon_assets.store.database import Database
from carbon_assets_tests.intake.company import Files
from carbon_assets_tests.intake.served import YEARS, compute, load, rows, serve_maps, stale
from carbon_assets_tests.rasters.conftest import Web


def company_id(database: Database) -> int:
    ((found,),) = rows(database, "SELECT id FROM companies")
    return int(found)


def look(database: Database, **options: object) -> Looked:
    return look_for_changes(database, company_id(database), **options)  # type: ignore[arg-type]


def kinds(looked: Looked) -> list[tuple[str, str]]:
    return [(one.href.rpartition("/")[2], one.kind) for one in looked.changes]


@pytest.fixture
def local(fresh_database: Database, files: Files) -> Database:
    """The company with its maps on disk."""
    import_portfolio(fresh_database, files.path)
    return fresh_database


@pytest.fixture
def remote(fresh_database: Database, files: Files, web: Web) -> Database:
    """The company with its maps behind https."""
    serve_maps(files, web)
    import_portfolio(fresh_database, files.path)
    web.wire.reset()
    return fresh_database


def test_nothing_changed(local: Database) -> None:
    assert look(local) == Looked(changes=(), requests=0, after=None)


def test_a_local_file_that_changed_or_vanished(local: Database, files: Files) -> None:
    files.map(2016, 15)
    (change,) = look(local).changes
    ((content,),) = rows(local, "SELECT content_hash FROM raster_assets WHERE vintage = 2016")
    assert (change.slot, change.source, change.kind) == ("land_cover", "own-map 1", "changed")
    assert (change.registered, change.reason) == (content, None)
    (files.folder / "map_2017.tif").unlink()
    assert kinds(look(local)) == [("map_2016.tif", "changed"), ("map_2017.tif", "vanished")]
    assert look(local).changes[1].reason == "RASTER_MISSING"


def test_a_file_that_was_not_registered_before(local: Database, files: Files) -> None:
    (files.folder / "map_2018.tif").unlink()
    with_2018 = "UPDATE projects SET vintages = ARRAY[2016, 2017, 2018] RETURNING id"
    rows(local, with_2018)
    assert kinds(look(local)) == [], "it is not there yet"
    files.map(2018, 15)
    assert kinds(look(local)) == [("map_2018.tif", "appeared")]
    (made,) = register_again(local, company_id(local), [str(files.folder / "map_2018.tif")])
    assert (made.before, look(local).changes) == (None, ())


def test_just_the_changed_file_is_taken_in(remote: Database, files: Files, web: Web) -> None:
    compute(remote)
    assert look(remote) == Looked(changes=(), requests=2, after=None)
    href = web.put("map_2016.tif", files.map(2016, 15).read_bytes())
    before = rows(remote, "SELECT content_hash FROM raster_assets WHERE vintage = 2016")
    web.wire.reset()
    assert kinds(look(remote)) == [("map_2016.tif", "changed")]
    assert (web.wire.count("HEAD"), web.wire.count("GET")) == (2, 0)
    (made,) = register_again(remote, company_id(remote), [href])
    assert {asked.path for asked in web.wire.asked if asked.method == "GET"} == {"/map_2016.tif"}
    assert (made.slot, made.href, (made.before,)) == ("land_cover", href, before[0])
    assert made.after != made.before
    for table in ("source_bindings", "raster_data_sources"):
        ((stored,),) = rows(remote, f"SELECT manifest_hash FROM {table}")
        assert stored == manifest_hash(load(remote).sources["land_cover"].files)
    assert look(remote).changes == ()
    assert stale(remote) == {(farm, 2016, ("raster_version",)) for farm in "abc"}


def test_another_stamp_of_the_same_bytes(remote: Database, web: Web) -> None:
    os.utime(web.folder.path / "map_2016.tif", (0, 0))
    (change,) = look(remote).changes
    (made,) = register_again(remote, company_id(remote), [change.href])
    assert made.before == made.after == change.registered
    assert look(remote).changes == ()


def test_the_number_of_requests_is_bounded_and_the_look_goes_on(remote: Database, web: Web) -> None:
    for year in YEARS:
        os.utime(web.folder.path / f"map_{year}.tif", (0, 0))
    first = look(remote, limit=1)
    assert (kinds(first), first.requests) == ([("map_2016.tif", "changed")], 1)
    second = look(remote, limit=1, after=first.after)
    assert (kinds(second), second.after) == ([("map_2017.tif", "changed")], None)
    none = look(remote, limit=0, after=first.after)
    assert (none.requests, none.after) == (0, first.after)
    start = look(remote, limit=0)
    assert (start.requests, start.after) == (0, "")
    assert kinds(look(remote, after=start.after)) == kinds(first) + kinds(second)


def test_servers_that_fail_are_told_from_files_that_are_gone(remote: Database, web: Web) -> None:
    web.wire.spoil = lambda asked: "503" if "2016" in asked.path else "404"
    found = look(remote).changes
    assert [(one.kind, one.reason) for one in found] == [
        ("unreachable", "RASTER_UNREACHABLE"),
        ("vanished", "RASTER_MISSING"),
    ]
    assert all(one.registered for one in found)
    with pytest.raises(RasterError):
        register_again(remote, company_id(remote), [found[0].href])


def test_a_mirrored_file_is_compared_with_its_server(
    remote: Database, files: Files, web: Web, tmp_path: Path
) -> None:
    mirror(remote, company_id(remote), YEARS, tmp_path / "mirror")
    assert look(remote).changes == ()
    href = web.put("map_2017.tif", files.map(2017, 15).read_bytes())
    assert kinds(look(remote)) == [("map_2017.tif", "changed")]
    assert stale(remote) == stale(remote)
    register_again(remote, company_id(remote), [href])
    (file,) = [one for one in load(remote).sources["land_cover"].files if one.year == 2017]
    assert Path(file.file.copy or "").read_bytes() == (files.folder / "map_2017.tif").read_bytes()


def test_a_server_without_stamps_shows_no_change_here(
    fresh_database: Database, files: Files, web: Web
) -> None:
    web.folder.etags = web.folder.dates = False
    serve_maps(files, web)
    import_portfolio(fresh_database, files.path)
    assert look(fresh_database).changes == ()


def test_whether_a_vintage_is_there(local: Database, files: Files) -> None:
    company = company_id(local)
    there = availability(local, company, 2018)
    assert (there.complete, there.missing) == (True, ())
    assert [file.href for file in there.files] == [str(files.folder / "map_2018.tif")]
    missing = availability(local, company, 2019)
    assert not missing.complete
    assert [(file.year, file.reason) for file in missing.missing] == [(2019, "RASTER_MISSING")]
    beyond = availability(local, company, 2021)
    assert [(file.band, file.reason) for file in beyond.files] == [(None, "VINTAGE_UNAVAILABLE")]
    assert not availability(local, company + 1, 2018).complete


def test_whether_a_remote_vintage_is_there(remote: Database, files: Files, web: Web) -> None:
    company = company_id(remote)
    assert [file.reason for file in availability(remote, company, 2018).files] == ["RASTER_MISSING"]
    web.put("map_2018.tif", (files.folder / "map_2018.tif").read_bytes())
    web.wire.reset()
    assert availability(remote, company, 2018).complete
    assert (web.wire.count("HEAD"), web.wire.count("GET")) == (1, 0)
    web.wire.spoil = lambda asked: "503"
    reasons = [file.reason for file in availability(remote, company, 2018).missing]
    assert reasons == ["RASTER_UNREACHABLE"]
