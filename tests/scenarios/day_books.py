"""What a day's journal says by itself: balances, money not yet funded, receipts owed, what each recipient must have got.

Reckoned from the entries and the charges alone, without the services whose work is judged by it.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import asyncpg
import msgspec

from ledger.chart import AccountKind, parts_of
from ledger.statements import load_statements
from schemas.journal import EntryKind

SQL = load_statements("tests/statements/full_day.sql")
BY_BANK = "bank"
PERSON = 0

Row = Mapping[str, Any]


class DayBooks(msgspec.Struct, frozen=True, kw_only=True):
    """The journal with what is needed to read it: (account, line) -> (creditor, whether capital repair); payee -> recipient."""

    journal: tuple[Row, ...]
    lines: dict[tuple[int, int], tuple[int, bool]]
    payees: dict[int, int]
    issuers: frozenset[int]
    spaces: dict[int, str]

    def balances(self, kind: AccountKind) -> dict[int, int]:
        """Debits less credits of every account of a kind that is not at nought, by its subject."""
        sums: Counter[int] = Counter()
        for entry in self.journal:
            for account, amount in zip(entry["accounts"], entry["amounts"], strict=True):
                if parts_of(account).kind is kind:
                    sums[parts_of(account).subject] += amount
        return {subject: amount for subject, amount in sums.items() if amount}

    def clearing(self) -> dict[str, int]:
        """What each operation space has promised and no statement line covers."""
        return {self.spaces[space]: amount for space, amount in self.balances(AccountKind.CLEARING).items()}

    def total(self, kind: AccountKind) -> int:
        """Debits less credits of all accounts of a kind."""
        return sum(self.balances(kind).values())

    def unfunded(self) -> tuple[Row, ...]:
        """Entries beyond the money of their space: funded are, in order, those whose running sum the covers reach."""
        money: Counter[int] = Counter()
        promises: list[tuple[Row, int, int]] = []
        for entry in self.journal:
            for account, amount in zip(entry["accounts"], entry["amounts"], strict=True):
                parts = parts_of(account)
                if parts.kind is AccountKind.CLEARING and entry["kind"] == EntryKind.STATEMENT_COVER:
                    money[parts.subject] -= amount
                elif parts.kind is AccountKind.CLEARING:
                    promises.append((entry, parts.subject, amount))
        left = []
        for entry, space, amount in promises:
            money[space] -= amount
            if money[space] < 0:
                left.append(entry)
        return tuple(left)

    def legs(self, entry: Row) -> tuple[tuple[int, int, int, bool], ...]:
        """Credits of payables of a payment: (payee, kopecks, creditor, whether capital repair)."""
        found = []
        for account, amount, line in zip(entry["accounts"], entry["amounts"], entry["lines"], strict=True):
            if parts_of(account).kind is AccountKind.PAYABLE:
                creditor, capital = self.lines[entry["personal_account"], line]
                found.append((parts_of(account).subject, -amount, creditor, capital))
        return tuple(found)

    def payments(self) -> tuple[Row, ...]:
        """Entries of payments whose owner is known."""
        return tuple(entry for entry in self.journal if entry["kind"] == EntryKind.PAYMENT)

    def receipts_owed(self) -> dict[tuple[int, int, int], int]:
        """Kopecks by (book, sequence, issuer): people's payments through a bank, each creditor's lines its own (54-ФЗ ст. 1.2).

        Terminals issue their own receipts (103-ФЗ); an organisation that pays from its account gets none (54-ФЗ ст. 2 п. 9).
        """
        owed: Counter[tuple[int, int, int]] = Counter()
        for entry in self.payments():
            if entry["legal_kind"] == BY_BANK and entry["payer_kind"] == PERSON:
                for _, amount, creditor, _ in self.legs(entry):
                    if creditor in self.issuers:
                        owed[entry["book"], entry["sequence"], creditor] += amount
        return dict(owed)

    def due(self) -> tuple[Counter[int], Counter[int], int]:
        """What must have reached the recipients once everything funded is paid.

        Kopecks by recipient, commission taken and earned included; those of capital repair among them; the commission itself.
        """
        unfunded = {(entry["book"], entry["sequence"]) for entry in self.unfunded()}
        due: Counter[int] = Counter()
        capital: Counter[int] = Counter()
        for entry in self.payments():
            if (entry["book"], entry["sequence"]) not in unfunded:
                for payee, amount, _, is_capital in self.legs(entry):
                    due[self.payees[payee]] += amount
                    capital[self.payees[payee]] += amount if is_capital else 0
        earned = 0
        for entry in self.journal:
            if entry["kind"] == EntryKind.COMMISSION:
                for account, amount in zip(entry["accounts"], entry["amounts"], strict=True):
                    parts = parts_of(account)
                    due[self.payees[parts.subject] if parts.kind is AccountKind.PAYABLE else parts.subject] -= amount
                    earned -= amount if parts.kind is AccountKind.FEE else 0
        return +due, +capital, earned


async def read_books(connection: "asyncpg.Connection[Any]") -> DayBooks:
    """Read the whole journal of a small town."""
    return DayBooks(
        journal=tuple(await connection.fetch(SQL["list_journal"])),
        lines={
            (row["personal_account"], row["line"]): (row["creditor"], row["capital"])
            for row in await connection.fetch(SQL["list_lines"])
        },
        payees={row["payee"]: row["recipient"] for row in await connection.fetch(SQL["list_payees"])},
        issuers=frozenset(row["recipient"] for row in await connection.fetch(SQL["list_issuers"])),
        spaces={row["space"]: row["name"] for row in await connection.fetch(SQL["list_spaces"])},
    )
