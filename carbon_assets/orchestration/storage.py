"""Dagster's storage in the database of carbon-assets, and how its address is found.

``dagster.yaml`` names :class:`CarbonStorage` and nothing secret. The storage looks for its URL

1. in the environment variable ``CARBON_DAGSTER_URL``, which
   :func:`carbon_assets.orchestration.instance.open_instance` sets for the processes that
   Dagster starts;
2. otherwise from :func:`carbon_assets.store.database.open_database`, which starts the embedded
   server of ``CARBON_HOME`` when it is not running, or takes ``CARBON_DATABASE_URL``.

So ``carbon-assets ui``, ``dagster dev``, ``dg dev`` and ``dagster-webserver`` in a clean clone
all read and write the same events.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from dagster import BoolSource, Field, StringSource
from dagster._core.storage.base_storage import DagsterStorage
from dagster._serdes import ConfigurableClass, ConfigurableClassData
from dagster_postgres import PostgresRunStorage, PostgresScheduleStorage
from sqlalchemy import Engine, NullPool, create_engine, make_url, text

from carbon_assets.orchestration.event_storage import PooledEventLogStorage
from carbon_assets.store.database import DAGSTER_SCHEMA, open_database

URL_VARIABLE = "CARBON_DAGSTER_URL"
CONNECT_TIMEOUT_SECONDS = 10


def dagster_url(url: str) -> str:
    """Return the URL with the driver and the session settings that Dagster's storage needs.

    Commits are not waited for: after a power failure Dagster may have forgotten its last
    moments, the tables of carbon-assets never have.

    Args:
        url: Any SQLAlchemy URL of a PostgreSQL database.

    Returns:
        The URL for psycopg2, in schema ``dagster``, with ``synchronous_commit=off``.
    """
    parsed = make_url(url)
    options = str(parsed.query.get("options", ""))
    if "search_path" not in options:
        options += f" -c search_path={DAGSTER_SCHEMA}"
    if "synchronous_commit" not in options:
        options += " -c synchronous_commit=off"
    parsed = parsed.set(drivername="postgresql+psycopg2")
    return parsed.update_query_dict({"options": options.strip()}).render_as_string(
        hide_password=False
    )


def pooled_engine(url: str) -> Engine:
    """Return an engine that keeps a few connections, in autocommit as Dagster expects.

    Args:
        url: URL as returned by :func:`dagster_url`.
    """
    return create_engine(
        url,
        isolation_level="AUTOCOMMIT",
        pool_size=2,
        max_overflow=20,
        pool_recycle=1_800,
        pool_pre_ping=True,
        connect_args={"connect_timeout": CONNECT_TIMEOUT_SECONDS},
    )


class CarbonStorage(DagsterStorage, ConfigurableClass):
    """Runs, events and schedules of Dagster, on one pool of connections.

    Args:
        url: URL of the database, any driver.
        should_autocreate_tables: Create schema and tables when they are missing.
        inst_data: How Dagster loaded this class.
    """

    def __init__(
        self,
        url: str,
        should_autocreate_tables: bool = True,
        inst_data: ConfigurableClassData | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._inst_data = inst_data
        self.postgres_url = dagster_url(url)
        if should_autocreate_tables:
            _ensure_schema(self.postgres_url)
        engine = pooled_engine(self.postgres_url)
        self._runs = PostgresRunStorage(self.postgres_url, should_autocreate_tables)
        self._events = PooledEventLogStorage(self.postgres_url, should_autocreate_tables)
        self._schedules = PostgresScheduleStorage(self.postgres_url, should_autocreate_tables)
        for storage in (self._runs, self._events, self._schedules):
            storage._engine = engine

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        """How Dagster loaded this class."""
        return self._inst_data

    @classmethod
    def config_type(cls) -> Mapping[str, Field]:
        """Return the settings that ``dagster.yaml`` may give."""
        return {
            "url_variable": Field(StringSource, is_required=False, default_value=URL_VARIABLE),
            "should_autocreate_tables": Field(BoolSource, is_required=False, default_value=True),
        }

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> CarbonStorage:
        """Build the storage from ``dagster.yaml``.

        Args:
            inst_data: How Dagster loaded this class.
            config_value: Settings after :meth:`config_type`.
        """
        url = os.environ.get(config_value["url_variable"]) or _url_of_own_database()
        return cls(url, config_value["should_autocreate_tables"], inst_data)

    @property
    def event_log_storage(self) -> PooledEventLogStorage:
        """Events of runs and assets."""
        return self._events

    @property
    def run_storage(self) -> PostgresRunStorage:
        """Runs, snapshots and daemon heartbeats."""
        return self._runs

    @property
    def schedule_storage(self) -> PostgresScheduleStorage:
        """State of sensors and schedules."""
        return self._schedules


def _ensure_schema(url: str) -> None:
    # An engine of its own: SQLAlchemy remembers the default schema of its first connection.
    engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        if connection.execute(text("SELECT current_schema()")).scalar() is None:
            connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {DAGSTER_SCHEMA}"))


def _url_of_own_database() -> str:
    return open_database().dagster_url
