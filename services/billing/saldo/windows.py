"""A window of time for balances: which closing it goes on from, and which entries and charges come after that.

A month's entries are those of its bank days (``bank_day``); with ``by_value`` those of its value dates: then no closing helps.
An entry that was recorded after its month had been closed is a movement of the next one: a closed month never changes. Charges
belong to the month of their period.
"""

from calendar import monthrange
from collections.abc import Mapping
from datetime import date, timedelta
from enum import IntEnum

import msgspec

from ledger.feed import Connection
from ledger.statements import load_statements

SQL = load_statements("services/billing/saldo/windows.sql")

NEVER = date.max
NO_PERIOD = -1
"""Before every period, that of no month (0) included."""
PERIOD_MAX = 209912


class Move(IntEnum):
    """Why what is owed changed; ``saldo.move_of`` (0019_saldo.sql) gives those of the journal."""

    OPENING = 0
    CHARGED = 1
    LATE = 2
    """Charged for a month that was closed already."""
    OPENED = 3
    """Paid before the ledger began, told with the charge."""
    PAID = 4
    ELSEWHERE = 5
    REVERSED = 6
    REFUNDED = 7
    REASSIGNED = 8
    OFFSET = 9
    OTHER = 10
    RECALCULATED = 11
    MOVED = 12
    """The whole account came from another provider, or went to one."""


class SaldoRefused(ValueError):
    """What was asked of balances cannot be told; the message is Russian and says why."""


class Closing(msgspec.Struct, frozen=True, kw_only=True):
    """A closed month: ``sequences`` by book were read, everything up to ``settled`` belongs to it."""

    provider: int
    period: int
    last_day: date
    sequences: Mapping[int, int]
    settled: Mapping[int, int]


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """A provider's month or day. ``upto`` by book is read; ``own`` is the month's own closing, ``previous`` the one before it.

    ``opening_before``: entries of days before it are in the opening balance; None where ``previous`` says all of that.
    """

    provider: int
    period: int
    last: date
    upto: Mapping[int, int]
    previous: Closing | None = None
    own: Closing | None = None
    opening_before: date | None = None
    by_value: bool = False

    @property
    def previous_period(self) -> int:
        """The period of the closing before, or one that is before all."""
        return NO_PERIOD if self.previous is None else self.previous.period

    def places(self) -> tuple[list[int], list[int], list[int], list[int], bool]:
        """What the statements that read the journal take: books, read after, read by the closing before, read up to, by value."""
        books, before = sorted(self.upto), self.previous
        after = [0 if before is None else before.settled.get(book, 0) for book in books]
        counted = [0 if before is None else before.sequences.get(book, 0) for book in books]
        return books, after, counted, [self.upto[book] for book in books], self.by_value

    def days(self) -> tuple[int, date | None, int, date | None, date]:
        """What ``saldo.move_of`` takes: period and last day of the closing before, period, opening before, last day."""
        last_before = None if self.previous is None else self.previous.last_day
        return self.previous_period, last_before, self.period, self.opening_before, self.last


async def month_window(connection: Connection, provider: int, period: int, *, by_value: bool = False) -> Window:
    """The window of a month: of a closed one what was closed, of an open one what has come by now."""
    first, last = month_days(period)
    own = None if by_value else await _closing(connection, "find_closing", provider, period)
    before = None if by_value else await _closing(connection, "find_closing_before", provider, period, last)
    goes_on = before is not None and before.period == previous_month(period)
    return Window(
        provider=provider,
        period=period,
        last=last,
        upto=await _heads(connection) if own is None else own.sequences,
        previous=before,
        own=own,
        opening_before=None if goes_on else first,
        by_value=by_value,
    )


async def day_window(connection: Connection, provider: int, day: date | None) -> Window:
    """The window that ends with a bank day, with the charges of the months that had ended by then; None: all there is."""
    period = PERIOD_MAX if day is None else ended_period(day)
    last = NEVER if day is None else day
    before = await _closing(connection, "find_closing_before", provider, period + 1, last)
    heads = await _heads(connection)
    return Window(provider=provider, period=period, last=last, upto=heads, previous=before, opening_before=last)


def from_nothing(window: Window) -> Window:
    """The same window read from the first entry on, without the help of a closing."""
    first, _ = month_days(window.period) if window.period < PERIOD_MAX else (window.last, window.last)
    return msgspec.structs.replace(window, previous=None, opening_before=first)


def closed_window(closing: Closing) -> Window:
    """The window that a closing was made of, read from the first entry on."""
    first, last = month_days(closing.period)
    return Window(
        provider=closing.provider, period=closing.period, last=last, upto=closing.sequences, own=closing, opening_before=first
    )


async def find_provider(connection: Connection, code: str) -> int:
    """Return a provider's number; an unknown code is SaldoRefused."""
    number = await connection.fetchval(SQL["find_provider"], code)
    if number is None:
        raise SaldoRefused(f"организации {code} нет в справочнике")
    return int(number)


async def list_providers(connection: Connection) -> dict[str, int]:
    """Return numbers of the providers that have, or had, personal accounts, by code."""
    return {row["code"]: row["recipient"] for row in await connection.fetch(SQL["list_providers"])}


def month_days(period: int) -> tuple[date, date]:
    """Return the first and the last day of a period ``yyyymm``."""
    year, month = divmod(period, 100)
    return date(year, month, 1), date(year, month, monthrange(year, month)[1])


def previous_month(period: int) -> int:
    """Return the period before."""
    return period - 1 if period % 100 > 1 else period - 89


def ended_period(day: date) -> int:
    """Return the newest period that had ended by the evening of a day."""
    after = day + timedelta(days=1)
    return previous_month(after.year * 100 + after.month)


async def _heads(connection: Connection) -> dict[int, int]:
    return {row["book"]: row["sequence"] for row in await connection.fetch(SQL["list_heads"])}


async def _closing(connection: Connection, statement: str, *arguments: object) -> Closing | None:
    row = await connection.fetchrow(SQL[statement], *arguments)
    if row is None:
        return None
    return Closing(
        provider=row["provider"],
        period=row["period"],
        last_day=row["last_day"],
        sequences=dict(zip(row["books"], row["sequences"], strict=True)),
        settled=dict(zip(row["books"], row["settled"], strict=True)),
    )
