"""Local copies of remote rasters: by content, resumed after a kill, noticed when damaged."""

from __future__ import annotations

import hashlib
import multiprocessing
import subprocess
import time
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from sqlalchemy import text

from carbon_assets.errors import CarbonAssetsError, RasterError
from carbon_assets.intake.changes import look_for_changes, register_again
from carbon_assets.intake.files import require_unchanged
from carbon_assets.intake.mirroring import CHECKSUMS, mirror, mirror_files
from carbon_assets.portfolio import import_portfolio
from carbon_assets.provenance.reproduce import reproduce
from carbon_assets.store.database import Database
from carbon_assets.store.engines import transaction
from carbon_assets_tests.cli.command import carbon, environment
from carbon_assets_tests.intake.company import Files
from carbon_assets_tests.intake.served import YEARS, compute, load, receipts, rows, serve_maps
from carbon_assets_tests.intake.worker import mirror_one
from carbon_assets_tests.rasters.conftest import Bucket, Web
from carbon_assets_tests.rasters.servers import Asked

CONTENT = np.random.default_rng(9).bytes(6_000_000)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "mirror"


@pytest.fixture(params=["https", "s3"])
def server(request: pytest.FixtureRequest) -> Web | Bucket:
    found: Web | Bucket = request.getfixturevalue({"https": "web", "s3": "bucket"}[request.param])
    return found


def company_id(database: Database) -> int:
    ((found,),) = rows(database, "SELECT id FROM companies")
    return int(found)


def copies(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.tif"))


def test_computations_read_the_copies_and_say_the_same(
    fresh_database: Database, files: Files, server: Web | Bucket, folder: Path
) -> None:
    serve_maps(files, server)
    import_portfolio(fresh_database, files.path)
    compute(fresh_database)
    before = receipts(fresh_database)
    made = mirror(fresh_database, company_id(fresh_database), YEARS, folder)
    assert [(one.href, one.action) for one in made] == [
        (server.href(f"map_{year}.tif"), "fetched") for year in YEARS
    ]
    server.wire.reset()
    source = load(fresh_database).sources["land_cover"]
    assert [Path(one.file.copy or "").parent for one in source.files] == [folder, folder]
    assert {one.file.href for one in source.files} == {one.href for one in made}
    assert {outcome.action for outcome in compute(fresh_database)} == {"fresh"}
    assert reproduce(fresh_database).faithful
    assert server.wire.asked == [], "nobody asked the server"
    assert receipts(fresh_database) == before


def test_a_mirror_before_the_import_spares_the_second_transfer(
    fresh_database: Database, files: Files, web: Web, folder: Path
) -> None:
    serve_maps(files, web)
    mirror_files(fresh_database, [web.href(f"map_{year}.tif") for year in YEARS], folder)
    web.wire.reset()
    import_portfolio(fresh_database, files.path)
    compute(fresh_database)
    assert web.wire.asked == []


def test_a_second_mirror_fetches_nothing(
    fresh_database: Database, server: Web | Bucket, folder: Path
) -> None:
    href = server.put("a.tif", CONTENT)
    (first,) = mirror_files(fresh_database, [href, "/local/b.tif", href], folder)
    assert Path(first.path).read_bytes() == CONTENT
    assert first.content_hash == f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
    server.wire.reset()
    (second,) = mirror_files(fresh_database, [href], folder)
    assert (second.action, second.path) == ("unchanged", first.path)
    assert (server.wire.count("HEAD"), server.wire.count("GET")) == (1, 0)
    checked = subprocess.run(
        ["sha256sum", "--check", "--strict", CHECKSUMS], cwd=folder, capture_output=True, check=True
    )
    assert checked.stdout.decode() == f"{Path(first.path).name}: OK\n"
    assert not list(folder.glob(".*.part"))


def test_a_file_without_ranges_is_read_from_its_copy(
    fresh_database: Database, files: Files, web: Web, folder: Path
) -> None:
    web.folder.ranges = False
    serve_maps(files, web)
    with pytest.raises(RasterError) as caught:
        import_portfolio(fresh_database, files.path)
    assert caught.value.code == "RASTER_WITHOUT_RANGES"
    mirror_files(fresh_database, [web.href(f"map_{year}.tif") for year in YEARS], folder)
    import_portfolio(fresh_database, files.path)
    assert {one.action for one in compute(fresh_database)} == {"computed"}


def test_a_killed_mirror_goes_on_where_it_was(
    fresh_database: Database, web: Web, folder: Path
) -> None:
    href = web.put("a.tif", CONTENT)
    released = Event()

    def spoil(asked: Asked) -> str | None:
        if asked.method == "GET" and asked.number == 1:
            released.wait(60)
        return "cut" if asked.method == "GET" and asked.number == 0 else None

    web.wire.spoil = spoil
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=mirror_one, args=(fresh_database, href, folder))
    process.start()
    deadline = time.monotonic() + 60
    while web.wire.count("GET") < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    process.join()
    released.set()
    (part,) = folder.glob(".*.part")
    held = part.stat().st_size
    assert 0 < held < len(CONTENT)
    assert copies(folder) == []
    assert rows(fresh_database, "SELECT count(*) FROM raster_copies") == [(0,)]
    web.wire.reset()
    (made,) = mirror_files(fresh_database, [href], folder)
    assert Path(made.path).read_bytes() == CONTENT
    assert web.wire.sent() == len(CONTENT) - held, "no byte twice"
    assert not list(folder.glob(".*.part"))


