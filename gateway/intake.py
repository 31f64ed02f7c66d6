"""The gateway's stations without HTTP: registers, pollers and statements book payments as a channel's route does.

Nobody waits at the other end, so batches are as large as the door takes and the next is decided while one is being appended.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

import structlog

from gateway import metrics
from gateway.acquiring import EventTaker
from gateway.aliases import NAMED_PAYMENTS_MAX, Named
from gateway.batcher import Batcher, Heads
from gateway.decide import Decided
from gateway.owned_tasks import OwnedTasks
from gateway.reader import POSTGRESQL_ERRORS, Reader
from gateway.settings import GatewaySettings
from gateway.stations import Stations, open_stores, settled_memory, start_stations
from gateway.submission import TRY_AGAIN, Submission
from ledger.journal import BATCH_ENTRIES_MAX
from schemas.acquiring import AcquirerEvent
from schemas.allocation import Digest
from schemas.channel import Channel
from schemas.notification import PaymentNotification
from schemas.outcome import PaymentOutcome

log = structlog.get_logger("gateway.intake")

PATIENCE_S = 60.0
"""How long one payment may take: twice what the door tries to make an unknown outcome known."""
CHUNK_PAYMENTS = min(NAMED_PAYMENTS_MAX, BATCH_ENTRIES_MAX)


class AheadBatcher(Batcher):
    """Decides the next batch while one is being appended, from the tables that the one will leave.

    What it foresees wrongly (an offer before was not recorded) the door answers as stale; such payments are decided again from
    PostgreSQL's word, and only when nothing is in flight.
    """

    async def run(self) -> None:
        """Serve the queue until it is closed and empty."""
        offering: asyncio.Task[None] | None = None
        heads: Heads = {}
        while True:
            taken = await self.queue.take(self.settings.batch_entries_max, time.monotonic())
            if taken is None:
                if offering is None:
                    break
                # It may put payments back.
                await _ended(offering)
                offering = None
                continue
            if offering is None or offering.done() or any(submission.authoritative for submission in taken):
                await _ended(offering)
                offering, heads = None, {}
            with self.answering(taken):
                decided = await self.decide_all(taken, heads)
                await _ended(offering)
                offering = None
                if decided:
                    heads = {made.table.account: (made.table, Digest(made.offer.after)) for _, made in decided if made.table}
                    offering = asyncio.create_task(self._append(decided), name="append")
        await self.beside.behind.flush()

    async def _append(self, decided: list[tuple[Submission, Decided]]) -> None:
        with self.answering([submission for submission, _ in decided]):
            await self.offer(decided)


async def _ended(offering: asyncio.Task[None] | None) -> None:
    """Wait for an append, if there is one."""
    if offering is not None:
        await offering


class Intake:
    """Books payments through the stations (schemas.booking.Booking) and takes acquirers' events (schemas.events.EventTaking)."""

    def __init__(self, stations: Stations, reader: Reader, settings: GatewaySettings, utc_now: Callable[[], datetime]):
        self._queue = stations.queue
        self._pipeline = stations.pipeline
        self._names = stations.names
        self._taker = EventTaker(reader, stations.parking, self._book_one, utc_now)
        # So many chunks are at work at once, whoever asked: the rest wait here and not in the queue, which refuses.
        self._places = asyncio.Semaphore(max(1, settings.queue_payments_max // CHUNK_PAYMENTS))

    async def take(self, channel: Channel, event: AcquirerEvent) -> PaymentOutcome:
        """Book or keep an event as a callback's route does; see EventTaking."""
        return await self._taker.take(channel, event)

    async def _book_one(self, channel: Channel, notification: PaymentNotification) -> PaymentOutcome:
        (outcome,) = await self.book(channel, (notification,))
        return outcome

    async def book(self, channel: Channel, notifications: Sequence[PaymentNotification]) -> tuple[PaymentOutcome, ...]:
        """Return the outcome of each notification, in order; see Booking. There may be any number of them."""
        try:
            await self._names.learn(channel)
        except POSTGRESQL_ERRORS as error:
            log.warning("intake.unavailable", error=type(error).__name__)
            return (TRY_AGAIN,) * len(notifications)
        chunks = [notifications[start : start + CHUNK_PAYMENTS] for start in range(0, len(notifications), CHUNK_PAYMENTS)]
        async with asyncio.TaskGroup() as tasks:
            booked = [tasks.create_task(self._book(channel, chunk)) for chunk in chunks]
        return tuple(outcome for task in booked for outcome in task.result())

    async def _book(self, channel: Channel, chunk: Sequence[PaymentNotification]) -> list[PaymentOutcome]:
        async with self._places:
            waiting = [self._submit(channel, named) for named in await self._names.name(channel, chunk)]
            return [one if isinstance(one, PaymentOutcome) else await one.future for one in waiting]

    def _submit(self, channel: Channel, named: Named) -> Submission | PaymentOutcome:
        if isinstance(named, PaymentOutcome):
            return named
        submission = self._pipeline.payment_submission(channel, named, time.monotonic(), PATIENCE_S)
        return submission if self._queue.offer(submission) else TRY_AGAIN


@asynccontextmanager
async def open_intake(
    settings: GatewaySettings, utc_now: Callable[[], datetime], stop: asyncio.Event | None = None
) -> AsyncIterator[Intake]:
    """Open the stations; on leaving, everything accepted is booked first.

    ``settings.channels`` must name every channel of the operation spaces that are booked into, for by them it is known where
    one payment has several names. ``stop`` is set when a task of the stations ends by a bug. Raises what PostgreSQL raises when
    it cannot be reached at the start, and TaskFailed on leaving after such an end.
    """
    async with open_stores(settings) as stores:
        owned = OwnedTasks(stop or asyncio.Event())
        stations = start_stations(settings, stores, owned, utc_now, AheadBatcher)
        try:
            with settled_memory():
                yield Intake(stations, stores.reader, settings, utc_now)
        finally:
            owned.stopping()
            stations.queue.close()
            await asyncio.wait((stations.batcher,))
            metrics.TALLY.flush()
            await owned.end()
