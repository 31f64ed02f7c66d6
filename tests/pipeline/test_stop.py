"""A gateway told to stop: what it accepted is answered, it ends in time whatever the others do, and its successor goes on."""

import asyncio
import socket
import time
from contextlib import closing
from pathlib import Path

import asyncpg
import msgspec
import pytest

from gateway.routes import body
from gateway.serve import LINGER_S, serve
from kopeck.clock import utc_now
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
    until,
    with_deadline,
)
from tests.pipeline.proxy import before_postgresql

AT_ONCE_S = 2.0
FAULTS = load_statements("tests/pipeline/faults.sql")


async def test_everything_accepted_is_answered_before_the_end(town: Town, owner: asyncpg.Connection, redis_url: str) -> None:
    async with Gateway(town.settings(redis_url, batch_entries_max=4, queue_payments_max=64)) as gateway:
        terminal = Terminal(gateway.session)
        async with owner.transaction():
            await owner.execute(FAULTS["lock_book"])
            paying = [asyncio.create_task(terminal.pay_once(str(key), "1001", "1.00")) for key in range(1, 31)]
            telling = asyncio.create_task(send(gateway, "op-1", payment("1001", 1000)))
            await until(lambda: _waiting(owner))
            async with gateway.session.get("/healthz") as response:
                assert response.status == 200
            stopping = asyncio.create_task(gateway.stop())
            async with gateway.session.get("/readyz") as response:
                assert response.status == 503
                assert response.headers["Connection"] == "close"
        assert await asyncio.gather(*paying) == [BOOKED] * 30
        assert (await telling).status == 200
        await stopping
    async with Gateway(town.settings(redis_url)) as successor:
        assert await Terminal(successor.session).pay_once("31", "1001", "1.00") == BOOKED
        assert (await send(successor, "op-1", payment("1001", 1000))).headers["Idempotency-Replayed"] == "true"
    assert len(await booked_keys(owner)) == 32
    await assert_told_truly(owner, terminal.answers)
    await assert_sound(owner, town)


class NotReady(Exception):
    """Who was to be told that it serves is gone."""


async def test_a_serving_that_ends_early_leaves_no_socket_open(town: Town, redis_url: str) -> None:
    def ready() -> None:
        raise NotReady

    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        listener.setblocking(False)
        port = listener.getsockname()[1]
        with pytest.raises(NotReady):
            await serve(town.settings(redis_url), listener, asyncio.Event(), ready, utc_now)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


async def _waiting(owner: asyncpg.Connection) -> bool:
    return await owner.fetchval(FAULTS["count_waiting"]) >= 1


async def test_a_stop_without_postgresql_ends_in_time_and_lies_to_nobody(
    town: Town, owner: asyncpg.Connection, redis_url: str, tmp_path: Path
) -> None:
    async with before_postgresql(town.database.gateway_dsn, tmp_path) as (proxy, dsn):
        settings = msgspec.structs.replace(with_deadline(town, 1.5).settings(redis_url, drain_s=3), gateway_dsn=dsn)
        async with Gateway(settings) as gateway:
            terminal = Terminal(gateway.session)
            assert await terminal.pay_once("1", "1001", "1.00") == BOOKED
            proxy.refusing = True
            await proxy.cut()
            paying = [asyncio.create_task(terminal.pay_once(str(key), "1001", "1.00")) for key in range(2, 12)]
            await asyncio.wait(paying, timeout=0.1)
            began = time.monotonic()
            await gateway.stop()
            assert time.monotonic() - began < 2 * settings.drain_s
            assert await asyncio.gather(*paying) == [TRY_AGAIN] * 10
    async with Gateway(town.settings(redis_url)) as successor:
        repeated = Terminal(successor.session)
        assert {await repeated.pay(str(key), "1001", "1.00") for key in range(1, 12)} == {BOOKED}
    await assert_told_truly(owner, terminal.answers | repeated.answers)
    assert len(await booked_keys(owner)) == 11
    await assert_sound(owner, town)


async def test_half_a_message_holds_neither_the_gateway_nor_its_stop(
    gateway: Gateway, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(body, "BODY_PATIENCE_S", 0.3)
    host, port = gateway.url.removeprefix("http://").split(":")
    halves = [await asyncio.open_connection(host, int(port)) for _ in range(2)]
    for (_, writer), path in zip(halves, ("/bank/feed/payments", "/osmp/net"), strict=True):
        writer.write(f"POST {path} HTTP/1.1\r\nHost: kopeck\r\nContent-Length: 4000\r\n\r\ncommand=pay".encode())
    async with gateway.session.get("/healthz") as response:
        assert response.status == 200
    began = time.monotonic()
    stopping = asyncio.create_task(gateway.stop())
    answers = [await reader.read() for reader, _ in halves]
    await stopping
    for _, writer in halves:
        writer.close()
    assert time.monotonic() - began < LINGER_S + AT_ONCE_S
    assert all(answer.startswith(b"HTTP/1.1 408 ") for answer in answers)
    assert (await owner.fetchrow(SQL["fetch_totals"]))["keys"] == 0
