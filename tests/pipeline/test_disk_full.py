"""A disk that is really full under PostgreSQL, while payments flow: nobody is told anything final that is not true.

The data folder stands on a small file system in memory, which only root may mount; its durable settings are the program's.
"""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import asyncpg
import pytest
from structlog.testing import capture_logs

from kopeck.config import Config
from kopeck.embedded import postgres
from kopeck.embedded.clean import clean_folder
from kopeck.embedded.folder import prepare_folder
from kopeck.embedded.leftover import ServerError
from kopeck.embedded.place import postgres_place, server_account
from kopeck.embedded.postgres import EmbeddedPostgres
from kopeck.embedded.servers import Servers, start_servers
from ledger.statements import load_statements
from tests.conftest import LedgerDatabase
from tests.pipeline.bank import payment, send
from tests.pipeline.conftest import Gateway, Town, own_ledger
from tests.pipeline.proof import (
    BOOKED,
    TRY_AGAIN,
    Terminal,
    assert_sound,
    assert_told_truly,
    booked_keys,
    counted,
    until,
    with_deadline,
)

FAULTS = load_statements("tests/pipeline/faults.sql")
DISK_MB = 192
SMALL = {"max_wal_size": "64MB", "min_wal_size": "32MB", "shared_buffers": "32MB", "max_connections": "40"}
"""A few files of the write-ahead log fit on the disk beside the ledger."""
DEADLINE_S = 1.5
REPEAT_S = 60.0
END_S = 60.0
ROUND = 8
ROUNDS_MAX = 400


class SmallDisk:
    """A file system of DISK_MB over one folder, and the ballast that takes what room is left."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._ballast = folder / "ballast"

    def mount(self, uid: int, gid: int) -> None:
        """Lay it over the folder, for the account alone."""
        options = f"size={DISK_MB}m,mode=0700,uid={uid},gid={gid}"
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "kopeck-test", str(self.folder)], check=True, capture_output=True, text=True
        )

    def unmount(self) -> None:
        """Take it away with all that is on it, at once, whoever still has a file of it open."""
        subprocess.run(["umount", "--lazy", str(self.folder)], check=True, capture_output=True, text=True)

    def fill(self) -> None:
        """Leave not a byte."""
        with self._ballast.open("ab", buffering=0) as file:
            for size in (1 << 20, 1 << 12):
                while shutil.disk_usage(self.folder).free >= size:
                    try:
                        file.write(b"\0" * size)
                    except OSError:
                        break

    def empty(self) -> None:
        """Give the room back."""
        self._ballast.unlink(missing_ok=True)


@pytest.fixture
def small_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SmallDisk, Path]]:
    """A new data folder whose PostgreSQL will stand on a small disk; unmounted and removed in all cases."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        pytest.skip("only root may mount the small disk")
    folder = prepare_folder(tmp_path_factory.mktemp("small-disk"))
    account = server_account(Config().postgres_os_user)
    assert account is not None
    disk = SmallDisk(postgres_place(folder, account).cluster.parent)
    # By it a folder is known as ours to clean, servers or none.
    folder.joinpath("lock").touch(0o600)
    try:
        disk.mount(account.uid, account.gid)
    except (subprocess.CalledProcessError, OSError) as error:
        clean_folder(folder)
        pytest.skip(f"the small disk cannot be mounted: {str(getattr(error, 'stderr', None) or error).splitlines()[0]}")
    try:
        yield disk, folder
    finally:
        disk.unmount()
        clean_folder(folder)


@pytest.fixture
def disk(small_disk: tuple[SmallDisk, Path]) -> SmallDisk:
    return small_disk[0]


