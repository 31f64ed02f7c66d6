"""Two real gateway processes on one socket: killed, stopped and asked about their counts while payments flow."""

import asyncio
import os
import re
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import asyncpg
import msgspec
import pytest
from prometheus_client import multiprocess
from structlog.testing import capture_logs

from kopeck.gateway_process import GatewayOrders
from kopeck.supervisor import ChildSpec, Supervisor, open_listener
from tests.pipeline.conftest import Town
from tests.pipeline.conftest import owner as owner
from tests.pipeline.conftest import town as town
from tests.pipeline.proof import BOOKED, TRY_AGAIN, Load, Terminal, assert_sound, assert_told_truly, booked_keys, result_of, until

ROOT = Path(__file__).resolve().parents[2]
PROCESSES = 2
_PAYMENTS = re.compile(r'^kopeck_payments_total\{answer="(\w+)",channel="(\w+)"\} ([0-9.]+)$', re.MULTILINE)


class House:
    """Two gateway processes under a supervisor; ``session`` keeps connections open, ``pids`` are the processes'."""

    def __init__(self, session: aiohttp.ClientSession, supervisor: Supervisor, url: str):
        self.session = session
        self.supervisor = supervisor
        self.url = url

    @property
    def pids(self) -> tuple[int, ...]:
        return tuple(child.pid for child in self.supervisor.children)

    async def restarted(self, place: int, starts: int) -> bool:
        """Whether a child has been started so often and serves."""
        child = self.supervisor.children[place]
        return child.starts >= starts and child.ready.is_set()

    async def counts(self) -> dict[tuple[str, str], int]:
        """Payments by (channel, answer) as one scrape tells them, whichever process answers it."""
        async with self.session.get("/metrics", headers={"Connection": "close"}) as response:
            found = _PAYMENTS.findall(await response.text())
        return {(channel, answer): int(count.partition(".")[0]) for answer, channel, count in found}


@pytest.fixture
async def listener() -> AsyncIterator[socket.socket]:
    opened = await open_listener("127.0.0.1", 0)
    yield opened
    opened.close()


@pytest.fixture
async def house(town: Town, redis_url: str, tmp_path: Path, listener: socket.socket) -> AsyncIterator[House]:
    metrics = tmp_path / "metrics"
    metrics.mkdir()
    specs = [
        ChildSpec(
            name=f"gateway-{index}",
            module="kopeck.gateway_process",
            settings=msgspec.json.encode(
                GatewayOrders(
                    gateway=msgspec.structs.replace(town.settings(redis_url), process_index=index),
                    listener_fd=listener.fileno(),
                    log_level="info",
                )
            ),
            environ={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(metrics), "PYTHONPATH": str(ROOT)},
            log=tmp_path / f"gateway-{index}.log",
            pass_fds=(listener.fileno(),),
        )
        for index in range(PROCESSES)
    ]
    supervisor = Supervisor(specs, ended=lambda pid: multiprocess.mark_process_dead(pid, str(metrics)))
    stop = asyncio.Event()

    async def stopped() -> None:
        await stop.wait()

    running = asyncio.create_task(supervisor.run(stopped))
    try:
        await asyncio.wait_for(supervisor.wait_ready(), 60)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with aiohttp.ClientSession(url) as session:
            yield House(session, supervisor, url)
    finally:
        stop.set()
        await running


async def test_a_killed_process_loses_and_doubles_nothing(house: House, town: Town, owner: asyncpg.Connection) -> None:
    terminal = Terminal(house.session)
    with capture_logs() as lines:
        async with Load(terminal, senders=16) as load:
            await load.settle(100)
            os.kill(house.pids[0], signal.SIGKILL)
            await load.settle(100)
            await until(lambda: house.restarted(0, 2), 60)
            await load.settle(100)
    assert house.supervisor.children[1].starts == 1, "the other goes on"
    assert [line["code"] for line in lines if line["event"] == "child_ended"] == [-signal.SIGKILL]
    assert sorted(await booked_keys(owner)) == sorted(terminal.answers)
    await assert_told_truly(owner, terminal.answers)
    await assert_sound(owner, town)


