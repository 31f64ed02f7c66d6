"""More than can be served, clients that go away, doors that stand still: each is answered at once or by its deadline."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import msgspec
import pytest

from ledger.statements import load_statements
from tests.pipeline.bank import payment, send
from tests.pipeline.conftest import SQL, Gateway, Town
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
from tests.pipeline.proxy import Proxy, before_postgresql

FAULTS = load_statements("tests/pipeline/faults.sql")
DEADLINE_S = 2.0
AT_ONCE_S = 1.0
"""Far below the channels' deadline of 5 s, far above what a busy machine needs to say no."""


@pytest.fixture
async def stuck(town: Town, redis_url: str, tmp_path: Path) -> AsyncIterator[tuple[Proxy, Gateway]]:
    """A gateway with short deadlines behind a proxy to PostgreSQL, its tables looked up already."""
    async with before_postgresql(town.database.gateway_dsn, tmp_path) as (proxy, through):
        settings = msgspec.structs.replace(with_deadline(town, DEADLINE_S).settings(redis_url), gateway_dsn=through)
        async with Gateway(settings) as gateway:
            assert await Terminal(gateway.session).pay_once("9001", "1001", "1.00") == BOOKED
            yield proxy, gateway


async def test_a_full_queue_refuses_at_once(town: Town, owner: asyncpg.Connection, redis_url: str) -> None:
    async with Gateway(town.settings(redis_url, batch_entries_max=4, queue_payments_max=8)) as gateway:
        terminal = Terminal(gateway.session)
        refused = counted("kopeck_payments_total", channel="net", answer="try_again")
        async with owner.transaction():
            await owner.execute(FAULTS["lock_book"])
            first = [asyncio.create_task(terminal.pay_once("1", "1001", "1.00"))]
            await until(lambda: _waiting(owner))
            first += [asyncio.create_task(terminal.pay_once(str(key), "1001", "1.00")) for key in range(2, 10)]
            await until(lambda: _unready(gateway))
            began = time.monotonic()
            more = await asyncio.gather(*(terminal.pay_once(str(key), "1002", "1.00") for key in range(10, 30)))
            told = await send(gateway, "op-1", payment("1001", 1000))
            assert time.monotonic() - began < AT_ONCE_S
            assert counted("kopeck_queue_payments") == 8
        assert more == [TRY_AGAIN] * 20
        assert (told.status, told.headers["Retry-After"], told.body["type"]) == (503, "5", "/problems/try-again")
        assert counted("kopeck_payments_total", channel="net", answer="try_again") == refused + 20
        assert await asyncio.gather(*first) == [BOOKED] * 9
        assert {await terminal.pay(str(key), "1002", "1.00") for key in range(10, 30)} == {BOOKED}
        assert (await send(gateway, "op-1", payment("1001", 1000))).status == 200
    await assert_told_truly(owner, terminal.answers)
    await assert_sound(owner, town)


async def _waiting(owner: asyncpg.Connection) -> bool:
    return await owner.fetchval(FAULTS["count_waiting"]) >= 1


async def _unready(gateway: Gateway) -> bool:
    async with gateway.session.get("/readyz") as response:
        return response.status == 503


async def test_a_door_that_stands_still_is_answered_by_the_deadline(
    stuck: tuple[Proxy, Gateway], town: Town, owner: asyncpg.Connection
) -> None:
    proxy, gateway = stuck
    terminal = Terminal(gateway.session)
    proxy.hold()
    began = time.monotonic()
    told, *codes = await asyncio.gather(
        send(gateway, "op-1", payment("1001", 1000)), *(terminal.pay_once(str(key), "1001", "1.00") for key in range(1, 41))
    )
    assert time.monotonic() - began < DEADLINE_S + AT_ONCE_S
    assert codes == [TRY_AGAIN] * 40
    assert (told.status, told.headers["Retry-After"]) == (503, "5")
    began = time.monotonic()
    assert await terminal.pay_once("50", "1001", "1.00") == TRY_AGAIN, "it would not be answered in time either"
    assert time.monotonic() - began < AT_ONCE_S
    proxy.release()
    assert {await terminal.pay(str(key), "1001", "1.00") for key in range(1, 51)} == {BOOKED}
    await until(lambda: _booked_by_feed(gateway))
    await assert_told_truly(owner, terminal.answers)
    assert len(await booked_keys(owner)) == 52
    await assert_sound(owner, town)


async def _booked_by_feed(gateway: Gateway) -> bool:
    return (await send(gateway, "op-1", payment("1001", 1000))).status == 200


