"""Bills of the ledger's history with what was paid on them, page by page: what penalties are recalculated over."""

from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import date
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Any

import msgspec

from ledger.core.books import book_of
from ledger.feed import Connection
from ledger.statements import load_statements
from schemas.allocation import Pool
from services.billing.core.line_credits import LineEntry, credits_by_line
from services.billing.core.penalties import Credit, Debt

_SQL = load_statements("services/billing/law/history.sql")

ACCOUNTS_PER_PAGE = 500
PERIOD_MAX = 999_999


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of history: bills of ``first_period`` … ``last_period`` (yyyymm), of one house of the stock if it is named."""

    first_period: int = 0
    last_period: int = PERIOD_MAX
    house: str = ""


class HouseUnknown(LookupError):
    """The housing stock has no house of this code."""


class Bill(msgspec.Struct, frozen=True, kw_only=True):
    """What one creditor charged an account for a period in one pool, due on one day, with its credits."""

    account: str
    """``namespace/number``."""
    creditor: str
    period: int
    debt: Debt
    credits: tuple[Credit, ...]


async def stream_bills(connection: Connection, bounds: Bounds) -> AsyncIterator[Bill]:
    """Read bills by account; at most ACCOUNTS_PER_PAGE accounts are in memory at a time. Raises HouseUnknown."""
    after, periods = 0, (bounds.first_period, bounds.last_period)
    if bounds.house and not await connection.fetchval(_SQL["knows_house"], bounds.house):
        raise HouseUnknown(f"the housing stock has no house {bounds.house}")
    listing, house = ("list_house_accounts_after", [bounds.house]) if bounds.house else ("list_accounts_after", [])
    while accounts := await connection.fetch(_SQL[listing], after, *periods, ACCOUNTS_PER_PAGE, *house):
        after = accounts[-1]["personal_account"]
        for bill in await _read_page(connection, accounts, periods):
            yield bill


async def _read_page(connection: Connection, accounts: Sequence[Any], periods: tuple[int, int]) -> list[Bill]:
    numbers = [row["personal_account"] for row in accounts]
    books = [book_of(row["namespace"], row["number"], row["books"]) for row in accounts]
    charges = await connection.fetch(_SQL["list_charges"], numbers, *periods)
    entries = _by_account(await connection.fetch(_SQL["list_entries"], books, numbers))
    names = {row["personal_account"]: f"{row['namespace']}/{row['number']}" for row in accounts}
    bills: list[Bill] = []
    for account, lines in groupby(charges, itemgetter("personal_account")):
        bills += _bills(names[account], list(lines), entries.get(account, ()))
    return bills


def _by_account(records: Sequence[Any]) -> dict[int, tuple[LineEntry, ...]]:
    return {
        account: tuple([_entry(record) for record in group])
        for account, group in groupby(records, itemgetter("personal_account"))
    }


def _entry(record: Any) -> LineEntry:
    return LineEntry(
        sequence=record["sequence"],
        kind=record["kind"],
        space=record["space"],
        external_id=record["external_id"],
        value_date=record["value_date"],
        lines=tuple(record["lines"]),
        amounts=tuple(record["amounts"]),
    )


def _bills(account: str, lines: Sequence[Any], entries: Sequence[LineEntry]) -> Iterator[Bill]:
    """Lines of one creditor, period, pool and due day make one bill; a line that lowers it (a recalculation) counts."""
    due = {line["line"]: line["due_date"] for line in lines}
    credits = credits_by_line(entries, due)
    for (creditor, period, pool, day), group in groupby(sorted(lines, key=_key), _key):
        told = list(group)
        paid = [credit for line in told for credit in credits[line["line"]]]
        yield Bill(
            account=account,
            creditor=creditor,
            period=period,
            debt=Debt(amount_kopecks=sum(line["amount"] for line in told), due=day, pool=Pool(pool)),
            credits=tuple(sorted(paid, key=attrgetter("day"))),
        )


def _key(line: Any) -> tuple[str, int, int, date]:
    return line["creditor"], line["period"], line["pool"], line["due_date"]
