"""Places into rows: added, changed, removed, restored, unchanged; and what is logged of it."""

from __future__ import annotations

import pytest
import shapely
from sqlalchemy import text

from carbon_assets.errors import CarbonAssetsError
from carbon_assets.intake import places as saving
from carbon_assets.intake.places import PlaceChanges, save_places
from carbon_assets.intake.tenancy import ProjectEntry, save_company, save_projects
from carbon_assets.places.geometry import PlaceGeometry
from carbon_assets.places.model import Place, PlaceKind
from carbon_assets.store.database import Database
from carbon_assets.store.engines import transaction
from carbon_assets_tests.intake.company import square

HERE, THERE = square(2, 2), square(30, 30)


def place(
    key: str,
    polygon: shapely.Polygon = HERE,
    *,
    kind: PlaceKind = PlaceKind.FARM,
    project: str | None = "red",
    name: str | None = None,
    biome: str | None = None,
) -> Place:
    return Place(
        key=key,
        name=name or key,
        kind=kind,
        project_key=project,
        biome=biome,
        geometry=PlaceGeometry.from_geometry(polygon),
        source_file="farms.gpkg",
        source_crs="EPSG:4326",
        source_feature="1",
    )


def save(database: Database, *places: Place, complete: bool = True) -> PlaceChanges:
    with transaction(database) as connection:
        company = save_company(connection, "acme", "Acme")
        projects = save_projects(
            connection, company, [ProjectEntry(key, key, [2020]) for key in ("red", "blue")]
        )
        kinds = [PlaceKind.FARM] if complete else []
        return save_places(connection, company, places, projects, complete=kinds)


def rows(database: Database, query: str) -> list[tuple[object, ...]]:
    with transaction(database) as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def edits(database: Database) -> list[tuple[object, ...]]:
    return rows(
        database,
        "SELECT f.key, e.action, e.geometry_version_id IS NULL, e.source_file"
        " FROM geometry_edits AS e JOIN farms AS f ON f.id = e.farm_id ORDER BY e.id",
    )


def farms(database: Database) -> dict[object, tuple[object, ...]]:
    found = rows(
        database,
        "SELECT f.key, f.name, f.status, p.key, f.biome, g.version FROM farms AS f"
        " LEFT JOIN projects AS p ON p.id = f.project_id"
        " LEFT JOIN geometry_versions AS g ON g.id = f.geometry_version_id",
    )
    return {row[0]: row[1:] for row in found}


def test_what_an_import_does_is_told_by_key(fresh_database: Database) -> None:
    first = save(fresh_database, place("a"), place("b", THERE))
    assert first == PlaceChanges(("a", "b"), (), (), (), ())
    second = save(fresh_database, place("a", square(3, 3)), place("c", square(50, 50)))
    assert second == PlaceChanges(("c",), ("a",), (), ("b",), ())
    third = save(fresh_database, place("a", square(3, 3)), place("b", THERE))
    assert third == PlaceChanges((), (), ("b",), ("c",), ("a",))
    assert edits(fresh_database) == [
        ("a", "added", False, "farms.gpkg"),
        ("b", "added", False, "farms.gpkg"),
        ("a", "changed", False, "farms.gpkg"),
        ("c", "added", False, "farms.gpkg"),
        ("b", "removed", True, "import"),
        ("b", "restored", False, "farms.gpkg"),
        ("c", "removed", True, "import"),
    ]


def test_a_removed_place_keeps_its_row_and_its_versions(fresh_database: Database) -> None:
    save(fresh_database, place("a"), place("b", THERE))
    save(fresh_database, place("a"))
    assert farms(fresh_database)["b"] == ("b", "removed", "red", None, 1)
    assert rows(fresh_database, "SELECT count(*) FROM geometry_versions") == [(2,)]


def test_a_polygon_that_is_back_is_no_third_version(fresh_database: Database) -> None:
    for polygon in (HERE, THERE, HERE):
        save(fresh_database, place("a", polygon))
    versions = "SELECT version, geometry_hash FROM geometry_versions ORDER BY version"
    found = rows(fresh_database, versions)
    assert [version for version, _ in found] == [1, 2]
    assert farms(fresh_database)["a"][-1] == 1
    assert [action for _, action, *_ in edits(fresh_database)] == ["added", "changed", "changed"]
    save(fresh_database, place("a", square(9, 9)))
    assert farms(fresh_database)["a"][-1] == 3


