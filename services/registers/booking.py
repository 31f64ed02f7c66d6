"""Lines of a register to payments, in chunks, each line's outcome kept; a run that dies is taken up where it stopped.

A line is booked under its own key in the counterparty's space, so a chunk whose outcomes were lost with a process is answered as
duplicates of itself: exactly once, whatever dies when (design W5).
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import asyncpg
import msgspec
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from ledger.feed import Connection
from ledger.statements import load_statements
from schemas.booking import Booking
from schemas.channel import Channel
from schemas.ids import ChannelNumber
from schemas.outcome import Refusal, SuspenseReason
from services.registers.outcomes import (
    KnownPayment,
    LineOutcome,
    Outcome,
    Pending,
    compared,
    is_own_loss,
    notification_of,
    outcome_of,
    settled,
)
from services.registers.taking import Purpose

_SQL = load_statements("services/registers/registers.sql")

CHUNK_LINES = 4_096
PASSES_MAX = 6
PAUSE_FIRST_S, PAUSE_LAST_S = 0.2, 5.0
LOCK_KEY = 0x7267
"""Any constant number known to all processes: of the locks of registers while they are booked."""
OUTCOME_COLUMNS = ("register", "row", "outcome", "reason", "lost", "book", "sequence")

Seal = Callable[[bytes, bytes], bytes]
"""services.sealing.Sealer.seal: content, what it is bound to."""


class BookingUnfinished(RuntimeError):
    """Lines have no outcome yet: the ledger could not be reached, or could not say what became of them. Run it again."""


class RegisterBusy(RuntimeError):
    """Another process books this register at the moment."""


def tell_nobody(done: int) -> None:
    """Progress that nobody hears of."""


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """How to book. ``progress`` is told the lines done, ``utc_now`` gives the moment of the end.

    ``payers`` by row, and ``seal`` to keep those whose money has no owner; without both none is kept.
    """

    utc_now: Callable[[], datetime]
    progress: Callable[[int], None] = tell_nobody
    payers: Mapping[int, str] = {}
    seal: Seal | None = None
    chunk_lines: int = CHUNK_LINES
    pause_first_s: float = PAUSE_FIRST_S


def line_bound_to(register: int, row: int) -> bytes:
    """What the sealed payer of a line is bound to."""
    return f"register_line {register}/{row}".encode()


async def book_register(connection: Connection, booking: Booking, channel: Channel, register: int, run: Run) -> None:
    """Give every line of the register its outcome; ``connection`` has the services' role and no transaction open.

    Raises RegisterBusy, and BookingUnfinished when lines are left after PASSES_MAX passes; what was booked stays booked.
    """
    row = await connection.fetchrow(_SQL["fetch_register"], register)
    assert row is not None, "only a register that was taken is booked"
    if not await connection.fetchval(_SQL["lock"], LOCK_KEY, register):
        raise RegisterBusy(f"register {register} is being booked by another process: look at it with kopeck registers show")
    try:
        await _book_all(_Desk(connection, booking, channel, row, run), run)
        await connection.execute(_SQL["mark_booked"], register, run.utc_now())
    finally:
        if not connection.is_closed():
            await connection.fetchval(_SQL["unlock"], LOCK_KEY, register)


async def _book_all(desk: "_Desk", run: Run) -> None:
    """Offer what is left until nothing is."""
    async for attempt in AsyncRetrying(
        retry=retry_if_exception_type(BookingUnfinished),
        stop=stop_after_attempt(PASSES_MAX),
        wait=wait_exponential(multiplier=run.pause_first_s, max=PAUSE_LAST_S),
        reraise=True,
    ):
        with attempt:
            await desk.offer_open_lines()


class _Desk:
    """One register while it is booked."""

    def __init__(self, connection: Connection, booking: Booking, channel: Channel, register: asyncpg.Record, run: Run) -> None:
        self._connection = connection
        self._booking = booking
        self._channel = channel
        self._register: int = register["register"]
        self._loaded_at: datetime = register["loaded_at"]
        self._lines: int = register["lines"]
        self._reconciles = register["purpose"] == Purpose.RECONCILIATION
        self._run = run
        self._done = 0

    async def offer_open_lines(self) -> None:
        """Offer every open line once: the next chunk is read, and the last one's outcomes kept, while one is being booked."""
        self._done = self._lines - await self._count_open()
        chunk = await self._open_lines(0)
        ended: list[LineOutcome] = []
        while chunk:
            found, left = await self._compare(chunk) if self._reconciles else ([], chunk)
            booking = asyncio.create_task(self._book(left))
            try:
                following = await self._open_lines(chunk[-1].row)
                await self._keep(ended)
            finally:
                booked = await booking
            ended = found + booked
            chunk = following
        await self._keep(ended)
        if left_open := await self._count_open():
            raise BookingUnfinished(f"{left_open} of {self._lines} lines have no outcome yet: load the file again")

    async def _count_open(self) -> int:
        return int(await self._connection.fetchval(_SQL["count_open_lines"], self._register))

    async def _open_lines(self, after: int) -> list[Pending]:
        rows = await self._connection.fetch(_SQL["list_open_lines"], self._register, after, self._run.chunk_lines)
        return [
            Pending(
                row=row,
                key=key,
                account=account,
                amount=amount,
                event_at=event_at,
                period=period,
                designates=designates,
                aliases=tuple(aliases),
                repeats=repeats,
            )
            for row, key, account, amount, event_at, period, designates, aliases, repeats in rows
        ]

    async def _book(self, lines: Sequence[Pending]) -> list[LineOutcome]:
        """Book lines; those whose outcome is not known stay open. ``lost``: nothing was known of a reconciliation's line."""
        if not lines:
            return []
        answers = await self._booking.book(self._channel, [notification_of(line) for line in lines])
        told = (
            outcome_of(line, answer, self._loaded_at, lost=self._reconciles) for line, answer in zip(lines, answers, strict=True)
        )
        return [one for one in told if one is not None]

    async def _compare(self, lines: Sequence[Pending]) -> tuple[list[LineOutcome], list[Pending]]:
        """Compare a reconciliation's lines with what we have; the rest were lost and are to be booked."""
        rows = [line.row for line in lines]
        fetched = await self._connection.fetch(_SQL["list_known_payments"], self._register, self._channel.space, rows)
        known = {row["row"]: _known_payment(row) for row in fetched}
        found: list[LineOutcome] = []
        left: list[Pending] = []
        for line in lines:
            payment = known.get(line.row)
            if payment is None or is_own_loss(payment, self._channel.number, self._loaded_at):
                left.append(line)
            else:
                found.append(compared(line, payment))
        return found, left

    async def _keep(self, ended: list[LineOutcome]) -> None:
        """Keep outcomes, and the payers of what waits in suspense, in one transaction."""
        if not ended:
            return
        ended = await self._settle(ended)
        records = [(self._register, one.row, one.outcome.value, one.reason, one.lost, one.book, one.sequence) for one in ended]
        async with self._connection.transaction():
            await self._connection.copy_records_to_table(
                "register_outcome", schema_name="intake", columns=OUTCOME_COLUMNS, records=records
            )
            await self._seal(ended)
        self._done += len(ended)
        self._run.progress(self._done)

    async def _settle(self, ended: list[LineOutcome]) -> list[LineOutcome]:
        unsure = [one for one in ended if one.unsure]
        if not unsure:
            return ended
        places = [one.row for one in unsure], [one.book for one in unsure], [one.sequence for one in unsure]
        rows = await self._connection.fetch(_SQL["list_finders"], self._register, self._channel.space, *places)
        told = {row["row"]: row for row in rows}
        return [_settled(one, told[one.row], self._channel.number) if one.unsure else one for one in ended]

    async def _seal(self, ended: list[LineOutcome]) -> None:
        seal, payers = self._run.seal, self._run.payers
        if seal is None:
            return
        rows = [one.row for one in ended if one.outcome is Outcome.SUSPENSE and payers.get(one.row)]
        if rows:
            sealed = [seal(payers[row].encode(), line_bound_to(self._register, row)) for row in rows]
            await self._connection.execute(_SQL["keep_sealed"], self._register, rows, sealed)


def _settled(one: LineOutcome, entry: asyncpg.Record, ours: ChannelNumber) -> LineOutcome:
    own = entry["channel"] == ours and not entry["claimed"]
    return settled(one, SuspenseReason(entry["reason"]), own=own)


def _known_payment(row: asyncpg.Record) -> KnownPayment:
    return KnownPayment(
        row=row["row"],
        book=row["book"],
        sequence=row["sequence"],
        refusal=Refusal(row["outcome"]),
        amount=row["amount"],
        channel=row["channel"],
        recorded_at=row["recorded_at"],
    )
