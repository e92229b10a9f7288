"""The world, written once."""

from __future__ import annotations

from pathlib import Path

import pytest

from carbon_assets_tests.runners.world import World, class_maps, hgb, hgb_maps, world


@pytest.fixture(scope="session")
def carbon_world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Class maps of three years and a static map of carbon density."""
    folder: Path = tmp_path_factory.mktemp("world")
    return world(class_maps(folder), hgb_maps(folder), hgb())
