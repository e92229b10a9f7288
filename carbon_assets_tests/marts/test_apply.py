"""Schema ``marts`` follows the models, in one transaction, and nothing else is touched."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from carbon_assets.errors import MartError
from carbon_assets.marts.apply import apply_models
from carbon_assets.marts.models import load_models
from carbon_assets.marts.versions import outdated, relations
from carbon_assets.store.database import Database
from carbon_assets.store.engines import transaction
from carbon_assets_tests.marts.shared import rows_of, write_models

NAMES = "SELECT key, name FROM {{ source('companies') }} WHERE name <> '100 %s :x'"
COUNT = (
    "-- description: One row.\n-- materialized: table\n"
    "SELECT count(*) AS companies FROM {{ ref('names') }}"
)
BUSY = "SELECT companies FROM {{ ref('counted') }}"
MODELS = {"names": NAMES, "counted": COUNT, "busy": BUSY}


def apply(database: Database, folder: Path, models: dict[str, str]) -> dict[str, str]:
    applied = apply_models(database, load_models(write_models(folder, models)))
    return {name: one.action for name, one in applied.items()}


def add_company(database: Database, key: str) -> None:
    with transaction(database) as connection:
        connection.exec_driver_sql("INSERT INTO companies (key, name) VALUES (%s, %s)", (key, key))


def test_what_is_as_it_should_be_is_left_alone(fresh_database: Database, tmp_path: Path) -> None:
    first = apply(fresh_database, tmp_path, MODELS)
    assert first == dict.fromkeys(["names", "counted", "busy"], "created")
    assert apply(fresh_database, tmp_path, MODELS) == dict.fromkeys(first, "kept")
    with transaction(fresh_database) as connection:
        assert outdated(connection, load_models(tmp_path)) == []


def test_a_view_follows_the_data_and_a_table_is_filled_again(
    fresh_database: Database, tmp_path: Path
) -> None:
    apply(fresh_database, tmp_path, MODELS)
    add_company(fresh_database, "new")
    assert rows_of(fresh_database, "SELECT key FROM marts.names") == [("new",)]
    assert rows_of(fresh_database, "SELECT companies FROM marts.busy") == [(0,)]
    with transaction(fresh_database) as connection:
        assert outdated(connection, load_models(tmp_path)) == ["counted"]
    done = apply(fresh_database, tmp_path, MODELS)
    assert done == {"names": "kept", "counted": "filled", "busy": "kept"}
    assert rows_of(fresh_database, "SELECT companies FROM marts.busy") == [(1,)]


def test_changed_sql_is_made_again_with_all_that_reads_it(
    fresh_database: Database, tmp_path: Path
) -> None:
    apply(fresh_database, tmp_path, MODELS | {"apart": "SELECT 1 AS one"})
    changed = MODELS | {"names": "SELECT name AS key FROM {{ source('companies') }}"}
    done = apply(fresh_database, tmp_path, changed | {"apart": "SELECT 1 AS one"})
    assert done == {
        "names": "created",
        "apart": "kept",
        "counted": "created",
        "busy": "created",
    }


def test_a_view_may_become_a_table_and_a_model_may_go(
    fresh_database: Database, tmp_path: Path
) -> None:
    apply(fresh_database, tmp_path, {"a": "SELECT 1 AS one", "b": "SELECT * FROM {{ ref('a') }}"})
    apply(
        fresh_database,
        tmp_path,
        {"a": "-- description: x\n-- materialized: table\nSELECT 1 AS one"},
    )
    with transaction(fresh_database) as connection:
        assert {name: one.kind for name, one in relations(connection).items()} == {"a": "table"}


def test_sql_that_postgresql_refuses_changes_nothing(
    fresh_database: Database, tmp_path: Path
) -> None:
    apply(fresh_database, tmp_path, MODELS)
    with pytest.raises(MartError) as caught:
        apply(fresh_database, tmp_path, {"names": "SELECT 1 AS one", "bad": "SELECT nmae FROM x"})
    assert caught.value.code == "MART_SQL_INVALID"
    assert caught.value.where == "marts/bad.sql"
    assert caught.value.details == {"sqlstate": "42P01"}
    write_models(tmp_path, MODELS)
    with transaction(fresh_database) as connection:
        assert outdated(connection, load_models(tmp_path)) == []


def test_what_others_made_is_neither_replaced_nor_dropped(
    fresh_database: Database, tmp_path: Path
) -> None:
    with transaction(fresh_database) as connection:
        connection.exec_driver_sql("CREATE TABLE marts.names (mine int)")
    with pytest.raises(MartError) as caught:
        apply(fresh_database, tmp_path, MODELS)
    assert caught.value.code == "MART_NAME_TAKEN"
    apply(fresh_database, tmp_path, {"other": "SELECT 1 AS one"})
    assert rows_of(fresh_database, "SELECT mine FROM marts.names") == []


def test_a_model_that_others_read_is_not_dropped_under_them(
    fresh_database: Database, tmp_path: Path
) -> None:
    apply(fresh_database, tmp_path, {"a": "SELECT 1 AS one"})
    with transaction(fresh_database) as connection:
        connection.exec_driver_sql("CREATE VIEW marts.report AS SELECT one FROM marts.a")
    with pytest.raises(MartError) as caught:
        apply(fresh_database, tmp_path, {"a": "SELECT 2 AS two"})
    assert caught.value.code == "MART_IN_USE"
    assert "report" in caught.value.what
    assert rows_of(fresh_database, "SELECT one FROM marts.report") == [(1,)]


def test_a_listed_source_that_does_not_exist_is_named(
    fresh_database: Database, tmp_path: Path
) -> None:
    write_models(tmp_path, MODELS, "sources: {companies: {follows: rows}, ghosts: {follows: rows}}")
    with pytest.raises(MartError) as caught:
        apply_models(fresh_database, load_models(tmp_path))
    assert caught.value.code == "MART_SOURCE_MISSING"
    assert "ghosts" in caught.value.what


def test_the_application_makes_relations_in_marts_and_not_among_the_records(
    fresh_database: Database,
) -> None:
    with (
        transaction(fresh_database) as connection,
        pytest.raises(Exception, match="permission denied for schema public") as caught,
    ):
        connection.exec_driver_sql("CREATE VIEW public.mine AS SELECT 1 AS one")
    assert isinstance(getattr(caught.value, "orig", None), psycopg.errors.InsufficientPrivilege)
