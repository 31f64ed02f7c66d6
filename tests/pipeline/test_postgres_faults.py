"""PostgreSQL restarted, cut off, silent, out of time or out of room: what was answered is true, what was not is asked again."""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import msgspec
import pytest
from structlog.testing import capture_logs

from gateway import door, reader
from kopeck.config import Config
from kopeck.embedded.clean import clean_folder
from kopeck.embedded.postgres import EmbeddedPostgres
from kopeck.embedded.servers import Servers, start_servers
from ledger.statements import load_statements
from tests.conftest import LedgerDatabase
from tests.pipeline.bank import payment, send
from tests.pipeline.conftest import SQL, Gateway, Town, own_ledger
from tests.pipeline.proof import (
    BOOKED,
    TRY_AGAIN,
    Load,
    Terminal,
    assert_sound,
    assert_told_truly,
    booked_keys,
    counted,
    until,
    with_deadline,
)
from tests.pipeline.proxy import Proxy, before_postgresql

FAULTS = load_statements("tests/pipeline/faults.sql")


@asynccontextmanager
async def behind_proxy(town: Town, redis_url: str, folder: Path) -> AsyncIterator[tuple[Proxy, Gateway]]:
    """A gateway behind a proxy to PostgreSQL."""
    async with before_postgresql(town.database.gateway_dsn, folder) as (proxy, dsn):
        settings = msgspec.structs.replace(town.settings(redis_url), gateway_dsn=dsn)
        async with Gateway(settings) as gateway:
            yield proxy, gateway


@pytest.fixture
async def through(town: Town, redis_url: str, tmp_path: Path) -> AsyncIterator[tuple[Proxy, Gateway]]:
    async with behind_proxy(town, redis_url, tmp_path) as served:
        yield served


async def test_sessions_ended_again_and_again_under_load(gateway: Gateway, town: Town, owner: asyncpg.Connection) -> None:
    terminal = Terminal(gateway.session)
    with capture_logs() as lines:
        async with Load(terminal, senders=8) as load:
            for _ in range(6):
                await load.settle(10)
                await owner.execute(SQL["terminate_others"])
    assert terminal.resets == 0
    assert any(line["event"] in ("append.outcome_unknown", "batch.unavailable") for line in lines)
    assert sorted(await booked_keys(owner)) == sorted(terminal.answers)
    await assert_told_truly(owner, terminal.answers)
    await assert_sound(owner, town)


async def test_connections_cut_again_and_again_under_load(
    through: tuple[Proxy, Gateway], town: Town, owner: asyncpg.Connection
) -> None:
    proxy, gateway = through
    terminal = Terminal(gateway.session)
    async with Load(terminal, senders=8) as load:
        for _ in range(8):
            await load.settle(10)
            await proxy.cut()
    assert sorted(await booked_keys(owner)) == sorted(terminal.answers)
    await assert_told_truly(owner, terminal.answers)
    await assert_sound(owner, town)


async def test_a_reply_lost_after_the_commit_is_answered_as_recorded(
    through: tuple[Proxy, Gateway], town: Town, owner: asyncpg.Connection
) -> None:
    proxy, gateway = through
    terminal = Terminal(gateway.session)
    assert await terminal.pay_once("1", "1001", "1.00") == BOOKED
    assert await terminal.pay_once("2", "unknown", "1.00") == 5
    unknown = counted("kopeck_append_unknown_total")
    proxy.hold()
    paying = asyncio.create_task(terminal.pay_once("3", "1001", "1.00"))
    await until(lambda: _is_booked(owner, "3"))
    await proxy.cut()
    proxy.release()
    assert await paying == BOOKED
    assert counted("kopeck_append_unknown_total") > unknown
    assert await booked_keys(owner) == ["1", "3"]
    await assert_told_truly(owner, terminal.answers)
    await assert_sound(owner, town)


