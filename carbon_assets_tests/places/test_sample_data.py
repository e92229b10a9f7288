"""The import against real polygons: a protected area and its subdivision into 48 blocks."""

from __future__ import annotations

from pathlib import Path

import pytest

from carbon_assets.places.importing import read_places
from carbon_assets.places.model import PlaceImport
from carbon_assets.places.overlaps import find_overlaps


@pytest.fixture(scope="module")
def farms(sample_data: Path) -> PlaceImport:
    path = sample_data / "br-maroaga" / "farms.gpkg"
    return read_places(
        path, kind="farm", key="farm_key", name="name", project="project_key", biome="amazon"
    )


def test_all_farms_are_accepted(farms: PlaceImport) -> None:
    farms.raise_if_rejected()
    assert len(farms.accepted) == 48
    assert farms.warnings == ()
    assert {place.project_key for place in farms.accepted} == {"maroaga-redd"}
    assert not any(place.geometry.repaired for place in farms.accepted)


def test_no_two_farms_overlap(farms: PlaceImport) -> None:
    assert find_overlaps(farms.accepted) == []


def test_farm_areas_add_up_to_the_boundary(farms: PlaceImport, sample_data: Path) -> None:
    path = sample_data / "br-maroaga" / "br-maroaga_apa.gpkg"
    boundary = read_places(path, kind="project_boundary", key="Nome")
    boundary.raise_if_rejected()
    (whole,) = boundary.accepted
    total = sum(place.geometry.area_ha for place in farms.accepted)
    assert total == pytest.approx(whole.geometry.area_ha, rel=1e-6)
