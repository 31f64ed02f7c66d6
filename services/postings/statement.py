"""Statements of a ledger account by bank days, from the postings' pages (station: a reader of the read model)."""

from datetime import date

import msgspec

from ledger.feed import Connection
from ledger.statements import load_statements
from schemas.ids import Book, LedgerAccount, Line, Sequence

_SQL = load_statements("services/postings/postings.sql")

PAGES_MAX = 500
LINES_MAX = 100_000


class StatementTooLong(ValueError):
    """The days hold more than LINES_MAX lines: ask for fewer days."""


class StatementLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One posting, in kopecks, debit positive; ``balance`` is the account's after it, in the order of the statement."""

    bank_day: date
    book: Book
    sequence: Sequence
    line: Line
    amount_kopecks: int
    balance: int


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """An account's lines by (bank day, book, sequence); balances are debit - credit in kopecks."""

    account: LedgerAccount
    opening: int
    closing: int
    lines: tuple[StatementLine, ...]


class DayTurnover(msgspec.Struct, frozen=True, kw_only=True):
    """What an account's postings of one bank day add up to, in kopecks."""

    bank_day: date
    debit: int
    credit: int
    postings: int


async def read_statement(connection: Connection, account: LedgerAccount, first: date, last: date) -> Statement:
    """Read the lines of the bank days ``first`` … ``last`` in short statements; raises StatementTooLong.

    What the consumer has not taken yet is not in it; the pages it has written never change.
    """
    before = await connection.fetchrow(_SQL["fetch_opening"], account, first)
    opening = balance = before["debit"] - before["credit"]
    lines: list[StatementLine] = []
    place = (first, -1, 0)
    while pages := await connection.fetch(_SQL["list_pages_after"], account, last, *place, PAGES_MAX):
        for page in pages:
            for sequence, amount, line in zip(page["sequences"], page["amounts"], page["lines"], strict=True):
                balance += amount
                lines.append(
                    StatementLine(
                        bank_day=page["bank_day"],
                        book=page["book"],
                        sequence=sequence,
                        line=line,
                        amount_kopecks=amount,
                        balance=balance,
                    )
                )
        if len(lines) > LINES_MAX:
            raise StatementTooLong(f"more than {LINES_MAX} lines from {first} to {last}")
        place = (pages[-1]["bank_day"], pages[-1]["book"], pages[-1]["first_sequence"])
    return Statement(account=account, opening=opening, closing=balance, lines=tuple(lines))


async def list_day_turnovers(connection: Connection, account: LedgerAccount, first: date, last: date) -> tuple[DayTurnover, ...]:
    """Return an account's turnover of each bank day in the range that has postings."""
    rows = await connection.fetch(_SQL["list_day_turnovers"], account, first, last)
    return tuple(
        [
            DayTurnover(bank_day=row["bank_day"], debit=row["debit"], credit=row["credit"], postings=row["postings"])
            for row in rows
        ]
    )
