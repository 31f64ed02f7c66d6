"""A ledger whose payments need receipts: loaded from files, published, and paid through the ledger's door."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import msgspec

from ledger.chart import AccountKind, ledger_account
from ledger.core.entry import PaymentFacts, entry_for_payment, entry_for_suspense
from ledger.core.split import apply_lines, split_amount
from ledger.feed import Connection
from ledger.journal import Append, append, create_ledger
from ledger.publication import publish_accounts
from ledger.rebuild import Rebuilt, rebuild_accounts
from ledger.reversal import reverse_entry
from ledger.statements import load_statements
from schemas.allocation import digest_of, pack_table
from schemas.channel import LegalKind
from schemas.delivery import Done, Outgoing, Refused
from schemas.ids import AccountId, Book, ChannelNumber, ExternalId, LedgerAccount, Line, Space, TableVersion, Transit
from schemas.ids import Sequence as Place
from schemas.journal import EntryKind, JournalEntry
from schemas.outcome import SuspenseReason
from schemas.receipt import FiscalSign
from services.fiscal import loading
from services.fiscal.consumer import FiscalConsumer
from services.fiscal.desk import FiscalDesk
from services.runner import catch_up
from tests.conftest import LedgerDatabase
from tests.services.desk import TERMS, Desk

SQL = load_statements("tests/statements/fiscal_town.sql")
NOW = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
DAY = date(2026, 11, 24)
BOOK = Book(1)

RECIPIENTS = """code,kind,name,inn,kpp,bank_account,bic,kbk,oktmo,valid_from,advance_rule
uk,management,ООО «УК Север»,7707083893,770801001,40702810200000000001,044525225,,,2026-01-01,to_line
heat,supplier,АО «Тепло»,7707083893,770801001,40911810101850000000,044525593,,,2026-01-01,
water,supplier,МУП «Водоканал»,7707083893,770801001,40702810200000000001,044525225,,,2026-01-01,
fund,fund,Фонд капремонта,7707083893,770801001,40702810200000000001,044525225,,,2026-01-01,
"""
ACCOUNTS = """namespace,number,state,payer_kind,provider
epd,1001,open,person,uk
epd,1002,open,person,uk
epd,1003,open,organisation,uk
"""
CHARGES = """namespace,number,creditor,period,service,recipient,kind,pool,amount_kopecks,due_date
epd,1001,uk,2026-10,maintenance,uk,principal,main,200000,2026-11-16
epd,1001,uk,2026-10,heating,heat,principal,main,300000,2026-11-16
epd,1001,water,2026-10,cold_water,water,principal,main,50000,2026-11-16
epd,1002,uk,2026-10,maintenance,uk,principal,main,100000,2026-11-16
epd,1002,fund,2026-10,capital_repair,fund,principal,capital_repair,70000,2026-11-16
epd,1003,uk,2026-10,maintenance,uk,principal,main,100000,2026-11-16
"""
COMPANIES = """recipient,valid_from,tax_system,format,payment_address,email,operator
uk,2026-01-01,osn,1.2,https://uk.example.ru,kassa@uk.example.ru,atol:uk
water,2026-01-01,osn,1.05,https://water.example.ru,kassa@water.example.ru,ferma:water
"""
VAT = """recipient,service,kind,period_from,rate,source
uk,,,2019-01,vat20,НК ст. 164
uk,,,2026-01,vat22,НК ст. 164 (425-ФЗ)
uk,heating,,2019-01,none,НК ст. 149 п. 3 подп. 29
water,,,2026-01,vat22,НК ст. 164
"""
CONTACTS = """namespace,number,contact
epd,1001,ivanov@example.com
"""
FUND = """recipient,valid_from,tax_system,format,payment_address,email,operator
fund,2026-01-01,osn,1.05,https://fund.example.ru,kassa@fund.example.ru,atol:fund
"""
FUND_VAT = "recipient,period_from,rate\nfund,2019-01,none\n"

LOADERS = {
    "companies": loading.load_companies,
    "services": loading.load_services,
    "vat": loading.load_vat,
    "agencies": loading.load_agencies,
    "decisions": loading.load_decisions,
    "item_rules": loading.load_item_rules,
    "contacts": loading.load_contacts,
}


class FiscalTown:
    """The ledger, its numbers, the consumer and delivery's desk."""

    def __init__(self, desk: Desk, owner: Connection) -> None:
        self.services = desk.connection
        self.owner = owner
        self.desk = desk
        self.consumer = FiscalConsumer()
        self.moment = NOW
        self.fiscal_desk = FiscalDesk(lambda: self.moment)
        self.accounts: dict[str, AccountId] = {}
        self.channels: dict[LegalKind, ChannelNumber] = {}
        self.payees: dict[tuple[str, str], int] = {}
        self.transit = Transit(0)
        self.space = Space(0)
        self.signs = 0
        self.paid = 0

    async def open(self) -> None:
        """Registers, reference data and charges; published."""
        await create_ledger(self.owner, 1)
        self.transit = await self.owner.fetchval(SQL["add_transit"])
        await self.owner.execute(SQL["open_day"], self.transit, DAY)
        self.space = await self.owner.fetchval(SQL["add_space"], "feed")
        for kind in LegalKind:
            self.channels[kind] = await self.owner.fetchval(SQL["add_channel"], kind.value, self.space, self.transit)
        for what, content in (("recipients", RECIPIENTS), ("accounts", ACCOUNTS), ("charges", CHARGES)):
            await self.desk.load(what, content)
        for what, content in (("companies", COMPANIES), ("vat", VAT), ("contacts", CONTACTS)):
            await self.load(what, content)
        rows = await self.owner.fetch(SQL["list_accounts"])
        self.accounts = {row["number"]: row["personal_account"] for row in rows}
        report = await publish_accounts(self.services, list(self.accounts.values()), NOW, "test")
        assert not report.failed
        self.payees = {(row["code"], row["service"]): row["payee"] for row in await self.owner.fetch(SQL["list_payees"])}

    async def load(self, what: str, content: str) -> Any:
        """Load a fiscal file."""
        path = Path(self.desk.folder) / f"{what}.csv"
        path.write_text(content, "utf-8")
        return await LOADERS[what](self.services, path, TERMS)

    async def pay(self, number: str, amount: int, channel: LegalKind = LegalKind.BANK, external_id: str = "") -> Place:
        """Pay an account through the door; the place in its book."""
        state = await self._table(self.accounts[number])
        entry = entry_for_payment(
            self._facts(amount, channel, external_id), state.table, split_amount(state.table, amount), ZoneInfo("Europe/Moscow")
        )
        return await self.book(entry, state)

    async def suspend(self, amount: int, channel: LegalKind = LegalKind.ACQUIRER) -> Place:
        """Money whose owner is unknown."""
        return await self.book(entry_for_suspense(self._facts(amount, channel), SuspenseReason.ACCOUNT_UNKNOWN))

    async def reverse(self, sequence: Place) -> Place:
        """Reverse an entry."""
        answer = await reverse_entry(self.services, BOOK, sequence, NOW)
        assert answer.sequence is not None, answer
        return answer.sequence

    async def move(self, kind: EntryKind, number: str, lines: Sequence[tuple[int, int, int]], key: tuple[int, str]) -> Place:
        """Book an entry of ``(ledger account, kopecks, charge line)`` under (space, external id)."""
        state = await self._table(self.accounts[number])
        accounts, amounts, numbers = zip(*lines, strict=True)
        entry = JournalEntry(
            kind=kind,
            event_at=NOW,
            value_date=DAY,
            transit=self.transit,
            channel=ChannelNumber(0),
            space=Space(key[0]),
            external_id=ExternalId(key[1]),
            personal_account=self.accounts[number],
            table_version=state.version,
            reason=SuspenseReason.NONE,
            designation="",
            amount_kopecks=sum(amount for amount in amounts if amount > 0),
            accounts=tuple(LedgerAccount(account) for account in accounts),
            amounts=tuple(amounts),
            lines=tuple(Line(line) for line in numbers),
        )
        return await self.book(entry, state)

    def payable(self, recipient: str, service: str) -> LedgerAccount:
        """The payable of a recipient's service."""
        return ledger_account(AccountKind.PAYABLE, self.transit, self.payees[recipient, service])

    async def lines(self, number: str) -> dict[tuple[str, int], int]:
        """Charge lines of an account by (service, kind)."""
        rows = await self.owner.fetch(SQL["list_lines"], self.accounts[number])
        return {(row["service"], row["kind"]): row["line"] for row in rows}

    async def book(self, entry: JournalEntry, state: Rebuilt | None = None) -> Place:
        """Append one entry."""
        before = after = b""
        if state is not None:
            before, after = state.digest, digest_of(pack_table(apply_lines(state.table, entry.lines, entry.amounts)))
            entry = msgspec.structs.replace(entry, table_version=TableVersion(state.version))
        offer = Append(entry=entry, fingerprint=entry.external_id.encode(), before=before, after=after)
        (answer,) = await append(self.services, BOOK, [offer])
        assert answer.sequence is not None, answer
        return answer.sequence

    async def take(self, entries_max: int = 100) -> int:
        """Let the consumer take everything."""
        return await catch_up(self.services, self.consumer, entries_max)

    async def receipts(self) -> list[Any]:
        """Receipts with their state."""
        return await self.owner.fetch(SQL["list_receipts"])

    async def orders(self) -> list[Any]:
        """Orders at delivery."""
        return await self.owner.fetch(SQL["list_orders"])

    async def omissions(self) -> list[tuple[Any, ...]]:
        """(sequence, issuer, reason, amount) of sums without receipts."""
        return [tuple(row) for row in await self.owner.fetch(SQL["list_omissions"])]

    async def register(self, row: Any, **told: Any) -> FiscalSign:
        """Let the till register an order, as delivery tells the desk."""
        self.signs += 1
        total = next(one["total"] for one in await self.receipts() if one["number"] == row["subject"])
        told = {"fn": "9960440300000001", "fd": str(self.signs), "fpd": str(3_000_000_000 + self.signs)} | told
        sign = FiscalSign(**({"registered_at": datetime(2026, 11, 24, 12, 30), "total_kopecks": total} | told))
        await self.settle(row, Done(reference="uuid", content=msgspec.json.encode(sign)), 2)
        return sign

    async def register_all(self) -> None:
        """Register what is on its way, and what that releases, until nothing is."""
        while waiting := [row for row in await self.orders() if row["state"] == 0]:
            for row in waiting:
                await self.register(row)

    async def settle(self, row: Any, answer: Done | Refused, state: int) -> None:
        """What delivery does in one transaction."""
        order = Outgoing(number=row["number"], key=row["key"], content=row["content"])
        async with self.services.transaction():
            await self.services.execute(SQL["end_order"], row["number"], state)
            await self.fiscal_desk.settle(self.services, order, answer)

    def _facts(self, amount: int, channel: LegalKind, external_id: str = "") -> PaymentFacts:
        self.paid += 1
        return PaymentFacts(
            transit=self.transit,
            channel=self.channels[channel],
            space=self.space,
            external_id=ExternalId(external_id or f"op-{self.paid}"),
            event_at=NOW,
            amount_kopecks=amount,
            designation="",
        )

    async def _table(self, account: AccountId) -> Rebuilt:
        state = (await rebuild_accounts(self.services, [account]))[account]
        assert isinstance(state, Rebuilt), state
        return state


async def open_town(database: LedgerDatabase, desk: Desk) -> FiscalTown:
    """The town on a fresh ledger; the owner's connection is the caller's to close."""
    town = FiscalTown(desk, await asyncpg.connect(database.owner_dsn))
    await town.open()
    return town
