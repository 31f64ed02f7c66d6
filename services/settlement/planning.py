"""The reading of a cut: how far each clearing account is funded, and what the new ranges owe. Short statements, no locks.

The journal never changes, so what is read here still holds when the cut is written, as long as no other cut came between: the
writing compares the last cut and the money confirmed under the aggregator's lock (orders.py).
"""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple

import msgspec

from ledger.chart import parts_of
from ledger.core.apportion import Tie
from ledger.feed import Connection
from ledger.statements import load_statements
from schemas.ids import Book, LedgerAccount, PayeeNumber, Transit
from schemas.ids import Sequence as Place
from services.settlement.backlots import THIS_CUT
from services.settlement.composing import Money
from services.settlement.funding import Chain, furthest_funded
from services.settlement.lots import Borne, DaySum, Directory, Lot, LotKey, Taken
from services.settlement.moves import read_backlog
from services.settlement.rules.commission import CommissionLeg, commission_parts

_SQL = load_statements("services/settlement/cutting.sql")

ENTRIES_MAX = 300_000
"""How far ahead of its last place one cut looks in a chain; what lies beyond is left to the next."""
PASSAGE_ENTRIES = 10_000


class Range(msgspec.Struct, frozen=True, kw_only=True):
    """Entries ``after`` < sequence <= ``upto`` of a book, for one clearing account; ``promised`` is what the chain's entries up
    to there promise, without corrections of entries cut earlier."""

    space: int
    book: Book
    after: Place
    upto: Place
    promised: int


