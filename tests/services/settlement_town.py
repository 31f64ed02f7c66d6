"""A small town for the tests of settlement: recipients with requisites, payments straight through the ledger's door."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from typing import Any

import asyncpg
import msgspec

from kopeck.demo.requisites import account_with_key, inn_with_check
from ledger.chart import AccountKind, ledger_account
from ledger.core.bank_entries import BankLine, Fee, covered, debt_paid
from ledger.core.entry import PaymentFacts, entry_for_cover, entry_for_suspense
from ledger.core.reversal import reversal_of
from ledger.journal import Append, append, create_ledger, fetch_entry
from ledger.refund import reversal_wanted, take_back
from ledger.statements import load_statements
from schemas.ids import Book, ChannelNumber, ExternalId, LedgerAccount, Line, Space, TableVersion, Transit
from schemas.ids import Sequence as Place
from schemas.journal import EntryKind, JournalEntry
from schemas.outcome import AppendStatus, SuspenseReason
from services.balances.consumer import BalancesConsumer
from services.postings.consumer import PostingsConsumer
from services.runner import catch_up
from services.settlement.audit import audit_settlement
from services.settlement.consumer import SettlementConsumer
from services.settlement.orders import CutReport, make_orders
from services.settlement.registers import send_registers
from services.settlement.rules.screening import StopEntry
from services.settlement.terms import TransitTerms, add_stop_entries, set_transit_terms
from tests.conftest import LedgerDatabase

SQL = load_statements("tests/statements/settlement_town.sql")
BIC = "044525593"
TRANSIT_ACCOUNT = account_with_key("40911810000000000001", BIC)
DAY = date(2026, 11, 24)
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
FAR = datetime(2099, 1, 1, tzinfo=UTC)
RECIPIENTS = {
    "TEPLO": ("supplier", ("heating", "hot_water")),
    "VODA": ("supplier", ("cold_water",)),
    "UK": ("management", ("maintenance",)),
    "FOND": ("fund", ("capital_repair",)),
    "OPER": ("service", ("fee",)),
}
Line_ = tuple[str, int]
"""Service and kopecks."""


class SettlementTown:
    """Five recipients, two operation spaces, a transit account; entries are put through the door as services."""

    def __init__(self, database: LedgerDatabase, owner: Any, services: Any) -> None:
        self.database = database
        self.owner = owner
        self.services = services
        self.recipients: dict[str, int] = {}
        self.payees: dict[str, int] = {}
        self.transit = Transit(0)
        self.spaces: tuple[Space, ...] = ()
        self.channel = ChannelNumber(0)
        self._keys = 0

    async def found(self, books: int) -> None:
        await create_ledger(self.owner, books)
        self.transit = await self.owner.fetchval(SQL["add_transit"], TRANSIT_ACCOUNT, BIC, DAY)
        self.spaces = tuple([await self.owner.fetchval(SQL["add_space"], name) for name in ("net", "feed")])
        self.channel = await self.owner.fetchval(SQL["add_channel"], "net", self.spaces[0], self.transit)
        for number, (code, (kind, services)) in enumerate(RECIPIENTS.items(), start=1):
            inn = inn_with_check(f"77000{number:04d}")
            recipient = await self.owner.fetchval(SQL["add_recipient"], code, kind, f"ООО {code}", inn)
            self.recipients[code] = recipient
            for service in services:
                self.payees[service] = await self.owner.fetchval(SQL["add_payee"], recipient, service)
            await self.approve(code, number)
        terms = TransitTerms(transit=self.transit, payer_inn="7728168971", payer_kpp="770801001")
        await set_transit_terms(self.services, terms)

    async def approve(self, code: str, serial: int, *, by: str | None = "approver") -> int:
        """Give a recipient other requisites; with nobody by whom they are approved they pay nothing."""
        account = account_with_key(f"407028100{serial:011d}", BIC)
        recipient = self.recipients[code]
        return int(await self.owner.fetchval(SQL["add_requisites"], recipient, account, BIC, date(2026, 1, 1), by))

    def payable(self, service: str) -> LedgerAccount:
        return ledger_account(AccountKind.PAYABLE, self.transit, self.payees[service])

    def of_transit(self, kind: AccountKind, subject: int = 0) -> LedgerAccount:
        return ledger_account(kind, self.transit, subject)

    def _facts(self, amount: int, space: int) -> PaymentFacts:
        self._keys += 1
        return PaymentFacts(
            transit=self.transit,
            channel=self.channel,
            space=self.spaces[space],
            external_id=ExternalId(f"op-{self._keys}"),
            event_at=NOW,
            amount_kopecks=amount,
            designation="",
        )

    def payment(self, lines: Sequence[Line_], space: int = 0) -> JournalEntry:
        """A payment without a personal account: what the door takes and no table stands behind."""
        amount = sum(one for _, one in lines)
        suspense = entry_for_suspense(self._facts(amount, space), SuspenseReason.ACCOUNT_UNKNOWN)
        return msgspec.structs.replace(
            suspense,
            kind=EntryKind.PAYMENT,
            reason=SuspenseReason.NONE,
            accounts=(suspense.accounts[0], *(self.payable(service) for service, _ in lines)),
            amounts=(amount, *(-one for _, one in lines)),
            lines=(Line(0), *(Line(0) for _ in lines)),
        )

    async def append(self, entry: JournalEntry, book: int = 1, **digests: bytes) -> Place:
        """Put one entry through the door."""
        offer = Append(entry=entry, fingerprint=b"\x01" * 26, **digests)
        (answer,) = await append(self.services, Book(book), [offer])
        assert answer.status is AppendStatus.RECORDED and answer.sequence is not None, answer
        return answer.sequence

    async def pay(self, *lines: Line_, space: int = 0, book: int = 1) -> Place:
        """Book a payment."""
        return await self.append(self.payment(lines, space), book)

    async def suspend(self, amount: int, space: int = 0) -> Place:
        """Book money of an unknown owner."""
        return await self.append(entry_for_suspense(self._facts(amount, space), SuspenseReason.ACCOUNT_UNKNOWN))

    async def cover(self, amount: int, space: int = 0) -> Place:
        """Book a believed statement line."""
        return await self.append(entry_for_cover(self._facts(amount, space), self.spaces[space]), 0)

    async def reverse(self, sequence: Place, book: int = 1) -> Place:
        """Book the reversal of an entry without a personal account."""
        original = await fetch_entry(self.services, Book(book), sequence)
        entry = reversal_of(original, head_version=TableVersion(0), event_at=NOW, value_date=DAY)
        return await self.append(entry, book)

    async def reverse_part(self, sequence: Place, amount: int, book: int = 1) -> Place:
        """Book the reversal of a part of an entry."""
        wanted = await reversal_wanted(self.services, Book(book), sequence, amount)
        return (await take_back(self.services, wanted, NOW)).sequence

    async def pay_debt(self, code: str, amount: int) -> Place:
        """Book a statement line by which a party pays what it owes."""
        self._keys += 1
        line = BankLine(transit=self.transit, bank_id=f"debt-{self._keys}", event_at=NOW)
        return await self.append(debt_paid(line, self.recipients[code], amount), 0)

    async def cover_net(self, amount: int, fee: int, bearer: str, space: int = 0) -> Place:
        """Book a statement line from which a counterparty kept its fee."""
        self._keys += 1
        line = BankLine(transit=self.transit, bank_id=f"net-{self._keys}", event_at=NOW)
        kept = Fee(amount_kopecks=fee, bearer=self.recipients[bearer]) if fee else None
        return await self.append(covered(line, self.spaces[space], amount, kept), 0)

    async def reverse_of_account(self, sequence: Place, account: int) -> Place:
        """Book the reversal of a personal account's payment."""
        original = await fetch_entry(self.services, Book(1), sequence)
        head = await self.owner.fetchrow(SQL["head"], account)
        entry = reversal_of(original, head_version=head["version"], event_at=NOW, value_date=DAY)
        return await self.append(entry, before=head["digest"], after=head["digest"])

    async def stop(self, code: str, since: date, until: date = date.max) -> None:
        """Put a recipient on a stop list."""
        inn = await self.owner.fetchval(SQL["inn"], self.recipients[code])
        entry = StopEntry(list_code="test", reference=code, name=f"ООО {code}", inn=inn, since=since, until=until)
        await add_stop_entries(self.services, [entry])

    async def stop_name(self, name: str, since: date) -> None:
        """Put a person on a stop list."""
        await add_stop_entries(
            self.services, [StopEntry(list_code="test", reference=name, name=name, inn="", since=since, until=date.max)]
        )

    async def account(self, number: str, creditor: str, lines: Sequence[tuple[str, int, int]]) -> int:
        """Register a personal account with charge lines (service, pool, amount) of one creditor, and publish it."""
        account = int(await self.owner.fetchval(SQL["add_account"], number, self.recipients["UK"]))
        for line, (service, pool, amount) in enumerate(lines, start=1):
            owed = (self.recipients[creditor], 202610, self.payees[service], pool, amount)
            await self.owner.execute(SQL["add_charge"], account, line, *owed)
        status = await self.services.fetchval(SQL["publish"], 1, [account], [0], [b"table"], [FAR])
        assert status == 0
        return account

    async def pay_account(self, account: int, lines: Sequence[tuple[int, str, int]], space: int = 0) -> Place:
        """Book a payment of a personal account to its charge lines (line, service, kopecks)."""
        entry = self.payment([(service, amount) for _, service, amount in lines], space)
        head = await self.owner.fetchrow(SQL["head"], account)
        entry = msgspec.structs.replace(
            entry,
            personal_account=account,
            table_version=head["version"],
            lines=(Line(0), *(Line(line) for line, _, _ in lines)),
        )
        return await self.append(entry, before=head["digest"], after=head["digest"])

    async def fold(self) -> None:
        """Let the consumers come to the heads."""
        for consumer in (SettlementConsumer(), BalancesConsumer(), PostingsConsumer()):
            await catch_up(self.services, consumer)

    async def cut(self, now: datetime = NOW) -> CutReport:
        """Fold, then cut."""
        await self.fold()
        return await make_orders(self.services, self.transit, now)

    async def send(self, now: datetime = NOW) -> tuple[str, ...]:
        """Send what is approved."""
        return await send_registers(self.services, self.transit, now)

    async def orders(self) -> list[Any]:
        """Every order."""
        rows: list[Any] = await self.owner.fetch(SQL["orders"])
        return rows

    async def paid(self) -> dict[tuple[str, str], int]:
        """Kopecks ordered by recipient and class."""
        sums: dict[tuple[str, str], int] = {}
        for order in await self.orders():
            place = (order["code"], order["class"])
            sums[place] = sums.get(place, 0) + order["amount"]
        return sums

    async def carried(self) -> dict[str, tuple[int, str]]:
        """(kopecks, reason) by service of what waits."""
        names = {self.payable(service): service for service in self.payees}
        return {
            names.get(row["account"], str(row["account"])): (row["amount"], row["reason"])
            for row in await self.owner.fetch(SQL["carried"])
        }

    async def balance(self, account: LedgerAccount) -> int:
        """A ledger account's balance in the journal."""
        return int(await self.owner.fetchval(SQL["balance"], account))

    async def balances(self) -> Mapping[LedgerAccount, int]:
        """Every balance that is not nought."""
        return {row["account"]: row["balance"] for row in await self.owner.fetch(SQL["balances"]) if row["balance"]}

    async def assert_sound(self) -> None:
        """Everything that the audit of settlement asks holds."""
        await self.fold()
        assert (await audit_settlement(self.services, DAY)).faults == ()


@asynccontextmanager
async def settlement_town(database: LedgerDatabase, books: int = 1) -> AsyncIterator[SettlementTown]:
    """A founded town on a fresh ledger."""
    connections = [await asyncpg.connect(dsn) for dsn in (database.owner_dsn, database.services_dsn)]
    try:
        town = SettlementTown(database, *connections)
        await town.found(books)
        yield town
    finally:
        for connection in connections:
            connection.terminate()
