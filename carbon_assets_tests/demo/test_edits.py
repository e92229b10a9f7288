import hashlib

import geopandas
import pytest

from carbon_assets.demo.edits import apply_edit, edited_farm, undo_edit
from carbon_assets.demo.landscape import write_landscape
from carbon_assets.demo.truth import class_area_ha


def digests(folder):
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_edit_changes_one_polygon_by_the_stated_area_and_can_be_undone(tmp_path):
    folder = write_landscape(tmp_path).parent
    original, before = digests(folder), geopandas.read_file(folder / "farms.gpkg")

    edit = apply_edit(folder)
    changed, after = digests(folder), geopandas.read_file(folder / "farms.gpkg")
    assert {name for name in original if changed[name] != original[name]} == {"farms.gpkg"}
    differs = ~before.geometry.geom_equals(after.geometry)
    assert list(before.farm_key[differs]) == [edit.farm_key]
    assert before.drop(columns="geometry").equals(after.drop(columns="geometry"))
    for table, expected in ((before, edit.before_ha), (after, edit.after_ha)):
        area = table[differs].to_crs("+proj=cea +ellps=WGS84").area.iloc[0] / 10_000
        assert area == pytest.approx(expected, rel=1e-9)
    assert edit.before_ha - edit.after_ha == pytest.approx(edit.before_ha / 10, rel=1e-6)

    undone = undo_edit(folder)
    assert (undone.before_ha, undone.after_ha) == (edit.after_ha, edit.before_ha)
    assert digests(folder) == original


def test_edit_takes_away_cleared_land_only():
    before, after = class_area_ha("north-01", 2019), class_area_ha(edited_farm(), 2019)
    assert after[3] == pytest.approx(before[3], rel=1e-8)
    assert after[15] + after.get(39, 0.0) < before[15] + before[39]
