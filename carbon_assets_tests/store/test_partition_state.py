"""The state of a partition is its newest history row, also under concurrency."""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence

import pytest
from sqlalchemy import Connection, insert, select, text

from carbon_assets.store.copying import copy_rows
from carbon_assets.store.database import Database
from carbon_assets.store.engines import app_engine, owner_engine, transaction
from carbon_assets.store.models import (
    AssetKey,
    FarmMetric,
    PartitionHistory,
    PartitionInputs,
    PartitionState,
    RasterAggregate,
)
from carbon_assets_tests.store.samples import add, add_history, digest, receipt, write_sample

COLUMNS = ["asset_id", "subject_id", "vintage", "inputs_id", "fingerprint", "cause"]


@pytest.fixture
def asset(fresh_database: Database) -> tuple[int, int]:
    """Numbers of an asset and of an input document."""
    with transaction(fresh_database) as c:
        return add(c, AssetKey, key="a"), add(c, PartitionInputs, digest=digest(0), document={})


def state(c: Connection) -> dict[int, tuple[bytes, int]]:
    """Return fingerprint and history row per farm."""
    rows = c.execute(
        select(PartitionState.subject_id, PartitionState.fingerprint, PartitionState.history_id)
    )
    return {farm: (fingerprint, number) for farm, fingerprint, number in rows}


def rows(asset: tuple[int, int], farms: Sequence[int], n: int) -> list[tuple[object, ...]]:
    return [(asset[0], farm, 2020, asset[1], digest(n), "test") for farm in farms]


def test_there_and_back_is_three_history_rows(
    fresh_database: Database, asset: tuple[int, int]
) -> None:
    with transaction(fresh_database) as c:
        numbers = [add_history(c, asset[0], 7, asset[1], n) for n in (1, 2, 1)]
        assert state(c) == {7: (digest(1), numbers[2])}
        history = c.execute(
            select(PartitionHistory.fingerprint).order_by(PartitionHistory.id)
        ).scalars()
        assert list(history) == [digest(1), digest(2), digest(1)]


def test_the_last_row_of_a_statement_wins(fresh_database: Database, asset: tuple[int, int]) -> None:
    batch = [row for n in (3, 1, 2) for row in rows(asset, [5, 4], n)]
    with transaction(fresh_database) as c:
        copy_rows(c, PartitionHistory, COLUMNS, batch)
        assert {farm: found[0] for farm, found in state(c).items()} == {4: digest(2), 5: digest(2)}
    with transaction(fresh_database) as c:
        c.execute(
            insert(PartitionHistory).values([dict(zip(COLUMNS, r, strict=True)) for r in batch])
        )
        newest = c.execute(
            text("SELECT max(id) FROM partition_history WHERE subject_id = 4")
        ).scalar()
        assert state(c)[4] == (digest(2), newest)


def test_a_late_lower_number_does_not_turn_the_state_back(
    fresh_database: Database, asset: tuple[int, int]
) -> None:
    with transaction(fresh_database) as c:
        first = add_history(c, asset[0], 7, asset[1], 1)
        add_history(c, asset[0], 8, asset[1], 1)
    with owner_engine(fresh_database).begin() as c:
        for number, farm in ((first + 100, 7), (first + 50, 7)):
            c.execute(
                text(
                    "INSERT INTO partition_history"
                    " (id, asset_id, subject_id, vintage, inputs_id, fingerprint, cause)"
                    " OVERRIDING SYSTEM VALUE VALUES (:id, :a, :farm, 2020, :i, :f, 'test')"
                ),
                {"id": number, "a": asset[0], "farm": farm, "i": asset[1], "f": digest(9)},
            )
        assert state(c)[7][1] == first + 100


def test_a_second_writer_waits_and_then_wins(
    fresh_database: Database, asset: tuple[int, int]
) -> None:
    engine = app_engine(fresh_database)
    done = threading.Event()

    def second() -> None:
        with engine.begin() as c:
            add_history(c, asset[0], 7, asset[1], 2)
        done.set()

    with engine.begin() as c:
        add_history(c, asset[0], 7, asset[1], 1)
        other = threading.Thread(target=second)
        other.start()
        assert not done.wait(0.3)
    other.join(10)
    with engine.connect() as c:
        assert state(c)[7][0] == digest(2)


def test_writers_in_opposite_order_do_not_deadlock(
    fresh_database: Database, asset: tuple[int, int]
) -> None:
    engine = app_engine(fresh_database)
    errors: list[Exception] = []

    def write(seed: int) -> None:
        order = random.Random(seed)
        try:
            for n in range(10):
                farms = order.sample(range(200), 200)
                with engine.begin() as c:
                    copy_rows(c, PartitionHistory, COLUMNS, rows(asset, farms, n))
        except Exception as error:  # noqa: BLE001 - handed to the test's thread
            errors.append(error)

    writers = [threading.Thread(target=write, args=(seed,)) for seed in (1, 2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert errors == []
    with engine.connect() as c:
        stale = c.execute(
            text(
                "SELECT count(*) FROM partition_state s JOIN (SELECT subject_id, max(id) AS id"
                " FROM partition_history GROUP BY subject_id) h USING (subject_id)"
                " WHERE s.history_id <> h.id"
            )
        ).scalar_one()
        assert (len(state(c)), stale) == (200, 0)


def test_the_views_show_what_is_current(fresh_database: Database) -> None:
    sample = write_sample(fresh_database)
    asset = sample.asset_keys["raster_aggregates/biomass"]

    def current(c: Connection, view: str) -> list[int]:
        return list(c.execute(text(f"SELECT id FROM {view} ORDER BY id")).scalars())

    with transaction(fresh_database) as c:
        values = receipt((sample.company, sample.farm), sample.source, 2)
        second = c.execute(
            insert(RasterAggregate).values(**values).returning(RasterAggregate.id)
        ).scalar_one()
        assert current(c, "current_raster_aggregates") == [sample.receipt]
        add_history(c, asset, sample.farm, sample.inputs, 2)
        assert current(c, "current_raster_aggregates") == [second]
        add_history(c, asset, sample.farm, sample.inputs, 1)
        assert current(c, "current_raster_aggregates") == [sample.receipt]
        assert current(c, "current_farm_metrics") == []
        add_history(c, sample.asset_keys["farm_metrics"], sample.farm, sample.inputs, 1)
        assert current(c, "current_farm_metrics") == [sample.metric]


def test_a_receipt_of_another_runner_is_not_current(fresh_database: Database) -> None:
    sample = write_sample(fresh_database)
    values = receipt((sample.company, sample.farm), sample.source, 1, aggregate_method="sum")
    with transaction(fresh_database) as c:
        c.execute(insert(RasterAggregate).values(**values | {"runner_key": "land_cover.mapbiomas"}))
        found = c.execute(text("SELECT id FROM current_raster_aggregates")).scalars()
        assert list(found) == [sample.receipt]
        assert c.execute(select(FarmMetric.id)).scalars().all() == [sample.metric]
