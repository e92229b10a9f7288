"""The embedded server: shared, gone with its last user, back after a kill."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from carbon_assets.errors import StoreError
from carbon_assets.store.embedded import cluster as clusters
from carbon_assets.store.embedded import placement
from carbon_assets.store.server import (
    Server,
    keep_running,
    server_status,
    stop_server,
    use_server,
)
from carbon_assets_tests.store.processes import User, scratch_home, wait_for

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs it as another account")


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A home whose cluster exists; its server is stopped between tests."""
    with scratch_home() as folder:
        use_server(folder)
        stop_server(folder)
        yield folder


@pytest.fixture(autouse=True)
def _stopped(home: Path) -> Iterator[None]:
    yield
    assert stop_server(home)


def is_down(home: Path) -> bool:
    return not server_status(home).running


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def ask(server: Server, query: str) -> object:
    with server.connect("carbon_assets") as connection:
        return connection.execute(query).fetchone()[0]


def test_processes_share_one_server_and_the_last_one_stops_it(home: Path) -> None:
    first, second = User(home), User(home)
    assert first.port() == second.port() == server_status(home).port
    first.end()
    assert not wait_for(lambda: is_down(home), seconds=1.0)
    second.end()
    assert wait_for(lambda: is_down(home))


def test_two_first_starts_at_once_make_one_cluster() -> None:
    with scratch_home() as fresh:
        users = [User(fresh), User(fresh)]
        assert len({user.port() for user in users}) == 1
        for user in users:
            user.end()


def test_a_killed_user_does_not_keep_the_server_alive(home: Path) -> None:
    user = User(home)
    user.port()
    user.kill()
    assert wait_for(lambda: is_down(home))


def test_a_kept_server_stays_until_it_is_stopped(home: Path) -> None:
    user = User(home, "keep")
    port = user.port()
    user.end()
    assert not wait_for(lambda: is_down(home), seconds=1.0)
    assert (server_status(home).port, server_status(home).kept) == (port, True)
    assert stop_server(home)
    assert (is_down(home), server_status(home).kept) == (True, False)


def test_stop_waits_for_other_users(home: Path) -> None:
    user = User(home, "keep")
    user.port()
    assert not stop_server(home)
    assert server_status(home).running
    user.end()
    assert wait_for(lambda: is_down(home))


def test_data_survives_a_killed_server(home: Path) -> None:
    server = use_server(home)
    with server.connect("carbon_assets") as connection:
        connection.execute("DROP TABLE IF EXISTS kept")
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    pid = server_status(home).pid
    assert pid
    os.kill(pid, signal.SIGKILL)
    assert wait_for(lambda: not is_alive(pid))
    again = use_server(home)
    assert server_status(home).pid != pid
    assert ask(again, "SELECT answer FROM kept") == 42


def test_a_left_over_pid_file_of_a_living_stranger_does_not_confuse(home: Path) -> None:
    cluster = clusters.load_cluster(home)
    assert cluster
    (cluster.data / "postmaster.pid").write_text(
        f"{os.getpid()}\n{cluster.data}\n0\n5432\n\n127.0.0.1\n0 0\nready\n"
    )
    assert is_down(home)
    assert ask(use_server(home), "SELECT 1") == 1


def test_a_forked_child_keeps_the_server_for_itself(home: Path) -> None:
    script = """
import os, sys, time
from pathlib import Path
from carbon_assets.store.server import use_server
use_server(Path(sys.argv[1]))
if os.fork() == 0:
    time.sleep(2)
"""
    subprocess.run([sys.executable, "-c", script, str(home)], check=True, timeout=60)
    assert not wait_for(lambda: is_down(home), seconds=0.8)
    assert wait_for(lambda: is_down(home))


