"""Running the real command in this process, on a home and a database of the test's own."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from carbon_assets.cli.main import main
from carbon_assets.orchestration.storage import URL_VARIABLE
from carbon_assets.store.database import Database
from carbon_assets.store.engines import transaction


@dataclass(frozen=True)
class Finished:
    """What a command left behind."""

    status: int
    stdout: str
    stderr: str

    def document(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.stdout)


def carbon(*arguments: str | Path, status: int = 0) -> Finished:
    """Run ``carbon-assets`` with these arguments and require its exit status."""
    out, err = io.StringIO(), io.StringIO()
    found = 0
    with redirect_stdout(out), redirect_stderr(err):
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as ended:
            found = int(ended.code or 0)
    finished = Finished(found, out.getvalue(), err.getvalue())
    assert finished.status == status, finished
    return finished


@contextmanager
def environment(home: Path, database: Database | None = None) -> Iterator[None]:
    """Let commands use a home, and a database other than its embedded one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CARBON_HOME", str(home))
        patch.setenv(URL_VARIABLE, "")
        patch.setenv("DAGSTER_HOME", "")
        patch.delenv("CARBON_DEBUG", raising=False)
        if database is None:
            patch.delenv("CARBON_DATABASE_URL", raising=False)
        else:
            patch.setenv("CARBON_DATABASE_URL", database.owner_url)
        yield


def contents(database: Database) -> dict[str, tuple[int, str]]:
    """Number of rows and a digest of all rows, by table."""
    tables = text("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
    found = {}
    with transaction(database) as connection:
        for name in connection.execute(tables).scalars().all():
            if name != "carbon_alembic_version":
                found[name] = _digest(connection, name)
    return found


def _digest(connection: Any, table: str) -> tuple[int, str]:
    digest = "md5(coalesce(string_agg(t::text, chr(10) ORDER BY t::text), ''))"
    row = connection.execute(text(f'SELECT count(*), {digest} FROM "{table}" AS t')).one()
    return int(row[0]), str(row[1])