class Correction(msgspec.Struct, frozen=True, kw_only=True):
    """An entry beyond the ranges that takes back what a cut holds.

    ``amount`` is what an earlier cut counted as promised and is no more, in kopecks. ``original_cut`` 0: it corrects an entry
    of the very cut being made, which counts it as nothing.
    """

    space: int
    book: Book
    sequence: Place
    corrects: Place
    amount: int
    original_cut: int


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a cut is made of, and the last cut before it, on which it rests."""

    transit: Transit
    last_cut: int
    ranges: tuple[Range, ...]
    corrections: tuple[Correction, ...]
    money: Money


async def list_ranges(connection: Connection, transit: Transit) -> tuple[tuple[Range, ...], tuple[Correction, ...]]:
    """Return the ranges that are funded and not cut yet, by space and book, and corrections beyond them of what they hold."""
    by_space: dict[int, list[Mapping[str, Any]]] = {}
    for row in await connection.fetch(_SQL["list_chains"], transit):
        by_space.setdefault(row["space"], []).append(row)
    ranges: list[Range] = []
    corrections: list[Correction] = []
    for space, rows in by_space.items():
        links = [await _links(connection, transit, row) for row in rows]
        reached = furthest_funded(money_left(rows), [link.chain for link in links])
        for row, link in zip(rows, links, strict=True):
            reach = reached.get(row["book"])
            if reach is None:
                continue
            after, promised = row["upto"], row["promised"] + reach.promised
            ranges.append(Range(space=space, book=row["book"], after=after, upto=reach.upto, promised=promised))
            corrections += [
                Correction(space=space, book=row["book"], sequence=sequence, corrects=corrects, amount=0, original_cut=0)
                for sequence, corrects in link.corrections
                if after < corrects <= reach.upto < sequence
            ]
    return tuple(ranges), tuple(corrections)


def money_left(rows: Iterable[Mapping[str, Any]]) -> int:
    """Return what the money confirmed for one clearing account leaves for promises not cut yet, in kopecks.

    What was taken back of entries cut earlier is no more promised, but its money is gone with the orders as long as their
    recipients owe it: ``taken_back`` counts for the money, ``debt`` against it. The counterparty keeps the sum from its next
    cover, so a debt that is paid makes room for what that cover leaves open.
    """
    chains = list(rows)
    first = chains[0]
    return int(first["confirmed"] - first["debt"] + first["taken_back"] - sum(row["promised"] for row in chains))


class _Links(NamedTuple):
    """A chain beyond its last cut, and (sequence, corrected sequence) of its corrections."""

    chain: Chain
    corrections: list[tuple[Place, Place]]


async def _links(connection: Connection, transit: Transit, row: Mapping[str, Any]) -> _Links:
    """Read a chain after the place to which it is cut. What is known to be taken back of an entry is not promised by it, nor is
    anything by what takes it back: whether the other half of the pair is funded yet does not matter."""
    arguments = (transit, row["space"], row["book"], row["upto"], ENTRIES_MAX)
    links = await connection.fetchrow(_SQL["fetch_links"], *arguments)
    sequences, amounts, moments = links["sequences"] or [], links["amounts"] or [], links["moments"] or []
    # However far ahead a correction stands: money that is known to be taken back does not leave.
    known = await connection.fetch(_SQL["list_chain_corrections"], transit, row["space"], row["book"], row["upto"])
    corrections = [(one["sequence"], one["corrects"]) for one in known]
    if corrections:
        less: dict[Place, int] = {}
        for one in known:
            less[one["corrects"]] = less.get(one["corrects"], 0) + one["amount"]
        correcting = {sequence for sequence, _ in corrections}
        amounts = [
            0 if sequence in correcting else amount + less.get(sequence, 0)
            for sequence, amount in zip(sequences, amounts, strict=True)
        ]
    return _Links(chain=Chain(book=row["book"], sequences=sequences, amounts=amounts, moments=moments), corrections=corrections)


def _takes(ranges: Iterable[Range], space: int, book: Book, sequence: Place) -> bool:
    """Whether an entry lies in a range."""
    return any((one.space, one.book) == (space, book) and one.after < sequence <= one.upto for one in ranges)


async def plan_cut(connection: Connection, transit: Transit, directory: Directory) -> Plan:
    """Read all that a cut decides on."""
    last = await connection.fetchrow(_SQL["fetch_last_cut"], transit)
    ranges, of_this_cut = await list_ranges(connection, transit)
    earlier = [msgspec.convert(dict(row), Correction) for row in await connection.fetch(_SQL["list_corrections"], transit)]
    corrections = (*earlier, *of_this_cut)
    undone: dict[Book, list[Place]] = {}
    for one in of_this_cut:
        undone.setdefault(one.book, []).append(one.corrects)
    backlog = await read_backlog(connection, transit, partial(_takes, ranges), directory)
    for move in backlog.moves:
        if move.takes and move.origin_cut == THIS_CUT and not move.origin_moves:
            undone.setdefault(move.origin[0], []).append(move.origin[1])
    return Plan(
        transit=transit,
        last_cut=last["last_cut"] if last else 0,
        ranges=ranges,
        corrections=corrections,
        money=Money(
            carried={_key(row): _lot(row) for row in await connection.fetch(_SQL["list_carried"], transit)},
            fresh=await _sum_ranges(connection, transit, ranges, directory),
            taken=await _taken(connection, transit, corrections, directory),
            borne=await _list_borne(connection, passages(transit, ranges), undone, directory),
            backlog=backlog,
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
) -> dict[LotKey, Lot]:
    """Add up what the ranges owe by lot."""
    fresh: dict[LotKey, Lot] = {}
    for arguments in passages(transit, ranges):
        for row in await connection.fetch(_SQL["sum_lots"], *arguments):
            key = lot_key(row, directory)
            lot = fresh.get(key, Lot())
            fresh[key] = Lot(gross=lot.gross + row["amount"], periods=lot.periods | {row["period"]})
    return fresh


async def _taken(
    connection: Connection, transit: Transit, corrections: Iterable[Correction], directory: Directory
) -> tuple[Taken, ...]:
    """Read what corrections take back, leg by leg."""
    by_place = {(one.book, one.sequence): one for one in corrections}
    places = ([book for book, _ in by_place], [sequence for _, sequence in by_place])
    taken = []
    for row in await connection.fetch(_SQL["list_correction_legs"], transit, *places) if by_place else ():
        one = by_place[row["book"], row["sequence"]]
        key = lot_key(row, directory)
        place = (one.book, one.sequence)
        taken.append(Taken(key=key, space=one.space, original_cut=one.original_cut, amount=row["amount"], at=place))
    return tuple(taken)


def lot_key(row: Mapping[str, Any], directory: Directory) -> LotKey:
    """Return the lot of a leg: capital repair by its charge line or by its payee."""
    return LotKey(row["account"], row["creditor"], row["capital"] or directory.is_capital(row["account"]))


def passages(transit: Transit, ranges: Iterable[Range]) -> Iterable[tuple[Any, ...]]:
    """Deal ranges into passages of a book, each with the ranges as parallel arrays: arguments of sum_lots and list_payments."""
    by_book: dict[Book, list[Range]] = {}
    for one in ranges:
        by_book.setdefault(one.book, []).append(one)
    for book, own in sorted(by_book.items()):
        spaces, afters, uptos = [one.space for one in own], [one.after for one in own], [one.upto for one in own]
        for after in range(min(afters), max(uptos), PASSAGE_ENTRIES):
            yield transit, book, after, min(after + PASSAGE_ENTRIES, max(uptos)), spaces, afters, uptos


async def _list_borne(
    connection: Connection, dealt: Iterable[tuple[Any, ...]], undone: Mapping[Book, list[Place]], directory: Directory
) -> tuple[Borne, ...]:
    """Reckon the commission of the ranges' payments, each by itself, and add it up by earner and bearer.

    ``undone`` are entries of the ranges that corrections beyond them take back: nothing was done for them.
    """
    netted: dict[tuple[int, int], dict[LotKey, int]] = {}
    claimed: dict[tuple[int, int], int] = {}
    creditors = sorted(directory.terms)
    for arguments in dealt if creditors else ():
        for row in await connection.fetch(_SQL["list_payments"], *arguments, creditors, undone.get(arguments[1], [])):
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