async def test_a_feeds_reply_lost_after_the_commit_is_no_replay(
    through: tuple[Proxy, Gateway], town: Town, owner: asyncpg.Connection
) -> None:
    proxy, gateway = through
    assert (await send(gateway, "op-1", payment("1001", 1000))).status == 200
    proxy.hold()
    sending = asyncio.create_task(send(gateway, "op-2", payment("1001", 1000)))
    await until(lambda: _is_booked(owner, "op-2"))
    await proxy.cut()
    proxy.release()
    told = await sending
    assert (told.status, told.body["status"]) == (200, "recorded")
    assert "Idempotency-Replayed" not in told.headers
    await assert_sound(owner, town)


async def _is_booked(owner: asyncpg.Connection, key: str) -> bool:
    return key in await booked_keys(owner)


async def test_postgresql_gone_at_look_up_is_retryable(
    through: tuple[Proxy, Gateway], town: Town, owner: asyncpg.Connection
) -> None:
    proxy, gateway = through
    terminal = Terminal(gateway.session)
    proxy.refusing = True
    await proxy.cut()
    errors = counted("kopeck_postgresql_read_errors_total")
    faults = counted("kopeck_pipeline_faults_total")
    with capture_logs() as lines:
        codes = [await terminal.pay_once("1", account, "1.00") for account in ("1001", "unknown", "closed")]
        told = await send(gateway, "op-1", payment("unknown", 1000))
        async with gateway.session.get("/osmp/net", params={"command": "check", "account": "1001"}) as response:
            assert "<result>1</result>" in await response.text()
        async with gateway.session.get("/readyz") as response:
            assert response.status == 503
    assert codes == [TRY_AGAIN] * 3
    assert (told.status, told.headers["Retry-After"]) == (503, "5")
    assert counted("kopeck_postgresql_read_errors_total") >= errors + 4
    assert counted("kopeck_pipeline_faults_total") == faults
    assert any(line["event"] == "batch.unavailable" for line in lines)
    proxy.refusing = False
    assert await terminal.pay("2", "1001", "1.00") == BOOKED
    assert await terminal.pay("3", "unknown", "1.00") == 5
    await assert_told_truly(owner, terminal.answers)
    await assert_sound(owner, town)


async def test_connections_that_fall_silent_for_ever_are_given_up(
    town: Town, owner: asyncpg.Connection, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "READ_TIMEOUT_S", 0.5)
    monkeypatch.setattr(door, "APPEND_TIMEOUT_S", 1.0)
    async with behind_proxy(town, redis_url, tmp_path) as (proxy, gateway):
        terminal = Terminal(gateway.session)
        assert await terminal.pay_once("1", "1001", "1.00") == BOOKED
        assert proxy.forsake() >= 2
        assert await terminal.pay("2", "1001", "1.00", 10.0) == BOOKED
        assert proxy.forsake() >= 1
        assert await terminal.pay("3", "1002", "1.00", 10.0) == BOOKED
        async with gateway.session.get("/readyz") as response:
            assert response.status == 200
    assert await booked_keys(owner) == ["1", "2", "3"]
    await assert_told_truly(owner, terminal.answers)
    await assert_sound(owner, town)


async def test_statements_out_of_time_are_retryable(town: Town, owner: asyncpg.Connection, redis_url: str) -> None:
    await owner.execute(FAULTS["shorten_statements"])
    async with Gateway(with_deadline(town, 1.5).settings(redis_url)) as gateway:
        terminal = Terminal(gateway.session)
        async with owner.transaction():
            await owner.execute(FAULTS["lock_book"])
            assert await terminal.pay_once("1", "1001", "1.00") == TRY_AGAIN
        assert await terminal.pay("1", "1001", "1.00") == BOOKED
    assert await booked_keys(owner) == ["1"]
    await assert_sound(owner, town)


