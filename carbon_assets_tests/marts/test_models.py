"""Reading, ordering and resolving models; nothing here needs a database."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from carbon_assets.errors import MartError
from carbon_assets.marts import files
from carbon_assets.marts.models import load_models
from carbon_assets_tests.marts.shared import write_models

ROOT = Path(__file__).parents[2]
TABLE = "-- description: Rows,\n--   and more of them.\n-- materialized: table\n-- Why.\nSELECT 1\n"


def test_references_become_qualified_names(tmp_path: Path) -> None:
    write_models(
        tmp_path,
        {
            "staging/names": "SELECT name FROM {{ source('companies') }}",
            "short": "SELECT * FROM {{ref( 'names' )}} AS n CROSS JOIN {{ ref('names') }} AS m",
        },
    )
    names, short = load_models(tmp_path).models
    assert names.sql == 'SELECT name FROM "public"."companies"\n'
    assert 'FROM "marts"."names" AS n' in short.sql
    assert (names.layer, names.sources, short.refs) == ("staging", ("companies",), ("names",))


def test_the_header_says_what_a_row_is_and_what_becomes_of_it(tmp_path: Path) -> None:
    write_models(tmp_path, {"a": TABLE})
    (model,) = load_models(tmp_path).models
    assert (model.description, model.materialized) == ("Rows, and more of them.", "table")
    assert model.sql == "-- Why.\nSELECT 1\n"


def test_each_model_stands_after_those_that_it_reads(tmp_path: Path) -> None:
    write_models(
        tmp_path,
        {
            "a": "SELECT * FROM {{ ref('c') }}",
            "b": "SELECT 1 AS one",
            "c": "WITH x AS (SELECT * FROM {{ ref('b') }}) SELECT * FROM x",
        },
    )
    assert [model.name for model in load_models(tmp_path).models] == ["b", "c", "a"]


def test_a_digest_covers_the_models_below(tmp_path: Path) -> None:
    def digests(one: str) -> dict[str, str]:
        bodies = {"a": one, "b": "SELECT * FROM {{ ref('a') }}", "c": "SELECT 1 AS one"}
        models = load_models(write_models(tmp_path, bodies)).models
        return {model.name: model.digest for model in models}

    before, after = digests("SELECT 1 AS one"), digests("SELECT 2 AS one")
    assert {name for name in before if before[name] != after[name]} == {"a", "b"}


@pytest.mark.parametrize(
    ("models", "code", "said"),
    [
        (
            {"a": "SELECT * FROM {{ ref('mising') }}", "missing": TABLE},
            "MART_REF_UNKNOWN",
            "mising",
        ),
        ({"a": "SELECT * FROM {{ source('pg_authid') }}"}, "MART_SOURCE_UNKNOWN", "pg_authid"),
        (
            {"a": "SELECT * FROM {{ ref('b') }}", "b": "SELECT * FROM {{ ref('a') }}"},
            "MART_CYCLE",
            "a → b → a",
        ),
        ({"a": "SELECT * FROM {{ ref('a') }}"}, "MART_CYCLE", "a → a"),
        ({"staging/a": TABLE, "marts/a": TABLE}, "MART_NAME_DUPLICATE", "staging/a.sql"),
        ({"A-b": TABLE}, "MART_NAME_INVALID", "A-b"),
        ({"a" * 64: TABLE}, "MART_NAME_INVALID", "aaa"),
        ({"a": "-- materialized: view\nSELECT 1"}, "MART_HEADER_INVALID", "marts/a.sql"),
        ({"a": "-- description: x\n-- materialized: index\nSELECT 1"}, "MART_HEADER_INVALID", "a"),
        ({"a": "SELECT 1; DROP TABLE farms"}, "MART_NOT_ONE_SELECT", "marts/a.sql"),
        ({"a": "DELETE FROM public.farms"}, "MART_NOT_ONE_SELECT", "marts/a.sql"),
        ({"a": "/* */ SELECT 1"}, "MART_NOT_ONE_SELECT", "marts/a.sql"),
        ({"a": "SELECT {{ ref('b\") --') }}"}, "MART_TEMPLATE_INVALID", 'b") --'),
        ({"a": 'SELECT {{ ref("b") }}'}, "MART_TEMPLATE_INVALID", 'ref("b")'),
        ({"a": "SELECT {{ ref('B') }}"}, "MART_TEMPLATE_INVALID", "ref('B')"),
        ({"a": "SELECT {{ var('x') }}"}, "MART_TEMPLATE_INVALID", "var('x')"),
        ({"a": "SELECT {% if x %} 1"}, "MART_TEMPLATE_INVALID", "{% if x %}"),
    ],
)
def test_what_cannot_be_used_is_refused_by_code(
    tmp_path: Path, models: dict[str, str], code: str, said: str
) -> None:
    with pytest.raises(MartError) as caught:
        load_models(write_models(tmp_path, models))
    assert caught.value.code == code
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "sources",
    [
        'sources: {"farms; DROP": {follows: rows}}',
        "sources: {farms: {follows: rumours}}",
        "sources: {farms: {follows: rows, schema: pg_catalog}}",
    ],
)
def test_sources_are_names_on_a_list(tmp_path: Path, sources: str) -> None:
    with pytest.raises(MartError) as caught:
        load_models(write_models(tmp_path, {"a": TABLE}, sources))
    assert caught.value.code == "MART_SOURCES_INVALID"


def test_the_models_are_found_in_a_checkout() -> None:
    assert files.models_folder() == ROOT / "dbt_like_sql"


def test_the_models_are_found_inside_an_installed_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    installed = tmp_path / wheel["force-include"]["dbt_like_sql"]
    write_models(installed, {"a": TABLE})
    monkeypatch.setattr(files, "files", lambda package: tmp_path / package)
    assert files.models_folder() == installed


def test_a_package_without_models_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "files", lambda package: tmp_path / package)
    with pytest.raises(MartError) as caught:
        files.models_folder()
    assert caught.value.code == "MARTS_MISSING"
