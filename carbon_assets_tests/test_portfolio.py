"""The portfolio file: what it may say, what it may not, and that an import is all or nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from carbon_assets.errors import CarbonAssetsError
from carbon_assets.portfolio import import_portfolio, read_portfolio
from carbon_assets.provenance.world import load_companies
from carbon_assets.store.database import Database
from carbon_assets.store.engines import transaction
from carbon_assets_tests.intake.company import Files, square, write_farms


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files.write(tmp_path / "company")


def refusal(work: Callable[[], Any]) -> CarbonAssetsError:
    with pytest.raises(CarbonAssetsError) as caught:
        work()
    return caught.value


def rows(database: Database, query: str) -> list[tuple[Any, ...]]:
    with transaction(database) as connection:
        return [tuple(row) for row in connection.execute(text(query))]


@pytest.mark.parametrize(
    ("written", "years"),
    [
        ("2013-2015", [2013, 2014, 2015]),
        ("2013 - 2014", [2013, 2014]),
        ("2016-2016", [2016]),
        (2016, [2016]),
        ([2016, 2019], [2016, 2019]),
    ],
)
def test_vintages_are_a_range_a_year_or_a_list(files: Files, written: Any, years: Any) -> None:
    files.portfolio["vintages"] = written
    files.save()
    assert read_portfolio(files.path).vintages == years


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"vintages": "2016-2013"}, "vintages", "first year comes after"),
        ({"vintages": "2013-99999999999"}, "vintages", "2050"),
        ({"vintages": "2013 to 2016"}, "vintages", "write a range"),
        ({"vintages": []}, "vintages", "at least 1"),
        ({"vintages": [1870]}, "vintages", "1985"),
        ({"vintage": 2016}, "vintage", ""),
        ({"company": {"key": "a b", "name": "A"}}, "company.key", ""),
        ({"sources": {}}, "sources", "give at least one source"),
        (
            {"sources": {"biomass": {"source": "hgb", "version": "2010"}}},
            "sources",
            "biomass needs land_cover beside it",
        ),
        (
            {"sources": {"landcover": {"source": "x", "version": "1"}}},
            "sources",
            "unknown landcover",
        ),
        ({"projects": []}, "projects", "at least 1"),
        (
            {"projects": [{"key": "red", "name": "A"}, {"key": "red", "name": "B"}]},
            "",
            "two projects",
        ),
        (
            {"projects": [{"key": "red", "name": "Red", "biome": "amazonia"}]},
            "projects",
            "amazonia",
        ),
        (
            {"projects": [{"key": "red", "name": "Red", "staleness_policy": "never"}]},
            "staleness_policy",
            "auto",
        ),
        ({"places": [{"file": "f", "key": "id", "kind": "field"}]}, "kind", "farm"),
        ({"places": [{"file": "f", "key": "id", "biome": "amazonia"}]}, "biome", "amazonia"),
    ],
)
def test_a_mistake_is_told_with_file_line_and_field(
    files: Files, change: dict[str, Any], field: str, message: str
) -> None:
    files.portfolio |= change
    files.save()
    error = refusal(lambda: read_portfolio(files.path))
    assert error.code == "PORTFOLIO_INVALID"
    assert field in str(error)
    assert message in str(error)
    assert f"{files.path}:" in str(error)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert refusal(lambda: read_portfolio(tmp_path / "none.yaml")).code == "PORTFOLIO_MISSING"


def test_an_import_tells_what_it_did(fresh_database: Database, files: Files) -> None:
    loaded = import_portfolio(fresh_database, files.path)
    assert loaded.company == "acme"
    assert loaded.vintages == (2016, 2017)
    assert loaded.changes.added == ("a", "b", "c")
    assert loaded.overlaps == ()
    with transaction(fresh_database) as connection:
        (world,) = load_companies(connection, "acme")
    assert {place.key: place.project for place in world.places.values()} == {
        "a": "red",
        "b": "red",
        "c": "blue",
    }
    assert {place.setting.biome for place in world.places.values()} == {"amazon", "cerrado"}
    assert world.computes("raster_aggregates/land_cover")
    assert world.computes("farm_metrics")
    assert not world.computes("raster_aggregates/biomass")


def test_farms_that_overlap_are_told_and_taken(fresh_database: Database, files: Files) -> None:
    files.farms["b"] = ("red", square(6, 2))
    files.save()
    (overlap,) = import_portfolio(fresh_database, files.path).overlaps
    assert {overlap.first, overlap.second} == {"a", "b"}
    assert overlap.share_of_first == pytest.approx(0.5, rel=1e-3)


def test_a_place_that_the_file_no_longer_names_is_removed_whatever_its_kind(
    fresh_database: Database, files: Files
) -> None:
    """Regression: a kind of place that had left the file altogether stayed active."""
    write_farms(files.folder / "zones.geojson", {"zone": ("red", square(0, 0, 40))})
    zones = {"file": "zones.geojson", "kind": "reference_region", "key": "id", "project": "project"}
    files.portfolio["places"].append(zones)
    files.save()
    assert import_portfolio(fresh_database, files.path).changes.added == ("a", "b", "c", "zone")
    files.portfolio["places"].pop()
    del files.farms["b"]
    files.save()
    assert import_portfolio(fresh_database, files.path).changes.removed == ("b", "zone")


def test_a_key_in_two_files(fresh_database: Database, files: Files) -> None:
    write_farms(files.folder / "more.geojson", {"a": ("blue", square(30, 30))})
    files.portfolio["places"].append({"file": "more.geojson", "key": "id", "project": "project"})
    files.save()
    error = refusal(lambda: import_portfolio(fresh_database, files.path))
    assert error.code == "PLACE_KEY_DUPLICATE"
    assert "farms.geojson" in error.what
    assert "more.geojson" in error.what


def test_the_same_key_may_name_a_farm_and_a_boundary(
    fresh_database: Database, files: Files
) -> None:
    write_farms(files.folder / "zones.geojson", {"a": ("red", square(0, 0, 40))})
    zones = {"file": "zones.geojson", "kind": "project_boundary", "key": "id", "project_is": "red"}
    files.portfolio["places"].append(zones)
    files.save()
    assert len(import_portfolio(fresh_database, files.path).changes.added) == 4


def undeclared(files: Files) -> None:
    files.farms["b"] = ("green", square(20, 2))


def outside(files: Files) -> None:
    files.farms["b"] = ("red", square(500, 500))


def no_source(files: Files) -> None:
    files.portfolio["sources"]["land_cover"]["source"] = "own-mapp"


def no_version(files: Files) -> None:
    files.portfolio["sources"]["land_cover"]["version"] = "2"


def unfit(files: Files) -> None:
    files.portfolio["sources"]["biomass"] = {"source": "own-map", "version": "1"}


def no_band(files: Files) -> None:
    files.portfolio["sources"]["land_cover"]["hrefs"] = {"klass": "map_{vintage}.tif"}


def one_file_for_all_years(files: Files) -> None:
    files.portfolio["sources"]["land_cover"]["hrefs"] = {"class": "map_2016.tif"}


def no_column(files: Files) -> None:
    files.portfolio["places"][0]["key"] = "number"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (undeclared, "PROJECT_UNKNOWN"),
        (outside, "PLACE_OUTSIDE_RASTER"),
        (no_source, "SOURCE_UNKNOWN"),
        (no_version, "SOURCE_UNKNOWN"),
        (unfit, "SOURCE_UNFIT"),
        (no_band, "BAND_UNKNOWN"),
        (one_file_for_all_years, "HREF_INVALID"),
        (no_column, "PLACES_COLUMN_UNKNOWN"),
    ],
)
def test_what_is_refused_leaves_nothing_behind(
    fresh_database: Database, files: Files, change: Callable[[Files], None], code: str
) -> None:
    change(files)
    files.save()
    assert refusal(lambda: import_portfolio(fresh_database, files.path)).code == code
    for table in ("companies", "projects", "farms", "geometry_versions", "raster_assets"):
        assert rows(fresh_database, f"SELECT count(*) FROM {table}") == [(0,)], table


def test_a_refused_import_leaves_the_last_good_one(fresh_database: Database, files: Files) -> None:
    import_portfolio(fresh_database, files.path)
    files.farms["a"] = ("red", square(3, 3))
    files.farms["b"] = ("green", square(20, 2))
    files.portfolio["company"]["name"] = "Renamed"
    files.save()
    assert refusal(lambda: import_portfolio(fresh_database, files.path)).code == "PROJECT_UNKNOWN"
    assert rows(fresh_database, "SELECT name FROM companies") == [("Acme",)]
    assert rows(fresh_database, "SELECT count(*) FROM geometry_versions") == [(3,)]


def test_the_portfolio_may_lie_anywhere(
    fresh_database: Database, files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Paths in the file are relative to the file, not to where the command runs."""
    monkeypatch.chdir(tmp_path)
    relative = files.path.relative_to(tmp_path)
    assert import_portfolio(fresh_database, relative).changes.added == ("a", "b", "c")
    found = rows(fresh_database, "SELECT href FROM raster_assets")
    assert all(Path(href).is_absolute() for (href,) in found)
