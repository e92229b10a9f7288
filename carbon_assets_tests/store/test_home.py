"""Which folder is CARBON_HOME, and that it hides itself only when it is new."""

from __future__ import annotations

from pathlib import Path

import pytest

from carbon_assets.errors import StoreError
from carbon_assets.store.home import carbon_home


def test_the_argument_beats_the_environment_beats_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CARBON_HOME", raising=False)
    assert carbon_home() == tmp_path / ".carbon"
    monkeypatch.setenv("CARBON_HOME", str(tmp_path / "named"))
    assert carbon_home() == tmp_path / "named"
    assert carbon_home(tmp_path / "given") == tmp_path / "given"


def test_a_new_folder_is_invisible_to_git_and_a_used_one_is_left_alone(tmp_path: Path) -> None:
    assert (carbon_home(tmp_path / "a" / "b") / ".gitignore").read_text() == "*\n"
    used = tmp_path / "used"
    used.mkdir()
    (used / "notes.txt").touch()
    carbon_home(used)
    assert not (used / ".gitignore").exists()


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError) as caught:
        carbon_home(tmp_path / "file")
    assert caught.value.code == "CARBON_HOME_UNUSABLE"
    assert str(tmp_path / "file") in str(caught.value)
