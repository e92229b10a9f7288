"""The landscape, written once for the tests of this folder."""

from pathlib import Path

import pytest

from carbon_assets.demo.landscape import write_landscape


@pytest.fixture(scope="session")
def landscape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_landscape(tmp_path_factory.mktemp("landscape")).parent
