"""Conditions that queries share."""

from __future__ import annotations

from sqlalchemy import insert, select

from carbon_assets.store.database import Database
from carbon_assets.store.engines import transaction
from carbon_assets.store.models import AssetKey, PartitionInputs
from carbon_assets.store.queries import among


def test_more_values_than_a_statement_has_parameters(fresh_database: Database) -> None:
    with transaction(fresh_database) as connection:
        connection.execute(insert(AssetKey), [{"key": "a"}, {"key": "b"}])
        numbers = range(1, 70_000)
        query = select(AssetKey.key).where(among(AssetKey.id, [1, 2]), among(AssetKey.key, ["b"]))
        assert connection.execute(query).scalars().all() == ["b"]
        inputs = {"digest": bytes(32), "document": {}}
        number = connection.execute(insert(PartitionInputs).values(inputs)).inserted_primary_key[0]
        many = select(PartitionInputs.id).where(among(PartitionInputs.id, numbers))
        assert connection.execute(many).scalars().all() == [number]
        marks = select(PartitionInputs.id).where(among(PartitionInputs.digest, [bytes(32)]))
        assert connection.execute(marks).scalars().all() == [number]


def test_no_value_is_no_row(fresh_database: Database) -> None:
    with transaction(fresh_database) as connection:
        connection.execute(insert(AssetKey).values(key="a"))
        assert connection.execute(select(AssetKey.id).where(among(AssetKey.id, []))).all() == []
