"""Races, rollbacks and lost replies: a payment is in the journal once and its answer says so (design W3, W5)."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import parse_qs, quote, urlsplit

import asyncpg
import pytest

from gateway.door import Door, RefusedByDatabase
from ledger.journal import Append, Appended, append
from schemas.ids import Book, Transit
from tests.ledger.small_ledger import (
    BOOK,
    CONFLICT,
    DUPLICATE,
    RECORDED,
    REFUSED,
    SPACE,
    SQL,
    STALE,
    SmallLedger,
    offer,
    statuses,
    until,
)

PATIENCE_S = 30


def soon() -> float:
    """When a door may give up."""
    return time.monotonic() + PATIENCE_S


@asynccontextmanager
async def opened(dsn: str) -> AsyncIterator[Door]:
    """A door on a connection of its own."""
    door = Door(dsn)
    try:
        yield door
    finally:
        await door.close()


def known(answers: list[Appended | RefusedByDatabase | None]) -> list[Appended]:
    """The answers, all of them known and the door's own."""
    assert all(isinstance(answer, Appended) for answer in answers), answers
    return [answer for answer in answers if isinstance(answer, Appended)]


async def test_one_bad_entry_never_takes_the_others_with_it(ledger: SmallLedger) -> None:
    bad = offer("bad", 2, 1, transit=Transit(9))
    with pytest.raises(asyncpg.NotNullViolationError):
        await ledger.offer(offer("a", 1, 1), bad, offer("s"))
    assert await ledger.journal() == []
    async with opened(ledger.database.gateway_dsn) as door:
        first, refused, last = await door.offer(BOOK, [offer("a", 1, 1), bad, offer("s")], soon())
    assert isinstance(refused, RefusedByDatabase)
    assert statuses(known([first, last])) == [RECORDED, RECORDED]
    assert [row["external_id"] for row in await ledger.journal()] == ["a", "s"]


async def test_concurrent_batches_with_failures_leave_no_gap(ledger: SmallLedger) -> None:
    """Four connections append; some batches fail, some transactions are rolled back by their client."""
    chance = random.Random(20261124)
    totals = await asyncio.gather(*(_append_with_failures(ledger, name, chance) for name in "abcd"))
    rows = await ledger.journal()
    assert [row["sequence"] for row in rows] == list(range(1, len(rows) + 1))
    assert len(rows) == sum(totals) > 0
    assert [row["recorded_at"] for row in rows] == sorted(row["recorded_at"] for row in rows)
    assert len(await ledger.owner.fetch(SQL["keys"])) == len(rows)


async def _append_with_failures(ledger: SmallLedger, name: str, chance: random.Random) -> int:
    connection = await asyncpg.connect(ledger.database.gateway_dsn)
    recorded = 0
    for turn in range(40):
        good = [offer(f"{name}{turn}-{n}") for n in range(chance.randint(1, 5))]
        fate = chance.random()
        if fate < 0.2:
            with pytest.raises(asyncpg.IntegrityConstraintViolationError):
                await append(connection, BOOK, [*good, offer("bad", amount_kopecks=1)])
        elif fate < 0.4:
            attempt = connection.transaction()
            await attempt.start()
            assert statuses(await append(connection, BOOK, good)) == [RECORDED] * len(good)
            await attempt.rollback()
        else:
            recorded += statuses(await append(connection, BOOK, good)).count(RECORDED)
    connection.terminate()
    return recorded


async def test_two_books_race_for_one_key(two_books: SmallLedger) -> None:
    """The loser's batch breaks on the key, is offered once more and answered by what the winner stored."""
    for turn in range(10):
        raced = offer(f"k{turn}")
        async with opened(two_books.database.gateway_dsn) as one, opened(two_books.database.services_dsn) as two:
            await asyncio.gather(one.connect(), two.connect())
            both = await asyncio.gather(
                one.offer(Book(1), [raced, offer(f"x{turn}")], soon()), two.offer(Book(2), [raced, offer(f"y{turn}")], soon())
            )
        first, second = (known(answers) for answers in both)
        assert sorted((first[0].status, second[0].status)) == [RECORDED, DUPLICATE]
        assert (first[0].book, first[0].sequence) == (second[0].book, second[0].sequence)
        assert (first[1].status, second[1].status) == (RECORDED, RECORDED)
    rows = [*await two_books.journal(1), *await two_books.journal(2)]
    assert len(rows) == 30


async def test_a_key_that_another_transaction_holds_is_waited_for(ledger: SmallLedger) -> None:
    """A unique violation rolls the batch back; the second try finds the other content and answers Conflict."""
    held = ledger.owner.transaction()
    await held.start()
    await ledger.owner.execute(SQL["hold_key"], SPACE, "k", b"other")
    async with opened(ledger.database.gateway_dsn) as door:
        offering = asyncio.create_task(door.offer(BOOK, [offer("k"), offer("s")], soon()))
        await _until_somebody_waits(ledger)
        await held.commit()
        answers = known(await offering)
    assert statuses(answers) == [CONFLICT, RECORDED]
    assert answers[0].stored_fingerprint == b"other"