async def test_a_full_disk_refuses_and_goes_on_when_there_is_room(town: Town, owner: asyncpg.Connection, redis_url: str) -> None:
    """By a trigger, so that the room ends at the entry alone, its key and head written, and where nothing may be mounted.

    A disk that is really full ends wherever it likes (test_disk_full.py).
    """
    async with Gateway(with_deadline(town, 1.5).settings(redis_url)) as gateway:
        terminal = Terminal(gateway.session)
        assert await terminal.pay_once("1", "1001", "1.00") == BOOKED
        await owner.execute(FAULTS["fill_disk"])
        with capture_logs() as lines:
            codes = await asyncio.gather(*(terminal.pay_once(str(key), "1001", "1.00") for key in range(2, 6)))
            told = await send(gateway, "op-1", payment("1002", 1000))
        assert codes == [TRY_AGAIN] * 4
        assert (told.status, told.headers["Retry-After"]) == (503, "5")
        assert any(line.get("error") == "DiskFullError" for line in lines)
        assert (await owner.fetchrow(SQL["fetch_totals"]))["keys"] == 1, "no key without its entry"
        await owner.execute(FAULTS["empty_disk"])
        assert {await terminal.pay(str(key), "1001", "1.00") for key in range(1, 6)} == {BOOKED}
        await until(lambda: _taken(gateway))
    assert sorted(await booked_keys(owner)) == ["1", "2", "3", "4", "5", "op-1"]
    await assert_told_truly(owner, terminal.answers)
    await assert_sound(owner, town)


async def _taken(gateway: Gateway) -> bool:
    return (await send(gateway, "op-1", payment("1002", 1000))).status == 200


LONG_SNAPSHOT_ROUNDS = 200
SLOWER_MAX = 3.0
"""How many times slower the last third of the appends may be; the machine's own noise is below it."""


async def test_a_long_snapshot_does_not_slow_the_appends(gateway: Gateway, town: Town, owner: asyncpg.Connection) -> None:
    terminal = Terminal(gateway.session)
    reporting = await asyncpg.connect(town.database.owner_dsn)
    took: list[float] = []
    try:
        await reporting.execute(FAULTS["wait_for_ever"])
        async with reporting.transaction(isolation="repeatable_read"):
            await reporting.fetchval(FAULTS["take_snapshot"])
            for number in range(LONG_SNAPSHOT_ROUNDS):
                began = time.perf_counter()
                keys = [f"{number}{place:02d}" for place in range(16)]
                codes = await asyncio.gather(
                    *(terminal.pay_once(key, ("1001", "1002", "1003")[int(key) % 3], "0.01") for key in keys)
                )
                took.append(time.perf_counter() - began)
                assert set(codes) == {BOOKED}
    finally:
        await reporting.close()
    third = LONG_SNAPSHOT_ROUNDS // 3
    first, last = statistics.median(took[:third]), statistics.median(took[-third:])
    assert last < first * SLOWER_MAX, f"{first * 1000:.1f} ms grew to {last * 1000:.1f} ms"
    assert len(await booked_keys(owner)) == LONG_SNAPSHOT_ROUNDS * 16
    await assert_sound(owner, town)


class TestRealRestart:
    """A durable server of the test's own, stopped in order and killed while payments flow."""

    @pytest.fixture
    def own_servers(self, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
        folder = tmp_path_factory.mktemp("restarted")
        with start_servers(folder, Config(data_dir=folder)) as started:
            yield started
        clean_folder(folder)

    @pytest.fixture
    async def ledger_database(self, own_servers: Servers) -> LedgerDatabase:
        """The ledger on the server that will be restarted."""
        return await own_ledger(own_servers)

    async def test_a_server_stopped_and_killed_under_load(
        self, own_servers: Servers, ledger_database: LedgerDatabase, town: Town
    ) -> None:
        postgres = own_servers.postgres
        assert isinstance(postgres, EmbeddedPostgres)
        async with Gateway(town.settings(own_servers.connections.redis_url)) as gateway:
            terminal = Terminal(gateway.session)
            async with Load(terminal, senders=8) as load:
                for end in (postgres.stop, postgres.kill):
                    await load.settle(30)
                    await asyncio.to_thread(end)
                    await asyncio.to_thread(postgres.start)
                await load.settle(30)
        assert terminal.resets == 0
        owner = await asyncpg.connect(ledger_database.owner_dsn)
        try:
            assert sorted(await booked_keys(owner)) == sorted(terminal.answers)
            await assert_told_truly(owner, terminal.answers)
            await assert_sound(owner, town)
        finally:
            await owner.close()
