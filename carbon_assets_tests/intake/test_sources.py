"""Registering rasters: checked against the catalogue, hashed once, never redefined."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rasterio.transform import Affine
from sqlalchemy import text

from carbon_assets.errors import CarbonAssetsError
from carbon_assets.intake import contents
from carbon_assets.intake.files import require_unchanged
from carbon_assets.intake.sources import manifest_hash
from carbon_assets.portfolio import import_portfolio
from carbon_assets.provenance.world import CompanyWorld, load_companies
from carbon_assets.store.database import Database
from carbon_assets.store.engines import transaction
from carbon_assets_tests.intake.company import CELL, NORTH, SIZE, WEST, Files, write_raster


def load(database: Database, company: str = "acme") -> CompanyWorld:
    with transaction(database) as connection:
        (world,) = load_companies(connection, company)
    return world


def rows(database: Database, query: str) -> list[tuple[Any, ...]]:
    with transaction(database) as connection:
        return [tuple(row) for row in connection.execute(text(query))]


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files whose bytes were read."""
    read: list[str] = []
    original = contents.content_hash

    def counted(path: str) -> str:
        read.append(Path(path).name)
        return original(path)

    monkeypatch.setattr(contents, "content_hash", counted)
    return read


def test_every_file_of_the_vintages_is_registered(fresh_database: Database, files: Files) -> None:
    import_portfolio(fresh_database, files.path)
    found = rows(fresh_database, "SELECT band, vintage, href FROM raster_assets ORDER BY vintage")
    folder = files.folder
    assert found == [("class", year, str(folder / f"map_{year}.tif")) for year in (2016, 2017)]
    source = load(fresh_database).sources["land_cover"]
    stored = rows(fresh_database, "SELECT manifest_hash FROM raster_data_sources")
    assert stored == [(manifest_hash(source.files),)]


def test_bytes_are_read_once_while_the_stamp_is_the_same(
    fresh_database: Database, files: Files, hashed: list[str]
) -> None:
    import_portfolio(fresh_database, files.path)
    assert sorted(hashed) == ["map_2016.tif", "map_2017.tif"]
    for _ in range(2):
        load(fresh_database)
        import_portfolio(fresh_database, files.path)
    assert len(hashed) == 2


@pytest.mark.parametrize("change", ["touch", "replace", "rewrite"])
def test_another_stamp_has_the_bytes_read_again(
    fresh_database: Database, files: Files, hashed: list[str], change: str
) -> None:
    import_portfolio(fresh_database, files.path)
    before = load(fresh_database).sources["land_cover"].files
    path = files.folder / "map_2016.tif"
    stamp = path.stat()
    if change == "touch":
        os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns + 1))
    elif change == "replace":  # same bytes, same date, another inode
        shutil.copy2(path, files.folder / "copy")
        (files.folder / "copy").replace(path)
    else:
        files.map(2016, 15)
    hashed.clear()
    after = load(fresh_database).sources["land_cover"].files
    assert hashed == ["map_2016.tif"]
    assert (after == before) is (change != "rewrite")
    hashed.clear()
    load(fresh_database)
    assert hashed == []


def test_a_file_with_other_bytes_is_another_row_and_the_old_one_stays(
    fresh_database: Database, files: Files
) -> None:
    import_portfolio(fresh_database, files.path)
    first = load(fresh_database).sources["land_cover"]
    shutil.copy2(files.folder / "map_2016.tif", files.folder / "kept")
    files.map(2016, 15)
    second = load(fresh_database).sources["land_cover"]
    assert manifest_hash(first.files) != manifest_hash(second.files)
    (files.folder / "kept").replace(files.folder / "map_2016.tif")
    third = load(fresh_database).sources["land_cover"]
    assert third.files == first.files
    assert rows(fresh_database, "SELECT count(*) FROM raster_assets") == [(3,)]
    stored = rows(fresh_database, "SELECT manifest_hash FROM raster_data_sources")
    assert stored == [(manifest_hash(first.files),)]


def test_looking_again_writes_nothing(fresh_database: Database, files: Files) -> None:
    import_portfolio(fresh_database, files.path)
    with transaction(fresh_database) as connection:
        load_companies(connection)
        written = connection.execute(text("SELECT pg_current_xact_id_if_assigned()")).scalar_one()
    assert written is None, "a transaction that wrote has a number"


@pytest.mark.parametrize(
    ("field", "value"),
    [("nodata", [0, 3]), ("index", 2), ("vintages", [2016, 2020]), ("strata", None)],
)
def test_a_registered_version_says_the_same_for_ever(
    fresh_database: Database, files: Files, field: str, value: Any
) -> None:
    import_portfolio(fresh_database, files.path)
    version = files.sources["versions"][0]
    target = version["bands"][0] if field in ("nodata", "index") else version
    target[field] = value
    files.save()
    with pytest.raises(CarbonAssetsError) as caught:
        import_portfolio(fresh_database, files.path)
    assert caught.value.code == "SOURCE_REDEFINED"
    assert caught.value.details["fields"] == [field if target is version else "bands"]
    assert load(fresh_database).sources["land_cover"].version.band("class").index == 1


