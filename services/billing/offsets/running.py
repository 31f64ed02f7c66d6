"""Advances that published accounts still hold: what can be spent of them, and spending it through the publication's own door."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from ledger.core.account_facts import BuildError
from ledger.core.crediting import build_table
from ledger.core.offset import OffsetTerms, offset_flows
from ledger.feed import Connection
from ledger.offset import SQL, Holder, fetch_advance_entries, fetch_seasonal, holds_advance, offset_offers
from ledger.publication import READ_ACCOUNTS_MAX, publish_accounts
from ledger.tables import Registers, fetch_registers, group_by_book, read_accounts
from schemas.ids import AccountId, Book, PayeeNumber

PUBLISHER = "offsets"


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """What advances of one (recipient, service) give to lines of another, over all accounts; kopecks."""

    holder: str
    advance: str
    recipient: str
    service: str
    accounts: int
    amount_kopecks: int


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """An account whose offsets were not booked, and why."""

    account: AccountId
    reason: str


class OffsetReport(msgspec.Struct, frozen=True, kw_only=True):
    """Of so many accounts charged in the period that hold advances: who can spend them, on what, and who was not booked.

    ``booked`` False: nothing was asked to be booked.
    """

    period: int
    holders: int
    accounts: int
    entries: int
    amount_kopecks: int
    flows: tuple[Flow, ...]
    failed: tuple[Failed, ...]
    booked: bool


class _Planned(NamedTuple):
    """An account's offsets: entries, and kopecks by (payee of the advance, payee of the line)."""

    account: AccountId
    entries: int
    sums: dict[tuple[PayeeNumber, PayeeNumber], int]


async def run_offsets(connection: Connection, period: int, moment: datetime, *, dry_run: bool) -> OffsetReport:
    """Spend the advances of every account charged in ``period``, or only say how (``dry_run``); once more changes nothing.

    What is told is what the plan found; an account that is paid while it runs is decided anew by its publication.
    """
    registers = await fetch_registers(connection)
    terms = OffsetTerms(moment=moment, seasonal=await fetch_seasonal(connection))
    holders, planned, failed = 0, list[_Planned](), list[BuildError]()
    async for accounts in _list_accounts(connection, period):
        for book, members in (await group_by_book(connection, accounts)).items():
            found, some = await _plan(connection, (book, members), (registers, terms), failed)
            holders += found
            planned += some
            if some and not dry_run:
                report = await publish_accounts(connection, [one.account for one in some], moment, PUBLISHER)
                failed += report.failed
    left_out = {error.account for error in failed}
    spent = [one for one in planned if one.account not in left_out]
    return OffsetReport(
        period=period,
        holders=holders,
        accounts=len(spent),
        entries=sum([one.entries for one in spent]),
        amount_kopecks=sum([sum(one.sums.values()) for one in spent]),
        flows=_flows(spent, registers),
        failed=tuple([Failed(account=error.account, reason=error.reason) for error in failed]),
        booked=not dry_run,
    )


async def _list_accounts(connection: Connection, period: int) -> AsyncIterator[list[AccountId]]:
    after = AccountId(0)
    while rows := await connection.fetch(SQL["list_holders"], period, after, READ_ACCOUNTS_MAX):
        after = rows[-1]["personal_account"]
        yield [row["personal_account"] for row in rows]


async def _plan(
    connection: Connection,
    place: tuple[Book, Sequence[AccountId]],
    told: tuple[Registers, OffsetTerms],
    failed: list[BuildError],
) -> tuple[int, list[_Planned]]:
    """Return how many accounts hold advances, and what those that can spend them would."""
    (book, accounts), (registers, terms) = place, told
    readings = [one for one in await read_accounts(connection, book, accounts, registers) if holds_advance(one)]
    entries = await fetch_advance_entries(connection, book, readings)
    planned = []
    for reading in readings:
        account = reading.facts.account
        try:
            table = build_table(reading.facts, reading.charges, reading.paid, terms.moment).table
        except BuildError as error:
            failed.append(error)
            continue
        sums: dict[tuple[PayeeNumber, PayeeNumber], int] = {}
        offers = offset_offers(Holder(reading, table, entries.get(account, ())), terms)
        for offer in offers:
            for giver, taker, amount in offset_flows(offer.entry.accounts, offer.entry.amounts):
                sums[giver, taker] = sums.get((giver, taker), 0) + amount
        if offers:
            planned.append(_Planned(account, len(offers), sums))
    return len(readings), planned


def _flows(planned: Sequence[_Planned], registers: Registers) -> tuple[Flow, ...]:
    names = registers.register.payees
    totals: dict[tuple[PayeeNumber, PayeeNumber], list[int]] = {}
    for one in planned:
        for pair, amount in one.sums.items():
            total = totals.setdefault(pair, [0, 0])
            total[0] += 1
            total[1] += amount
    flows = [
        Flow(
            holder=names[giver][0],
            advance=names[giver][1],
            recipient=names[taker][0],
            service=names[taker][1],
            accounts=accounts,
            amount_kopecks=amount,
        )
        for (giver, taker), (accounts, amount) in totals.items()
    ]
    return tuple(sorted(flows, key=lambda flow: (flow.holder, flow.advance, flow.recipient, flow.service)))
