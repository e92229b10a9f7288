from __future__ import annotations

import json
import sqlite3
import zipfile
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pandas
import pyogrio
import pytest
from pyproj import Transformer
from shapely.geometry import Polygon, box

from carbon_assets.errors import PlaceError
from carbon_assets.places.importing import read_places
from carbon_assets.places.reading import list_layers, read_layer
from carbon_assets_tests.places.conftest import SQUARES, WriteFile


def zip_folder(folder: Path, target: Path, leave_out: str = "") -> Path:
    with zipfile.ZipFile(target, "w") as archive:
        for part in sorted(folder.rglob("*")):
            if part.is_file() and part.suffix != leave_out:
                archive.write(part, part.relative_to(folder).as_posix())
    return target


@pytest.fixture
def shapefile(tmp_path: Path) -> Path:
    folder = tmp_path / "parts"
    folder.mkdir()
    frame = geopandas.GeoDataFrame(
        {"key": ["f1", "f2"], "name": ["São João", "Sant'Ana"]}, geometry=SQUARES, crs="EPSG:4326"
    )
    frame.to_file(folder / "farms.shp", engine="pyogrio", encoding="UTF-8")
    return folder


def code_of(path: Path | str, layer: str | None = None) -> str:
    with pytest.raises(PlaceError) as caught:
        read_layer(path, layer)
    return caught.value.code


def geojson(path: Path, geometry: dict[str, Any] | None = None, **members: Any) -> Path:
    geometry = geometry or SQUARES[0].__geo_interface__
    feature = {"type": "Feature", "properties": {"key": "f1"}, "geometry": geometry}
    document = {"type": "FeatureCollection", "features": [feature], **members}
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["a.gpkg", "a.geojson", "a.json", "a.kml", "a.parquet"])
def test_the_same_places_come_out_of_every_format(write: WriteFile, name: str) -> None:
    drivers = {".json": "GeoJSON", ".kml": "KML"}
    suffix = Path(name).suffix
    options = {"driver": drivers[suffix]} if suffix in drivers else {}
    path = write(SQUARES, {"key": ["f1", "f2"], "area": [1.5, 2.5]}, name=name, **options)
    found = read_places(path, kind="farm", key="key")
    reference = read_places(write(SQUARES, name="z.gpkg"), kind="farm", key="key")
    assert [place.key for place in found.accepted] == ["f1", "f2"]
    assert [p.geometry.hash for p in found.accepted] == [
        p.geometry.hash for p in reference.accepted
    ]
    assert {place.source_file for place in found.accepted} == {name}
    assert found.source_crs in {"EPSG:4326", "OGC:CRS84"}
    assert found.transformation is None


def test_a_zipped_shapefile_is_read_with_its_encoding(shapefile: Path, tmp_path: Path) -> None:
    path = zip_folder(shapefile, tmp_path / "farms.zip")
    found = read_places(path, kind="farm", key="key", name="name")
    assert [place.name for place in found.accepted] == ["São João", "Sant'Ana"]
    assert found.accepted[0].source_file == "farms.zip"
    assert found.source_crs == "EPSG:4326"


def test_a_zip_with_two_shapefiles_asks_which(shapefile: Path, tmp_path: Path) -> None:
    for part in list(shapefile.iterdir()):
        (shapefile / f"old{part.suffix}").write_bytes(part.read_bytes())
    path = zip_folder(shapefile, tmp_path / "farms.zip")
    assert list_layers(path) == ["farms", "old"]
    assert code_of(path) == "PLACES_LAYER_AMBIGUOUS"
    assert read_layer(path, "old").features == ("0", "1")


@pytest.mark.parametrize(
    ("missing", "code"),
    [
        (".dbf", "PLACES_FILE_UNREADABLE"),
        (".shx", "PLACES_FILE_UNREADABLE"),
        (".prj", "PLACE_CRS_MISSING"),
        (".shp", "PLACES_EMPTY"),
    ],
)
def test_an_incomplete_shapefile(shapefile: Path, tmp_path: Path, missing: str, code: str) -> None:
    assert code_of(zip_folder(shapefile, tmp_path / "farms.zip", leave_out=missing)) == code