def test_wording_may_be_corrected(fresh_database: Database, files: Files) -> None:
    import_portfolio(fresh_database, files.path)
    files.sources |= {"title": "Another title", "licence": "CC BY 4.0", "citation": "somebody"}
    files.save()
    import_portfolio(fresh_database, files.path)


def test_own_copies_do_not_redefine_a_source(fresh_database: Database, files: Files) -> None:
    """Regression: own copies drop the assertion of a nodata tag, which was taken for a change."""
    import_portfolio(fresh_database, files.path)
    for year in (2016, 2017):
        values = np.full((SIZE, SIZE), 3)
        write_raster(files.folder / f"own_{year}.tif", values, nodata=255)
    files.portfolio["company"] = {"key": "other", "name": "Other"}
    files.portfolio["sources"]["land_cover"]["hrefs"] = {"class": "own_{vintage}.tif"}
    files.save()
    import_portfolio(fresh_database, files.path)
    own = load(fresh_database, "other").sources["land_cover"]
    assert {file.file.nodata for file in own.files} == {255.0}
    assert {file.file.nodata for file in load(fresh_database).sources["land_cover"].files} == {None}


@pytest.mark.parametrize(
    ("profile", "field"),
    [
        ({"dtype": "int16"}, "dtype"),
        ({"crs": "EPSG:4674"}, "crs"),
        ({"nodata": 255}, "nodata"),
        ({"transform": Affine(CELL * 1.01, 0, WEST, 0, -CELL, NORTH)}, "resolution"),
    ],
)
def test_a_header_that_is_not_the_catalogue_s(
    fresh_database: Database, files: Files, profile: dict[str, Any], field: str
) -> None:
    files.map(2017, 3, **profile)
    with pytest.raises(CarbonAssetsError) as caught:
        import_portfolio(fresh_database, files.path)
    assert caught.value.code == "HEADER_MISMATCH"
    assert caught.value.details["field"] == field
    assert caught.value.where == str(files.folder / "map_2017.tif")
    for table in ("companies", "farms", "raster_data_sources", "raster_assets", "file_hashes"):
        assert rows(fresh_database, f"SELECT count(*) FROM {table}") == [(0,)]


def test_other_ways_in_which_a_file_is_refused(fresh_database: Database, files: Files) -> None:
    def code() -> str:
        with pytest.raises(CarbonAssetsError) as caught:
            import_portfolio(fresh_database, files.path)
        return caught.value.code

    files.map(2017, 99)
    assert code() == "UNKNOWN_CLASS"
    path = files.map(2017, 3)
    path.write_bytes(path.read_bytes()[:-1500])
    assert code() in {"RASTER_TRUNCATED", "RASTER_UNREADABLE"}
    path.write_bytes(b"not a raster")
    assert code() == "RASTER_UNREADABLE"
    path.unlink()
    assert code() == "RASTER_MISSING"
    files.map(2017, 3)
    for href, refusal in (
        ("ftp://example.org/{vintage}.tif", "RASTER_ADDRESS_INVALID"),
        ("/vsizip//data/{vintage}.zip/a.tif", "RASTER_ADDRESS_INVALID"),
        ("http://example.org/{vintage}.tif", "RASTER_ADDRESS_INSECURE"),
        ("https://me:secret@example.org/{vintage}.tif", "RASTER_ADDRESS_CREDENTIALS"),
    ):
        files.portfolio["sources"]["land_cover"]["hrefs"] = {"class": href}
        files.save()
        assert code() == refusal
    files.portfolio["sources"]["land_cover"]["hrefs"] = {}
    files.portfolio["vintages"] = [2016, 2021]
    files.save()
    assert code() == "VINTAGE_UNAVAILABLE"


def test_a_file_is_the_one_that_was_registered(fresh_database: Database, files: Files) -> None:
    import_portfolio(fresh_database, files.path)
    known = [one.file for one in load(fresh_database).sources["land_cover"].files]
    with transaction(fresh_database) as connection:
        require_unchanged(connection, known)
    os.utime(files.folder / "map_2016.tif")
    with transaction(fresh_database) as connection:
        require_unchanged(connection, known)
    files.map(2016, 15)
    with pytest.raises(CarbonAssetsError) as caught, transaction(fresh_database) as connection:
        require_unchanged(connection, known)
    assert caught.value.code == "RASTER_CHANGED"
