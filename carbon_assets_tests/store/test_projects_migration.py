"""Revision 0002 over a database of revision 0001 that is in use: nothing is lost."""

from __future__ import annotations

from functools import partial

import pytest
from sqlalchemy import Connection, text

from carbon_assets.store.database import Database
from carbon_assets.store.engines import dispose_engines, owner_engine, transaction
from carbon_assets.store.migrate import upgrade
from carbon_assets.store.models import PartitionHistory
from carbon_assets_tests.scratch import Host, scratch_database
from carbon_assets_tests.store.samples import add, digest

FILL = """
INSERT INTO companies (key, name) VALUES ('acme', 'Acme');
INSERT INTO projects (company_id, key, name, vintages)
SELECT id, named, named, '{2020}' FROM companies,
    unnest(ARRAY['north', 'São João / 2', '***']) AS named;
INSERT INTO asset_keys (key) VALUES ('farm_metrics');
INSERT INTO partition_inputs (digest, document) VALUES (sha256('a'), '{}');
INSERT INTO partition_history (
    asset_id, farm_id, vintage, inputs_id, upstream, fingerprint, cause, run_id)
SELECT a.id, farm, vintage, i.id, 7, sha256(convert_to(farm || '/' || vintage || '/' || n, 'UTF8')),
    'missing', 'run'
FROM asset_keys AS a, partition_inputs AS i, generate_series(1, 5) AS farm,
    generate_series(2019, 2021) AS vintage, generate_series(1, 2) AS n
ORDER BY n;
INSERT INTO work_lists (purpose) VALUES ('command line');
INSERT INTO work_list_items (work_list_id, farm_id, vintage)
SELECT id, farm, 2020 FROM work_lists, generate_series(1, 5) AS farm;
"""

ROWS = {
    "partition_history": "id, asset_id, {subject}, vintage, inputs_id, upstream, fingerprint,"
    " cause, run_id, recorded_at",
    "partition_state": "asset_id, {subject}, vintage, history_id, inputs_id, upstream, fingerprint,"
    " token",
    "work_list_items": "work_list_id, {subject}, vintage",
}


def contents(connection: Connection, subject: str) -> dict[str, list[tuple[object, ...]]]:
    return {
        table: [
            tuple(row)
            for row in connection.execute(
                text(f"SELECT {columns.format(subject=subject)} FROM {table} ORDER BY 1, 2, 3")
            )
        ]
        for table, columns in ROWS.items()
    }


def test_rows_keys_and_triggers_outlive_the_renaming(
    database_host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        first = partial(upgrade, revision="0001_land_chain")
        patched.setattr("carbon_assets.store.database.upgrade", first)
        with scratch_database(database_host) as (name, old):
            with owner_engine(old).begin() as connection:
                connection.exec_driver_sql(FILL)
                before = contents(connection, "farm_id")
            assert {table: len(rows) for table, rows in before.items()} == {
                "partition_history": 30,
                "partition_state": 15,
                "work_list_items": 5,
            }
            dispose_engines(old)
            patched.undo()
            new = database_host.open(name)
            try:
                check(new, before)
            finally:
                dispose_engines(new)


def check(new: Database, before: dict[str, list[tuple[object, ...]]]) -> None:
    with transaction(new) as connection:
        assert contents(connection, "subject_id") == before
        levels = connection.execute(text("SELECT DISTINCT level FROM work_lists")).scalars()
        assert list(levels) == ["place"]
        keys = connection.execute(text("SELECT partition_key FROM projects ORDER BY id"))
        assert list(keys.scalars()) == ["north-1", "S-o-Jo-o-2-2", "project-3"]
        number = add(
            connection,
            PartitionHistory,
            asset_id=before["partition_state"][0][0],
            subject_id=1,
            vintage=2019,
            inputs_id=before["partition_state"][0][4],
            fingerprint=digest(5),
            cause="geometry",
        )
        query = text(
            "SELECT history_id, fingerprint FROM partition_state WHERE subject_id = 1"
            " AND vintage = 2019"
        )
        assert [tuple(row) for row in connection.execute(query)] == [(number, digest(5))]
        assert connection.execute(text("SELECT count(*) FROM current_farm_metrics")).scalar() == 0
