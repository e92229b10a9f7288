"""Spreading a chunk's places over a Dask cluster; the receipts are the same, bit for bit.

Workers get polygons and the description of the rasters, open the rasters themselves, and give
receipts back. Nothing is written by them: the run that asked commits a chunk when all of it has
arrived, or nothing. A receipt states the code and the bytes that it was made from, so a worker
with other code, other arithmetic or another file under the same address is refused.
"""

from __future__ import annotations

import pickle
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from socket import gethostname
from typing import TYPE_CHECKING

from carbon_assets.errors import ProvenanceError, RasterError
from carbon_assets.provenance.expectation import code_of
from carbon_assets.provenance.materialize import Compute, compute_here
from carbon_assets.provenance.probe import numerics_probe
from carbon_assets.provenance.record import libraries
from carbon_assets.rasters.hashing import content_hash, file_stamp
from carbon_assets.rasters.reader import RasterFile
from carbon_assets.runners.all_runners import RUNNERS, runner_named
from carbon_assets.runners.bound import BoundRunner
from carbon_assets.runners.compute import PlaceTask, in_block_order
from carbon_assets.runners.receipts import PartitionReceipts

if TYPE_CHECKING:
    from distributed import Client, Future

Stamp = tuple[int, int]
"""Size and modification time of a file: what of a stamp means the same on every machine."""

ADDRESS_VARIABLE = "CARBON_DASK_ADDRESS"
"""Environment variable with the address of a Dask scheduler, e.g. ``tcp://10.0.0.5:8786``."""

CONNECT_SECONDS = 30.0
"""How long the scheduler, and a first worker, are waited for."""
LOOK_SECONDS = 2.0
"""How often it is looked whether any worker is left."""
PATIENCE_SECONDS = 120.0
"""How long a cluster without any worker is given to start one."""
BATCHES_PER_THREAD = 4
"""So that one large place does not keep the other workers waiting at the end."""


def compute_on(address: str) -> Compute:
    """Return a way of computing chunks on a Dask cluster.

    Args:
        address: Address of the scheduler.

    Returns:
        A way of computing that raises ``DASK_MISSING``, ``DASK_UNREACHABLE``,
        ``DASK_WORKERS_LOST``, ``DASK_CODE_DIFFERS``, ``DASK_RASTER_DIFFERS`` and what
        computing in this process raises.
    """

    def compute(
        bound: BoundRunner, places: Sequence[PlaceTask], vintages: Mapping[int, Sequence[int]]
    ) -> Iterator[PartitionReceipts]:
        with _client(address) as client:
            runner = bound.runner.name
            identity = fingerprint(runner)
            count = sum(client.nthreads().values()) * BATCHES_PER_THREAD
            # Dask begins the work of a worker that died again; an error of the work itself
            # would come again.
            futures = [
                client.submit(work, runner, identity, batch, pure=False)
                for batch in _batches(bound, places, vintages, count)
            ]
            for future in futures:
                yield from _result(client, address, future)

    return compute


@contextmanager
def _client(address: str) -> Iterator[Client]:
    """Connect, and forget all that was asked for at the end, whether it was done or not."""
    try:
        from distributed import Client
    except ImportError as missing:
        raise ProvenanceError(
            "DASK_MISSING",
            f"{ADDRESS_VARIABLE} is set, but Dask is not installed",
            do='install the extra: pip install "carbon-assets[dask]"',
        ) from missing
    try:
        client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as silent:
        raise ProvenanceError(
            "DASK_UNREACHABLE",
            f"no Dask scheduler answers: {silent}",
            where=address,
            do=f"start the scheduler, or correct or unset {ADDRESS_VARIABLE}",
        ) from silent
    with client:
        try:
            client.wait_for_workers(1, timeout=CONNECT_SECONDS)
        except TimeoutError as none:
            raise _lost(address, "the cluster has no workers") from none
        yield client


