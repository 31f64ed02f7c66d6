"""The bank of the month's transit account: what moved on it, day by day, and its statements, with their faults."""

from collections import defaultdict
from datetime import date, datetime, timedelta
from typing import Any

import msgspec

from connectors.sandbox.statements import NONE, ORDER, Faults, StatementFault, StatementPlan, write_1c, write_camt053
from connectors.sandbox.statements_alfa import AlfaStatementDoor
from connectors.statements.alfa_source import AlfaStatements
from connectors.statements.believing import read_any
from connectors.statements.source import StatementUnread
from loadtests.month_house import Diverged, House
from loadtests.month_parties import TRANSIT, Party
from loadtests.month_record import Paid, Record
from loadtests.orders_town import BIC
from schemas.exchange import HttpAnswer, HttpRequest
from schemas.ids import ExternalId
from schemas.statement import BankStatement, StatementEntry, StatementKind, StatementParty, StatementUnbelieved
from services.clearing.taking import TakenStatement, take_statement

WRITERS = {"1c": write_1c, "camt": write_camt053}
FORMATS = ("1c", "camt", "alfa")
"""In which a bank day is told, in turn: two formats of one day would have two ids for each line."""
REFUSED = {
    "1c": (StatementFault.TRUNCATED, StatementFault.HALF, StatementFault.WRONG_TURNOVER, StatementFault.SKEWED_DATES),
    "camt": (StatementFault.TRUNCATED, StatementFault.HALF, StatementFault.REPEATED_PAGE, StatementFault.SKEWED_DATES),
    "alfa": (StatementFault.TRUNCATED, StatementFault.WRONG_TURNOVER, StatementFault.HALF, StatementFault.TRUNCATED),
}
HARMLESS = {"1c": (StatementFault.LINE_FEEDS, StatementFault.WRONG_ENCODING), "camt": (StatementFault.LINE_FEEDS,), "alfa": ()}
PAGE_LINES = 200
BY = "Выписка"
FIRST_PAYMENT_NUMBER = 500_000