def test_a_part_of_an_older_file_is_not_taken_for_the_new_one(
    fresh_database: Database, web: Web, folder: Path
) -> None:
    href = web.put("a.tif", CONTENT)
    web.folder.ranges = False
    web.wire.spoil = lambda asked: "cut" if asked.method == "GET" else None
    with pytest.raises(RasterError) as caught:
        mirror_files(fresh_database, [href], folder)
    assert caught.value.code == "RASTER_UNREACHABLE"
    assert len(list(folder.glob(".*.part"))) == 1
    web.folder.ranges = True
    web.wire.reset()
    web.put("a.tif", CONTENT[::-1])
    (made,) = mirror_files(fresh_database, [href], folder)
    assert Path(made.path).read_bytes() == CONTENT[::-1]
    assert not list(folder.glob(".*.part"))


def spoil_copy(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)


def test_a_damaged_copy_is_noticed_and_fetched_anew(
    fresh_database: Database, files: Files, web: Web, folder: Path
) -> None:
    serve_maps(files, web)
    import_portfolio(fresh_database, files.path)
    mirror(fresh_database, company_id(fresh_database), YEARS, folder)
    damaged = copies(folder)[0]
    spoil_copy(damaged)
    with pytest.raises(RasterError) as caught:
        compute(fresh_database)
    assert (caught.value.code, caught.value.where) == ("MIRROR_DAMAGED", str(damaged))
    made = mirror(fresh_database, company_id(fresh_database), YEARS, folder)
    assert sorted(one.action for one in made) == ["fetched", "unchanged"]
    assert {one.action for one in compute(fresh_database)} == {"computed"}


def test_a_copy_that_is_gone_has_the_server_asked_again(
    fresh_database: Database, files: Files, web: Web, folder: Path
) -> None:
    serve_maps(files, web)
    import_portfolio(fresh_database, files.path)
    mirror(fresh_database, company_id(fresh_database), YEARS, folder)
    for path in copies(folder):
        path.unlink()
    web.wire.reset()
    assert {one.action for one in compute(fresh_database)} == {"computed"}
    assert web.wire.sent() > 0


def test_a_copy_does_not_speak_for_what_was_read_of_the_server(
    fresh_database: Database, files: Files, web: Web, folder: Path
) -> None:
    serve_maps(files, web)
    import_portfolio(fresh_database, files.path)
    read = [one.file for one in load(fresh_database).sources["land_cover"].files]
    mirror(fresh_database, company_id(fresh_database), YEARS, folder)
    web.put("map_2016.tif", files.map(2016, 15).read_bytes())
    with pytest.raises(RasterError) as caught, transaction(fresh_database) as connection:
        require_unchanged(connection, read)
    assert caught.value.code == "RASTER_CHANGED"


def test_an_old_receipt_is_computed_again_from_its_copy(
    fresh_database: Database, files: Files, web: Web, folder: Path
) -> None:
    serve_maps(files, web)
    import_portfolio(fresh_database, files.path)
    mirror(fresh_database, company_id(fresh_database), YEARS, folder)
    compute(fresh_database)
    old = [row[0] for row in rows(fresh_database, "SELECT id FROM raster_aggregates")]
    href = web.put("map_2016.tif", files.map(2016, 15).read_bytes())
    company = company_id(fresh_database)
    assert [one.href for one in look_for_changes(fresh_database, company).changes] == [href]
    register_again(fresh_database, company, [href])
    assert len(copies(folder)) == 3, "a copy of the new bytes, beside the old one"
    web.wire.reset()
    compute(fresh_database)
    assert rows(fresh_database, "SELECT count(*) FROM raster_aggregates") == [(len(old) + 3,)]
    repeated = reproduce(fresh_database, receipt_ids=old)
    assert (repeated.equal, repeated.faithful) == (len(old), True)
    assert web.wire.asked == []


def test_a_folder_that_cannot_be_used(fresh_database: Database, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CarbonAssetsError) as caught:
        mirror_files(fresh_database, [], tmp_path / "file" / "mirror")
    assert caught.value.code == "MIRROR_FOLDER_UNUSABLE"


def test_the_command(
    fresh_database: Database, files: Files, web: Web, folder: Path, tmp_path: Path
) -> None:
    serve_maps(files, web)
    with environment(tmp_path / "home", fresh_database):
        first = carbon("sources", "mirror", files.path, "--to", folder, "--json").document()
        second = carbon("sources", "mirror", files.path, "--to", folder, "--json").document()
        told = carbon("sources", "mirror", files.path, "--to", folder)
        default = carbon("sources", "mirror", files.path, "--json").document()
    assert (first["fetched"], first["unchanged"]) == (2, 0)
    assert (second["fetched"], second["unchanged"]) == (0, 2)
    assert [one["action"] for one in second["files"]] == ["unchanged", "unchanged"]
    assert [one["path"] for one in first["files"]] == [str(path) for path in copies(folder)]
    assert first["size_bytes"] == sum(path.stat().st_size for path in copies(folder))
    assert "0 files fetched, 2 unchanged" in told.stdout
    assert Path(default["folder"]) == (tmp_path / "home" / "mirror").resolve()
    files.portfolio["sources"]["land_cover"]["hrefs"] = {}
    files.save()
    with environment(tmp_path / "home", fresh_database):
        assert "no remote raster" in carbon("sources", "mirror", files.path).stdout


def test_the_cache_of_remote_files_may_be_emptied(
    fresh_database: Database, files: Files, web: Web, folder: Path
) -> None:
    serve_maps(files, web)
    import_portfolio(fresh_database, files.path)
    first = load(fresh_database).sources["land_cover"].files
    with transaction(fresh_database) as connection:
        connection.execute(text("DELETE FROM remote_files"))
    assert load(fresh_database).sources["land_cover"].files == first