def test_a_place_may_come_back_with_another_polygon(fresh_database: Database) -> None:
    save(fresh_database, place("a"), place("b", THERE))
    save(fresh_database, place("a"))
    changes = save(fresh_database, place("a"), place("b", square(40, 40)))
    assert changes.restored == ("b",)
    assert farms(fresh_database)["b"][-1] == 2


def test_a_name_a_project_and_a_biome_are_no_edit_of_the_polygon(fresh_database: Database) -> None:
    save(fresh_database, place("a"))
    changes = save(fresh_database, place("a", name="Alpha", project="blue", biome="cerrado"))
    assert changes.unchanged == ("a",)
    assert farms(fresh_database)["a"] == ("Alpha", "active", "blue", "cerrado", 1)
    assert len(edits(fresh_database)) == 1
    save(fresh_database, place("a", project=None))
    assert farms(fresh_database)["a"] == ("a", "active", None, None, 1)


def test_what_is_the_same_is_not_written_again(
    fresh_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(fresh_database, place("a"), place("b", THERE))
    written: list[object] = []
    original = saving._update
    monkeypatch.setattr(
        saving, "_update", lambda c, drafts: (written.extend(drafts), original(c, drafts))
    )
    save(fresh_database, place("a"), place("b", THERE, name="Beta"))
    assert [draft.place.key for draft in written] == ["b"]  # type: ignore[attr-defined]


def test_kinds_are_apart(fresh_database: Database) -> None:
    boundary = place("a", square(0, 0, 20), kind=PlaceKind.PROJECT_BOUNDARY)
    assert save(fresh_database, place("a"), boundary).added == ("a", "a")
    changes = save(fresh_database, place("a"))
    assert changes == PlaceChanges((), (), (), (), ("a",)), "an import of farms removes farms only"


def test_a_part_of_the_places_removes_none(fresh_database: Database) -> None:
    save(fresh_database, place("a"), place("b", THERE))
    assert save(fresh_database, place("a"), complete=False).removed == ()
    assert farms(fresh_database)["b"][1] == "active"


def test_partition_keys_are_permanent_and_never_shared(fresh_database: Database) -> None:
    odd = ["Fazenda São João/3", "Fazenda São João 3", "…", "x" * 90]
    save(fresh_database, *(place(key, square(i * 10, 0)) for i, key in enumerate(odd)))
    before = dict(rows(fresh_database, "SELECT key, partition_key FROM farms"))  # type: ignore[arg-type]
    assert len({*before.values()}) == 4
    for key in before.values():
        assert str(key).isascii()
        assert not set(str(key)) & set(" /|,[]")
    save(fresh_database)
    save(fresh_database, *(place(key, square(i * 10, 9)) for i, key in enumerate(odd)))
    assert dict(rows(fresh_database, "SELECT key, partition_key FROM farms")) == before  # type: ignore[arg-type]


def test_a_project_that_is_not_declared_is_refused(fresh_database: Database) -> None:
    with pytest.raises(CarbonAssetsError) as caught:
        save(fresh_database, place("a"), place("b", THERE, project="green"))
    assert caught.value.code == "PROJECT_UNKNOWN"
    assert "green" in caught.value.what
    assert rows(fresh_database, "SELECT count(*) FROM farms") == [(0,)]


def test_companies_do_not_see_each_other(fresh_database: Database) -> None:
    save(fresh_database, place("a"))
    with transaction(fresh_database) as connection:
        other = save_company(connection, "other", "Other")
        changes = save_places(
            connection, other, [place("a", project=None)], {}, complete=list(PlaceKind)
        )
    assert changes.added == ("a",)
    assert rows(fresh_database, "SELECT count(*) FROM farms WHERE status = 'active'") == [(2,)]


def test_a_project_is_updated_in_place(fresh_database: Database) -> None:
    with transaction(fresh_database) as connection:
        company = save_company(connection, "acme", "Acme")
        first = save_projects(connection, company, [ProjectEntry("red", "Red", [2021, 2020, 2020])])
        again = save_projects(
            connection,
            company,
            [ProjectEntry("red", "Rot", [2022], "badge", {"biome": "cerrado"})],
        )
        assert save_company(connection, "acme", "Acme Ltd") == company
    assert first == again
    query = "SELECT name, vintages, staleness_policy, settings FROM projects"
    assert rows(fresh_database, query) == [("Rot", [2022], "badge", {"biome": "cerrado"})]
    assert rows(fresh_database, "SELECT name FROM companies") == [("Acme Ltd",)]
