"""The reading of a cut: how far each clearing account is funded, and what the new ranges owe. Short statements, no locks.

The journal never changes, so what is read here still holds when the cut is written, as long as no other cut came between: the
writing compares the last cut and the money confirmed under the aggregator's lock (orders.py).
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from ledger.chart import parts_of
from ledger.core.apportion import Tie
from ledger.feed import Connection
from ledger.statements import load_statements
from schemas.ids import Book, LedgerAccount, PayeeNumber, Transit
from schemas.ids import Sequence as Place
from services.settlement.composing import Money
from services.settlement.funding import Chain, furthest_funded
from services.settlement.lots import Borne, DaySum, Directory, Lot, LotKey, Taken
from services.settlement.rules.commission import CommissionLeg, commission_parts

_SQL = load_statements("services/settlement/cutting.sql")

PAGES_MAX = 20_000
"""How far ahead of its last place one cut looks in a chain; what lies beyond is left to the next."""
PASSAGE_ENTRIES = 10_000


class Range(msgspec.Struct, frozen=True, kw_only=True):
    """Entries ``after`` < sequence <= ``upto`` of a book, for one clearing account; ``promised`` is its running total there."""

    space: int
    book: Book
    after: Place
    upto: Place
    promised: int


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a cut is made of, and what it was read from: the last cut and the money that each space's promises rest on."""

    transit: Transit
    last_cut: int
    ranges: tuple[Range, ...]
    money: Money


async def list_ranges(connection: Connection, transit: Transit) -> tuple[Range, ...]:
    """Return the ranges that are funded and not cut yet, by space and book."""
    by_space: dict[int, list[Mapping[str, Any]]] = {}
    for row in await connection.fetch(_SQL["list_chains"], transit):
        by_space.setdefault(row["space"], []).append(row)
    ranges: list[Range] = []
    for space, rows in by_space.items():
        chains = [await _chain(connection, transit, row) for row in rows]
        reached = furthest_funded(money_left(rows), chains)
        ranges += [
            Range(
                space=space,
                book=row["book"],
                after=row["upto"],
                upto=reached[row["book"]].upto,
                promised=row["promised"] + reached[row["book"]].promised,
            )
            for row in rows
            if row["book"] in reached
        ]
    return tuple(ranges)


def money_left(rows: Iterable[Mapping[str, Any]]) -> int:
    """Return what the money confirmed for one clearing account leaves for promises not cut yet, in kopecks.

    A promise that was taken back after it had been ordered gives no money back: the counterparty keeps it from its next cover,
    so it counts against the money at once (``taken_back``), and as long as its recipient owes it (``debt``).
    """
    chains = list(rows)
    first = chains[0]
    return int(first["confirmed"] - first["debt"] - sum(row["promised"] + row["taken_back"] for row in chains))


async def _chain(connection: Connection, transit: Transit, row: Mapping[str, Any]) -> Chain:
    sequences: list[int] = []
    amounts: list[int] = []
    moments: list[datetime] = []
    for page in await connection.fetch(_SQL["list_pages"], transit, row["space"], row["book"], row["upto"], PAGES_MAX):
        first = next(place for place, sequence in enumerate(page["sequences"]) if sequence > row["upto"])
        sequences += page["sequences"][first:]
        amounts += page["amounts"][first:]
        moments += page["moments"][first:]
    return Chain(book=row["book"], sequences=sequences, amounts=amounts, moments=moments)


async def plan_cut(connection: Connection, transit: Transit, directory: Directory) -> Plan:
    """Read all that a cut decides on."""
    last = await connection.fetchrow(_SQL["fetch_last_cut"], transit)
    ranges = await list_ranges(connection, transit)
    fresh, taken = await _sum_ranges(connection, transit, ranges, directory)
    return Plan(
        transit=transit,
        last_cut=last["last_cut"] if last else 0,
        ranges=ranges,
        money=Money(
            carried={_key(row): _lot(row) for row in await connection.fetch(_SQL["list_carried"], transit)},
            fresh=fresh,
            taken=taken,
            borne=await list_borne(connection, transit, ranges, directory),
            debts={
                (row["recipient"], row["space"]): row["amount"] for row in await connection.fetch(_SQL["list_debts"], transit)
            },
        ),
    )


def _key(row: Mapping[str, Any]) -> LotKey:
    return LotKey(row["account"], row["creditor"], row["capital"])


def _lot(row: Mapping[str, Any]) -> Lot:
    return Lot(
        gross=row["gross"],
        claimed=row["claimed"],
        commission=row["commission"],
        recovered=row["recovered"],
        periods=frozenset(row["periods"]),
        days=tuple([DaySum(day, amount) for day, amount in zip(row["days"], row["sums"], strict=True)]),
        since_cut=row["since_cut"],
    )