@pytest.fixture
def own_servers(small_disk: tuple[SmallDisk, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Servers]:
    """Durable servers, their PostgreSQL on the small disk."""
    monkeypatch.setattr(postgres, "SETTINGS", {**postgres.SETTINGS, **SMALL})
    with start_servers(small_disk[1], Config(data_dir=small_disk[1])) as started:
        yield started


@pytest.fixture
async def ledger_database(own_servers: Servers) -> LedgerDatabase:
    """The ledger on the small disk."""
    return await own_ledger(own_servers)


class Payers:
    """Terminals that pay in rounds; every payment must be answered, and by nothing but "booked" or "try again"."""

    def __init__(self, gateway: Gateway):
        self.gateway = gateway
        self.terminal = Terminal(gateway.session)
        self._paid = 0

    async def pay_round(self) -> set[int]:
        """A few payments at once; their codes."""
        keys = range(self._paid, self._paid + ROUND)
        self._paid += ROUND
        codes = await asyncio.gather(*(self.terminal.pay_once(str(key), f"100{key % 3 + 1}", "1.23") for key in keys))
        assert set(codes) <= {BOOKED, TRY_AGAIN}, codes
        return {code for code in codes if code is not None}

    async def pay_until(self, code: int) -> None:
        """Pay until a round is answered by this code alone."""
        for _ in range(ROUNDS_MAX):
            if await self.pay_round() == {code}:
                return
        raise AssertionError(f"{ROUNDS_MAX} rounds without one of {code} alone")

    async def readiness(self) -> int:
        """The status of /readyz."""
        async with self.gateway.session.get("/readyz") as response:
            return response.status


async def use_up_log(dsn: str, server: EmbeddedPostgres) -> None:
    """Write on until the write-ahead log needs a file for which there is no room, and the server ends of it."""

    async def ended() -> bool:
        with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            connection = await asyncpg.connect(dsn)
            try:
                await connection.execute(FAULTS["write_log"])
                await connection.execute(FAULTS["start_segment"])
            finally:
                connection.terminate()
        return server.has_ended()

    await until(ended, END_S)


async def test_a_full_disk_loses_nothing(disk: SmallDisk, town: Town, owner: asyncpg.Connection, own_servers: Servers) -> None:
    unknown = counted("kopeck_append_unknown_total")
    async with Gateway(with_deadline(town, DEADLINE_S).settings(own_servers.connections.redis_url)) as gateway:
        payers = Payers(gateway)
        await payers.pay_until(BOOKED)
        assert await payers.readiness() == 200
        disk.fill()
        with capture_logs() as lines:
            await payers.pay_until(TRY_AGAIN)
            told = await send(gateway, "op-1", payment("1002", 1000))
        assert (told.status, told.headers["Retry-After"]) == (503, "5")
        assert any(line.get("error") == "DiskFullError" for line in lines)
        assert counted("kopeck_append_unknown_total") > unknown
        assert await payers.readiness() == 503
        disk.empty()
        await _all_booked(payers)
        assert await payers.readiness() == 200
    await _proven(owner, town, payers)


async def test_a_server_that_falls_for_want_of_room_loses_nothing(disk: SmallDisk, town: Town, own_servers: Servers) -> None:
    server, unknown = own_servers.postgres, counted("kopeck_append_unknown_total")
    assert server is not None
    async with Gateway(with_deadline(town, DEADLINE_S).settings(own_servers.connections.redis_url)) as gateway:
        payers = Payers(gateway)
        await payers.pay_until(BOOKED)
        disk.fill()
        falling = asyncio.create_task(use_up_log(town.database.owner_dsn, server))
        while not falling.done():
            await payers.pay_round()
        await falling
        assert "PANIC" in server.log.read_text("utf-8", "replace")
        assert await payers.pay_round() == {TRY_AGAIN}
        assert counted("kopeck_append_unknown_total") > unknown
        assert await payers.readiness() == 503
        with pytest.raises(ServerError, match="No space left on device"):
            await asyncio.to_thread(own_servers.restart_dead)
        assert await payers.pay_round() == {TRY_AGAIN}
        disk.empty()
        assert await asyncio.to_thread(own_servers.restart_dead) == ("EmbeddedPostgres",)
        await _all_booked(payers)
        assert await payers.readiness() == 200
    owner = await asyncpg.connect(town.database.owner_dsn)
    try:
        await _proven(owner, town, payers)
    finally:
        await owner.close()


async def _all_booked(payers: Payers) -> None:
    """Repeat every key, whatever it was answered."""
    for key in list(payers.terminal.answers):
        assert await payers.terminal.pay(key, f"100{int(key) % 3 + 1}", "1.23", REPEAT_S) == BOOKED

    async def taken() -> bool:
        return (await send(payers.gateway, "op-1", payment("1002", 1000))).status == 200

    await until(taken)


async def _proven(owner: asyncpg.Connection, town: Town, payers: Payers) -> None:
    """Every key is booked once, every answer was true, and there was one each time."""
    assert payers.terminal.resets == 0
    assert sorted(await booked_keys(owner)) == sorted([*payers.terminal.answers, "op-1"])
    await assert_told_truly(owner, payers.terminal.answers)
    await assert_sound(owner, town)
