"""SQLAlchemy engines, one per address and process."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Engine, create_engine

from carbon_assets.store.database import Database

_ENCODER = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
)


def app_engine(database: Database) -> Engine:
    """Return the cached engine of the application's role."""
    return _engine(database.app_url)


def owner_engine(database: Database) -> Engine:
    """Return the cached engine of the tables' owner; for reference data only."""
    return _engine(database.owner_url)


@contextmanager
def transaction(database: Database) -> Iterator[Connection]:
    """Give a connection of the application's role; commit at the end, roll back on an error."""
    with app_engine(database).begin() as connection:
        yield connection


def dispose_engines(database: Database) -> None:
    """Close the pooled connections to a database, e.g. before it is dropped."""
    for engine in (app_engine(database), owner_engine(database)):
        engine.dispose()


def to_json(value: Any) -> str:
    """Write a value of a JSONB column: sorted keys, no NaN.

    Raises:
        ValueError: For NaN and infinity, which JSON does not know.
    """
    return _ENCODER.encode(value)


@lru_cache(maxsize=16)
def _engine(url: str) -> Engine:
    engine = create_engine(url, json_serializer=to_json, pool_pre_ping=True)
    # A forked child must not write on its parent's sockets: it forgets them unclosed.
    os.register_at_fork(after_in_child=lambda: engine.dispose(close=False))
    return engine
