"""Bad input: a clear coded message, exit status 1, and not one row written."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import rasterio

from carbon_assets_tests.cli.command import carbon, contents
from carbon_assets_tests.cli.conftest import Demo

RASTER = "rasters/brazil_coverage_2018.tif"
SQUARE = [[-53.21, -8.21], [-53.2, -8.21], [-53.2, -8.2], [-53.21, -8.2], [-53.21, -8.21]]
BOW_TIE = [SQUARE[0], SQUARE[2], SQUARE[1], SQUARE[3], SQUARE[0]]


@pytest.fixture
def folder(demo: Demo, tmp_path: Path) -> Iterator[Path]:
    """A copy of the demo landscape, to be spoiled; the database holds the good one."""
    copy = tmp_path / "landscape"
    shutil.copytree(demo.portfolio.parent, copy)
    before = contents(demo.database())
    yield copy
    assert contents(demo.database()) == before


def refused(*arguments: str | Path) -> dict[str, Any]:
    """The error of a command that must fail; people see the same words, and no traceback."""
    error = carbon(*arguments, "--json", status=1).document()["error"]
    told = carbon(*arguments, status=1)
    assert told.stderr.startswith(f"{error['code']}: ")
    assert "Traceback" not in told.stdout + told.stderr
    assert error["do"]
    assert error["do"] in told.stderr
    return error


def rewrite(path: Path, change: Callable[[Any, dict[str, Any]], Any]) -> None:
    """Read a raster, change its cells or its profile, and write it again."""
    with rasterio.open(path) as source:
        values, profile = source.read(1), dict(source.profile)
    values = change(values, profile)
    with rasterio.open(path, "w", **profile) as out:
        out.write(values, 1)


def missing(path: Path) -> None:
    path.unlink()


def not_a_raster(path: Path) -> None:
    path.write_bytes(b"this is no raster" * 100)


def damaged(path: Path) -> None:
    """Spoil the compressed cells of the first block; the header stays as it is."""
    with rasterio.open(path) as source:
        start = int(source.get_tag_item("BLOCK_OFFSET_0_0", "TIFF", bidx=1))
        size = int(source.get_tag_item("BLOCK_SIZE_0_0", "TIFF", bidx=1))
    content = path.read_bytes()
    path.write_bytes(content[:start] + b"\xa5" * size + content[start + size :])


def cut_short(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 9 // 10])


def another_crs(path: Path) -> None:
    rewrite(path, lambda values, profile: (profile.update(crs="EPSG:32722"), values)[1])


def another_dtype(path: Path) -> None:
    rewrite(path, lambda v, profile: (profile.update(dtype="uint16"), v.astype("uint16"))[1])


def unknown_class(path: Path) -> None:
    def change(values: Any, _profile: dict[str, Any]) -> Any:
        values[5:7, 5] = 199
        return values

    rewrite(path, change)


@pytest.mark.parametrize(
    ("spoil", "codes", "said"),
    [
        (missing, {"RASTER_MISSING"}, ""),
        (not_a_raster, {"RASTER_UNREADABLE"}, ""),
        (damaged, {"RASTER_UNREADABLE"}, ""),
        (cut_short, {"RASTER_TRUNCATED", "RASTER_UNREADABLE"}, ""),
        (another_crs, {"HEADER_MISMATCH"}, "32722"),
        (another_dtype, {"HEADER_MISMATCH"}, "uint16"),
        (unknown_class, {"UNKNOWN_CLASS"}, "199"),
    ],
)
def test_a_bad_raster_is_refused(
    folder: Path, spoil: Callable[[Path], None], codes: set[str], said: str
) -> None:
    spoil(folder / RASTER)
    error = refused("run", folder / "portfolio.yaml")
    assert error["code"] in codes
    assert error["where"].endswith(RASTER)
    assert said in error["what"]
    checked = carbon("sources", "check", folder / "portfolio.yaml", "--json", status=1).document()
    bad = [one for one in checked["files"] if one["error"]]
    assert [(one["vintage"], one["error"]["code"]) for one in bad] == [(2018, error["code"])]


def drawn(folder: Path, **polygons: list[list[list[float]]] | None) -> None:
    """Put other farms in the place of the demo's."""
    features = [
        {
            "type": "Feature",
            "properties": {"farm_key": key.split("__")[0], "name": key, "project_key": "north"},
            "geometry": None if rings is None else {"type": "Polygon", "coordinates": rings},
        }
        for key, rings in polygons.items()
    ]
    document = {"type": "FeatureCollection", "features": features}
    (folder / "farms.geojson").write_text(json.dumps(document), encoding="utf-8")
    replace(folder, "farms.gpkg", "farms.geojson")


def replace(folder: Path, old: str, new: str) -> None:
    portfolio = folder / "portfolio.yaml"
    written = portfolio.read_text(encoding="utf-8")
    assert old in written
    portfolio.write_text(written.replace(old, new), encoding="utf-8")


@pytest.mark.parametrize(
    ("polygons", "codes"),
    [
        ({"a": None}, {"GEOMETRY_MISSING"}),
        ({"a": [[]]}, {"GEOMETRY_MISSING"}),
        ({"a": [SQUARE[:3]]}, {"GEOMETRY_UNREADABLE"}),
        ({"a": [BOW_TIE]}, {"GEOMETRY_INVALID"}),
        ({"a": [SQUARE], "b": [SQUARE]}, {"GEOMETRY_DUPLICATE"}),
        ({"a": [SQUARE], "a__2": [[*SQUARE[1:], SQUARE[1]]]}, {"PLACE_KEY_DUPLICATE"}),
    ],
)
def test_a_bad_polygon_is_refused(folder: Path, polygons: Any, codes: set[str]) -> None:
    drawn(folder, **polygons)
    error = refused("run", folder / "portfolio.yaml")
    assert error["code"] == "PLACES_REJECTED"
    judged = carbon(
        "farms", "validate", folder / "farms.geojson", "--key", "farm_key", "--json", status=1
    ).document()
    assert {one["code"] for one in judged["files"][0]["rejected"]} == codes


