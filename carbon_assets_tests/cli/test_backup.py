"""A backup of the finished demo, and what stands in a database after its restore."""

from __future__ import annotations

import secrets
import stat
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import text

from carbon_assets.cli.backup import _dagster_tables
from carbon_assets.errors import StoreError
from carbon_assets.store.backup import archive, restoring
from carbon_assets.store.backup.archive import Manifest
from carbon_assets.store.backup.restoring import Restoring, check, restore
from carbon_assets.store.backup.saving import save
from carbon_assets.store.database import Database, locate_database, open_database
from carbon_assets.store.engines import dispose_engines, owner_engine, transaction
from carbon_assets.store.migrate import HEAD, upgrade
from carbon_assets_tests.cli.command import carbon, environment
from carbon_assets_tests.cli.conftest import Demo
from carbon_assets_tests.scratch import Host
from carbon_assets_tests.store.catalog import describe
from carbon_assets_tests.store.processes import scratch_home


@pytest.fixture
def saved(demo: Demo, tmp_path: Path) -> Path:
    carbon("database", "backup", tmp_path / "backup.zip")
    return tmp_path / "backup.zip"


@pytest.fixture
def empty(database_host: Host, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """A database without any table, on the server of the tests, as an external one."""
    with empty_database(database_host, monkeypatch) as database:
        yield database


@contextmanager
def empty_database(host: Host, patch: pytest.MonkeyPatch) -> Iterator[Database]:
    name = f"carbon_test_{secrets.token_hex(6)}"
    with host.admin() as connection:
        owner = sql.Identifier(host.owner())
        connection.execute(
            sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), owner)
        )
    with patch.context() as unmigrated:
        unmigrated.setattr("carbon_assets.store.database.is_current", lambda _: True)
        database = host.open(name)
    yield database
    dispose_engines(database)
    with host.admin() as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def digests(manifest: Manifest) -> dict[str, tuple[int, str]]:
    return {one.member: (one.rows, one.sha256) for one in manifest.tables}


def facts(database: Database) -> dict[str, Any]:
    """Rules, rights and what reports read."""
    reports = text("SELECT count(*), sum(total_carbon_stock_tc) FROM marts.farm_metrics_wide")
    rights = text(
        "SELECT n.nspname || '.' || c.relname, c.relowner::regrole::text, c.relacl::text"
        " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname IN ('public', 'dagster', 'marts') AND c.relkind IN ('r', 'v', 'S')"
    )
    triggers = text(
        "SELECT tgrelid::regclass::text, tgname, tgenabled FROM pg_trigger"
        " WHERE NOT tgisinternal ORDER BY 1, 2"
    )
    with owner_engine(database).connect() as connection:
        return {
            "schema": describe(connection),
            "rights": {tuple(row) for row in connection.execute(rights)},
            "triggers": [tuple(row) for row in connection.execute(triggers)],
            "reports": tuple(connection.execute(reports).one()),
        }


def require_guarded(database: Database) -> None:
    """The owner of the tables cannot change a receipt either, and numbering goes on."""
    for statement in (
        "UPDATE raster_aggregates SET runner_key = runner_key",
        "DELETE FROM partition_history",
        "TRUNCATE partition_state",
    ):
        with owner_engine(database).connect() as connection, pytest.raises(Exception) as refused:
            connection.execute(text(statement))
        assert isinstance(getattr(refused.value, "orig", None), psycopg.errors.RestrictViolation)
    with transaction(database) as connection:
        added = connection.execute(
            text("INSERT INTO work_lists (purpose) VALUES ('x') RETURNING id")
        )
        highest = connection.execute(text("SELECT max(id) FROM work_lists"))
        assert added.scalar_one() == highest.scalar_one()


def test_everything_is_there_again(saved: Path, demo: Demo, tmp_path: Path) -> None:
    original = facts(demo.database())
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    with scratch_home() as home, environment(home):
        told = carbon("database", "restore", saved, "--json").document()
        assert told["rows"] == check(saved).rows > 1_000
        restored = open_database()
        assert facts(restored) == original
        again = save(restored, tmp_path / "again.zip")
        assert digests(again) == digests(check(saved))
        assert again.sequences == check(saved).sequences
        assert carbon("status", "--check", "--json").document()["total"]["stale"] == 0
        checked = carbon("reproduce", "--all", "--json").document()
        assert checked["checked"] == checked["equal"] > 0
        # Nothing is computed again, and Dagster goes on with its own record.
        assert carbon("run", demo.portfolio, "--json").document()["run"]["run_id"] is None
        require_guarded(restored)
        refused = carbon("database", "restore", saved, status=1)
        assert refused.stderr.startswith("RESTORE_NOT_EMPTY")
        dispose_engines(restored)