def test_an_archive_that_unpacks_too_large_is_refused(
    shapefile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = zip_folder(shapefile, tmp_path / "farms.zip")
    monkeypatch.setattr("carbon_assets.places.archive.MAX_UNPACKED_BYTES", 100)
    assert code_of(path) == "PLACES_ARCHIVE_UNSAFE"


def test_members_outside_the_folder_are_unpacked_inside_it(shapefile: Path, tmp_path: Path) -> None:
    path = tmp_path / "farms.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for part in shapefile.iterdir():
            archive.write(part, f"../../escape/{part.name}")
    assert list_layers(path) == ["../../escape/farms"]
    assert len(read_layer(path).features) == 2
    assert not list(tmp_path.parent.rglob("escape"))


@pytest.mark.parametrize(
    "path",
    [
        "https://example.org/farms.gpkg",
        "/vsicurl/https://example.org/farms.gpkg",
        "//vsizip/farms.zip",
        "zip://farms.zip",
        "GPKG:farms.gpkg:farms",
        "PG:dbname=farms",
        "//server/share/farms.gpkg",
        "archive.zip!farms.gpkg",
        "farms;1.gpkg",
    ],
)
def test_paths_that_are_not_local_files_are_refused(path: str) -> None:
    assert code_of(path) == "PLACES_PATH_REFUSED"
    assert code_of(Path(path)) == "PLACES_PATH_REFUSED"


def test_a_file_name_cannot_lead_into_an_archive(write: WriteFile, tmp_path: Path) -> None:
    path = write(SQUARES).rename(tmp_path / "inner.zip!farms.gpkg")
    assert code_of(path) == "PLACES_PATH_REFUSED"


@pytest.mark.parametrize("name", ["FARMS.GPKG", "ü &?#%41.gpkg"])
def test_unusual_file_names_are_read(write: WriteFile, tmp_path: Path, name: str) -> None:
    path = write(SQUARES).rename(tmp_path / name)
    assert len(read_layer(path).features) == 2


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    assert code_of(tmp_path / "no.gpkg") == "PLACES_FILE_MISSING"
    assert code_of(tmp_path) == "PLACES_FILE_MISSING"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b"key,wkt\n"),
        ("a.shp", b"\x00\x00\x27\x0a"),
        ("a.vrt", b"<OGRVRTDataSource/>"),
        ("a.gpkg", b"<OGRVRTDataSource></OGRVRTDataSource>"),
        ("a.geojson", b'{"type": "Topology", "objects": {}}'),
        ("a.json", b'{"geometryType": "esriGeometryPolygon", "features": []}'),
        ("a.json", b"[1, 2]"),
        ("a.kml", b"<gpx></gpx>"),
        ("a.kml", b'<!DOCTYPE kml [<!ENTITY a "b">]><kml></kml>'),
        ("a.zip", b"Rar!"),
        ("a.parquet", b"key,wkt\n"),
    ],
)
def test_other_formats_are_refused_whatever_they_are_called(
    tmp_path: Path, name: str, content: bytes
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert code_of(path) == "PLACES_FORMAT_UNSUPPORTED"


def test_a_plain_sqlite_database_is_no_geopackage(tmp_path: Path) -> None:
    path = tmp_path / "a.gpkg"
    with sqlite3.connect(path) as connection:
        connection.execute("create table farms (key text)")
    connection.close()
    assert code_of(path) == "PLACES_FORMAT_UNSUPPORTED"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.geojson", b'{"type": "FeatureCollection", "features": ['),
        ("a.geojson", b"\xff\xfe\x00"),
        ("a.zip", b"PK\x03\x04 and no more"),
        ("a.parquet", b"PAR1 and no more"),
        ("a.kml", b"<kml><Document>"),
    ],
)
def test_damaged_files_give_a_coded_error(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert code_of(path) == "PLACES_FILE_UNREADABLE"


def test_a_file_with_several_layers_asks_which(write: WriteFile) -> None:
    path = write(SQUARES, layer="north")
    write(SQUARES[:1], layer="south")
    with pytest.raises(PlaceError, match="'north', 'south'") as caught:
        read_layer(path)
    assert caught.value.code == "PLACES_LAYER_AMBIGUOUS"
    assert caught.value.details == {"layers": ["north", "south"]}
    assert len(read_layer(path, "south").features) == 1
    assert code_of(path, "west") == "PLACES_LAYER_UNKNOWN"


def test_tables_without_geometries_are_no_layers(write: WriteFile) -> None:
    path = write(SQUARES)
    pyogrio.write_dataframe(pandas.DataFrame({"note": ["x"]}), path, layer="notes", append=False)
    assert list_layers(path) == ["farms"]


KML = """<?xml version="1.0" encoding="UTF-8"?>
<kml xmlns="http://www.opengis.net/kml/2.2"><Document>{folders}
<NetworkLink><Link><href>http://127.0.0.1:9/more.kml</href></Link></NetworkLink></Document></kml>"""
FOLDER = """<Folder><name>{name}</name><Placemark><name>one</name>
<Polygon><outerBoundaryIs><LinearRing><coordinates>
-60.2,-3.2,5 -60.1,-3.2,5 -60.1,-3.1,5 -60.2,-3.1,5 -60.2,-3.2,5
</coordinates></LinearRing></outerBoundaryIs></Polygon></Placemark></Folder>"""


@pytest.mark.parametrize("folders", [["North"], ["North", "South"]])
def test_folders_of_a_kml_file_are_its_layers(tmp_path: Path, folders: list[str]) -> None:
    path = tmp_path / "farms.kml"
    path.write_text(KML.format(folders="".join(FOLDER.format(name=name) for name in folders)))
    assert list_layers(path) == folders
    found = read_places(path, kind="farm", key="Name", layer=folders[-1])
    assert [place.key for place in found.accepted] == ["one"]
    assert found.accepted[0].geometry.shape().equals(SQUARES[0])


@pytest.mark.parametrize("name", ["a.gpkg", "a.parquet"])
def test_a_missing_coordinate_system_is_an_error(write: WriteFile, name: str) -> None:
    assert code_of(write(SQUARES, name=name, crs=None)) == "PLACE_CRS_MISSING"


def test_an_empty_layer_is_an_error(tmp_path: Path) -> None:
    path = geojson(tmp_path / "a.geojson", features=[])
    assert code_of(path) == "PLACES_EMPTY"


def test_an_unknown_column_lists_the_columns(write: WriteFile) -> None:
    path = write(SQUARES, {"code": ["a", "b"], "area": [1, 2]})
    with pytest.raises(PlaceError, match="'code', 'area'") as caught:
        read_places(path, kind="farm", key="key")
    assert caught.value.code == "PLACES_COLUMN_UNKNOWN"
    assert caught.value.details == {"columns": ["code", "area"]}


@pytest.mark.parametrize("name", ["a.gpkg", "a.parquet", "a.geojson"])
def test_projected_coordinates_become_longitude_and_latitude(write: WriteFile, name: str) -> None:
    utm = Transformer.from_crs("EPSG:4326", "EPSG:32720", always_xy=True)
    corners = [utm.transform(*corner) for corner in SQUARES[0].exterior.coords]
    found = read_places(
        write([Polygon(corners)], name=name, crs="EPSG:32720"), kind="farm", key="key"
    )
    assert found.source_crs == "EPSG:32720"
    assert found.transformation is not None
    assert "UTM zone 20S" in found.transformation
    place = found.accepted[0]
    assert place.source_crs == "EPSG:32720"
    assert np.allclose(place.geometry.bbox, SQUARES[0].bounds, atol=2e-9, rtol=0)


def test_an_authority_with_latitude_first_is_read_longitude_first(write: WriteFile) -> None:
    found = read_places(write(SQUARES, crs="EPSG:4674"), kind="farm", key="key")
    assert found.source_crs == "EPSG:4674"
    assert "SIRGAS 2000 to WGS 84 (1)" in (found.transformation or "")
    assert found.accepted[0].geometry.bbox == SQUARES[0].bounds


def test_geojson_without_crs_is_wgs84(tmp_path: Path) -> None:
    assert read_layer(geojson(tmp_path / "a.geojson")).crs.label == "EPSG:4326"


def crs_member(name: str) -> dict[str, Any]:
    return {"type": "name", "properties": {"name": name}}


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("urn:ogc:def:crs:OGC:1.3:CRS84", "OGC:CRS84"),
        ("urn:ogc:def:crs:EPSG::32720", "EPSG:32720"),
        ("EPSG:4674", "EPSG:4674"),
        ("http://www.opengis.net/def/crs/EPSG/0/4674", "EPSG:4674"),
    ],
)
def test_the_old_crs_member_of_geojson_is_honoured(tmp_path: Path, name: str, label: str) -> None:
    path = geojson(tmp_path / "a.geojson", crs=crs_member(name))
    assert read_layer(path).crs.label == label


