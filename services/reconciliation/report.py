"""What a bank day of a transit account comes to: lines and entries judged, totals against the bank's balance, the identity."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, timedelta

import msgspec

from ledger.balances import cut_now, journal_balances
from ledger.chart import AccountKind, ledger_account, parts_of
from ledger.feed import Connection
from ledger.names import Names, fetch_names
from schemas.ids import LedgerAccount, Transit
from schemas.journal import EntryKind
from services.calendar import working_days_between
from services.reconciliation.core import reasons
from services.reconciliation.core.judging import DayFacts, Judged, judge_day
from services.reconciliation.core.words import (
    DIFFERENCE,
    KINDS_OF_IDENTITY,
    TECHNICAL,
    IdentityAtCut,
    Item,
    MatchedSum,
    Posting,
    Promise,
    Totals,
    Verdict,
)
from services.reconciliation.reading import BEGINNING, OPEN, RECONCILED, SQL, JournalSide, read_facts, read_journal
from services.reconciliation.signed import find_closed_until

ONE_DAY = timedelta(days=1)


class DayReport(msgspec.Struct, frozen=True, kw_only=True):
    """A reconciled view of a day. ``obstacles``: why it cannot be closed, empty when it can; ``state``: open, cut or reconciled.

    ``cut`` is the number of the day's cut and ``places`` its sequence in each book; for an open day the heads.
    """

    transit: Transit
    account: str
    day: date
    state: str
    cut: int | None
    places: Mapping[str, int]
    statement_required: bool
    totals: Totals
    identity: IdentityAtCut
    matched: tuple[MatchedSum, ...]
    items: tuple[Item, ...]
    carried: tuple[Item, ...]
    promised: tuple[Promise, ...]
    promised_entries: int
    obstacles: tuple[str, ...]

    @property
    def unexplained(self) -> tuple[Item, ...]:
        """Items of the day that nobody has explained."""
        return tuple([item for item in self.items if item.explanation is None])

    @property
    def is_clean(self) -> bool:
        """Whether nothing is in the way but, perhaps, that the day is open, or closed already."""
        return not self.unexplained and not self.obstacles


class BankSide(msgspec.Struct, frozen=True, kw_only=True):
    """What of a day may still change: lines, covers, explanations, the statement. ``doubts``: why that cannot close the day."""

    facts: DayFacts
    totals: Totals
    doubts: tuple[str, ...]


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A report and what it was made from; the protocol keeps both."""

    report: DayReport
    journal: JournalSide
    bank: BankSide
    judged: Judged


async def reconcile(connection: Connection, transit: Transit, day: date) -> DayReport:
    """Reconcile a day of a transit account with the bank, by its cut, changing nothing; raises NoSuchDay."""
    return (await find(connection, await read_journal(connection, transit, day))).report


async def read_bank(connection: Connection, journal: JournalSide) -> BankSide:
    """Read the bank's side of a day and the explanations as they stand now."""
    required = await connection.fetchval(SQL["requires_statement"], journal.transit, journal.day)
    facts = await read_facts(connection, journal, required)
    totals, doubts = await _read_totals(connection, journal)
    return BankSide(facts=facts, totals=totals, doubts=tuple(doubts) if required else ())


async def find(connection: Connection, journal: JournalSide) -> Found:
    """Judge a day whose journal was read before, as the bank's side and the explanations stand now."""
    bank = await read_bank(connection, journal)
    judged = judge_day(bank.facts)
    totals = _compared(bank, judged)
    identity = _identity(journal, await _settled_since(connection, journal))
    closed_until = await find_closed_until(connection, journal.transit)
    is_closed = closed_until is not None and closed_until >= journal.day
    report = DayReport(
        transit=journal.transit,
        account=journal.account,
        day=journal.day,
        state=RECONCILED if is_closed else journal.state,
        cut=journal.number,
        places={str(book): place for book, place in sorted(journal.upto.items())},
        statement_required=bank.facts.required,
        totals=totals,
        identity=identity,
        matched=judged.matched,
        items=(*judged.items, *_items_of_day(bank.facts, journal, totals)),
        carried=judged.carried,
        promised=await _promises(connection, judged.open_postings, journal.day),
        promised_entries=judged.promised_entries,
        obstacles=(*_state_obstacles(journal), *bank.doubts, *_identity_obstacles(identity)),
    )
    return Found(report=report, journal=journal, bank=bank, judged=judged)