async def _until_somebody_waits(ledger: SmallLedger) -> None:
    """Only the owner sees what others wait for, and not in a transaction that has looked before."""
    watching = await asyncpg.connect(ledger.database.owner_dsn)

    async def somebody_waits() -> bool:
        return bool(await watching.fetchval(SQL["waiting"]))

    await until(somebody_waits)
    watching.terminate()


async def test_a_deadlock_is_offered_once_more(ledger: SmallLedger) -> None:
    """A stranger holds the key and wants the book's head, which the batch holds while it wants the key."""
    stranger = ledger.owner.transaction()
    await stranger.start()
    await ledger.owner.execute(SQL["hold_key"], SPACE, "k", b"other")
    async with opened(ledger.database.gateway_dsn) as door:
        offering = asyncio.create_task(door.offer(BOOK, [offer("k"), offer("s")], soon()))
        await _until_somebody_waits(ledger)
        with suppress(asyncpg.DeadlockDetectedError):
            await ledger.owner.execute(SQL["lock_head"], BOOK)
        await stranger.rollback()
        answers = known(await offering)
    assert statuses(answers) == [RECORDED, RECORDED]
    assert len(await ledger.journal()) == 2


class ReplyEater:
    """A server in front of PostgreSQL that forwards everything until ``cut_after`` arrives, then hides what comes back.

    The request is given to PostgreSQL whole; its replies are read until the commit is told (ReadyForQuery, idle), and
    the client's connection is broken instead of getting them.
    """

    READY_IDLE = b"Z\x00\x00\x00\x05I"

    def __init__(self, socket_path: str, cut_after: bytes) -> None:
        self._socket_path = socket_path
        self._cut_after = cut_after
        self.cuts = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection."""
        behind = await asyncio.open_unix_connection(self._socket_path)
        cutting = asyncio.Event()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._forward(reader, behind[1], cutting))
                tasks.create_task(self._answer(behind[0], writer, cutting))
        except* OSError:
            assert self.cuts
        finally:
            behind[1].close()
            writer.close()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, cutting: asyncio.Event) -> None:
        while sent := await reader.read(65_536):
            if self._cut_after in sent and not self.cuts:
                cutting.set()
            writer.write(sent)
            await writer.drain()
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, cutting: asyncio.Event) -> None:
        while told := await reader.read(65_536):
            if not cutting.is_set():
                writer.write(told)
            elif self.READY_IDLE in told:
                self.cuts += 1
                cutting.clear()
                writer.transport.abort()
                return
        writer.close()


@asynccontextmanager
async def eating_replies(dsn: str, cut_after: bytes) -> AsyncIterator[tuple[ReplyEater, str]]:
    """The proxy and the address of the same database through it."""
    parts = urlsplit(dsn)
    query = parse_qs(parts.query)
    eater = ReplyEater(f"{query['host'][0]}/.s.PGSQL.{query['port'][0]}", cut_after)
    server = await asyncio.start_server(eater.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    yield eater, f"postgresql://{parts.username}:{quote(parts.password or '')}@127.0.0.1:{port}{parts.path}?sslmode=disable"
    server.close()


async def test_a_reply_lost_after_the_commit_is_found_out(ledger: SmallLedger) -> None:
    """Recorded is told, not Duplicate: the very offer whose answer was lost is in the journal, once."""
    await ledger.offer(offer("old"))
    batch = [offer("lost-reply", 1, 1), offer("next", 1, 2), offer("r", refusal=6), offer("stale", 2, 7)]
    async with eating_replies(ledger.database.gateway_dsn, b"lost-reply") as (eater, dsn), opened(dsn) as door:
        assert statuses(known(await door.offer(BOOK, [offer("before")], soon()))) == [RECORDED]
        answers = known(await door.offer(BOOK, batch, soon()))
        assert eater.cuts == 1
    assert statuses(answers) == [RECORDED, RECORDED, REFUSED, STALE]
    rows = await ledger.journal()
    assert [row["external_id"] for row in rows] == ["old", "before", "lost-reply", "next"]
    assert [answer.sequence for answer in answers] == [3, 4, None, None]
    assert answers[0].recorded_at == rows[2]["recorded_at"]


async def test_a_backend_ended_in_the_middle_is_offered_again(ledger: SmallLedger) -> None:
    """The batch waits for the head when its backend is ended: nothing was recorded, and the second try records it."""
    held = ledger.owner.transaction()
    await held.start()
    await ledger.owner.execute(SQL["lock_head"], BOOK)
    async with opened(ledger.database.gateway_dsn) as door:
        connection = await door.connect()
        offering = asyncio.create_task(door.offer(BOOK, [offer("a", 1, 1)], soon()))
        await _until_somebody_waits(ledger)
        assert await ledger.owner.fetchval(SQL["terminate"], connection.get_server_pid())
        await held.rollback()
        answers = known(await offering)
    assert statuses(answers) == [RECORDED]
    assert len(await ledger.journal()) == 1


async def test_without_a_server_the_outcome_stays_unknown(ledger: SmallLedger) -> None:
    lost: list[Append] = [offer("a", 1, 1), offer("s")]
    async with opened("postgresql://nobody@127.0.0.1:1/nothing") as door:
        assert await door.offer(BOOK, lost, time.monotonic() + 0.2) == [None, None]
    assert await ledger.journal() == []
