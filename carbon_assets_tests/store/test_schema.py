"""The migrated schema: as the snapshot has it, and as the models say.

After an intended change refresh the snapshot and look at the difference::

    REFRESH_SNAPSHOTS=1 pytest carbon_assets_tests/store/test_schema.py && git diff
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from carbon_assets.errors import StoreError
from carbon_assets.store import migrate
from carbon_assets.store.database import Database
from carbon_assets.store.engines import owner_engine
from carbon_assets.store.models import Base
from carbon_assets_tests.scratch import Host, scratch_database
from carbon_assets_tests.store.catalog import describe

SNAPSHOT = Path(__file__).parent / "schema.json"


def test_the_schema_is_that_of_the_snapshot(database: Database) -> None:
    with owner_engine(database).connect() as connection:
        found = describe(connection)
    if os.environ.get("REFRESH_SNAPSHOTS"):
        SNAPSHOT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    expected = json.loads(SNAPSHOT.read_text(encoding="utf-8"))
    for kind, names in expected.items():
        assert found[kind] == names, kind


def test_the_models_say_what_the_migrations_made(database: Database) -> None:
    with owner_engine(database).connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "compare_server_default": True,
                "version_table": "carbon_alembic_version",
            },
        )
        assert compare_metadata(context, Base.metadata) == []


def test_every_column_says_what_it_means() -> None:
    silent = [str(c) for t in Base.metadata.tables.values() for c in t.c if not c.comment]
    assert silent == []
    assert [name for name, t in Base.metadata.tables.items() if not t.comment] == []


def test_the_newest_revision_is_the_one_that_is_asked_for() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_heads() == [migrate.HEAD]


def test_a_current_database_is_not_migrated_again(
    database_host: Host, template_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with scratch_database(database_host, template_database) as (name, _):
        monkeypatch.setattr("carbon_assets.store.database.upgrade", pytest.fail)
        database_host.open(name)


def test_a_database_of_a_newer_version_is_left_alone(
    database_host: Host, template_database: str
) -> None:
    with scratch_database(database_host, template_database) as (name, database):
        with owner_engine(database).begin() as connection:
            connection.execute(text("UPDATE carbon_alembic_version SET version_num = '9999'"))
        with pytest.raises(StoreError) as caught:
            database_host.open(name)
    assert caught.value.code == "DATABASE_SCHEMA_NEWER"