async def _sum_ranges(
    connection: Connection, transit: Transit, ranges: tuple[Range, ...], directory: Directory
) -> tuple[dict[LotKey, Lot], list[Taken]]:
    """Add up what the ranges owe by lot; corrections of entries cut earlier are told apart."""
    fresh: dict[LotKey, Lot] = {}
    taken: list[Taken] = []
    for arguments in passages(transit, ranges):
        for row in await connection.fetch(_SQL["sum_lots"], *arguments):
            capital = row["capital"] or directory.is_capital(row["account"])
            key = LotKey(row["account"], row["creditor"], capital)
            if row["original_cut"]:
                taken.append(Taken(key=key, space=row["space"], original_cut=row["original_cut"], amount=-row["amount"]))
                continue
            lot = fresh.get(key, Lot())
            fresh[key] = Lot(gross=lot.gross + row["amount"], periods=lot.periods | {row["period"]})
    return fresh, taken


def passages(transit: Transit, ranges: Iterable[Range]) -> Iterable[tuple[Any, ...]]:
    """Deal ranges into passages of a book, each with the ranges as parallel arrays: arguments of sum_lots and list_payments."""
    by_book: dict[Book, list[Range]] = {}
    for one in ranges:
        by_book.setdefault(one.book, []).append(one)
    for book, own in sorted(by_book.items()):
        spaces, afters, uptos = [one.space for one in own], [one.after for one in own], [one.upto for one in own]
        for after in range(min(afters), max(uptos), PASSAGE_ENTRIES):
            yield transit, book, after, min(after + PASSAGE_ENTRIES, max(uptos)), spaces, afters, uptos


async def list_borne(
    connection: Connection, transit: Transit, ranges: Iterable[Range], directory: Directory
) -> tuple[Borne, ...]:
    """Reckon the commission of the ranges' payments, each by itself, and add it up by earner and bearer."""
    netted: dict[tuple[int, int], dict[LotKey, int]] = {}
    claimed: dict[tuple[int, int], int] = {}
    creditors = sorted(directory.terms)
    for arguments in passages(transit, ranges) if creditors else ():
        for row in await connection.fetch(_SQL["list_payments"], *arguments, creditors):
            for place, key, amount in payment_commission(row, directory):
                if key is None:
                    claimed[place] = claimed.get(place, 0) + amount
                else:
                    lots = netted.setdefault(place, {})
                    lots[key] = lots.get(key, 0) + amount
    return tuple(
        [
            Borne(earner=place[0], bearer=place[1], netted=netted.get(place, {}), claimed=claimed.get(place, 0))
            for place in sorted(netted.keys() | claimed.keys())
        ]
    )


def payment_commission(row: Mapping[str, Any], directory: Directory) -> Iterable[tuple[tuple[int, int], LotKey | None, int]]:
    """Yield ((earner, bearer), lot or None for a claim, kopecks) of one payment, each creditor's lines by its own terms."""
    legs: dict[int, list[CommissionLeg]] = {}
    accounts: dict[PayeeNumber, LedgerAccount] = {}
    for account, creditor, capital, amount in zip(
        row["accounts"], row["creditors"], row["capitals"], row["amounts"], strict=True
    ):
        payee = PayeeNumber(parts_of(account).subject)
        known = directory.payees.get(payee)
        if known is None:
            continue
        accounts[payee] = account
        legs.setdefault(creditor, []).append(
            CommissionLeg(
                payee=payee,
                recipient=known.recipient,
                amount_kopecks=amount,
                capital_repair=capital or directory.is_capital(account),
            )
        )
    tie = Tie(personal_account=str(row["personal_account"]), version=row["table_version"])
    for creditor, own in sorted(legs.items()):
        terms = directory.terms[creditor]
        for part in commission_parts(_by_payee(own), terms.commission, tie):
            key = None if part.payee is None else LotKey(accounts[part.payee], creditor, False)
            yield (terms.earner, part.bearer), key, part.amount_kopecks


def _by_payee(legs: Iterable[CommissionLeg]) -> list[CommissionLeg]:
    """Sum the lines of a payee (several periods of a service), capital repair apart."""
    sums: dict[tuple[PayeeNumber, bool], CommissionLeg] = {}
    for leg in legs:
        known = sums.get((leg.payee, leg.capital_repair))
        amount = leg.amount_kopecks + (known.amount_kopecks if known else 0)
        sums[leg.payee, leg.capital_repair] = msgspec.structs.replace(leg, amount_kopecks=amount)
    return list(sums.values())
