"""Spreading a chunk's places over processes; the receipts are the same, bit for bit."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from carbon_assets.errors import ProvenanceError
from carbon_assets.provenance.cluster import ADDRESS_VARIABLE, compute_on
from carbon_assets.provenance.materialize import Compute, compute_here
from carbon_assets.rasters.registered import RegisteredSource
from carbon_assets.runners.all_runners import runner_named
from carbon_assets.runners.bound import BoundRunner
from carbon_assets.runners.compute import PlaceTask, in_block_order
from carbon_assets.runners.receipts import PartitionReceipts

WORKERS_VARIABLE = "CARBON_WORKERS"
"""Environment variable with the number of processes that compute receipts; 1 if unset."""

BATCHES_PER_WORKER = 4
"""So that one large place does not keep the other workers waiting at the end."""


def configured_compute() -> Compute:
    """Return the way of computing that the environment asks for.

    On the cluster that ``CARBON_DASK_ADDRESS`` names; otherwise in as many processes as
    ``CARBON_WORKERS`` says.

    Raises:
        ProvenanceError: ``WORKERS_INVALID`` if it is not a positive whole number.
    """
    if address := os.environ.get(ADDRESS_VARIABLE):
        return compute_on(address)
    given = os.environ.get(WORKERS_VARIABLE, "1")
    if not (given.isascii() and given.isdigit() and int(given)):
        raise ProvenanceError(
            "WORKERS_INVALID",
            f"{given!r} is not a number of workers",
            where=WORKERS_VARIABLE,
            do="set it to a positive whole number, or unset it to compute in one process",
        )
    return compute_with(int(given))


def compute_with(workers: int) -> Compute:
    """Return a way of computing chunks with a number of processes.

    Each process works through places that lie together, with datasets and block cache of its
    own. One worker means this process.

    Raises:
        ValueError: For less than one worker.
    """
    if workers < 1:
        raise ValueError("at least one worker is needed")
    if workers == 1:
        return compute_here

    def compute(
        bound: BoundRunner, places: Sequence[PlaceTask], vintages: Mapping[int, Sequence[int]]
    ) -> Iterator[PartitionReceipts]:
        ordered = in_block_order(bound, places)
        size = -(-len(ordered) // (workers * BATCHES_PER_WORKER))
        batches = [ordered[i : i + size] for i in range(0, len(ordered), size)]
        # Not forked: this process may hold database connections and threads.
        with ProcessPoolExecutor(min(workers, len(batches)), get_context("forkserver")) as pool:
            jobs = [
                pool.submit(
                    _compute_batch,
                    bound.runner.name,
                    dict(bound.sources),
                    batch,
                    {place.place_id: list(vintages[place.place_id]) for place in batch},
                )
                for batch in batches
            ]
            for job in jobs:
                yield from job.result()

    return compute


def _compute_batch(
    runner: str,
    sources: Mapping[str, RegisteredSource],
    places: Sequence[PlaceTask],
    vintages: Mapping[int, Sequence[int]],
) -> list[PartitionReceipts]:
    """Work of one process; runners are found by name, as functions cannot be sent."""
    return list(compute_here(BoundRunner(runner_named(runner), sources), places, vintages))
