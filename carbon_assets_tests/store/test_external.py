"""A server of the user's own, named by CARBON_DATABASE_URL, over TCP."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import DBAPIError

from carbon_assets.errors import StoreError
from carbon_assets.store import external, server
from carbon_assets.store.database import Database, open_database, open_external
from carbon_assets.store.embedded import cluster as clusters
from carbon_assets.store.engines import app_engine, dispose_engines, owner_engine
from carbon_assets_tests.store.processes import scratch_home
from carbon_assets_tests.store.samples import write_sample

PASSWORD = "se/cr@t +%"
_numbers = count()


@dataclass(frozen=True)
class Plain:
    """A PostgreSQL server that knows nothing of us."""

    server: server.Server

    def admin(self, database: str = "postgres") -> psycopg.Connection:
        return self.server.connect(database)

    def new_database(self, owner: str, *options: str) -> str:
        """Create an empty database owned by a role; return its name."""
        name = f"external_{next(_numbers)}"
        with self.admin() as admin:
            admin.execute(f"CREATE DATABASE {name} OWNER {owner} {' '.join(options)}")
        return name

    def new_role(self, *attributes: str) -> str:
        """Create a login role; return its name."""
        name = f"role_{next(_numbers)}"
        with self.admin() as admin:
            admin.execute(
                sql.SQL("CREATE ROLE {} LOGIN PASSWORD {} " + " ".join(attributes)).format(
                    sql.Identifier(name), sql.Literal(PASSWORD)
                )
            )
        return name

    def url(self, role: str, database: str) -> str:
        password = self.server.cluster.passwords.get(role, PASSWORD)
        return (
            make_url("postgresql://127.0.0.1")
            .set(username=role, password=password, port=self.server.port, database=database)
            .render_as_string(hide_password=False)
        )


@pytest.fixture(scope="module")
def plain() -> Iterator[Plain]:
    with scratch_home() as home:
        cluster = clusters.remember_cluster(home)
        server._lease(cluster)
        yield Plain(server.Server(cluster, clusters.ensure_running(cluster)))


@pytest.fixture
def no_application_role(plain: Plain) -> Iterator[None]:
    """Start without the application's role, as on a server that never saw us."""

    def drop() -> None:
        with plain.admin() as admin:
            names = admin.execute("SELECT datname FROM pg_database WHERE datname LIKE 'external%'")
            for (name,) in names.fetchall():
                admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
            admin.execute("DROP ROLE IF EXISTS carbon_assets_app")

    drop()
    yield
    drop()


def roles_of(database: Database) -> tuple[str, str]:
    with app_engine(database).connect() as connection:
        return tuple(connection.execute(text("SELECT session_user, current_user")).one())


@pytest.mark.parametrize("attributes", [("SUPERUSER",), ("CREATEROLE", "NOSUPERUSER")])
@pytest.mark.usefixtures("no_application_role")
def test_the_urls_role_migrates_and_works_as_the_application(
    plain: Plain, attributes: tuple[str, ...]
) -> None:
    role = plain.new_role(*attributes)
    database = open_external(plain.url(role, plain.new_database(role)))
    try:
        assert roles_of(database) == (role, "carbon_assets_app")
        write_sample(database)
        for engine, state in ((app_engine(database), "42501"), (owner_engine(database), "23001")):
            with pytest.raises(DBAPIError) as caught, engine.connect() as connection:
                connection.execute(text("UPDATE raster_aggregates SET value = 0"))
            assert caught.value.orig.sqlstate == state
    finally:
        dispose_engines(database)


@pytest.mark.usefixtures("no_application_role")
def test_dagster_makes_its_tables_in_its_own_schema(plain: Plain) -> None:
    role = plain.new_role("CREATEROLE")
    database = open_external(plain.url(role, plain.new_database(role)))
    engine = create_engine(database.dagster_url)
    with engine.begin() as connection:
        assert connection.dialect.driver == "psycopg2"
        connection.execute(text("CREATE TABLE event_logs (id int)"))
        found = connection.execute(
            text("SELECT schemaname, tableowner FROM pg_tables WHERE tablename = 'event_logs'")
        ).one()
        assert connection.execute(text("SHOW synchronous_commit")).scalar_one() == "off"
    engine.dispose()
    assert tuple(found) == ("dagster", "carbon_assets_app")


@pytest.mark.usefixtures("no_application_role")
def test_two_databases_of_two_owners_share_a_server(plain: Plain) -> None:
    first, second = plain.new_role("CREATEROLE"), plain.new_role("CREATEROLE")
    open_external(plain.url(first, plain.new_database(first)))
    url = plain.url(second, plain.new_database(second))
    with pytest.raises(StoreError) as caught:
        open_external(url)
    assert caught.value.code == "DATABASE_NO_ROLE"
    wanted = f'GRANT carbon_assets_app TO "{second}";'
    assert wanted in str(caught.value.do)
    assert "CREATE ROLE" not in str(caught.value.do)
    with plain.admin() as admin:
        admin.execute(wanted)
    database = open_external(url)
    assert roles_of(database) == (second, "carbon_assets_app")
    dispose_engines(database)