def test_a_farm_outside_the_rasters_is_refused_before_anything_is_stored(folder: Path) -> None:
    drawn(folder, far=[[[x + 40, y + 30] for x, y in SQUARE]])
    error = refused("run", folder / "portfolio.yaml")
    assert error["code"] == "PLACE_OUTSIDE_RASTER"
    assert "far" in error["what"]


@pytest.mark.parametrize(
    ("old", "new", "code", "said"),
    [
        ("vintages: 2014-2023", "vintage: 2014-2023", "PORTFOLIO_INVALID", "vintage"),
        ("vintages: 2014-2023", "vintages: 2014-2030", "VINTAGE_UNAVAILABLE", "2025"),
        ("version: col-10-demo", "version: col-11", "SOURCE_UNKNOWN", "col-11"),
        ("biome: amazon", "biome: tundra", "PORTFOLIO_INVALID", "tundra"),
        ("file: farms.gpkg", "file: farmz.gpkg", "PLACES_FILE_MISSING", ""),
        ("key: farm_key", "key: farm", "PLACES_COLUMN_UNKNOWN", "farm"),
        ("key: north, name: North", "key: nord, name: North", "PROJECT_UNKNOWN", "north"),
        (
            "biome: amazon",
            "biome: amazon, forest_groups: [moss]",
            "FOREST_GROUPS_INVALID",
            "moss",
        ),
        (
            "biomass: {source: hgb, version: 2010-demo}",
            "biomass: {source: mapbiomas-brazil, version: col-10-demo}",
            "SOURCE_UNFIT",
            "mapbiomas",
        ),
    ],
)
def test_a_bad_portfolio_is_refused(folder: Path, old: str, new: str, code: str, said: str) -> None:
    replace(folder, old, new)
    error = refused("run", folder / "portfolio.yaml")
    assert error["code"] == code
    assert said in error["what"]


def test_a_message_names_file_line_and_field(folder: Path) -> None:
    replace(folder, "vintages: 2014-2023", "vintages: 2014-2023\nvintagez: 7")
    lines = (folder / "portfolio.yaml").read_text(encoding="utf-8").splitlines()
    error = refused("farms", "import", folder / "portfolio.yaml")
    assert f"portfolio.yaml:{lines.index('vintagez: 7') + 1}" in error["what"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["run", "nowhere.yaml"], "PORTFOLIO_MISSING"),
        (["materialize", "--farms", "nobody"], "PLACE_UNKNOWN"),
        (["materialize", "--farms", "north-boundary"], "PLACE_UNKNOWN"),
        (["materialize", "--vintages", "2013-x"], "VINTAGES_INVALID"),
        (["materialize", "--vintages", "2015-2013"], "VINTAGES_INVALID"),
        (["materialize", "--select", "weather"], "ASSET_UNKNOWN"),
        (["status", "--company", "nobody"], "COMPANY_UNKNOWN"),
        (["metrics", "--metric", "happiness"], "METRIC_UNKNOWN"),
        (["trace", "north-01", "happiness", "2020"], "METRIC_NOT_FOUND"),
        (["trace", "north-01"], "TRACE_INCOMPLETE"),
        (["trace", "north-01", "forest_cover", "2020", "--stratum", "x"], "STRATUM_INVALID"),
        (["trace", "receipt:99999999"], "RECEIPT_NOT_FOUND"),
        (["trace", "metric:99999999"], "METRIC_NOT_FOUND"),
        (["reproduce"], "RECEIPTS_UNCLEAR"),
        (["reproduce", "seven"], "RECEIPTS_UNCLEAR"),
        (["reproduce", "99999999"], "RECEIPT_NOT_FOUND"),
        (["sources", "show", "hgb", "1999"], "SOURCE_UNKNOWN"),
    ],
)
def test_a_bad_request_is_refused(demo: Demo, arguments: list[str], code: str) -> None:
    assert refused(*arguments)["code"] == code


def test_an_unreachable_database_is_named_without_its_password(
    demo: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "postgresql://someone:secret@127.0.0.1:1/carbon?connect_timeout=2"
    monkeypatch.setenv("CARBON_DATABASE_URL", url)
    error = refused("run", demo.portfolio)
    assert error["code"] == "DATABASE_UNREACHABLE"
    assert "127.0.0.1:1" in f"{error['what']} {error['where']}"
    assert "secret" not in json.dumps(error)


def test_an_internal_error_is_one_line_unless_debugging(
    demo: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_arguments: object, **_named: object) -> None:
        raise RuntimeError("the moon is full")

    monkeypatch.setattr("carbon_assets.store.database.open_database", broken)
    finished = carbon("status", status=2)
    assert finished.stderr.startswith("INTERNAL_ERROR: RuntimeError: the moon is full")
    assert "CARBON_DEBUG=1" in finished.stderr
    assert carbon("status", "--json", status=2).document()["error"]["code"] == "INTERNAL_ERROR"
    monkeypatch.setenv("CARBON_DEBUG", "1")
    with pytest.raises(RuntimeError, match="moon"):
        carbon("status")


def test_ctrl_c_ends_with_130(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("carbon_assets.store.database.open_database", interrupted)
    carbon("status", status=130)
