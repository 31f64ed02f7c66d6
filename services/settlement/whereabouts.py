"""Where the kopecks of one payment are on their way to the recipients: order by order, or why they have not left.

Nothing of it is stored: an entry's range of a cut, the lots of orders and what is carried tell it (design §4 «Funding»).
"""

from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from typing import Any

import msgspec

from ledger.chart import AccountKind, ledger_account
from ledger.feed import Connection, list_cursors
from ledger.statements import load_statements
from schemas.ids import LedgerAccount, Transit
from schemas.journal import RecordedEntry
from services.settlement.directory import fetch_directory
from services.settlement.inspection import TransferView, Wanted, list_transfers
from services.settlement.lots import Directory, LotKey
from services.settlement.planning import list_ranges, payment_commission

_SQL = load_statements("services/settlement/whereabouts.sql")
_CUT = load_statements("services/settlement/cutting.sql")
_REGISTERS = load_statements("services/settlement/registers.sql")

CONSUMER = "settlement"


class Whereabouts(StrEnum):
    """Where a leg's money is, in the order checked."""

    NOT_READ = "not_read"
    NOT_CONFIRMED = "not_confirmed"
    NOT_CUT = "not_cut"
    ORDERED = "ordered"
    CARRIED = "carried"
    NOTHING_LEFT = "nothing_left"


class LegWhereabouts(msgspec.Struct, frozen=True, kw_only=True):
    """One recipient's kopecks of an entry: ``amount`` less the ``commission`` netted from it.

    ``orders`` are the one that pays it and those that pay it anew, the last of which counts; ``reason`` is why it is carried.
    """

    account: LedgerAccount
    amount: int
    commission: int
    where: Whereabouts
    reason: str = ""
    cut: int = 0
    orders: tuple[TransferView, ...] = ()


class _Cut(msgspec.Struct, frozen=True, kw_only=True):
    cut: int
    day: date
    after: int
    upto: int


async def locate_money(connection: Connection, recorded: RecordedEntry) -> tuple[LegWhereabouts, ...]:
    """Find the money that an entry owes to recipients, in one snapshot; nothing for an entry that owes them none.

    A commission that was netted is told beside the leg it was taken from, and by a leg of its earner.
    """
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        rows = await connection.fetch(_SQL["list_legs"], recorded.book, recorded.sequence)
        owed = [row for row in rows if row["amount"] > 0]
        if not owed:
            return ()
        if (await list_cursors(connection, CONSUMER)).get(recorded.book, 0) < recorded.sequence:
            return _everywhere(owed, Whereabouts.NOT_READ)
        transit, space = recorded.entry.transit, owed[0]["space"]
        row = await connection.fetchrow(_SQL["find_cut"], transit, space, recorded.book, recorded.sequence)
        if row is None and not space:
            row = await connection.fetchrow(_SQL["find_moving_cut"], transit, recorded.book, recorded.sequence)
        if row is None:
            return _everywhere(owed, await _uncut(connection, recorded, space))
        return await _cut_legs(connection, recorded, owed, msgspec.convert(dict(row), _Cut))


def _everywhere(rows: list[Mapping[str, Any]], where: Whereabouts) -> tuple[LegWhereabouts, ...]:
    sums: dict[LedgerAccount, int] = {}
    for row in rows:
        sums[row["account"]] = sums.get(row["account"], 0) + row["amount"]
    return tuple([LegWhereabouts(account=one, amount=amount, commission=0, where=where) for one, amount in sums.items()])


async def _uncut(connection: Connection, recorded: RecordedEntry, space: int) -> Whereabouts:
    """Whether the bank has confirmed the money that the next cut will take."""
    ranges, _ = await list_ranges(connection, recorded.entry.transit)
    for one in ranges:
        if (one.space, one.book) == (space, recorded.book) and one.after < recorded.sequence <= one.upto:
            return Whereabouts.NOT_CUT
    return Whereabouts.NOT_CONFIRMED


async def _cut_legs(
    connection: Connection, recorded: RecordedEntry, rows: list[Mapping[str, Any]], cut: _Cut
) -> tuple[LegWhereabouts, ...]:
    transit = recorded.entry.transit
    directory = await fetch_directory(connection, transit, cut.day)
    amounts: dict[LotKey, int] = {}
    for row in rows:
        key = LotKey(row["account"], row["creditor"], row["capital"] or directory.is_capital(row["account"]))
        amounts[key] = amounts.get(key, 0) + row["amount"]
    netted, fees = await _commission(connection, recorded, (rows[0]["space"], cut), directory)
    amounts |= fees
    return tuple([await _leg(connection, transit, cut.cut, (key, amounts[key], netted.get(key, 0))) for key in amounts])


async def _leg(connection: Connection, transit: Transit, cut: int, lot: tuple[LotKey, int, int]) -> LegWhereabouts:
    key, amount, commission = lot
    keys = tuple([row["key"] for row in await connection.fetch(_SQL["list_orders"], *key, cut)])
    by_key = {one.key: one for one in await list_transfers(connection, Wanted(keys=keys))} if keys else {}
    reason = None if keys else await connection.fetchval(_SQL["find_carried"], transit, *key, cut)
    where = Whereabouts.ORDERED if keys else Whereabouts.CARRIED if reason is not None else Whereabouts.NOTHING_LEFT
    return LegWhereabouts(
        account=key.account,
        amount=amount,
        commission=commission,
        where=where,
        reason=reason or "",
        cut=cut,
        orders=tuple([by_key[one] for one in keys]),
    )


async def _commission(
    connection: Connection, recorded: RecordedEntry, of: tuple[int, _Cut], directory: Directory
) -> tuple[dict[LotKey, int], dict[LotKey, int]]:
    """Reckon the commission of the payment anew, as its cut did: what was netted by lot, and by the earner's fee account."""
    space, cut = of
    creditors = sorted(directory.terms)
    netted: dict[LotKey, int] = {}
    fees: dict[LotKey, int] = {}
    if not creditors:
        return netted, fees
    transit, place = recorded.entry.transit, recorded.sequence
    passage = (transit, recorded.book, place - 1, place, [space], [cut.after], [cut.upto])
    undone = [row["corrects"] for row in await connection.fetch(_REGISTERS["list_undone"], cut.cut, recorded.book)]
    for row in await connection.fetch(_CUT["list_payments"], *passage, creditors, undone):
        for (earner, _), key, amount in payment_commission(row, directory):
            if key is not None:
                fee = LotKey(ledger_account(AccountKind.FEE, transit, earner), 0, False)
                netted[key] = netted.get(key, 0) + amount
                fees[fee] = fees.get(fee, 0) + amount
    return netted, fees
