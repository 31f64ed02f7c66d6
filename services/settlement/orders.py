"""Cuts: transfer orders made from funded money, in one short transaction under the aggregator's own lock (design §4, W9).

What is decided was read before, without locks (planning.py). Under the lock the last cut, the register's place, the open day and
the money confirmed are compared with what the plan rests on; if another cut came between, everything is read again.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from hashlib import sha256
from typing import Any

import msgspec

from ledger.chart import AccountKind, ledger_account
from ledger.core.settlement_entries import (
    Occasion,
    commission_taken,
    debt_arisen,
    debt_netted,
    order_created,
    settlement_fingerprint,
)
from ledger.feed import Connection
from ledger.journal import BATCH_ENTRIES_MAX, Append, append
from ledger.statements import load_statements
from schemas import ids
from schemas.journal import JournalEntry
from schemas.outcome import AppendStatus
from schemas.transfer import TransferState
from services.settlement.claim_writing import write_claims
from services.settlement.composing import CutFacts, Draft, DraftOrder, compose
from services.settlement.directory import fetch_directory
from services.settlement.news import TOLD, Happened, tell_recipients
from services.settlement.planning import Plan, money_left, plan_cut
from services.settlement.reissues import list_reissues
from services.settlement.rules.numbering import order_counter, order_number, register_number

_SQL = load_statements("services/settlement/orders.sql")
_CUT = load_statements("services/settlement/cutting.sql")

MAKER = "settlement"
"""Who makes orders; nobody of this name approves any."""
ATTEMPTS_MAX = 5
NO_APPROVAL_NEEDED = "второе лицо не требуется"


class SettlementBroken(RuntimeError):
    """The books do not bear what would be written: nothing was; a person must look (``kopeck verify``)."""


class AggregatorBusy(RuntimeError):
    """Other cuts came between at every attempt; nothing was written, the cut may be asked for again."""


class CutReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a cut did: its number (None: there was nothing to do), orders' keys, kopecks ordered and carried."""

    cut: int | None
    orders: tuple[str, ...]
    ordered: int
    carried: int


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """A state an order came into, told by whom, with the bank's own words; ``sequence`` of its entry in book 0, if any."""

    state: TransferState
    at: datetime
    told_by: str
    reason: str = ""
    bank_number: str = ""
    bank_day: date | None = None
    sequence: ids.Sequence | None = None


class _Overtaken(Exception):
    """Something the plan rests on has changed."""


async def make_orders(connection: Connection, transit: ids.Transit, now: datetime) -> CutReport:
    """Make a cut of a transit account: orders from all money that is funded and not ordered, at ``now``.

    The connection has the services' role and no transaction open. Every funded kopeck is ordered or carried with a reason.
    Raises AggregatorBusy, SettlementBroken, LookupError for a transit account without an open day, or any database error:
    then either the whole cut was written or nothing, which the next call sees.
    """
    await connection.execute(_SQL["make_aggregator"], transit)
    for _ in range(ATTEMPTS_MAX):
        day = await connection.fetchval(_CUT["fetch_open_day"], transit)
        if day is None:
            raise LookupError(f"transit account {transit} has no open day")
        directory = await fetch_directory(connection, transit, day)
        plan = await plan_cut(connection, transit, directory)
        ordinal = await connection.fetchval(_SQL["next_ordinal"], transit, day)
        facts = CutFacts(transit=transit, day=day, moment=now, register=register_number(transit, day, ordinal))
        draft = compose(facts, plan.money, directory)
        reissues = await list_reissues(connection, transit, day, directory, draft.kept)
        if not (plan.ranges or plan.corrections or draft.changes or reissues):
            return CutReport(cut=None, orders=(), ordered=0, carried=sum(one.lot.net for one in draft.carried))
        draft = msgspec.structs.replace(draft, orders=(*draft.orders, *reissues))
        try:
            async with connection.transaction():
                return await _Writing(connection, plan, facts, ordinal).write(draft)
        except _Overtaken:
            continue
    raise AggregatorBusy(f"transit account {transit}: overtaken {ATTEMPTS_MAX} times")


async def add_history(connection: Connection, transfer: int, step: Step) -> None:
    """Add a state to an order's history, inside the open transaction, and tell the recipient's endpoint."""
    await add_histories(connection, [transfer], step, [step.sequence])


async def add_histories(
    connection: Connection, transfers: Sequence[int], step: Step, sequences: Sequence[ids.Sequence | None] | None = None
) -> None:
    """Add one state to the histories of many orders; ``sequences`` are the entries of each, parallel.

    A cut does so while it holds the head of book 0, for which every statement line waits: it must not take a statement an order.
    """
    told = (step.state, step.at, step.told_by, step.reason, step.bank_number, step.bank_day)
    await connection.execute(_SQL["add_history"], list(transfers), *told, list(sequences or [None] * len(transfers)))
    if step.state in TOLD:
        happened = Happened(
            state=step.state, at=step.at, bank_number=step.bank_number, bank_day=step.bank_day, reason=step.reason
        )
        await tell_recipients(connection, transfers, happened)


