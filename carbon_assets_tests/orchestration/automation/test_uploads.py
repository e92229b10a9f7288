"""Sensor of uploads and the run that takes them: whole or not at all, once, whatever is killed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import geopandas
import pytest
import shapely

from carbon_assets.demo.design import load_design
from carbon_assets.demo.edits import edited_farm
from carbon_assets.demo.vectors import write_places
from carbon_assets.intake.uploads import UPLOAD_KINDS, upload_kind
from carbon_assets.orchestration.automation import take_uploads
from carbon_assets.orchestration.automation.settings import inbox
from carbon_assets_tests.orchestration.automation.daemon import Daemon

SENSOR = "uploads"


def folder(kind: str = "places", company: str = "demo") -> Path:
    found = inbox() / company / kind
    found.mkdir(parents=True, exist_ok=True)
    return found


def redrawn(tmp_path: Path, name: str = "redrawn.geojson", **values: Any) -> Path:
    """A file with one farm as :func:`apply_edit` redraws it, its key in the column ``key``."""
    drawn = tmp_path / "drawn.gpkg"
    write_places(drawn, [edited_farm()])
    frame = geopandas.read_file(drawn).to_crs(4326)
    frame = frame[["farm_key", "geometry"]].rename(columns={"farm_key": "key"})
    for column, value in values.items():
        frame[column] = value
    target = tmp_path / name
    frame.to_file(target, driver="GeoJSON")
    return target


def drop(source: Path, target: Path) -> Path:
    """Put a file into the watched folder as a client does: written beside, then renamed."""
    part = target.with_suffix(".part")
    part.write_bytes(source.read_bytes())
    return part.rename(target)


def rows(daemon: Daemon) -> list[Any]:
    return daemon.land.rows("SELECT * FROM uploads ORDER BY id")


def test_a_file_is_taken_once_it_has_settled_and_its_place_is_run(
    settled: Daemon, tmp_path: Path
) -> None:
    file = drop(redrawn(tmp_path), folder() / "redrawn.geojson")
    assert settled.tick(SENSOR).requests == []  # seen for the first time
    tick = settled.tick(SENSOR)
    assert tick.tags["cause"] == "upload"
    assert tick.tags["object"] == "redrawn.geojson"
    (row,) = rows(settled)
    (run,) = tick.runs.values()
    assert (row.status, row.run_id, row.facts["changed"]) == (
        "taken",
        run.run_id,
        [edited_farm().key],
    )
    assert not file.exists()
    assert [one.name for one in (folder() / "taken").iterdir()] == [f"{row.id}-redrawn.geojson"]
    name = settled.land.rows(
        "SELECT name, source_file FROM farms f JOIN geometry_versions v"
        " ON v.id = f.geometry_version_id WHERE f.key = :key",
        key=edited_farm().key,
    )[0]
    assert name.source_file == "redrawn.geojson"
    assert name.name == next(
        one.name for one in load_design().farms() if one.key == edited_farm().key
    )
    followed = settled.tick("geometry_edits")
    assert {len(keys) for keys in followed.computed().values()} == {3}
    assert settled.tick(SENSOR).requests == []


def test_the_same_content_twice_is_taken_once(daemon: Daemon, tmp_path: Path) -> None:
    source = redrawn(tmp_path)
    for name in ("one.geojson", "two.geojson"):
        drop(source, folder() / name)
        for _ in range(2):
            daemon.tick(SENSOR)
    assert [one.status for one in rows(daemon)] == ["taken"]
    assert not list(folder().glob("*.geojson"))


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"key": "nobody"}, "UPLOAD_PLACE_UNKNOWN"),
        ({"geometry": shapely.box(10, 10, 10.01, 10.01)}, "PLACE_OUTSIDE_RASTER"),
        ({"geometry": shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])}, "PLACES_REJECTED"),
    ],
)
def test_a_bad_file_is_refused_with_its_reason_and_writes_nothing(
    daemon: Daemon, tmp_path: Path, values: dict[str, Any], code: str
) -> None:
    drop(redrawn(tmp_path, **values), folder() / "bad.geojson")
    edits = daemon.land.count("geometry_edits")
    for _ in range(2):
        daemon.tick(SENSOR)
    (row,) = rows(daemon)
    assert (row.status, row.reason_code) == ("refused", code)
    assert daemon.land.count("geometry_edits") == edits
    refused = folder() / "refused"
    note = json.loads((refused / f"{row.id}-bad.geojson.json").read_text(encoding="utf-8"))
    assert note["code"] == code
    assert (refused / f"{row.id}-bad.geojson").exists()


def test_files_that_are_still_written_are_left_alone(daemon: Daemon, tmp_path: Path) -> None:
    source = redrawn(tmp_path).read_bytes()
    growing = folder() / "growing.geojson"
    (folder() / "unfinished.part").write_bytes(source)
    for end in (100, 200, 300):
        growing.write_bytes(source[:end])
        assert daemon.tick(SENSOR).requests == []
    assert rows(daemon) == []
    assert (folder() / "unfinished.part").exists()


def test_links_and_unknown_kinds_are_refused_and_nothing_outside_is_read(
    daemon: Daemon, tmp_path: Path
) -> None:
    outside = redrawn(tmp_path)
    (folder() / "link.geojson").symlink_to(outside)
    os.mkfifo(folder() / "pipe.geojson")
    drop(outside, folder("nonsense") / "some.geojson")
    (inbox() / "demo" / "linked").symlink_to(tmp_path)
    drop(outside, folder(company="nobody") / "lost.geojson")
    for _ in range(2):
        tick = daemon.tick(SENSOR)
    assert tick.requests == []
    found = {one.file_name: one.reason_code for one in rows(daemon)}
    assert found == {
        "link.geojson": "UPLOAD_NOT_A_FILE",
        "pipe.geojson": "UPLOAD_NOT_A_FILE",
        "some.geojson": "UPLOAD_KIND_UNKNOWN",
    }
    assert {one.content_hash for one in rows(daemon)} == {None}
    assert outside.exists()
    assert "UPLOAD_COMPANY_UNKNOWN" in str(tick.reason)
    assert (folder(company="nobody") / "lost.geojson").exists()


def test_a_kill_between_commit_and_move_is_healed(
    daemon: Daemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop(redrawn(tmp_path), folder() / "redrawn.geojson")
    with monkeypatch.context() as patched:
        patched.setattr(take_uploads, "put_away", lambda *_: None)
        for _ in range(2):
            daemon.tick(SENSOR)
    assert (folder() / "redrawn.geojson").exists()
    assert daemon.tick(SENSOR).requests == []
    assert not (folder() / "redrawn.geojson").exists()
    assert [one.status for one in rows(daemon)] == ["taken"]


@pytest.mark.parametrize("killed", ["before", "after"])
def test_a_daemon_that_is_killed_takes_a_file_once(
    daemon: Daemon, tmp_path: Path, killed: str
) -> None:
    drop(redrawn(tmp_path), folder() / "redrawn.geojson")
    daemon.tick(SENSOR)
    struck = daemon.tick(SENSOR, killed=killed)
    after = daemon.tick(SENSOR)
    assert len(struck.runs) + len(after.runs) == 1
    assert [one.status for one in rows(daemon)] == ["taken"]


def test_a_file_that_runs_die_of_is_refused_in_the_end(daemon: Daemon, tmp_path: Path) -> None:
    def die(*_: Any) -> Any:
        raise MemoryError

    upload_kind("deadly", "nothing good")(die)
    try:
        drop(redrawn(tmp_path), folder("deadly") / "bad.bin")
        daemon.tick(SENSOR)
        for _ in range(3):
            tick = daemon.tick(SENSOR, run=False)
            daemon.run(SENSOR, tick.requests[0], allowed_to_fail=True)
        assert daemon.tick(SENSOR).requests == []
        (row,) = rows(daemon)
        assert (row.status, row.reason_code) == ("refused", "UPLOAD_FAILED")
        daemon.tick(SENSOR)
        assert not (folder("deadly") / "bad.bin").exists()
    finally:
        del UPLOAD_KINDS["deadly"]