def test_a_port_taken_meanwhile_is_replaced(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind((clusters.HOST, 0))
        taken.listen()
        free = clusters._free_port
        ports = iter([taken.getsockname()[1]])
        monkeypatch.setattr(clusters, "_free_port", lambda: next(ports, None) or free())
        server = use_server(home)
        assert server.port != taken.getsockname()[1]
        assert ask(server, "SELECT 1") == 1


def test_a_failed_start_tells_the_end_of_the_log(home: Path) -> None:
    cluster = clusters.load_cluster(home)
    assert cluster
    settings = cluster.data / "postgresql.conf"
    good = settings.read_text()
    settings.write_text(good + "\nnonsense_setting = 1\n")
    try:
        with pytest.raises(StoreError) as caught:
            use_server(home)
    finally:
        settings.write_text(good)
    assert caught.value.code == "EMBEDDED_POSTGRES_FAILED"
    assert "nonsense_setting" in str(caught.value)
    assert caught.value.where == str(cluster.log)


def test_the_settings_are_safe_and_portable(home: Path) -> None:
    server = use_server(home)
    expected = {
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "TimeZone": "UTC",
        "server_encoding": "UTF8",
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "password_encryption": "scram-sha-256",
    }
    assert {name: ask(server, f"SHOW {name}") for name in expected} == expected
    assert ask(server, "SELECT datlocale FROM pg_database WHERE datname = 'carbon_assets'") == (
        "C.UTF-8"
    )


def test_nobody_gets_in_without_the_password(home: Path) -> None:
    server = use_server(home)
    for role in server.cluster.passwords:
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(
                host=clusters.HOST, port=server.port, user=role, password="guess", dbname="postgres"
            )


def test_passwords_are_private_and_nowhere_else(home: Path) -> None:
    server = use_server(home)
    assert (home / "server.json").stat().st_mode & 0o777 == 0o600
    assert len(set(server.cluster.passwords.values())) == 3
    said = server.cluster.log.read_text() + repr(server)
    assert not [p for p in server.cluster.passwords.values() if p in said]


def test_lost_passwords_are_named_and_nothing_is_overwritten(home: Path) -> None:
    kept = (home / "server.json").rename(home / "elsewhere.json")
    try:
        with pytest.raises(StoreError) as caught:
            use_server(home)
        assert not (home / "server.json").exists()
    finally:
        kept.rename(home / "server.json")
    assert caught.value.code == "EMBEDDED_POSTGRES_PASSWORDS_LOST"
    assert ask(use_server(home), "SELECT 1") == 1


def test_a_removed_home_is_started_afresh() -> None:
    with scratch_home() as fresh:
        first = use_server(fresh)
        keep_running(first)
        stop_server(fresh)
        shutil.rmtree(fresh)
        fresh.mkdir()
        second = use_server(fresh)
        assert second.cluster.passwords != first.cluster.passwords
        assert not wait_for(lambda: is_down(fresh), seconds=1.0)


@pytest.fixture
def shared_root(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with scratch_home() as folder:
        root = folder.parent / "shared"
        monkeypatch.setattr(placement, "SHARED_ROOT", root)
        yield root


@as_root
def test_an_unreachable_home_gets_its_data_elsewhere(shared_root: Path) -> None:
    with scratch_home(0o700) as fresh:
        server = use_server(fresh)
        assert server.cluster.folder.parent == shared_root
        assert clusters.load_cluster(fresh) == server.cluster
        assert fresh.parent.stat().st_mode & 0o777 == 0o700
        assert ask(server, "SELECT 1") == 1
        assert server.cluster.data.stat().st_uid == placement.account_for(fresh).uid
        stop_server(fresh)
        assert use_server(fresh).cluster.folder == server.cluster.folder


@as_root
def test_unreachable_binaries_are_copied_once(
    shared_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = tmp_path / "site-packages"
    package = placement._wheel_folder()
    for folder in (package, package.parent / f"{package.name}.libs"):
        shutil.copytree(folder, packages / folder.name, symlinks=True)
    tmp_path.chmod(0o700)
    monkeypatch.syspath_prepend(packages)
    with scratch_home() as fresh:
        server = use_server(fresh)
        assert ask(server, "SELECT 1") == 1
        used = placement.binaries(placement.account_for(fresh))
        assert used.is_relative_to(shared_root)
        before = (used / "postgres").stat().st_ino
        assert placement.binaries(placement.account_for(fresh)) == used
        assert (used / "postgres").stat().st_ino == before


@as_root
def test_a_cluster_moved_out_of_reach_is_named() -> None:
    with scratch_home() as fresh:
        use_server(fresh)
        stop_server(fresh)
        fresh.parent.chmod(0o700)
        with pytest.raises(StoreError) as caught:
            use_server(fresh)
        assert caught.value.code == "EMBEDDED_POSTGRES_UNREACHABLE_FOLDER"
        assert caught.value.where == str(fresh / "postgres")
