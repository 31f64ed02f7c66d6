"""The recorder of one counterparty: answers that have come together are written at once, each with its consequences."""

import asyncio
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any, TypeAlias

import asyncpg
import msgspec
import structlog

from ledger.feed import Connection
from schemas.delivery import Accepted, Answer, Done, OrderNumber, Refused
from services.delivery.calls import CONTENDED, UNREACHABLE, Bug, heed_cancellation, settle
from services.delivery.desk import Desks
from services.delivery.hooks import Hooks, Written
from services.delivery.rules import Verdict, parked
from services.delivery.store import Leased, close_counterparty, record

RETRY_MS = 500
TRIES_MAX = 5
"""How often one order's record may meet others or take too long before a person must look at it."""

Pool: TypeAlias = "asyncpg.Pool[Any]"
_log = structlog.get_logger("kopeck.delivery")


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt that is over; ``answer`` is None when its owner has nothing to hear of it."""

    leased: Leased
    verdict: Verdict
    answer: Answer | None = None


class Recorder:
    """Writes answers until it is cancelled. ``written`` is called after each batch, whatever became of it."""

    def __init__(self, counterparty: str, desks: Desks, pool: Pool, hooks: Hooks, records_max: int) -> None:
        self.written: Callable[[Sequence[OrderNumber]], None] = lambda _numbers: None
        self._counterparty = counterparty
        self._desks = desks
        self._pool = pool
        self._hooks = hooks
        self._records_max = records_max
        self._waiting: list[Answered] = []
        self._some = asyncio.Event()

    def put(self, answered: Answered) -> None:
        """Have an answer written."""
        self._waiting.append(answered)
        self._some.set()

    async def run(self) -> None:
        """Write what comes, in batches as large as came together meanwhile."""
        while True:
            await self._some.wait()
            batch, self._waiting = self._waiting[: self._records_max], self._waiting[self._records_max :]
            if not self._waiting:
                self._some.clear()
            await self._record(batch)
            self.written([one.leased.order.number for one in batch])

    async def _record(self, batch: Sequence[Answered]) -> None:
        """Write a batch; when one of its orders will not be written, each alone, and that one parked."""
        try:
            await self._write(batch)
        except Bug as bug:
            if len(batch) > 1:
                for one in batch:
                    await self._record([one])
                return
            order = batch[0].leased.order
            _log.error("order_parked", counterparty=self._counterparty, number=order.number, reason=bug.reason, exc_info=bug)
            await self._write([_parked_by(bug, batch[0])])

    async def _write(self, batch: Sequence[Answered]) -> None:
        """Write a batch in one transaction, waiting while PostgreSQL is away; raises Bug when its desks will not have it."""
        tries = 0
        while True:
            try:
                ages = await self._write_once(batch)
                return self._tell(batch, ages)
            except UNREACHABLE as error:
                heed_cancellation()
                _log.warning("answers_not_recorded", counterparty=self._counterparty, orders=len(batch), error=repr(error))
                if isinstance(error, CONTENDED) and any(one.answer is not None for one in batch):
                    tries += 1
                    if len(batch) > 1 or tries >= TRIES_MAX:
                        raise Bug(f"its answer could not be recorded: {type(error).__name__}", error) from error
            await asyncio.sleep(RETRY_MS / 1000)

    async def _write_once(self, batch: Sequence[Answered]) -> dict[OrderNumber, int]:
        async with self._pool.acquire() as connection, connection.transaction():
            ages = await record(connection, [(one.leased, one.verdict) for one in batch])
            for one in batch:
                if one.leased.order.number in ages:
                    await self._follow(connection, one)
        return ages

    async def _follow(self, connection: Connection, one: Answered) -> None:
        """Write an answer's consequences beside it."""
        if one.verdict.closes and await close_counterparty(connection, self._counterparty, one.verdict.reason):
            _log.error("counterparty_closed", counterparty=self._counterparty, reason=one.verdict.reason)
        if isinstance(one.answer, Done | Refused) or (isinstance(one.answer, Accepted) and _is_news(one.leased, one.answer)):
            await settle(self._desks[one.leased.what], connection, one.leased.order, one.answer)

    def _tell(self, batch: Sequence[Answered], ages: dict[OrderNumber, int]) -> None:
        if lost := [one.leased.order.number for one in batch if one.leased.order.number not in ages]:
            _log.warning("leases_lost", counterparty=self._counterparty, numbers=lost)
            self._hooks.lost(self._counterparty, len(lost))
        written = [
            Written(
                what=one.leased.what,
                state=one.verdict.state,
                age_ms=ages[one.leased.order.number],
                first=one.leased.never_accepted and isinstance(one.answer, Accepted | Done),
            )
            for one in batch
            if one.leased.order.number in ages
        ]
        if written:
            self._hooks.recorded(self._counterparty, written)


def _is_news(leased: Leased, answer: Accepted) -> bool:
    """Whether the owner has something to hear of an order on its way: that it was taken, or other content than the last.

    A bank tells of a register line by line while it works on it: what it holds or has paid must not wait for the end.
    """
    return leased.never_accepted or (bool(answer.content) and sha256(answer.content).digest() != leased.told)


def _parked_by(bug: Bug, one: Answered) -> Answered:
    """The order goes to a person with its outcome unknown: at a retry its answer is asked for again."""
    verdict = parked(one.leased.stand, bug.reason, unknown=True)
    return Answered(leased=one.leased, verdict=msgspec.structs.replace(verdict, reference=one.verdict.reference))