def test_on_another_server_and_in_one_transaction(
    saved: Path, empty: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = Restoring(empty, _dagster_tables)
    with monkeypatch.context() as broken:
        broken.setattr(restoring, "_load_table", _failing_at("farm_metrics"))
        with pytest.raises(KeyboardInterrupt):
            restore(saved, target)
    with transaction(empty) as connection:
        assert connection.execute(text("SELECT count(*) FROM companies")).scalar_one() == 0
    restore(saved, target)
    with transaction(empty) as connection:
        assert connection.execute(text("SELECT count(*) FROM companies")).scalar_one() == 1
    require_guarded(empty)


def _failing_at(name: str) -> Any:
    load = restoring._load_table

    def interrupted(connection: Any, archive: Any, saved: Any, table: Any) -> None:
        if table.name == name:
            raise KeyboardInterrupt
        load(connection, archive, saved, table)

    return interrupted


def test_a_damaged_file_is_refused_before_a_database_is_touched(
    saved: Path, tmp_path: Path
) -> None:
    damaged = tmp_path / "damaged.zip"
    with zipfile.ZipFile(saved) as source, zipfile.ZipFile(damaged, "w") as target:
        for member in source.namelist():
            content = source.read(member)
            target.writestr(member, content[:-2] if member == "public/farms.copy" else content)
    home = tmp_path / "untouched"
    with environment(home):
        said = carbon("database", "restore", damaged, status=1).stderr
        assert said.startswith("BACKUP_DAMAGED: Table public.farms")
        assert carbon("database", "restore", saved, "--dry-run", "--json").document()["rows"] > 0
    assert not home.exists()


def test_what_is_no_backup_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "text.zip").write_text("no")
    for name, code in (("none.zip", "BACKUP_MISSING"), ("text.zip", "BACKUP_UNREADABLE")):
        with pytest.raises(StoreError) as refused:
            check(tmp_path / name)
        assert refused.value.code == code
    manifest = Manifest("2026-01-01T00:00:00Z", "9.0", "18", "9999_later", (), {})
    with archive.writing(tmp_path / "later.zip") as writer:
        writer.close_with(manifest)
    with pytest.raises(StoreError) as refused:
        check(tmp_path / "later.zip")
    assert refused.value.code == "BACKUP_NEWER"
    for name, code in (("later.zip", "BACKUP_EXISTS"), ("none/a.zip", "BACKUP_UNWRITABLE")):
        with pytest.raises(StoreError) as refused, archive.writing(tmp_path / name):
            pytest.fail("must not begin")
        assert refused.value.code == code
    assert sorted(path.name for path in tmp_path.iterdir()) == ["later.zip", "text.zip"]


def test_a_table_that_has_no_place_here_is_named(
    saved: Path, tmp_path: Path, empty: Database
) -> None:
    other = tmp_path / "other.zip"
    with zipfile.ZipFile(saved) as source, zipfile.ZipFile(other, "w") as target:
        for member in source.namelist():
            content = source.read(member)
            if member == archive.MANIFEST:
                content = content.replace(b'"name": "run_tags"', b'"name": "run_tagz"')
            target.writestr(member.replace("run_tags", "run_tagz"), content)
    with pytest.raises(StoreError) as refused:
        restore(other, Restoring(empty, _dagster_tables))
    assert refused.value.code == "RESTORE_SCHEMA_DIFFERS"
    assert "dagster.run_tagz" in refused.value.what


def test_locating_leaves_a_database_as_it_is(
    empty: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with environment(tmp_path, empty):
        located = locate_database()
    with owner_engine(located).connect() as connection:
        found = connection.execute(text("SELECT count(*) FROM pg_tables WHERE schemaname='public'"))
        assert found.scalar_one() == 0
    dispose_engines(located)


def test_a_backup_of_an_older_version_is_upgraded(
    database_host: Host, empty: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with empty_database(database_host, monkeypatch) as old:
        upgrade(old.owner_url, "0001_land_chain")
        with transaction(old) as connection:
            connection.execute(text("INSERT INTO companies (key, name) VALUES ('c', 'C')"))
        assert save(old, tmp_path / "old.zip").revision == "0001_land_chain"
    restore(tmp_path / "old.zip", Restoring(empty, _dagster_tables))
    with owner_engine(empty).connect() as connection:
        revision = text("SELECT version_num FROM carbon_alembic_version")
        assert connection.execute(revision).scalar_one() == HEAD
        names = connection.execute(text("SELECT key FROM companies")).scalars().all()
    assert list(names) == ["c"]
    with pytest.raises(StoreError) as refused:
        restore(tmp_path / "old.zip", Restoring(empty, _dagster_tables))
    assert refused.value.code == "RESTORE_NOT_EMPTY"
    assert f"schema {HEAD}" in refused.value.what
