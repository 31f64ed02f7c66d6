"""A small town on a real ledger: accounts, charges, payments through the door."""

from collections.abc import Sequence
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from kopeck.clock import utc_now
from ledger.core.entry import PaymentFacts, entry_for_payment
from ledger.core.fingerprint import fingerprint_of
from ledger.core.reversal import reversal_of
from ledger.core.split import apply_lines, split_amount
from ledger.journal import Append, Appended, append, create_ledger
from ledger.publication import PublicationReport, publish_accounts
from ledger.rebuild import Rebuilt, rebuild_accounts
from ledger.statements import load_statements
from ledger.tables import SQL as TABLES
from schemas.allocation import digest_of, pack_table
from schemas.ids import AccountId, ChannelNumber, ExternalId, Space, Transit
from schemas.journal import RecordedEntry

SQL = load_statements("tests/statements/allocation_town.sql")
NOW = utc_now()
DUE = date(2026, 11, 15)
PERIOD = 202610
FIRST_TRANSIT = Transit(1)


class Town:
    """The owner's and the services' connection to one ledger."""

    def __init__(self, owner: Any, services: Any) -> None:
        self.owner = owner
        self.services = services
        self._payments = 0

    async def found(self, *, books: int = 1, advance_rule: int = 1) -> None:
        """Create the ledger, its recipients and its transit account."""
        await create_ledger(self.owner, books)
        await self.owner.execute(SQL["recipients"], advance_rule)

    async def accounts(self, first: int = 1, last: int = 1) -> list[AccountId]:
        """Register accounts by the numbers ``first`` … ``last``."""
        return [row[0] for row in await self.owner.fetch(SQL["accounts"], first, last)]

    async def charge(self, account: AccountId, service: str, amount: int, **more: Any) -> None:
        """Charge an account; ``more``: period, due, opening_paid, opening_advance."""
        period, due = more.get("period", PERIOD), more.get("due", DUE)
        opening = more.get("opening_paid", 0), more.get("opening_advance", 0)
        await self.owner.execute(SQL["charge"], account, service, period, amount, due, *opening)

    async def publish(self, *accounts: AccountId) -> PublicationReport:
        """Publish as the services do."""
        return await publish_accounts(self.services, accounts, NOW, "test")

    async def head(self, account: AccountId) -> Any:
        """The account's head, None before the first publication."""
        return await self.owner.fetchrow(SQL["head"], account)

    async def rebuilt(self, account: AccountId) -> Rebuilt:
        """The table at the head, which must be rebuilt right."""
        state = (await rebuild_accounts(self.services, [account]))[account]
        assert isinstance(state, Rebuilt), state
        return state

    async def pay(self, account: AccountId, amount: int) -> Appended:
        """Pay through the door, as the gateway does."""
        state = await self.rebuilt(account)
        return (await append(self.services, state.book, [self.offer(state, amount)]))[0]

    async def reverse(self, recorded: RecordedEntry, account: AccountId) -> Appended:
        """Reverse an entry of the account's through the door."""
        state = await self.rebuilt(account)
        entry = reversal_of(recorded, head_version=state.version, event_at=NOW, value_date=NOW.date())
        after = digest_of(pack_table(apply_lines(state.table, entry.lines, entry.amounts)))
        offer = Append(entry=entry, fingerprint=entry.external_id.encode(), before=state.digest, after=after)
        return (await append(self.services, state.book, [offer]))[0]

    async def plan_of(self, statement: str, *arguments: Any) -> str:
        """How the database would read tables, without looking at the values."""
        async with self.services.transaction():
            await self.services.execute(TABLES["prefer_indexes"])
            rows = await self.services.fetch(SQL["explain"] + " " + TABLES[statement], *arguments)
        return "\n".join(row[0] for row in rows)

    def offer(self, state: Rebuilt, amount: int) -> Append:
        """A payment split from ``state``, ready for the door."""
        self._payments += 1
        facts = PaymentFacts(
            transit=FIRST_TRANSIT,
            channel=ChannelNumber(101),
            space=Space(101),
            external_id=ExternalId(f"pay-{self._payments}"),
            event_at=NOW,
            amount_kopecks=amount,
            designation="",
        )
        entry = entry_for_payment(facts, state.table, split_amount(state.table, amount), ZoneInfo("Europe/Moscow"))
        after = digest_of(pack_table(apply_lines(state.table, entry.lines, entry.amounts)))
        name = state.table.personal_account
        print_ = fingerprint_of(kind=entry.kind, account=name, amount_kopecks=amount, raw_amount="", designation="")
        return Append(entry=entry, fingerprint=print_, before=state.digest, after=after)


def paid(state: Rebuilt) -> Sequence[tuple[int, int, int]]:
    """(line, weight, paid) of every line of a table, in order."""
    return [
        (line, weight, sum_)
        for tier in state.table.tiers
        for line, weight, sum_ in zip(tier.lines, tier.weights, tier.paid, strict=True)
    ]
