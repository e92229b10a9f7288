"""Runs of the whole chain, Dagster included, in processes that are killed and started again.

The process is forked: it is as real as any other, and starts at once.
"""

from __future__ import annotations

import random
import signal
from collections import Counter
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import dagster as dg
from sqlalchemy import text

from carbon_assets.orchestration.event_storage import latest_versions
from carbon_assets.orchestration.instance import open_instance
from carbon_assets.orchestration.refresh import bring_up_to_date
from carbon_assets.orchestration.store import CarbonStore
from carbon_assets.provenance import materialize as materializing
from carbon_assets.provenance.announce import unannounced
from carbon_assets.provenance.expectation import expect
from carbon_assets.provenance.graph import GRAPH
from carbon_assets.provenance.status import stale_partitions
from carbon_assets.provenance.world import load_companies
from carbon_assets.store.database import Database
from carbon_assets.store.engines import transaction

_FORK = get_context("fork")


class Victim:
    """A process that brings everything up to date in small chunks, and says when it commits."""

    def __init__(self, database: Database, home: Path, chunk: int) -> None:
        self._commits, told = _FORK.Pipe(duplex=False)
        self._process = _FORK.Process(target=_run, args=(database, home, chunk, told))
        self._process.start()
        told.close()

    def kill_after(self, commits: int, seconds: float) -> bool:
        """Wait for some commits, then some seconds, and send SIGKILL; return whether it hit."""
        for _ in range(commits):
            if self._next() is None:
                break
        self._process.join(seconds)
        self._process.kill()
        self._process.join()
        return self._process.exitcode == -signal.SIGKILL

    def finish(self) -> int:
        """Wait for the end; return the exit code."""
        while self._next() is not None:
            pass
        self._process.join()
        return self._process.exitcode or 0

    def _next(self) -> str | None:
        try:
            asset: str = self._commits.recv()
        except EOFError:
            return None
        return asset


def _run(database: Database, home: Path, chunk: int, told: Connection) -> None:
    materializing.CHUNK_PARTITIONS = chunk
    newest = _newest(database)

    def tell(asset: str, _done: int, _total: int) -> None:
        # What an earlier process has committed passes by again, to be told to Dagster.
        nonlocal newest
        before, newest = newest, _newest(database)
        if newest > before:
            told.send(asset)

    with open_instance(database, home) as instance:
        bring_up_to_date(CarbonStore(database, progress=tell), instance)


def _newest(database: Database) -> int:
    with transaction(database) as connection:
        query = text("SELECT coalesce(max(id), 0) FROM partition_history")
        return int(connection.execute(query).scalar_one())


@dataclass
class Ordeal:
    """A run that is killed at random points until it has suffered enough.

    Attributes:
        database: Where the portfolio is imported and nothing computed.
        home: Dagster home.
        chunk: Partitions that are committed together.
        pause: Longest time between a commit and a kill, seconds.
        seed: Of the random points.
        starts: Processes that were started.
        remaining: Stale partitions found after each kill.
    """

    database: Database
    home: Path
    chunk: int
    pause: float
    seed: int
    starts: int = 0
    remaining: list[int] = field(default_factory=list)

    def suffer(self, kills: int) -> int:
        """Kill until it has hit this often, or nothing is left to do; return the hits.

        The work that is left is shared out among the kills that are left, so that they lie over
        the whole run; some come before the first commit of a process.
        """
        chance = random.Random(self.seed)
        left = outstanding(self.database)
        hits = 0
        while hits < kills and left:
            pace = left / self.chunk / (kills - hits)
            victim = self._start()
            hits += victim.kill_after(
                int(chance.uniform(0, 2 * pace)), chance.uniform(0, self.pause)
            )
            left = outstanding(self.database)
            self.remaining.append(left)
        return hits

    def recover(self) -> int:
        """Let it run to its end; return the exit code."""
        return self._start().finish()

    def _start(self) -> Victim:
        self.starts += 1
        return Victim(self.database, self.home, self.chunk)


def outstanding(database: Database) -> int:
    """Number of stale partitions."""
    with transaction(database) as connection:
        worlds = load_companies(connection)
        return len(stale_partitions(connection, worlds, expect(worlds)))


_NUMBERS = {
    "raster_aggregates": (
        "SELECT f.key, r.vintage_year, r.runner_key, r.metric_code, r.aggregate_method,"
        " r.stratum_filter::text, r.value, r.histogram::text, r.pixel_count, r.covered_area_ha,"
        " r.uncertainty_pct_ci95, r.inputs_fingerprint"
        " FROM raster_aggregates AS r JOIN farms AS f ON f.id = r.geometry_id"
    ),
    "farm_metrics": (
        "SELECT f.key, m.vintage_year, m.metric_code, m.stratum_filter::text, m.value_canonical,"
        " m.value_min_canonical, m.valid_share, m.inputs_fingerprint"
        " FROM farm_metrics AS m JOIN farms AS f ON f.id = m.farm_id"
    ),
}


def numbers(database: Database) -> dict[str, Counter[tuple[Any, ...]]]:
    """All rows ever written, current or not, without what a clock or a sequence gave them."""
    with transaction(database) as connection:
        return {
            table: Counter(tuple(row) for row in connection.execute(text(query)))
            for table, query in _NUMBERS.items()
        }


def twice_recorded(database: Database) -> int:
    """Partitions that became current more than once."""
    query = (
        "SELECT count(*) FROM (SELECT 1 FROM partition_history"
        " GROUP BY asset_id, subject_id, vintage HAVING count(*) > 1) AS double"
    )
    with transaction(database) as connection:
        return int(connection.execute(text(query)).scalar_one())


def untold(database: Database, instance: dg.DagsterInstance) -> int:
    """Partitions whose current version is not the one that Dagster knows, or is not noted so."""
    missing = 0
    with transaction(database) as connection:
        for asset in (node.key for node in GRAPH):
            current = _current(connection, asset)
            told = latest_versions(instance, dg.AssetKey(asset.split("/")), current)
            missing += sum(
                key not in told or told[key].data_version != mark for key, mark in current.items()
            )
            missing += len(unannounced(connection, asset))
    return missing


def _current(connection: Any, asset: str) -> dict[str, str]:
    query = text(
        "SELECT coalesce(f.partition_key, p.partition_key) || '|' || s.vintage AS key,"
        " 'sha256:' || encode(s.fingerprint, 'hex') AS mark"
        " FROM partition_state AS s JOIN asset_keys AS a ON a.id = s.asset_id"
        " LEFT JOIN farms AS f ON f.id = s.subject_id AND a.key <> 'project_metrics'"
        " LEFT JOIN projects AS p ON p.id = s.subject_id AND a.key = 'project_metrics'"
        " WHERE a.key = :asset"
    )
    return {row.key: row.mark for row in connection.execute(query, {"asset": asset})}