@pytest.mark.parametrize(
    ("member", "code"),
    [
        (None, "PLACE_CRS_MISSING"),
        ({"type": "link", "properties": {"href": "http://example.org"}}, "PLACE_CRS_UNSUPPORTED"),
        (crs_member("http://example.org/crs"), "PLACE_CRS_UNSUPPORTED"),
        (crs_member("EPSG:999999"), "PLACE_CRS_UNSUPPORTED"),
        ("EPSG:4326", "PLACE_CRS_UNSUPPORTED"),
    ],
)
def test_other_crs_members_are_refused(tmp_path: Path, member: Any, code: str) -> None:
    assert code_of(geojson(tmp_path / "a.geojson", crs=member)) == code


@pytest.mark.parametrize(
    "crs",
    [
        'LOCAL_CS["Site grid",UNIT["metre",1]]',
        "EPSG:4978",
        "EPSG:4291",  # SAD69: only a ballpark operation, some 60 m off
        "+proj=longlat +a=1737400 +b=1737400 +no_defs",
    ],
)
def test_systems_without_a_way_to_wgs84_are_refused(write: WriteFile, crs: str) -> None:
    path = write([box(1, 1, 2, 2)], name="a.parquet", crs=crs)
    with pytest.raises(PlaceError) as caught:
        read_places(path, kind="farm", key="key")
    assert caught.value.code == "PLACE_CRS_UNSUPPORTED"


def test_reader_remarks_are_kept(tmp_path: Path) -> None:
    ring = [[0, 0], [1, 0], [1, 1], [0, 1]]
    path = geojson(tmp_path / "a.geojson", {"type": "Polygon", "coordinates": [ring]})
    assert any("Non closed ring" in remark for remark in read_layer(path).warnings)
