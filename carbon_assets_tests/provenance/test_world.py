"""A world of a few places says of them what the world of all says."""

from __future__ import annotations

from sqlalchemy import text

from carbon_assets.provenance.expectation import expect
from carbon_assets.provenance.world import CompanyWorld, load_companies
from carbon_assets.store.database import Database
from carbon_assets.store.engines import transaction


def load(database: Database, places: list[int] | None = None) -> list[CompanyWorld]:
    with transaction(database) as connection:
        return load_companies(connection, places=places)


def documents(worlds: list[CompanyWorld], place: int) -> dict[tuple[str, int], bytes]:
    expected = expect(worlds, places=[place])
    return {
        (asset, vintage): document.digest
        for (asset, zone, vintage), document in expected.documents.items()
        if expected.subjects[asset, place] == zone
    }


def test_a_few_places_rest_on_the_sources_of_all(shared_computed: Database) -> None:
    (whole,) = load(shared_computed)
    chosen = list(whole.places)[2:4]
    (few,) = load(shared_computed, chosen)
    assert few.places == {i: whole.places[i] for i in chosen}
    assert few.sources == whole.sources
    for place in chosen:
        assert documents([few], place) == documents([whole], place)
        assert len(documents([few], place)) == 3 * 10


def test_looking_at_a_few_places_leaves_the_manifest_alone(computed: Database) -> None:
    def manifests() -> list[str]:
        with transaction(computed) as connection:
            query = text("SELECT slot || manifest_hash FROM source_bindings ORDER BY 1")
            return list(connection.execute(query).scalars())

    before = manifests()
    load(computed, [1])
    assert manifests() == before


def test_companies_without_any_of_the_places_are_not_loaded(shared_computed: Database) -> None:
    assert load(shared_computed, []) == []
    assert load(shared_computed, [-1]) == []
