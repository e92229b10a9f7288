"""Receipts made on a Dask cluster of real processes: the same, or none and a reason."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from distributed import Client, LocalCluster

from carbon_assets.errors import CarbonAssetsError
from carbon_assets.provenance import cluster as spreading
from carbon_assets.provenance.cluster import ADDRESS_VARIABLE, compute_on, fingerprint, work
from carbon_assets.provenance.materialize import compute_here, materialize
from carbon_assets.provenance.parallel import configured_compute
from carbon_assets.provenance.world import CompanyWorld
from carbon_assets.runners.bound import BoundRunner
from carbon_assets.runners.compute import PlaceTask
from carbon_assets.runners.receipts import PartitionReceipts
from carbon_assets.store.database import Database
from carbon_assets.store.engines import transaction
from carbon_assets_tests.provenance.chain import LAND_COVER, count, load, partitions

VINTAGES = [2016, 2019]


@pytest.fixture(scope="module")
def two_workers() -> Iterator[LocalCluster]:
    """Two worker processes."""
    with _cluster(2, processes=True) as cluster:
        yield cluster


def _cluster(workers: int, *, processes: bool) -> LocalCluster:
    return LocalCluster(
        n_workers=workers, threads_per_worker=1, processes=processes, dashboard_address=":0"
    )


@pytest.fixture
def world(shared_computed: Database) -> CompanyWorld:
    return load(shared_computed)


@pytest.fixture
def tasks(shared_computed: Database, world: CompanyWorld) -> list[PlaceTask]:
    with transaction(shared_computed) as connection:
        return world.tasks(connection, world.places)


def alone(bound: BoundRunner, tasks: list[PlaceTask]) -> list[PartitionReceipts]:
    return list(compute_here(bound, tasks, wanted(tasks)))


def wanted(tasks: list[PlaceTask]) -> dict[int, list[int]]:
    return {task.place_id: VINTAGES for task in tasks}


def test_a_cluster_gives_the_receipts_of_one_process(
    two_workers: LocalCluster,
    world: CompanyWorld,
    tasks: list[PlaceTask],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(ADDRESS_VARIABLE, two_workers.scheduler_address)
    compute = configured_compute()
    for bound in world.runners.values():
        expected = alone(bound, tasks)
        assert len(expected) == len(tasks) * len(VINTAGES)
        assert list(compute(bound, tasks[::-1], wanted(tasks))) == expected


def test_the_work_of_a_killed_worker_is_done_again(
    two_workers: LocalCluster, world: CompanyWorld, tasks: list[PlaceTask]
) -> None:
    bound = world.runners[LAND_COVER]
    with Client(two_workers, set_as_default=False) as client:
        made = compute_on(two_workers.scheduler_address)(bound, tasks, wanted(tasks))
        first = next(made)
        victim = next(iter(client.run(os.getpid).values()))
        os.kill(victim, signal.SIGKILL)  # what it has computed so far is lost with it
        assert [first, *made] == alone(bound, tasks)
        assert victim not in client.run(os.getpid).values()


def test_a_chunk_whose_workers_are_gone_writes_nothing(
    imported: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spreading, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(spreading, "PATIENCE_SECONDS", 0.2)
    company = load(imported)
    with _cluster(1, processes=False) as cluster:

        def abandoned(*arguments: Any) -> Iterator[PartitionReceipts]:
            made = compute_on(cluster.scheduler_address)(*arguments)
            yield next(made)
            cluster.sync(cluster.workers[0].close)
            yield from made

        with pytest.raises(CarbonAssetsError) as caught:
            list(materialize(imported, company, LAND_COVER, partitions(company), compute=abandoned))
    assert caught.value.code == "DASK_WORKERS_LOST"
    assert count(imported, "raster_aggregates") == count(imported, "partition_history") == 0


def test_a_cluster_without_workers_is_refused(
    world: CompanyWorld, tasks: list[PlaceTask], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spreading, "CONNECT_SECONDS", 1.0)
    bound = world.runners[LAND_COVER]
    with _cluster(0, processes=False) as empty, pytest.raises(CarbonAssetsError) as caught:
        list(compute_on(empty.scheduler_address)(bound, tasks, wanted(tasks)))
    assert caught.value.code == "DASK_WORKERS_LOST"


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nowhere"])
def test_a_scheduler_that_does_not_answer_is_named(
    address: str, world: CompanyWorld, tasks: list[PlaceTask], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spreading, "CONNECT_SECONDS", 0.5)
    with pytest.raises(CarbonAssetsError) as caught:
        list(compute_on(address)(world.runners[LAND_COVER], tasks, wanted(tasks)))
    assert caught.value.code == "DASK_UNREACHABLE"
    assert caught.value.where == address


@pytest.mark.parametrize("other", ["code", "numerics", "library numpy"])
def test_a_worker_with_other_code_is_refused(
    two_workers: LocalCluster,
    world: CompanyWorld,
    tasks: list[PlaceTask],
    monkeypatch: pytest.MonkeyPatch,
    other: str,
) -> None:
    ours = {**fingerprint("land_cover"), other: "another"}
    monkeypatch.setattr(spreading, "fingerprint", lambda _runner: ours)
    compute = compute_on(two_workers.scheduler_address)
    with pytest.raises(CarbonAssetsError) as caught:
        list(compute(world.runners[LAND_COVER], tasks, wanted(tasks)))
    assert caught.value.code == "DASK_CODE_DIFFERS"
    assert caught.value.what.endswith(f": {other}")


def test_a_worker_that_lacks_the_runner_is_refused_before_anything_is_unpacked() -> None:
    with pytest.raises(CarbonAssetsError) as caught:
        work("of the future", {"code": "newer"}, b"cannot be unpacked")
    assert caught.value.code == "DASK_CODE_DIFFERS"


def test_a_worker_that_sees_another_file_is_refused(
    world: CompanyWorld, tasks: list[PlaceTask], monkeypatch: pytest.MonkeyPatch
) -> None:
    bound = world.runners[LAND_COVER]
    (packed,) = spreading._batches(bound, tasks, wanted(tasks), 1)
    expected = fingerprint("land_cover")
    assert work("land_cover", expected, packed) == alone(bound, tasks)
    touched = [replace(file, content_hash="sha256:other") for file in spreading._local_files(bound)]
    monkeypatch.setattr(spreading, "_local_files", lambda _bound: touched)
    assert work("land_cover", expected, packed), "the same size and time is taken for the same"
    monkeypatch.setattr(spreading, "_stamp", lambda _path: (1, 1))
    with pytest.raises(CarbonAssetsError) as caught:
        work("land_cover", expected, packed)
    assert caught.value.code == "DASK_RASTER_DIFFERS"
    monkeypatch.undo()
    monkeypatch.setattr(spreading, "_stamp", lambda _path: (1, 1))
    assert work("land_cover", expected, packed), "an equal copy of another date will do"
