"""A landscape that sensors look after."""

from __future__ import annotations

from pathlib import Path

import pytest

from carbon_assets_tests.orchestration.automation.daemon import Daemon
from carbon_assets_tests.orchestration.farmland import Farmland


@pytest.fixture
def daemon(farmland: Farmland, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Daemon:
    """The demo landscape just imported; nothing computed, no sensor ever evaluated."""
    monkeypatch.setenv("CARBON_INBOX", str(tmp_path / "inbox"))
    for name in ("CARBON_WEBSERVER_URL", "CARBON_MIRROR", "CARBON_TICK_PARTITIONS"):
        monkeypatch.delenv(name, raising=False)
    return Daemon(farmland)
