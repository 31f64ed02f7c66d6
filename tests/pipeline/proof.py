"""What must hold after every fault: the journal verifies, its postings sum to nought, every answer is true."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping

import aiohttp
import asyncpg
import msgspec
from prometheus_client import REGISTRY

from gateway.metrics import TALLY
from ledger.audit import conclude, connect_for_audit, plan_audit, run_job
from tests.pipeline.conftest import SQL, Town

_RESULT = re.compile(r"<result>([0-9]+)</result>")
BOOKED = 0
TRY_AGAIN = 1


def result_of(answer: str) -> int:
    """The result code of an OSMP answer."""
    found = _RESULT.search(answer)
    assert found is not None, answer
    return int(found[1])


def counted(name: str, **labels: str) -> float:
    """A counter of this process, 0 before its first count."""
    TALLY.flush()
    return REGISTRY.get_sample_value(name, labels) or 0.0


def with_deadline(town: Town, deadline_s: float) -> Town:
    """The town with channels that must answer so soon."""
    return msgspec.structs.replace(
        town,
        channels=tuple(msgspec.structs.replace(one, deadline_ms=round(deadline_s * 1000)) for one in town.channels),
    )


async def until(condition: Callable[[], Awaitable[bool]], timeout_s: float = 20.0) -> None:
    """Wait until the condition holds; fail when it does not come."""
    deadline = time.monotonic() + timeout_s
    while not await condition():
        assert time.monotonic() < deadline, "the condition did not come"
        await asyncio.sleep(0.01)


async def assert_sound(owner: asyncpg.Connection, town: Town) -> None:
    """Every posting sums to nought, and every split, place, key and head is what the journal alone gives again."""
    assert (await owner.fetchrow(SQL["fetch_totals"]))["total"] == 0
    auditing = await connect_for_audit(town.database.reader_dsn)
    try:
        plan = await plan_audit(auditing, 1)
        divergence = conclude(plan, [await run_job(auditing, job, lambda entries: None) for job in plan.jobs])
    finally:
        await auditing.close()
    assert divergence is None, divergence


async def booked_keys(owner: asyncpg.Connection) -> list[str]:
    """The external ids of all entries, in order: one that is doubled stands twice."""
    return [entry["external_id"] for entry in await owner.fetch(SQL["list_entries"])]


async def assert_told_truly(owner: asyncpg.Connection, answers: Mapping[str, Iterable[int]]) -> None:
    """No key is booked twice; one answered as booked is, one refused for good is not, and no key got both."""
    keys = await booked_keys(owner)
    assert len(keys) == len(set(keys)), "a payment is booked twice"
    for key, given in answers.items():
        codes = set(given)
        if BOOKED in codes:
            assert key in keys, f"{key} was answered as booked and is not"
        if codes - {BOOKED, TRY_AGAIN}:
            assert key not in keys, f"{key} was refused and is booked"


class Terminal:
    """A terminal network that repeats a payment until its answer is final; ``answers`` keeps every code of every key."""

    def __init__(self, session: aiohttp.ClientSession):
        self._session = session
        self.answers: dict[str, list[int]] = {}
        self.resets = 0

    async def pay_once(self, txn_id: str, account: str, roubles: str) -> int | None:
        """One ``pay``; None when the connection broke instead of an answer."""
        query = {"command": "pay", "txn_id": txn_id, "txn_date": "20261116120000", "account": account, "sum": roubles}
        try:
            async with self._session.get("/osmp/net", params=query) as response:
                assert response.status == 200
                code = result_of(await response.text())
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError):
            self.resets += 1
            return None
        self.answers.setdefault(txn_id, []).append(code)
        return code

    async def pay(self, txn_id: str, account: str, roubles: str, timeout_s: float = 30.0) -> int:
        """Repeat ``pay`` until the answer is neither "try again" nor a broken connection."""
        deadline = time.monotonic() + timeout_s
        while (code := await self.pay_once(txn_id, account, roubles)) in (None, TRY_AGAIN):
            assert time.monotonic() < deadline, f"{txn_id} was never answered"
            await asyncio.sleep(0.02)
        assert code is not None
        return code


class Load:
    """Payments sent by ``senders`` at once, one account after another, until it is told to stop."""

    def __init__(self, terminal: Terminal, senders: int, accounts: tuple[str, ...] = ("1001", "1002", "1003")):
        self._terminal = terminal
        self._accounts = accounts
        self._senders = senders
        self._stopped = False
        self.sent = 0
        self.settled = 0

    async def __aenter__(self) -> "Load":
        self._tasks = [asyncio.create_task(self._send(sender)) for sender in range(self._senders)]
        return self

    async def __aexit__(self, *_error: object) -> None:
        self._stopped = True
        await asyncio.gather(*self._tasks)

    async def settle(self, more: int) -> None:
        """Wait until so many more payments have a final answer."""
        target = self.settled + more

        async def reached() -> bool:
            return self.settled >= target or any(task.done() for task in self._tasks)

        await until(reached, 60.0)

    async def _send(self, sender: int) -> None:
        while not self._stopped:
            self.sent += 1
            number = self.sent
            await self._terminal.pay(str(number), self._accounts[number % len(self._accounts)], "1.23")
            self.settled += 1