async def record_entries(connection: Connection, entries: Sequence[JournalEntry]) -> tuple[ids.Sequence, ...]:
    """Append entries of settlement to book 0 inside the open transaction; their places. Raises SettlementBroken."""
    places: list[ids.Sequence] = []
    for start in range(0, len(entries), BATCH_ENTRIES_MAX):
        batch = entries[start : start + BATCH_ENTRIES_MAX]
        offers = [Append(entry=entry, fingerprint=settlement_fingerprint(entry)) for entry in batch]
        for offer, answer in zip(offers, await append(connection, ids.BOOK_WITHOUT_PAYER, offers), strict=True):
            if answer.status is not AppendStatus.RECORDED or answer.sequence is None:
                raise SettlementBroken(f"the ledger answers {answer.status.name} to {offer.entry.external_id}")
            places.append(answer.sequence)
    return tuple(places)


class _Writing:
    """One cut while it is written, inside its transaction."""

    def __init__(self, connection: Connection, plan: Plan, facts: CutFacts, ordinal: int) -> None:
        self._connection = connection
        self._plan = plan
        self._facts = facts
        self._ordinal = ordinal

    async def write(self, draft: Draft) -> CutReport:
        """Compare, write rows and entries, and compare what only the ledger's lock makes certain; raises _Overtaken."""
        connection, facts = self._connection, self._facts
        await self._compare()
        cut = await connection.fetchval(_SQL["add_cut"], facts.transit, facts.day, self._ordinal, facts.moment)
        await self._add_ranges(cut)
        words = await connection.fetchval(_SQL["fetch_ledger_words"])
        keys = await self._order_keys(draft, words)
        transfers = await self._add_orders(cut, draft.orders, keys)
        await self._add_carried(cut, draft)
        if not await write_claims(connection, draft, facts, cut):
            raise _Overtaken
        entries = [*_entries_beside(facts, draft, f"{words}-{facts.transit}-{cut}")]
        entries += [
            order_created(self._occasion(f"order/{key}/created"), _postings(order))
            for key, order in zip(keys, draft.orders, strict=True)
        ]
        places = await record_entries(connection, entries)
        created = places[len(entries) - len(keys) :]
        await self._add_histories(transfers, draft.orders, created)
        await self._move(cut, draft)
        return CutReport(cut=cut, orders=keys, ordered=draft.ordered, carried=sum(one.lot.net for one in draft.carried))

    def _occasion(self, key: str) -> Occasion:
        return Occasion(transit=self._facts.transit, key=key, event_at=self._facts.moment)

    async def _compare(self) -> None:
        """Hold the plan against what stands now, under the aggregator's lock."""
        connection, facts = self._connection, self._facts
        row = await connection.fetchrow(_SQL["lock_aggregator"], facts.transit)
        ordinal = await connection.fetchval(_SQL["next_ordinal"], facts.transit, facts.day)
        if row["last_cut"] != self._plan.last_cut or ordinal != self._ordinal:
            raise _Overtaken
        by_space: dict[int, list[Any]] = {}
        promised: dict[tuple[int, int], int] = {}
        for chain in await connection.fetch(_CUT["list_chains"], facts.transit):
            by_space.setdefault(chain["space"], []).append(chain)
            promised[chain["space"], chain["book"]] = chain["promised"]
        for space, chains in by_space.items():
            own = [one for one in self._plan.ranges if one.space == space]
            if own and money_left(chains) < sum(one.promised - promised[space, one.book] for one in own):
                raise _Overtaken

    async def _add_ranges(self, cut: int) -> None:
        ranges = self._plan.ranges
        columns = [[getattr(one, name) for one in ranges] for name in ("space", "book", "after", "upto", "promised")]
        await self._connection.execute(_SQL["add_ranges"], cut, self._facts.transit, *columns)
        corrections, names = self._plan.corrections, ("space", "book", "sequence", "amount", "original_cut")
        columns = [[getattr(one, name) for one in corrections] for name in names]
        await self._connection.execute(_SQL["add_taken_back"], cut, self._facts.transit, *columns)

    async def _order_keys(self, draft: Draft, words: str) -> tuple[str, ...]:
        """Number the orders after those of the day, and make their keys of what never changes.

        A ledger restored from a backup gives the day's numbers again: a mark of what is paid to whom keeps the bank's answer
        on the order of before from being taken for one of another content.
        """
        facts = self._facts
        last = await self._connection.fetchval(_SQL["last_number"], facts.transit, facts.day)
        first = order_counter(str(last)) + 1 if last else 1
        return tuple(
            f"{words}-{facts.transit}-{facts.day:%Y%m%d}-{_payee_word(order)}-{order.purpose_class.value}-{_mark(order)}"
            f"-{order_number(number)}"
            for number, order in enumerate(draft.orders, start=first)
        )

    async def _add_orders(self, cut: int, orders: Sequence[DraftOrder], keys: Sequence[str]) -> tuple[int, ...]:
        facts = self._facts
        rows = [
            (
                key,
                int(key.rpartition("-")[2]),
                order.reissues,
                *order.payee[:2],
                order.purpose_class.value,
                order.contract,
                order.amount,
                order.purpose,
                order.priority,
                order.approvals,
                order.returns.request if order.returns else None,
            )
            for key, order in zip(keys, orders, strict=True)
        ]
        columns = [list(column) for column in zip(*rows, strict=True)] or [[]] * 12
        made = await self._connection.fetch(_SQL["add_orders"], facts.transit, facts.day, cut, facts.moment, *columns)
        numbers = {row["key"]: row["transfer"] for row in made}
        parts = [
            (numbers[key], *lot_key, lot.gross, lot.claimed, lot.commission, lot.recovered, lot.net, lot.since_cut)
            for key, order in zip(keys, orders, strict=True)
            for lot_key, lot in order.lots
        ]
        await self._connection.execute(
            _SQL["add_parts"], cut, *([list(column) for column in zip(*parts, strict=True)] or [[]] * 10)
        )
        for order in orders:
            if order.reissues is not None and await self._connection.fetchval(_SQL["drop_reissue_due"], order.reissues) is None:
                raise _Overtaken
        return tuple(numbers[key] for key in keys)

    async def _add_histories(
        self, transfers: Sequence[int], orders: Sequence[DraftOrder], places: Sequence[ids.Sequence]
    ) -> None:
        connection, moment = self._connection, self._facts.moment
        await add_histories(connection, transfers, Step(state=TransferState.CREATED, at=moment, told_by=MAKER), places)
        alone = [transfer for transfer, order in zip(transfers, orders, strict=True) if not order.approvals]
        approved = Step(state=TransferState.APPROVED, at=moment, told_by=MAKER, reason=NO_APPROVAL_NEEDED)
        await add_histories(connection, alone, approved)

    async def _add_carried(self, cut: int, draft: Draft) -> None:
        connection, facts = self._connection, self._facts
        await connection.execute(_SQL["clear_carried"], facts.transit)
        for key, lot, reason in [(one.key, one.lot, one.reason) for one in draft.carried]:
            days = lot.aged(facts.day)
            sums = (lot.gross, lot.claimed, lot.commission, lot.recovered, lot.net)
            dated = (sorted(lot.periods), [one.day for one in days], [one.amount for one in days])
            await connection.execute(_SQL["add_carried"], facts.transit, *key, *sums, *dated, reason, lot.since_cut or cut)

    async def _move(self, cut: int, draft: Draft) -> None:
        """Close the cut; what is ordered never passes the money confirmed, at the very place of the last entry in book 0."""
        connection, facts = self._connection, self._facts
        ordered = await connection.fetchval(_SQL["move_aggregator"], facts.transit, cut, draft.ordered)
        confirmed = await connection.fetchval(_SQL["fetch_confirmed_at_head"], facts.transit)
        if ordered > confirmed:
            raise SettlementBroken(f"transit account {facts.transit}: {ordered} kopecks ordered, {confirmed} confirmed")
        if await connection.fetchval(_CUT["fetch_open_day"], facts.transit) != facts.day:
            raise _Overtaken