def _batches(
    bound: BoundRunner,
    places: Sequence[PlaceTask],
    vintages: Mapping[int, Sequence[int]],
    count: int,
) -> Iterator[bytes]:
    """Pickled by ourselves: a worker compares the code before it unpacks objects of it."""
    ordered = in_block_order(bound, places)
    sources = dict(bound.sources)
    stamps = {path: _stamp(path) for path in {_path(file) for file in _local_files(bound)}}
    size = max(1, -(-len(ordered) // count))
    for start in range(0, len(ordered), size):
        batch = ordered[start : start + size]
        wanted = {place.place_id: list(vintages[place.place_id]) for place in batch}
        yield pickle.dumps((sources, batch, wanted, stamps))


def _result(client: Client, address: str, future: Future) -> list[PartitionReceipts]:
    """Wait for a batch as long as there is hope of a worker that does it."""
    from distributed import CancelledError, KilledWorker

    seen = time.monotonic()
    while True:
        try:
            made: list[PartitionReceipts] = future.result(timeout=LOOK_SECONDS)
        except TimeoutError:
            if future.status == "error":  # the work itself ran into a timeout
                raise
            if future.done():  # in the moment between waiting and asking
                continue
            if client.status == "running" and client.nthreads():
                seen = time.monotonic()
            elif time.monotonic() - seen > PATIENCE_SECONDS:
                raise _lost(address, "no worker is left") from None
        except (KilledWorker, CancelledError) as lost:
            raise _lost(address, f"the work was lost: {lost}") from lost
        else:
            return made


def _lost(address: str, what: str) -> ProvenanceError:
    return ProvenanceError(
        "DASK_WORKERS_LOST",
        what,
        where=address,
        do="look at the workers' logs (memory, most often), then run again: the chunks that are "
        "committed stand, nothing of this one was written",
    )


def fingerprint(runner: str) -> dict[str, str]:
    """What must be the same here and on a worker: code, arithmetic, versions of libraries."""
    return {
        "code": code_of(runner_named(runner)),
        "numerics": numerics_probe(),
        **{f"library {name}": version for name, version in libraries().items()},
    }


def work(runner: str, expected: Mapping[str, str], packed: bytes) -> list[PartitionReceipts]:
    """Compute a batch on a worker, from its own view of the rasters.

    Args:
        runner: Name of the runner.
        expected: :func:`fingerprint` of who asks.
        packed: The batch.

    Raises:
        ProvenanceError: ``DASK_CODE_DIFFERS``.
        RasterError: ``DASK_RASTER_DIFFERS``, and what computing raises.
    """
    _require_same_code(runner, expected)
    sources, places, vintages, stamps = pickle.loads(packed)  # noqa: S301 - of our own run
    bound = BoundRunner(runner_named(runner), sources)
    made = list(compute_here(bound, places, vintages))
    read = {asset_id for one in made for asset_id, _ in one.inputs}
    for file in _local_files(bound):
        if file.asset_id in read:
            _require_same_bytes(file, stamps)
    return made


def _require_same_code(runner: str, expected: Mapping[str, str]) -> None:
    known = any(one.name == runner for one in RUNNERS)
    found = fingerprint(runner) if known else {}
    differing = sorted(name for name in expected if expected[name] != found.get(name))
    if differing:
        raise ProvenanceError(
            "DASK_CODE_DIFFERS",
            f"a worker is not like the run that asks: {', '.join(differing)}",
            where=f"worker on {gethostname()}",
            do="install the same version of carbon-assets and of its libraries on all workers",
            details={"expected": dict(expected), "found": found},
        )


def _require_same_bytes(file: RasterFile, stamps: Mapping[str, Stamp]) -> None:
    """Refuse a file whose bytes are not those that its receipts will name.

    A file of the same size and time is taken for the same, as everywhere; another is hashed.
    """
    path = _path(file)
    stamp = _stamp(path)
    if stamp != stamps[path] and _hashed(path, stamp) != file.content_hash:
        raise RasterError(
            "DASK_RASTER_DIFFERS",
            f"a worker reads other bytes under this address: not {file.content_hash}",
            where=f"{path} on {gethostname()}",
            do="let all workers see the same files: a shared folder, or equal copies",
        )


@lru_cache(maxsize=10_000)
def _hashed(path: str, _stamp: Stamp) -> str:
    return content_hash(path)


def _stamp(path: str) -> Stamp:
    stamp = file_stamp(path)
    return stamp.size_bytes, stamp.mtime_ns


def _local_files(bound: BoundRunner) -> list[RasterFile]:
    files = (one.file for source in bound.sources.values() for one in source.files)
    return [file for file in files if not file.is_remote]


def _path(file: RasterFile) -> str:
    return file.copy or file.href