@pytest.mark.usefixtures("no_application_role")
def test_without_createrole_the_administrator_is_told_what_to_run(plain: Plain) -> None:
    role = plain.new_role()
    url = plain.url(role, plain.new_database(role))
    with pytest.raises(StoreError) as caught:
        open_external(url)
    assert caught.value.code == "DATABASE_NO_ROLE"
    commands = str(caught.value.do).partition(": ")[2]
    with plain.admin() as admin:
        admin.execute(commands)
    database = open_external(url)
    assert roles_of(database) == (role, "carbon_assets_app")
    dispose_engines(database)


@pytest.mark.usefixtures("no_application_role")
def test_a_role_that_may_not_create_tables_is_told_so(plain: Plain) -> None:
    role = plain.new_role("CREATEROLE")
    name = plain.new_database("postgres")
    with pytest.raises(StoreError) as caught:
        open_external(plain.url(role, name))
    assert caught.value.code == "DATABASE_NO_RIGHTS"
    with plain.admin(name) as admin:
        admin.execute(str(caught.value.do).partition(": ")[2])
    open_external(plain.url(role, name))


@pytest.mark.usefixtures("no_application_role")
def test_many_first_opens_at_once_migrate_once(plain: Plain) -> None:
    role = plain.new_role("SUPERUSER")
    urls = [plain.url(role, name) for name in [plain.new_database(role) for _ in range(2)] * 2]
    errors: list[Exception] = []

    def open_it(url: str) -> None:
        try:
            open_external(url)
        except Exception as error:  # noqa: BLE001 - handed to the test's thread
            errors.append(error)

    threads = [threading.Thread(target=open_it, args=(url,)) for url in urls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []


@pytest.mark.parametrize(
    "write", [str, lambda u: u.replace("postgresql:", "postgres:"), lambda u: f" {u}\n"]
)
@pytest.mark.parametrize("driver", ["", "+psycopg2", "+psycopg", "+asyncpg"])
def test_any_way_to_write_the_url_will_do(driver: str, write: Callable[[str], str]) -> None:
    url = external.parse_url(write(f"postgresql{driver}://u:p%40w@db:6543/x?sslmode=require"))
    assert (url.drivername, url.password, url.query["sslmode"]) == (
        "postgresql+psycopg",
        "p@w",
        "require",
    )


@pytest.mark.usefixtures("no_application_role")
def test_options_of_the_url_are_kept(plain: Plain, monkeypatch: pytest.MonkeyPatch) -> None:
    role = plain.new_role("SUPERUSER")
    url = plain.url(role, plain.new_database(role)) + "?options=-c%20work_mem%3D7MB"
    monkeypatch.setenv("CARBON_DATABASE_URL", url)
    database = open_database()
    with app_engine(database).connect() as connection:
        shown = [
            connection.execute(text(f"SHOW {name}")).scalar_one()
            for name in ("work_mem", "role", "timezone")
        ]
    dispose_engines(database)
    assert shown == ["7MB", "carbon_assets_app", "UTC"]
    with psycopg.connect(database.plain_app_url) as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("carbon_assets_app",)


def test_no_password_is_shown(plain: Plain) -> None:
    database = open_external(plain.url("postgres", plain.new_database("postgres")))
    assert plain.server.cluster.passwords["postgres"] not in repr(database) + str(database)


def refused(url: str) -> StoreError:
    with pytest.raises(StoreError) as caught:
        open_external(url)
    assert "s3cret" not in str(caught.value) + repr(caught.value.details)
    return caught.value


def test_a_closed_port_is_named() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        error = refused(f"postgresql://u:s3cret@127.0.0.1:{port}/x")
    assert (error.code, error.where) == ("DATABASE_UNREACHABLE", f"127.0.0.1:{port}/x")


def test_a_server_that_does_not_answer_is_given_up() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = silent.getsockname()[1]
        started = time.monotonic()
        error = refused(f"postgresql://u:s3cret@127.0.0.1:{port}/x?connect_timeout=2")
    assert error.code == "DATABASE_UNREACHABLE"
    assert time.monotonic() - started < 10


def test_a_wrong_password_is_refused_and_not_repeated(plain: Plain) -> None:
    error = refused(f"postgresql://postgres:s3cret@127.0.0.1:{plain.server.port}/postgres")
    assert error.code == "DATABASE_REFUSED"


@pytest.mark.parametrize(
    "url",
    [
        "s3cret",
        "mysql://u:s3cret@h/x",
        "postgresql://u:s3cret@h:port/x",
        "postgresql://u:s3cret@127.0.0.1/x?no_such_setting=1",
    ],
)
def test_what_is_no_url_of_a_server_is_refused(url: str) -> None:
    assert refused(url).code == "DATABASE_URL_INVALID"


def test_an_old_server_is_refused(plain: Plain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(external, "MINIMUM_VERSION", 99)
    with pytest.raises(StoreError, match="99 or newer is needed") as caught:
        open_external(plain.url("postgres", "postgres"))
    assert caught.value.code == "DATABASE_TOO_OLD"


def test_another_encoding_is_refused(plain: Plain) -> None:
    options = ["ENCODING 'SQL_ASCII'", "LOCALE_PROVIDER libc", "LOCALE 'C'", "TEMPLATE template0"]
    name = plain.new_database("postgres", *options)
    with pytest.raises(StoreError) as caught:
        open_external(plain.url("postgres", name))
    assert caught.value.code == "DATABASE_ENCODING"
