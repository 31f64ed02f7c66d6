"""A town whose bank tells of its transit account: statements and lines put as clearing puts them, entries through the door."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import date, datetime, timedelta
from typing import Any

import msgspec

from ledger.core.bank_entries import BankLine, covered, moment_of, technical
from ledger.journal import fetch_entry
from ledger.statements import load_statements
from schemas.ids import Book, TableVersion
from schemas.ids import Sequence as Place
from schemas.transfer import TransferResult, TransferState
from services.days import close_day
from services.reconciliation.closing import Signed, explain, sign_day
from services.reconciliation.core.words import Explanation
from services.reconciliation.report import DayReport, reconcile
from services.settlement.transitions import Told, apply_result
from tests.conftest import LedgerDatabase
from tests.services.settlement_town import DAY, NOW, SettlementTown, settlement_town

SQL = load_statements("tests/statements/reconciliation_town.sql")
NEXT_DAY, THIRD_DAY = DAY + timedelta(days=1), DAY + timedelta(days=2)


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A line on a statement to be put."""

    bank_id: str
    amount: int
    day: date = DAY
    is_credit: bool = True
    line_class: str | None = "cover"


class BankTown:
    """The town of settlement and its bank; ``balance`` is what the bank's next statement opens with."""

    def __init__(self, town: SettlementTown) -> None:
        self.town = town
        self.balance = 0
        self.numbers: dict[str, int] = {}
        self._statements = 0

    async def put_statement(self, lines: Sequence[Line], day: date = DAY, *, kind: str = "final", **changed: Any) -> int:
        """Keep a statement of a day and those of its lines that are not kept yet; a final one moves the bank's balance."""
        credited = sum(one.amount for one in lines if one.is_credit)
        debited = sum(one.amount for one in lines if not one.is_credit)
        told = {"since": day, "until": day, "opening": self.balance, "closing": self.balance + credited - debited}
        told |= {"credited": credited, "debited": debited, "filtered": False} | changed
        if kind == "final":
            self.balance += credited - debited
        self._statements += 1
        names = ("since", "until", "opening", "closing", "credited", "debited", "filtered")
        columns = (kind, *[told[name] for name in names], len(lines), str(self._statements))
        number = await self.town.services.fetchval(SQL["add_statement"], self.town.transit, *columns)
        for one in lines:
            if one.bank_id not in self.numbers:
                columns = (one.bank_id, one.day, one.is_credit, one.amount, number, one.line_class)
                self.numbers[one.bank_id] = await self.town.services.fetchval(SQL["add_line"], self.town.transit, *columns)
        return int(number)

    async def book_cover(self, bank_id: str, amount: int, space: int = 0, day: date = DAY) -> Place:
        """Book a line as a cover of a space."""
        entry = covered(self._bank_line(bank_id, day), self.town.spaces[space], amount)
        return await self._book(bank_id, entry)

    async def book_technical(self, bank_id: str, amount: int, *, is_credit: bool) -> Place:
        """Book a line as the bank's mistake, or its storno."""
        return await self._book(bank_id, technical(self._bank_line(bank_id, DAY), amount, is_credit=is_credit))

    async def _book(self, bank_id: str, entry: Any) -> Place:
        place = await self.town.append(entry, 0)
        await self.town.services.execute(SQL["set_booked"], self.numbers[bank_id], place)
        return place

    def _bank_line(self, bank_id: str, day: date) -> BankLine:
        return BankLine(transit=self.town.transit, bank_id=bank_id, event_at=moment_of(day, NOW + timedelta(days=30)))

    async def tell_cover(self, bank_id: str, parts: Sequence[dict[str, Any]], reason: str = "", by: str = "day") -> None:
        """Say what a booked cover covers: parts of amount, promised and register, day or operation."""
        promised, gross = (sum(part[name] for part in parts) for name in ("promised", "amount"))
        columns = (self.town.spaces[0], by, "", promised, gross, reason)
        await self.town.services.execute(SQL["add_cover"], self.numbers[bank_id], *columns)
        for place, part in enumerate(parts, start=1):
            names = (part.get("register"), part.get("day"), part.get("operation", ""), part["promised"], part["amount"])
            await self.town.services.execute(SQL["add_cover_part"], self.numbers[bank_id], place, *names)

    async def reverse_line(self, bank_id: str, sequence: Place) -> Place:
        """Book the reversal of a line's entry."""
        place = await self.town.reverse(sequence, 0)
        await self.town.services.execute(SQL["set_reversed"], self.numbers[bank_id], place)
        return place

    async def execute(self, key: str) -> None:
        """The bank tells that it executed an order."""
        told = Told(
            result=TransferResult(key=key, state=TransferState.EXECUTED, bank_number="7", bank_day=DAY), told_by="bank", at=NOW
        )
        async with self.town.services.transaction():
            await apply_result(self.town.services, told)

    async def cut(self, day: date = DAY, following: date | None = None) -> None:
        """End a bank day."""
        await self.town.fold()
        await close_day(self.town.services, self.town.transit, day, following or day + timedelta(days=1))

    async def report(self, day: date = DAY) -> DayReport:
        """Reconcile a day, as a reader."""
        return await reconcile(self.town.services, self.town.transit, day)

    async def explain(self, *places: str, day: date = DAY, text: str = "банк подтвердил письмом", by: str = "Анна") -> None:
        """Explain items of a day."""
        await explain(self.town.services, self.town.transit, day, places, Explanation(text=text, by=by, at=NOW))

    async def sign(self, by: str, day: date = DAY, now: datetime = NOW) -> Signed:
        """Sign a day."""
        return await sign_day(self.town.services, self.town.transit, day, by, now)

    async def close(self, day: date = DAY) -> Signed:
        """Sign a day by two people."""
        await self.sign("Анна", day)
        return await self.sign("Борис", day)

    async def tamper(self, book: int, sequence: Place) -> None:
        """Change a recorded entry, as only the owner of the tables can."""
        await self.town.owner.execute(SQL["loosen_journal"])
        await self.town.owner.execute(SQL["tamper"], book, sequence)

    async def late(self) -> list[tuple[Any, ...]]:
        """What came late: what, whose line, its day, the open day."""
        names = {number: bank_id for bank_id, number in self.numbers.items()}
        rows = await self.town.services.fetch(SQL["late"])
        return [(row["what"], names.get(row["line"]), row["day"], row["open_day"]) for row in rows]


@asynccontextmanager
async def bank_town(database: LedgerDatabase) -> AsyncIterator[BankTown]:
    """A founded town whose payers have paid nothing yet."""
    async with settlement_town(database) as town:
        yield BankTown(town)


__all__ = ["DAY", "NEXT_DAY", "NOW", "SQL", "THIRD_DAY", "BankTown", "Book", "Line", "TableVersion", "bank_town", "fetch_entry"]
