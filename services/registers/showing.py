"""Registers as people see them: the list, one line by line, and payments of a channel that its registers do not name."""

from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import asyncpg
import msgspec

from ledger.feed import Connection
from ledger.statements import load_statements
from schemas.ids import Book, ExternalId, Sequence

_SQL = load_statements("services/registers/registers.sql")

LINES_AT_ONCE = 5_000
PASSAGE_ENTRIES = 50_000
LATE_DAYS = 31
"""How much later than it happened a payment may have been told and still be looked for by the day it happened."""


class RegisterView(msgspec.Struct, frozen=True, kw_only=True):
    """One register; sums in kopecks, ``outcomes``: how many lines ended how. ``booked_at`` None: not every line has its end."""

    register: int
    channel: str
    space: str
    format: str
    file_name: str
    number: str
    day: date | None
    order_number: str
    order_day: date | None
    time_zone: str
    since: date
    until: date
    lines: int
    total: int
    fee: int
    skipped: int
    purpose: str
    loaded_by: str
    loaded_at: datetime
    booked_at: datetime | None
    outcomes: dict[str, int]


class LineView(msgspec.Struct, frozen=True, kw_only=True):
    """One line with its end; ``outcome`` is empty while it has none."""

    row: int
    key: ExternalId
    account: str
    amount: int
    fee: int
    event_at: datetime
    period: int
    document: str
    outcome: str
    reason: str
    lost: bool
    book: Book | None
    sequence: Sequence | None


class MissingPayment(msgspec.Struct, frozen=True, kw_only=True):
    """A payment of ours that no reconciliation register names."""

    book: Book
    sequence: Sequence
    external_id: ExternalId
    amount: int
    event_at: datetime


class Missing(msgspec.Struct, frozen=True, kw_only=True):
    """Payments of a day that the registers do not name; ``registers`` of the space cover the day: with none nothing is proved."""

    channel: str
    day: date
    registers: int
    payments: tuple[MissingPayment, ...]


class NoSuchChannel(LookupError):
    """No channel has that name."""


async def list_registers(connection: Connection, channel: str | None, limit: int) -> tuple[RegisterView, ...]:
    """Return the newest registers, of one channel or of all."""
    return tuple([_view(row) for row in await connection.fetch(_SQL["list_registers"], channel, None, limit)])


async def find_register(connection: Connection, register: int) -> RegisterView | None:
    """Return one register by our number."""
    row = await connection.fetchrow(_SQL["list_registers"], None, register, 1)
    return None if row is None else _view(row)


async def read_lines(connection: Connection, register: int) -> AsyncIterator[LineView]:
    """Yield every line in the order of the file, in short statements."""
    after = 0
    while rows := await connection.fetch(_SQL["list_lines"], register, after, LINES_AT_ONCE):
        for row in rows:
            yield msgspec.convert(dict(row), LineView)
        after = rows[-1]["row"]


async def list_missing(connection: Connection, channel: str, day: date, zone: ZoneInfo) -> Missing:
    """Return payments of the channel on a day of the counterparty's zone that no reconciliation register names.

    Payments told more than LATE_DAYS after they happened are not looked for. Raises NoSuchChannel.
    """
    known = await connection.fetchrow(_SQL["find_channel"], channel)
    if known is None:
        raise NoSuchChannel(f"no channel {channel!r}")
    start = datetime(day.year, day.month, day.day, tzinfo=zone)
    end = datetime.combine(day + timedelta(days=1), start.timetz())
    missing: list[MissingPayment] = []
    for row in await connection.fetch(_SQL["list_books"]):
        first = await _first_since(connection, row["book"], start)
        last = await _first_since(connection, row["book"], end + timedelta(days=LATE_DAYS)) - 1
        for passage in range(first, last + 1, PASSAGE_ENTRIES):
            upto = min(passage + PASSAGE_ENTRIES - 1, last)
            found = await connection.fetch(_SQL["list_missing"], row["book"], passage, upto, known["channel"], start, end, day)
            missing += [msgspec.convert(dict(one), MissingPayment) for one in found]
    covering = await connection.fetchval(_SQL["count_covering"], known["space"], day)
    return Missing(channel=channel, day=day, registers=covering, payments=tuple(missing))


async def _first_since(connection: Connection, book: int, moment: datetime) -> int:
    """The book's first sequence recorded at or after a moment, one above its newest when there is none: time never runs back."""
    least, most = 1, int(await connection.fetchval(_SQL["fetch_head"], book)) + 1
    while least < most:
        middle = (least + most) // 2
        if await connection.fetchval(_SQL["fetch_moment"], book, middle) < moment:
            least = middle + 1
        else:
            most = middle
    return least


def _view(row: asyncpg.Record) -> RegisterView:
    return msgspec.convert({**dict(row), "outcomes": msgspec.json.decode(row["outcomes"])}, RegisterView)