def _mark(order: DraftOrder) -> str:
    """Return a few letters that are others for another sum or account to be paid."""
    _, _, account, bic = order.payee
    told = f"{order.amount}/{account}/{bic}"
    return sha256(told.encode()).hexdigest()[:8]


def _payee_word(order: DraftOrder) -> str:
    """Return the number of the recipient, or of the return to a payer, for the order's key."""
    recipient, *_ = order.payee
    return f"r{order.returns.request}" if order.returns else str(recipient)


def _postings(order: DraftOrder) -> Iterable[tuple[ids.LedgerAccount, int]]:
    return [(key.account, lot.net) for key, lot in order.lots]


def _entries_beside(facts: CutFacts, draft: Draft, base: str) -> Iterable[JournalEntry]:
    """Entries of a cut that are no orders: debts that arose, commission, debts kept back."""
    for recipient, lots in sorted(draft.debts.items()):
        occasion = Occasion(transit=facts.transit, key=f"debt/{base}/{recipient}", event_at=facts.moment)
        yield debt_arisen(occasion, _receivable(facts, recipient), [(key.account, amount) for key, amount in lots.items()])
    for one in draft.borne:
        occasion = Occasion(transit=facts.transit, key=f"commission/{base}/{one.earner}-{one.bearer}", event_at=facts.moment)
        debits = [(key.account, amount) for key, amount in one.netted.items()]
        debits += [(_receivable(facts, one.bearer), one.claimed)] if one.claimed else []
        yield commission_taken(occasion, ledger_account(AccountKind.FEE, facts.transit, one.earner), debits)
    for recipient, lots in sorted(draft.recoveries.items()):
        occasion = Occasion(transit=facts.transit, key=f"recovery/{base}/{recipient}", event_at=facts.moment)
        yield debt_netted(occasion, _receivable(facts, recipient), [(key.account, amount) for key, amount in lots.items()])


def _receivable(facts: CutFacts, recipient: int) -> ids.LedgerAccount:
    return ledger_account(AccountKind.RECEIVABLE, facts.transit, recipient)
