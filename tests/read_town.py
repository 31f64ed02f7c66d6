"""A small town in a real ledger: tables are published and payments appended through the ledger's own doors."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import asyncpg
import msgspec

from ledger.core.designation import designation_text, resolve_designation
from ledger.core.entry import MOSCOW, PaymentFacts, entry_for_cover, entry_for_payment, entry_for_suspense
from ledger.core.fingerprint import fingerprint_of
from ledger.core.reversal import reversal_of
from ledger.core.split import after_split, apply_lines, split_amount
from ledger.journal import Append, Appended, append, create_ledger, fetch_entry
from ledger.statements import load_statements
from schemas.allocation import (
    AccountState,
    Advance,
    AdvanceRule,
    AllocationTable,
    Kind,
    PayerKind,
    Pool,
    Tier,
    Total,
    digest_of,
    pack_table,
)
from schemas.ids import AccountId, Book, ChannelNumber, ExternalId, Line, PayeeNumber, Space, TableVersion, Transit
from schemas.ids import Sequence as Place
from schemas.journal import EntryKind, JournalEntry
from schemas.notification import NamedDesignation
from schemas.outcome import SuspenseReason

SQL = load_statements("tests/statements/read_town.sql")
TRANSIT_ACCOUNT = "40911810000000000001"
DAY = date(2026, 11, 24)
EVENT_AT = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
RECIPIENTS = {"TEPLO": "heating", "VODOKANAL": "water", "UK": "maintenance", "FOND": "capital_repair"}
WEIGHTS = (310_007, 80_003, 215_000)
VALID_UNTIL = datetime(2099, 1, 1, tzinfo=UTC)
PUBLISH_MAX = 256


class Town:
    """A ledger with one bank, one channel, four recipients and accounts with three lines of one month and one of repair."""

    def __init__(self, connection: "asyncpg.Connection", book: Book) -> None:
        self.connection = connection
        self.book = book
        self.tables: dict[AccountId, AllocationTable] = {}
        self.payees: dict[tuple[str, str], PayeeNumber] = {}
        self.transit = Transit(0)
        self.space = Space(0)
        self.channel = ChannelNumber(0)
        self.paid = 0

    async def open(self, accounts: int, *, day: date = DAY) -> None:
        """Register everything and publish the accounts' tables."""
        fetch = self.connection.fetchval
        self.transit = await fetch(SQL["add_transit"], TRANSIT_ACCOUNT)
        await self.connection.execute(SQL["open_day"], self.transit, day)
        self.space = await fetch(SQL["add_space"], "bank-feed")
        self.channel = await fetch(SQL["add_channel"], "bank-feed", self.space, self.transit)
        for code, service in RECIPIENTS.items():
            recipient = await fetch(SQL["add_recipient"], code)
            self.payees[code, service] = await fetch(SQL["add_payee"], recipient, service)
        numbers = [await fetch(SQL["add_account"], f"{1000 + number}", 3) for number in range(accounts)]
        for start in range(0, accounts, PUBLISH_MAX):
            await self.publish([self._table(number) for number in numbers[start : start + PUBLISH_MAX]])

    async def publish(self, tables: Sequence[AllocationTable]) -> None:
        """Publish tables that carry the version after the head's."""
        packed = [pack_table(table) for table in tables]
        accounts = [table.account for table in tables]
        expected = [table.version - 1 for table in tables]
        valid_until = [VALID_UNTIL] * len(tables)
        rows = await self.connection.fetch(SQL["publish"], self.book, accounts, expected, packed, valid_until, "tests")
        assert [row["status"] for row in rows] == [0] * len(tables)
        self.tables |= {table.account: table for table in tables}

    async def pay(self, account: AccountId, amount: int, named: NamedDesignation | None = None) -> Place:
        """Book one payment; its place."""
        return (await self.pay_many([(account, amount)], named))[0]

    async def pay_many(self, payments: Sequence[tuple[AccountId, int]], named: NamedDesignation | None = None) -> list[Place]:
        """Book payments in one batch; their places."""
        answers = await append(self.connection, self.book, [self.offer(account, amount, named) for account, amount in payments])
        return [placed(answer) for answer in answers]

    def offer(self, account: AccountId, amount: int, named: NamedDesignation | None = None) -> Append:
        """Split by the town's table of the account, which moves on."""
        before = self.tables[account]
        split = split_amount(before, amount, resolve_designation(named, self.payees))
        after = self.tables[account] = after_split(before, split)
        entry = entry_for_payment(self.facts(amount, named), before, split, MOSCOW)
        return offered(entry, before, after)

    def facts(self, amount: int, named: NamedDesignation | None = None) -> PaymentFacts:
        """The next notification of the channel."""
        self.paid += 1
        return PaymentFacts(
            transit=self.transit,
            channel=self.channel,
            space=self.space,
            external_id=ExternalId(f"op-{self.paid}"),
            event_at=EVENT_AT + timedelta(seconds=self.paid),
            amount_kopecks=amount,
            designation=designation_text(named),
        )

    async def suspend(self, amount: int) -> Place:
        """Book money whose owner is unknown."""
        entry = entry_for_suspense(self.facts(amount), SuspenseReason.ACCOUNT_UNKNOWN)
        return placed((await append(self.connection, self.book, [offered(entry)]))[0])

    async def cover(self, amount: int) -> Place:
        """Book a believed statement line, in book 0."""
        entry = entry_for_cover(self.facts(amount), self.space)
        return placed((await append(self.connection, Book(0), [offered(entry)]))[0])

    async def reverse(self, sequence: Place) -> Place:
        """Book the reversal of a payment."""
        original = await fetch_entry(self.connection, self.book, sequence)
        account = original.entry.personal_account
        assert account is not None
        before = self.tables[account]
        entry = reversal_of(original, head_version=before.version, event_at=EVENT_AT, value_date=DAY)
        after = self.tables[account] = apply_lines(before, entry.lines, entry.amounts)
        return placed((await append(self.connection, self.book, [offered(entry, before, after)]))[0])

    def _table(self, account: int) -> AllocationTable:
        payees = tuple(self.payees.values())
        return AllocationTable(
            account=AccountId(account),
            version=TableVersion(1),
            personal_account=f"{999 + account}",
            aliases=(),
            state=AccountState.OPEN,
            payer_kind=PayerKind.PERSON,
            time_zone="Europe/Moscow",
            provider=3,
            valid_until=int(VALID_UNTIL.timestamp()),
            per_service_payment=False,
            totals=(Total(sum(WEIGHTS), (0,)),),
            tiers=(_tier(Pool.MAIN, payees[:3], (1, 2, 3), WEIGHTS), _tier(Pool.CAPITAL_REPAIR, payees[3:], (4,), (70_000,))),
            advance=Advance(rule=AdvanceRule.TO_LINE, payees=payees[2:3], lines=(Line(5),)),
        )