class Persistent:
    """A payer on one kept-alive connection at a time, who never sends a request twice by himself as HTTP libraries do."""

    def __init__(self, house: House, name: int, pause_s: float):
        self._address = house.url.removeprefix("http://").split(":")
        self._name = name
        self._pause_s = pause_s
        self.results: list[int] = []
        self.broken = 0

    async def pay_until(self, stop: asyncio.Event) -> None:
        """Pay again and again; a connection that ends instead of an answer is counted as broken."""
        while not stop.is_set():
            reader, writer = await asyncio.open_connection(self._address[0], int(self._address[1]))
            try:
                while not stop.is_set() and await self._pay(reader, writer):
                    await asyncio.sleep(self._pause_s)
            except (ConnectionError, asyncio.IncompleteReadError):
                self.broken += 1
            finally:
                writer.transport.abort()

    async def _pay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Send one payment, or again one that was to be sent later; whether the connection may be used again."""
        if reader.at_eof():
            return False
        key = f"7{self._name:03d}{len(self.results):06d}"
        account = ("1001", "1002", "1003")[self._name % 3]
        query = f"command=pay&txn_id={key}&txn_date=20261116120000&account={account}&sum=0.01"
        writer.write(f"GET /osmp/net?{query} HTTP/1.1\r\nHost: kopeck\r\n\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = re.search(r"content-length: ([0-9]+)", head)
        assert length is not None
        code = result_of((await reader.readexactly(int(length[1]))).decode())
        if code != TRY_AGAIN:
            self.results.append(code)
        return "connection: close" not in head


async def test_a_stopped_process_answers_all_and_breaks_no_connection(
    house: House, town: Town, owner: asyncpg.Connection
) -> None:
    payers = [Persistent(house, name, 0.0 if name < 12 else 0.05) for name in range(24)]
    stop = asyncio.Event()
    with capture_logs() as lines:
        paying = [asyncio.create_task(payer.pay_until(stop)) for payer in payers]
        for starts in (2, 3, 4):
            await until(lambda: _answered(payers, starts * 100))  # noqa: B023
            os.kill(house.pids[0], signal.SIGTERM)
            await until(lambda: house.restarted(0, starts), 60)  # noqa: B023
        stop.set()
        await asyncio.gather(*paying)
    assert [line["code"] for line in lines if line["event"] == "child_ended"] == [0, 0, 0]
    assert sum(payer.broken for payer in payers) == 0
    assert {code for payer in payers for code in payer.results} == {BOOKED}
    keys = await booked_keys(owner)
    assert len(keys) == len(set(keys)) == sum(len(payer.results) for payer in payers)
    await assert_sound(owner, town)


async def _answered(payers: list[Persistent], payments: int) -> bool:
    return sum(len(payer.results) for payer in payers) >= payments


async def test_one_key_with_two_accounts_at_once_is_booked_once(house: House, town: Town, owner: asyncpg.Connection) -> None:
    answers: dict[str, list[int]] = {}

    async def pay(session: aiohttp.ClientSession, key: str, account: str) -> None:
        query = {"command": "pay", "txn_id": key, "txn_date": "20261116120000", "account": account, "sum": "1.00"}
        async with session.get("/osmp/net", params=query) as response:
            answers.setdefault(key, []).append(result_of(await response.text()))

    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(house.url, connector=connector) as session:
        for key in range(1, 31):
            await asyncio.gather(*(pay(session, str(key), account) for account in ("1001", "1002")))
        for key in range(31, 61):
            await asyncio.gather(*(pay(session, str(key), "1003") for _ in range(4)))
    assert [sorted(answers[str(key)]) for key in range(1, 31)] == [[0, 300]] * 30
    assert [answers[str(key)] for key in range(31, 61)] == [[0] * 4] * 30
    keys = await booked_keys(owner)
    assert sorted(keys, key=int) == [str(key) for key in range(1, 61)]
    await assert_sound(owner, town)


async def test_one_scrape_counts_the_payments_of_both_processes(house: House, town: Town, owner: asyncpg.Connection) -> None:
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(house.url, connector=connector) as session:
        terminal = Terminal(session)
        codes = await asyncio.gather(*(terminal.pay_once(str(key), "1001", "1.00") for key in range(1, 121)))
        assert codes == [BOOKED] * 120
        assert await terminal.pay_once("1", "1001", "1.00") == BOOKED
        assert await terminal.pay_once("200", "unknown", "1.00") == 5
        told = {("net", "recorded"): 120, ("net", "duplicate"): 1, ("net", "refused"): 1}

        async def all_told() -> bool:
            return await house.counts() == told

        # A process tells what it counted ten times a second.
        await until(all_told)
        for _ in range(6):
            assert await house.counts() == told
        os.kill(house.pids[1], signal.SIGKILL)
        await until(lambda: house.restarted(1, 2), 60)
        assert await house.counts() == told, "what a process counted outlives it"
    await assert_sound(owner, town)