def _state_obstacles(journal: JournalSide) -> list[str]:
    found = []
    if journal.state == OPEN:
        found.append("день не закончен: среза ещё нет (kopeck day close, или сам в час отсечки)")
    if not journal.follows:
        found.append(f"сначала закройте предыдущий операционный день, {journal.before}")
    return found


async def _read_totals(connection: Connection, journal: JournalSide) -> tuple[Totals, list[str]]:
    """Read the bank's balance and turnover, and the ledger's balance; also why the bank's cannot be relied on."""
    transit, day = journal.transit, journal.day
    first = journal.before + ONE_DAY if journal.before is not None else BEGINNING
    lines = await connection.fetchrow(SQL["sum_lines"], transit, first, day)
    totals = Totals(
        credited=lines["credited"],
        debited=lines["debited"],
        ledger=journal.balances.get(ledger_account(AccountKind.TRANSIT, transit), 0),
        carried=journal.closed.difference if journal.closed is not None else 0,
    )
    row = await connection.fetchrow(SQL["find_final"], transit, day)
    if row is None:
        return totals, [reasons.NO_STATEMENT]
    doubts = [reasons.FILTERED] if row["filtered"] else []
    told = await connection.fetchrow(SQL["sum_lines"], transit, row["since"], row["until"])
    if not row["filtered"] and (told["credited"], told["debited"]) != (row["credited"], row["debited"]):
        doubts.append(reasons.TURNOVER_DIFFERS)
    closing = row["closing"]
    if closing is None and row["opening"] is not None:
        closing = row["opening"] + row["credited"] - row["debited"]
    if closing is not None and row["until"] > day:
        rest = await connection.fetchrow(SQL["sum_lines"], transit, day + ONE_DAY, row["until"])
        closing -= rest["credited"] - rest["debited"]
    if closing is None and journal.closed is not None and journal.closed.closing is not None and journal.follows:
        closing = journal.closed.closing + totals.credited - totals.debited
    if closing is None:
        return totals, [*doubts, reasons.BALANCE_UNTOLD]
    opening = closing - totals.credited + totals.debited
    return msgspec.structs.replace(totals, statement=row["statement"], opening=opening, closing=closing), doubts


def _compared(bank: BankSide, judged: Judged) -> Totals:
    """Compare the bank's closing balance with the ledger's; where there is none, the difference stays what it was."""
    totals = bank.totals
    open_lines, open_entries = judged.open_lines_kopecks, judged.open_entries_kopecks
    difference = totals.carried
    if bank.facts.required and totals.closing is not None:
        difference = totals.closing - totals.ledger - open_lines + open_entries
    return msgspec.structs.replace(totals, open_lines=open_lines, open_entries=open_entries, difference=difference)


def _items_of_day(facts: DayFacts, journal: JournalSide, totals: Totals) -> list[Item]:
    """The day's own items: a balance that differs, technical lines that do not net to nought."""
    found = []
    difference = totals.difference - totals.carried
    if difference and totals.closing is not None:
        verdict = Verdict.SURPLUS if difference > 0 else Verdict.MISSING
        found.append((verdict, DIFFERENCE, difference, reasons.CLOSING_DIFFERS))
    account = ledger_account(AccountKind.SUSPENSE, journal.transit)
    before = journal.closed.balances.get(account, 0) if journal.closed is not None else 0
    standing = journal.balances.get(account, 0)
    if standing and standing != before:
        verdict = Verdict.SURPLUS if standing < 0 else Verdict.MISSING
        found.append((verdict, TECHNICAL, -standing, reasons.TECHNICAL_STANDS))
    return [
        Item(
            verdict=verdict,
            place=place,
            day=journal.day,
            amount_kopecks=amount,
            reason=reason,
            explanation=facts.explanations.get(place),
        )
        for verdict, place, amount, reason in found
    ]


