"""COPY: many rows at once, JSON and NULL kept apart, duplicates skipped when asked."""

from __future__ import annotations

from contextlib import suppress

import pytest
from sqlalchemy import select, text

from carbon_assets.store.copying import copy_new_rows, copy_rows, reserve_ids
from carbon_assets.store.database import Database
from carbon_assets.store.engines import transaction
from carbon_assets.store.models import AssetKey, FileHash, PartitionInputs, Project

DIGESTS = [bytes([n]) * 32 for n in range(3)]


def test_json_null_and_bytes_arrive_as_they_were(fresh_database: Database) -> None:
    document = {"b": [1, None, "ü"], "a": {"x": 0.1}}
    with transaction(fresh_database) as connection:
        written = copy_rows(
            connection,
            PartitionInputs,
            ["digest", "document"],
            [(DIGESTS[0], document), (DIGESTS[1], {})],
        )
        found = connection.execute(
            select(PartitionInputs.digest, PartitionInputs.document).order_by(PartitionInputs.id)
        ).all()
    assert written == 2
    assert [tuple(row) for row in found] == [(DIGESTS[0], document), (DIGESTS[1], {})]


def test_rows_vanish_with_the_transaction(fresh_database: Database) -> None:
    with suppress(RuntimeError), transaction(fresh_database) as connection:
        assert copy_rows(connection, AssetKey, ["key"], [("a",)]) == 1
        raise RuntimeError
    with transaction(fresh_database) as connection:
        assert connection.execute(select(AssetKey.key)).all() == []


def test_nan_is_no_json(fresh_database: Database) -> None:
    with pytest.raises(ValueError, match="JSON compliant"), transaction(fresh_database) as c:
        copy_rows(c, PartitionInputs, ["digest", "document"], [(DIGESTS[0], {"x": float("nan")})])


def test_only_new_rows_are_added(fresh_database: Database) -> None:
    columns = ["digest", "document"]
    with transaction(fresh_database) as connection:
        copy_rows(connection, PartitionInputs, columns, [(DIGESTS[0], {"first": True})])
        added = copy_new_rows(
            connection, PartitionInputs, columns, [(digest, {"first": False}) for digest in DIGESTS]
        )
        again = copy_new_rows(connection, PartitionInputs, columns, [(DIGESTS[2], {})])
        kept = connection.execute(
            select(PartitionInputs.document).where(PartitionInputs.digest == DIGESTS[0])
        ).scalar_one()
    assert (added, again, kept) == (2, 0, {"first": True})


def test_reserved_numbers_are_used_and_not_given_again(fresh_database: Database) -> None:
    with transaction(fresh_database) as connection:
        ids = reserve_ids(connection, AssetKey, 3)
        copy_new_rows(connection, AssetKey, ["id", "key"], [(i, f"asset {i}") for i in ids])
        later = connection.execute(
            text("INSERT INTO asset_keys (key) VALUES ('later') RETURNING id")
        ).scalar_one()
    assert ids == sorted(set(ids))
    assert later not in ids


def test_a_null_json_column_is_sql_null(fresh_database: Database) -> None:
    with transaction(fresh_database) as connection:
        company = connection.execute(
            text("INSERT INTO companies (key, name) VALUES ('c', 'C') RETURNING id")
        ).scalar_one()
        columns = ["company_id", "key", "name", "settings"]
        with pytest.raises(Exception, match="null value in column"):
            copy_rows(connection, Project, columns, [(company, "p", "P", None)])
        connection.rollback()


def test_a_hundred_thousand_rows_take_seconds(fresh_database: Database) -> None:
    columns = ["href", "device", "inode", "size_bytes", "mtime_ns", "content_hash"]
    rows = ((f"/data/{n}.tif", 1, n, 2**40, 2**60, "sha256:" + "0" * 64) for n in range(100_000))
    with transaction(fresh_database) as connection:
        assert copy_rows(connection, FileHash, columns, rows) == 100_000