async def build_town(dsn: str, *, accounts: int = 3, books: int = 1) -> Town:
    """Create the ledger and open the town on a connection of the ledger's owner, which the caller closes."""
    connection = await asyncpg.connect(dsn)
    await create_ledger(connection, books)
    town = Town(connection, Book(1))
    await town.open(accounts)
    return town


def offered(entry: JournalEntry, before: AllocationTable | None = None, after: AllocationTable | None = None) -> Append:
    """Offer an entry to the door with its fingerprint and digests."""
    fingerprint = fingerprint_of(
        kind=EntryKind(entry.kind),
        account=f"town/{entry.personal_account}",
        amount_kopecks=entry.amount_kopecks,
        raw_amount="",
        designation=entry.designation,
    )
    offer = Append(entry=entry, fingerprint=fingerprint)
    if before is None or after is None:
        return offer
    return msgspec.structs.replace(offer, before=digest_of(pack_table(before)), after=digest_of(pack_table(after)))


def placed(answer: Appended) -> Place:
    """The place of a recorded entry."""
    assert answer.sequence is not None, answer
    return answer.sequence


def _tier(pool: Pool, payees: Sequence[PayeeNumber], lines: Sequence[int], weights: Sequence[int]) -> Tier:
    return Tier(
        creditor=3,
        period=202610,
        pool=pool,
        kind=Kind.PRINCIPAL,
        designated_only=False,
        court_order="",
        payees=tuple(payees),
        lines=tuple([Line(line) for line in lines]),
        weights=tuple(weights),
        paid=(0,) * len(weights),
    )
