"""YAML errors name the file, the line and the field, for any model and error class."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict

from carbon_assets.errors import CatalogueError, PortfolioError
from carbon_assets.reference.yaml_files import load_yaml_model, read_yaml


class Place(BaseModel):
    model_config = ConfigDict(extra="forbid")
    file: str
    kind: str = "farm"


class Portfolio(BaseModel):
    model_config = ConfigDict(extra="forbid")
    company: str
    places: list[Place] = []
    sources: dict[str, Place] = {}
    extra_place: Place | None = None


def problems(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "portfolio.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(PortfolioError) as caught:
        load_yaml_model(path, Portfolio, error=PortfolioError, code="PORTFOLIO_INVALID")
    assert caught.value.code == "PORTFOLIO_INVALID"
    lines = caught.value.what.split("\n")
    assert len(caught.value.details["problems"]) == len(lines)
    return [line.removeprefix(str(path)) for line in lines]


def test_good_file(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text("base: &b {file: a.gpkg}\n", encoding="utf-8")
    path.write_text("company: c\nplaces:\n  - &b {file: a.gpkg}\n  - <<: *b\n    kind: farm\n")
    model = load_yaml_model(path, Portfolio)
    assert [place.file for place in model.places] == ["a.gpkg", "a.gpkg"]


def test_every_problem_is_listed_with_its_line(tmp_path: Path) -> None:
    text = "company: 7\nplaces:\n  - file: a.gpkg\n    knd: farm\n  - kind: farm\n"
    assert problems(tmp_path, text) == [
        ':1 company: Input should be a valid string: write "7" in quotes',
        ":4 places.0.knd: unknown key; did you mean 'kind'?",
        ":5 places.1.file: is required",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("company: c\nplacs: []\n", ":2 placs: unknown key; did you mean 'places'?"),
        (
            "company: c\nsources:\n  land:\n    fil: x\n    file: y\n",
            ":4 sources.land.fil: unknown key; did you mean 'file'?",
        ),
        (
            "company: c\nextra_place: {file: x, zzz: 1}\n",
            ":2 extra_place.zzz: unknown key; known: file, kind",
        ),
        ("places: []\n", ":1 company: is required"),
        ("", ":1: must be a mapping of keys to values"),
        ("company: c\ncompany: d\n", ":2 company: given twice"),
        ("company: c\nplaces:\n  - {file: a\n", ":4: not YAML: "),
        ("company: [c\n", ":2: not YAML: "),
        ("company: !!python/name:os.system x\n", ":1: not YAML: "),
        ("company: c\nplaces: text\n", ":2 places: Input should be a valid list (given: 'text')"),
        ("company: &a [*a]\n", ":1: more than "),
    ],
)
def test_one_problem(tmp_path: Path, text: str, message: str) -> None:
    assert problems(tmp_path, text)[0].startswith(message)


def test_a_billion_laughs_are_refused_quickly(tmp_path: Path) -> None:
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    assert "more than" in problems(tmp_path, "\n".join(rows))[0]


def test_missing_file_and_wrong_encoding(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="cannot be read"):
        read_yaml(tmp_path / "none.yaml")
    path = tmp_path / "latin.yaml"
    path.write_bytes(b"company: Maro\xe1ga\n")
    with pytest.raises(CatalogueError, match="cannot be read"):
        read_yaml(path)