async def _settled_since(connection: Connection, journal: JournalSide) -> frozenset[LedgerAccount]:
    """Accounts between two books or personal accounts that were open at the cut and are back at nought by now."""
    unfinished = [LedgerAccount(one) for one in journal.balances if parts_of(LedgerAccount(one)).kind in _BETWEEN]
    if not unfinished:
        return frozenset()
    now = await journal_balances(connection, await cut_now(connection), unfinished)
    return frozenset([one for one in unfinished if one not in now or not now[one].balance])


_BETWEEN = (AccountKind.REASSIGN, AccountKind.IN_TRANSFER)


def _identity(journal: JournalSide, settled: frozenset[LedgerAccount]) -> IdentityAtCut:
    by_kind: dict[AccountKind, int] = defaultdict(int)
    transfers = {}
    for account, balance in journal.balances.items():
        parts = parts_of(LedgerAccount(account))
        by_kind[parts.kind] += balance
        if parts.kind in _BETWEEN and account not in settled:
            transfers[f"{parts.kind.name.lower()}:{parts.subject}"] = balance
    return IdentityAtCut(
        balances={kind.name.lower(): by_kind[kind] for kind in KINDS_OF_IDENTITY},
        difference=sum(by_kind[kind] for kind in KINDS_OF_IDENTITY),
        outside_difference=by_kind[AccountKind.OUTSIDE] + by_kind[AccountKind.SETTLED],
        open_transfers=transfers,
    )


def _identity_obstacles(identity: IdentityAtCut) -> list[str]:
    found = []
    if identity.difference:
        found.append(f"тождество счёта нарушено на {identity.difference} коп.: kopeck verify")
    if identity.outside_difference:
        found.append(f"оплаченное помимо счёта и зачтённое расходятся на {identity.outside_difference} коп.: kopeck verify")
    found += [f"перенос {name} не завершён: {amount} коп." for name, amount in identity.open_transfers.items()]
    return found


async def _promises(connection: Connection, postings: Iterable[Posting], day: date) -> tuple[Promise, ...]:
    """Group what is still promised by clearing account and register, or payers' day; orders under way by their day."""
    promised = [one for one in postings if _is_promise(one)]
    names = await fetch_names(connection)
    spaces = [parts_of(LedgerAccount(one.account)).subject for one in promised]
    rows = await connection.fetch(SQL["list_register_names"], spaces, [one.external_id for one in promised])
    registers = {(row["space"], row["key"]): row["name"] for row in rows}
    groups: dict[tuple[int, str, str], list[Posting]] = defaultdict(list)
    for one, space in zip(promised, spaces, strict=True):
        register = registers.get((space, one.external_id))
        if parts_of(LedgerAccount(one.account)).kind is AccountKind.OUTGOING:
            groups[one.account, "order", str(one.value_date)].append(one)
        elif register is not None:
            groups[one.account, "register", register].append(one)
        else:
            groups[one.account, "day", str(one.value_date)].append(one)
    found = [_promise(place, members, names, day) for place, members in groups.items()]
    return tuple(sorted(found, key=lambda one: (one.since, one.account, one.reference)))


def _is_promise(one: Posting) -> bool:
    kind = parts_of(LedgerAccount(one.account)).kind
    if kind is AccountKind.OUTGOING:
        return one.amount < 0
    return kind is AccountKind.CLEARING and one.amount > 0 and one.kind is not EntryKind.REVERSAL


def _promise(place: tuple[int, str, str], members: list[Posting], names: Names, day: date) -> Promise:
    since = min(one.value_date for one in members)
    return Promise(
        account=names.name_of(LedgerAccount(place[0])),
        what=place[1],
        reference=place[2],
        since=since,
        age_working_days=working_days_between(since + ONE_DAY, day),
        count=len(members),
        amount_kopecks=abs(sum(one.amount for one in members)),
    )