async def test_one_slow_batch_does_not_refuse_those_that_come_after(
    stuck: tuple[Proxy, Gateway], town: Town, owner: asyncpg.Connection
) -> None:
    proxy, gateway = stuck
    terminal = Terminal(gateway.session)
    proxy.hold()
    assert await terminal.pay_once("1", "1001", "1.00") == TRY_AGAIN
    proxy.release()
    await until(lambda: _is_booked(owner, "1"))
    assert await terminal.pay("1", "1001", "1.00", 10.0) == BOOKED
    codes = await asyncio.gather(*(terminal.pay_once(str(key), "1001", "1.00") for key in range(2, 32)))
    assert codes == [BOOKED] * 30
    await assert_sound(owner, town)


async def _is_booked(owner: asyncpg.Connection, key: str) -> bool:
    return key in await booked_keys(owner)


async def test_hundreds_of_connections_at_once_are_all_answered(gateway: Gateway, town: Town, owner: asyncpg.Connection) -> None:
    terminal = Terminal(gateway.session)
    codes = await asyncio.gather(*(_pay_alone(gateway, str(key)) for key in range(1, 301)))
    assert codes == [True] * 300
    assert await terminal.pay_once("1", "1002", "1.00") == BOOKED
    assert len(await booked_keys(owner)) == 300
    await assert_sound(owner, town)


async def test_connections_beyond_the_limit_are_told_to_come_later(town: Town, owner: asyncpg.Connection, redis_url: str) -> None:
    async with Gateway(town.settings(redis_url, connections_max=10)) as gateway:
        refused = counted("kopeck_connections_refused_total")
        held = [await _connect(gateway) for _ in range(10)]
        for number, (reader, writer) in enumerate(held):
            writer.write(_request(str(number)).replace(b"Connection: close\r\n", b""))
            assert b" 200 OK" in await reader.readuntil(b"\r\n\r\n")
        for _ in range(5):
            reader, writer = await _connect(gateway)
            writer.write(_request("100"))
            answer = await reader.read()
            writer.close()
            assert answer.startswith(b"HTTP/1.1 503 ") and b"Retry-After: 5\r\n" in answer
        assert counted("kopeck_connections_refused_total") == refused + 5
        for _, writer in held:
            writer.close()
        await until(lambda: _healthy(gateway))
        assert await Terminal(gateway.session).pay("100", "1001", "1.00") == BOOKED
    assert len(await booked_keys(owner)) == 11
    await assert_sound(owner, town)


async def _healthy(gateway: Gateway) -> bool:
    async with gateway.session.get("/healthz") as response:
        return response.status == 200


async def _connect(gateway: Gateway) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, port = gateway.url.removeprefix("http://").split(":")
    return await asyncio.open_connection(host, int(port))


def _request(key: str, account: str = "1002") -> bytes:
    query = f"command=pay&txn_id={key}&txn_date=20261116120000&account={account}&sum=1.00"
    return f"GET /osmp/net?{query} HTTP/1.1\r\nHost: kopeck\r\nConnection: close\r\n\r\n".encode()


async def _pay_alone(gateway: Gateway, key: str) -> bool:
    """Pay over a connection of one's own; whether it was booked."""
    reader, writer = await _connect(gateway)
    writer.write(_request(key))
    answer = await reader.read()
    writer.close()
    return b"<result>0</result>" in answer


async def test_clients_that_go_away_leave_one_entry_or_none(gateway: Gateway, town: Town, owner: asyncpg.Connection) -> None:
    terminal = Terminal(gateway.session)
    async with owner.transaction():
        await owner.execute(FAULTS["lock_book"])
        for key in range(1, 21):
            _, writer = await _connect(gateway)
            writer.write(_request(str(key)) if key % 2 else _request(str(key))[:60])
            await writer.drain()
            if key == 1:
                await until(lambda: _waiting(owner))
            writer.transport.abort()
        for _ in range(5):
            _, writer = await _connect(gateway)
            head = 'POST /bank/feed/payments HTTP/1.1\r\nHost: kopeck\r\nContent-Length: 4000\r\n\r\n{"account":'
            writer.write(head.encode())
            await writer.drain()
            writer.transport.abort()
        async with gateway.session.get("/healthz") as response:
            assert response.status == 200
    assert [await terminal.pay(str(key), "1002", "1.00") for key in range(1, 21)] == [BOOKED] * 20
    assert len(await booked_keys(owner)) == 20
    await assert_told_truly(owner, terminal.answers)
    await assert_sound(owner, town)


async def test_a_body_of_unsaid_length_is_cut_off(gateway: Gateway, owner: asyncpg.Connection) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"x" * 65_536

    for path in ("/bank/feed/payments", "/osmp/net"):
        async with gateway.session.post(path, data=endless()) as response:
            assert response.status == 413
    assert (await owner.fetchrow(SQL["fetch_totals"]))["keys"] == 0
