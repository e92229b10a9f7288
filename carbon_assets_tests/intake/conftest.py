"""A small company: three square farms, two class maps and a carbon map, cheap to import."""

from __future__ import annotations

from pathlib import Path

import pytest

from carbon_assets_tests.intake.company import Files
from carbon_assets_tests.rasters.conftest import (
    bucket,
    certificates,
    impatient,
    s3_service,
    web,
)

__all__ = ["bucket", "certificates", "impatient", "s3_service", "web"]


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """The company's files in a folder of the test's own."""
    return Files.write(tmp_path / "company")