class Bank:
    """The account. ``lines`` are by bank day; ``fleeting`` ones are shown in the evening and not on the final statement.

    ``shown``: of single payments the bank day whose statement told of their money.
    """

    def __init__(self, house: House, record: Record, *, faults: bool) -> None:
        self.house = house
        self.record = record
        self.faults = faults
        self.balance = 0
        self.lines: dict[date, list[StatementEntry]] = defaultdict(list)
        self.fleeting: dict[date, list[StatementEntry]] = defaultdict(list)
        self.shown: dict[tuple[str, str], date] = {}
        self.waiting: list[tuple[Party, Paid]] = []
        self._payments: dict[tuple[date, str], Paid] = {}
        self._operations: dict[date, list[tuple[Party, Paid]]] = defaultdict(list)
        self._days: list[date] = []
        self._numbered = 0

    def credit(self, day: date, amount: int, purpose: str, party: StatementParty, **told: Any) -> StatementEntry:
        """Let money come in on a bank day."""
        return self._move(day, amount, purpose, party, is_credit=True, **told)

    def debit(self, day: date, amount: int, purpose: str, party: StatementParty, **told: Any) -> StatementEntry:
        """Let money go out on a bank day."""
        return self._move(day, amount, purpose, party, is_credit=False, **told)

    def pays(self, day: date, paid: Paid, purpose: str, party: StatementParty) -> None:
        """Let a payer's own transfer come in; it is known under the bank's id when the statement has told of it."""
        number = str(FIRST_PAYMENT_NUMBER + len(self._payments) + 1)
        self._payments[day, number] = paid
        self.credit(day, paid.amount, purpose, party, number=number, document_day=paid.day)

    def covers_operation(self, party: Party, paid: Paid) -> None:
        """Let the money of one payment come in on the next bank day."""
        self.waiting.append((party, paid))

    def flush_operations(self, day: date) -> None:
        """Bring in the money of single payments that wait for a bank day."""
        for party, paid in self.waiting:
            self.credit(day, paid.amount, f"Перевод принятого платежа, операция {paid.key}", payer(party))
            self.record.keep(party.space, paid.day, paid.amount)
            self._operations[day].append((party, paid))
        self.waiting = []

    def operations(self, day: date) -> list[tuple[Party, Paid]]:
        """Return the single payments whose money came in on a bank day."""
        return self._operations[day]

    def _move(self, day: date, amount: int, purpose: str, party: StatementParty, **told: Any) -> StatementEntry:
        self._numbered += 1
        where = self.fleeting if told.pop("fleeting", False) else self.lines
        given: dict[str, Any] = {"number": str(100_000 + self._numbered), "operation": "01", "document_day": day} | told
        bank_id = ExternalId(f"B{day:%y%m%d}{self._numbered:08d}")
        entry = StatementEntry(bank_id=bank_id, day=day, amount_kopecks=amount, purpose=purpose, counterparty=party, **given)
        where[day].append(entry)
        return entry

    def format_of(self, day: date) -> str:
        """Return the format in which a bank day is told."""
        if day not in self._days:
            self._days.append(day)
        return FORMATS[self._days.index(day) % len(FORMATS)]

    async def tell(self, day: date, *, is_final: bool, fleeting: bool = False) -> TakenStatement:
        """Tell of a bank day as it stands, at first with a fault when it is over; raises Diverged for what must not be.

        ``fleeting``: with the lines that the final statement will not have.
        """
        if self.faults and is_final and self.lines[day]:
            await self._tell_faulty(day)
        harmless = HARMLESS[self.format_of(day)] if self.faults else ()
        faults = frozenset({harmless[day.toordinal() % len(harmless)]}) if harmless else NONE
        plan = self._plan(day, is_final=is_final, fleeting=fleeting)
        statement = await self._read(plan, faults)
        wanted = StatementKind.FINAL if is_final else StatementKind.INTRADAY
        if isinstance(statement, str) or statement.kind is not wanted:
            raise Diverged(f"the statement of {day} is not believed as {wanted.value}: {statement}")
        taken = await take_statement(self.house.services, statement, self.house.sealer, BY, self.house.now)
        if taken.conflicts:
            raise Diverged(f"{taken.conflicts} lines of {day} are told otherwise than before")
        self._name_payments(day, statement)
        if is_final:
            self.balance = plan.closing_kopecks
            again = await take_statement(self.house.services, statement, self.house.sealer, BY, self.house.now)
            if not again.repeated:
                raise Diverged(f"the statement of {day} told again was not known: {again}")
        self.record.counts[f"statements {self.format_of(day)}"] += 1
        return taken

    async def tell_filtered(self, day: date) -> bool:
        """Tell of a bank day that is over without the lines of some kinds of documents, where the format can say so."""
        if not self.faults or self.format_of(day) != "1c" or all(one.operation == ORDER for one in self.lines[day]):
            return False
        statement = await self._read(self._plan(day, is_final=True), frozenset({StatementFault.FILTERED}))
        if isinstance(statement, str) or not statement.filtered:
            raise Diverged(f"the filtered statement of {day} is not read as such: {statement}")
        taken = await take_statement(self.house.services, statement, self.house.sealer, BY, self.house.now)
        if taken.vanished or taken.conflicts:
            raise Diverged(f"a filtered statement of {day} was taken for the whole one: {taken}")
        self._name_payments(day, statement)
        self.record.counts["statements filtered"] += 1
        return True

    async def _tell_faulty(self, day: date) -> None:
        kind = self.format_of(day)
        faults = REFUSED[kind]
        fault = faults[self._days.index(day) // len(FORMATS) % len(faults)]
        read = await self._read(self._plan(day, is_final=True), frozenset({fault}))
        if not isinstance(read, str):
            raise Diverged(f"a statement of {day} in {kind} was believed in spite of its fault {fault.value}")
        self.record.counts["statements refused"] += 1

    async def _read(self, plan: StatementPlan, faults: Faults) -> BankStatement | str:
        """Write the statement, read it as the house does; why it is not believed."""
        kind, now = self.format_of(plan.since), self.house.now
        if kind == "alfa":
            read = await self._alfa(plan, faults).bank_statement(TRANSIT, plan.since)
            return read.reason if isinstance(read, StatementUnread) else read
        try:
            return read_any(WRITERS[kind](plan, faults), TRANSIT, now)
        except StatementUnbelieved as error:
            return str(error)

    def _alfa(self, plan: StatementPlan, faults: Faults) -> AlfaStatements:
        door = AlfaStatementDoor({(TRANSIT, plan.since): plan}, faults, page_lines=PAGE_LINES)

        async def exchange(request: HttpRequest) -> HttpAnswer:
            return door.handle(request, self.house.now)

        def request(path: str) -> HttpRequest:
            return HttpRequest(method="GET", url=f"http://bank/api{path}")

        return AlfaStatements(request, exchange, lambda: self.house.now)

    def _plan(self, day: date, *, is_final: bool, fleeting: bool = False) -> StatementPlan:
        entries = [*self.lines[day], *self.fleeting[day]] if fleeting else self.lines[day]
        made_on = day + timedelta(days=1) if is_final else day
        return StatementPlan(
            account=TRANSIT, since=day, until=day, entries=tuple(entries), opening_kopecks=self.balance, made_on=made_on
        )

    def _name_payments(self, day: date, statement: BankStatement) -> None:
        """Learn the ids under which the statement's payments are to stand in the journal."""
        for entry in statement.entries:
            paid = self._payments.get((day, entry.number))
            if paid is not None and not paid.key:
                paid = msgspec.structs.replace(paid, key=entry.bank_id)
                self._payments[day, entry.number] = paid
                self.record.pay(paid)
                self.record.keep(paid.space, paid.day, paid.amount)
                self.record.hear(paid.space, paid.key)
        for party, paid in self._operations[day]:
            self.shown.setdefault((party.space, paid.key), day)


def payer(party: Party) -> StatementParty:
    """Return a counterparty as the statement names it."""
    return StatementParty(name=f"АО {party.space}", inn=party.inn, account=party.account, bic=BIC)


def day_text(day: date | datetime) -> str:
    """Write a day as purposes do."""
    return f"{day:%d.%m.%Y}"
