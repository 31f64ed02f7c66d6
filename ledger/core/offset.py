"""Advances set off against charges (зачёт аванса): what is owed is taken from what was paid ahead (law.md 1.9, design §4). Pure.

An advance is spent first on its own line, then on other lines of its recipient, then on lines of others, and never past its
creditor (исполнитель): to another creditor the payer owes another debt. Only principal of the main pool that is credited without
being named takes it, oldest document first; capital repair is never mixed. An advance of a seasonal service stays where it is
while the newest document does not charge that service.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from enum import IntEnum

import msgspec

from ledger.chart import AccountKind, ledger_account, parts_of
from ledger.core.account_facts import AccountFacts, Charge, ChargeKind
from ledger.core.apportion import fill
from ledger.core.entry import account_key
from ledger.core.fingerprint import fingerprint_of
from ledger.core.opening import HOUSE_CHANNEL
from ledger.core.reversal import CORRECTION_SPACE
from ledger.core.split import apply_lines, tie_of
from ledger.core.validity import zone_of
from schemas.allocation import AllocationTable, Kind, Pool, Tier
from schemas.ids import Book, ExternalId, LedgerAccount, Line, PayeeNumber, Space, TableVersion, Transit
from schemas.ids import Sequence as Place
from schemas.journal import EntryKind, JournalEntry
from schemas.outcome import SuspenseReason

OFFSET_SPACE = Space(7)
"""The ledger's own operation space of offsets (0020_offsets.sql)."""
_KEY = re.compile(r"([0-9]{1,5}):([0-9]{1,18})/([0-9]{1,9})", re.ASCII)
_NO_TRANSIT = 0


class Reach(IntEnum):
    """How far from its own line an advance is spent, in the order tried."""

    OWN_LINE = 0
    RECIPIENT = 1
    CREDITOR = 2


class AdvanceEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A journal entry of the account that touches its advance lines; the arrays are the journal's."""

    book: Book
    sequence: Place
    kind: EntryKind
    space: Space
    external_id: str
    transit: Transit
    value_date: date
    accounts: Sequence[LedgerAccount]
    amounts: Sequence[int]
    lines: Sequence[Line]


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """An entry that put money on advance lines: kopecks left of it by (ledger account, line); ``offsets`` made from it so far."""

    book: Book
    sequence: Place
    transit: Transit
    value_date: date
    left: Mapping[tuple[LedgerAccount, Line], int]
    offsets: int


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """An advance line and the kopecks on it; ``stays``: of a seasonal service, out of its season."""

    line: Line
    payee: PayeeNumber
    creditor: int
    amount: int
    stays: bool = False


class Spend(msgspec.Struct, frozen=True, kw_only=True):
    """Kopecks of one advance line for the lines of one tier: ``parts`` are parallel to the tier's lines."""

    line: Line
    tier: int
    reach: Reach
    parts: tuple[int, ...]

    @property
    def amount(self) -> int:
        """Kopecks spent."""
        return sum(self.parts)


class OffsetTerms(msgspec.Struct, frozen=True, kw_only=True):
    """The moment of the offset, and the services that are seasonal."""

    moment: datetime
    seasonal: frozenset[str]


def sources_of(entries: Iterable[AdvanceEntry], advance_lines: frozenset[Line]) -> tuple[Source, ...]:
    """Return the sources with anything left, oldest first; ``entries`` are all that touch the lines, in any order.

    Corrections and offsets name whose money they take or give back; a reversal of an offset gives it back to the offset's source.
    """
    ordered = sorted(entries, key=lambda entry: entry.sequence)
    root: dict[Place, Place] = {}
    left: dict[Place, dict[tuple[LedgerAccount, Line], int]] = {}
    made: dict[Place, int] = {}
    known = {entry.sequence: entry for entry in ordered}
    for entry in ordered:
        named = _named(entry)
        root[entry.sequence] = source = entry.sequence if named is None else root.get(named, named)
        if entry.kind is EntryKind.ADVANCE_OFFSET:
            made[source] = made.get(source, 0) + 1
        sums = left.setdefault(source, {})
        for account, amount, line in zip(entry.accounts, entry.amounts, entry.lines, strict=True):
            if line in advance_lines:
                sums[account, line] = sums.get((account, line), 0) - amount
    _make_up(left)
    return tuple(
        [
            Source(
                book=known[place].book,
                sequence=place,
                transit=known[place].transit,
                value_date=known[place].value_date,
                left={key: amount for key, amount in sums.items() if amount > 0},
                offsets=made.get(place, 0),
            )
            for place, sums in sorted(left.items())
            if place in known and any(amount > 0 for amount in sums.values())
        ]
    )


def _make_up(left: Mapping[Place, dict[tuple[LedgerAccount, Line], int]]) -> None:
    """Let what was taken of a source beyond what it put there lessen the others of the line: nobody can spend it twice."""
    lacking: dict[Line, int] = {}
    for sums in left.values():
        for (_, line), amount in sums.items():
            lacking[line] = lacking.get(line, 0) - min(0, amount)
    for _, sums in sorted(left.items()):
        for key, amount in sums.items():
            part = min(lacking[key[1]], max(0, amount))
            lacking[key[1]] -= part
            sums[key] = amount - part


def _named(entry: AdvanceEntry) -> Place | None:
    """Return the place of the entry that a correction or an offset names, None for an entry that brought money itself."""
    if entry.space != CORRECTION_SPACE and entry.kind is not EntryKind.ADVANCE_OFFSET:
        return None
    match = _KEY.fullmatch(entry.external_id)
    return None if match is None else Place(int(match[2]))


def held_by(facts: AccountFacts, charges: Sequence[Charge], sources: Iterable[Source], seasonal: frozenset[str]) -> list[Held]:
    """Return what stands on the account's advance lines, by line, and which of it stays."""
    on_line: dict[Line, int] = {}
    for source in sources:
        for (_, line), amount in source.left.items():
            on_line[line] = on_line.get(line, 0) + amount
    charged = _charged_payees(charges)
    services = facts.register.payees
    return [
        Held(
            line=charge.line,
            payee=charge.payee,
            creditor=charge.creditor,
            amount=on_line[charge.line],
            stays=services[charge.payee][1] in seasonal and charge.payee not in charged,
        )
        for charge in sorted(charges, key=lambda charge: charge.line)
        if charge.kind is ChargeKind.ADVANCE and charge.line in on_line
    ]


def _charged_payees(charges: Sequence[Charge]) -> frozenset[PayeeNumber]:
    """Return the payees that the newest main document charges anything."""
    main = [charge for charge in charges if charge.kind is ChargeKind.PRINCIPAL and charge.pool == Pool.MAIN]
    newest = max((charge.period for charge in main if not charge.court_order), default=0)
    return frozenset([charge.payee for charge in main if charge.period == newest and charge.amount > 0])


def plan_offsets(table: AllocationTable, held: Sequence[Held], facts: AccountFacts) -> tuple[Spend, ...]:
    """Decide which advance is spent on which lines; no line gets more than is unpaid, no advance gives more than it has."""
    left = {one.line: one.amount for one in held}
    paid = [tier.paid for tier in table.tiers]
    spends: list[Spend] = []
    for reach in Reach:
        for one in held:
            for index in _reachable(table, one, reach):
                tier = table.tiers[index]
                weights = [
                    weight if _reaches(facts, one, payee, reach) else 0
                    for payee, weight in zip(tier.payees, tier.weights, strict=True)
                ]
                parts = fill(left[one.line], weights, paid[index], tie_of(table, tier.tie_order)) if left[one.line] else ()
                if any(parts):
                    paid[index] = tuple([before + part for before, part in zip(paid[index], parts, strict=True)])
                    spends.append(Spend(line=one.line, tier=index, reach=reach, parts=parts))
                    left[one.line] -= sum(parts)
    return tuple(spends)


def _reachable(table: AllocationTable, one: Held, reach: Reach) -> Iterator[int]:
    """Yield the tiers that an advance may be spent on, in the order of crediting."""
    if one.stays and reach is not Reach.OWN_LINE:
        return
    for index, tier in enumerate(table.tiers):
        if _takes_advances(tier) and tier.creditor == one.creditor:
            yield index


def _takes_advances(tier: Tier) -> bool:
    return tier.pool == Pool.MAIN and tier.kind == Kind.PRINCIPAL and not tier.designated_only


def _reaches(facts: AccountFacts, one: Held, payee: PayeeNumber, reach: Reach) -> bool:
    if reach is Reach.OWN_LINE:
        return payee == one.payee
    names = facts.register.payees
    return reach is Reach.CREDITOR or names[payee][0] == names[one.payee][0]


def offset_entries(
    facts: AccountFacts, charges: Sequence[Charge], table: AllocationTable, sources: Sequence[Source], terms: OffsetTerms
) -> tuple[tuple[JournalEntry, AllocationTable], ...]:
    """Return the account's offsets, each with the table after it; ``table`` is the one at the account's head.

    One entry a source and a tier, so that every offset names one payment whose cover funds it and one document. In an entry each
    debit of an advance line is followed by the credits that it is spent on.
    """
    spends = plan_offsets(table, held_by(facts, charges, sources, terms.seasonal), facts)
    drafts = _drafts(table, spends, sources)
    due = {charge.line: charge.due_date for charge in charges}
    today = terms.moment.astimezone(zone_of(facts)).date()
    made: list[tuple[JournalEntry, AllocationTable]] = []
    counts = {source.sequence: source.offsets for source in sources}
    for (source, _), postings in drafts:
        counts[source.sequence] += 1
        accounts, amounts, lines = zip(*postings, strict=True)
        earliest = min([due[line] for _, amount, line in postings if amount < 0])
        entry = JournalEntry(
            kind=EntryKind.ADVANCE_OFFSET,
            event_at=terms.moment,
            value_date=max(source.value_date, min(today, earliest)),
            transit=source.transit,
            channel=HOUSE_CHANNEL,
            space=OFFSET_SPACE,
            external_id=ExternalId(f"{source.book}:{source.sequence}/{counts[source.sequence]}"),
            personal_account=facts.account,
            table_version=TableVersion(table.version),
            reason=SuspenseReason.NONE,
            designation="",
            amount_kopecks=sum([amount for amount in amounts if amount > 0]),
            accounts=accounts,
            amounts=amounts,
            lines=lines,
        )
        assert sum(amounts) == 0, "an entry sums to nought"
        table = apply_lines(table, lines, amounts)
        made.append((entry, table))
    return tuple(made)


_Postings = list[tuple[LedgerAccount, int, Line]]


def _drafts(
    table: AllocationTable, spends: Sequence[Spend], sources: Sequence[Source]
) -> list[tuple[tuple[Source, int], _Postings]]:
    """Take every spend from the oldest sources of its line; the postings by (source, tier), oldest document first."""
    left = [dict(source.left) for source in sources]
    postings: dict[tuple[int, int], _Postings] = {}
    for spend in spends:
        tier, wanted = table.tiers[spend.tier], list(spend.parts)
        for index, source in enumerate(sources):
            for account, line in [key for key in left[index] if key[1] == spend.line]:
                given = _first(wanted, left[index][account, line])
                amount = sum(given)
                if not amount:
                    continue
                left[index][account, line] -= amount
                wanted = [part - taken for part, taken in zip(wanted, given, strict=True)]
                block = postings.setdefault((spend.tier, index), [])
                block.append((account, amount, line))
                block += _credits(source, account, tier, given)
        assert not any(wanted), "an advance is never spent beyond its sources"
    return [((sources[index], tier), block) for (tier, index), block in sorted(postings.items(), key=lambda item: item[0])]


def _first(parts: Sequence[int], amount: int) -> list[int]:
    """Return the parts as far as ``amount`` goes, in their order."""
    given = []
    for part in parts:
        given.append(min(part, amount))
        amount -= given[-1]
    return given


def _credits(source: Source, account: LedgerAccount, tier: Tier, given: Sequence[int]) -> _Postings:
    """Credit what the money is: owed to a recipient, or settled with it outside."""
    kind = parts_of(account).kind
    transit = source.transit if kind is AccountKind.PAYABLE else _NO_TRANSIT
    return [
        (ledger_account(kind, transit, payee), -part, line)
        for payee, line, part in zip(tier.payees, tier.lines, given, strict=True)
        if part
    ]


def offset_fingerprint(facts: AccountFacts, entry: JournalEntry) -> bytes:
    """Return the fingerprint of an offset (design W5)."""
    return fingerprint_of(
        kind=entry.kind,
        account=account_key(facts.namespace, facts.number),
        amount_kopecks=entry.amount_kopecks,
        raw_amount="",
        designation="",
    )


def offset_flows(accounts: Sequence[LedgerAccount], amounts: Sequence[int]) -> list[tuple[PayeeNumber, PayeeNumber, int]]:
    """Return whose advance paid whose line: payees and kopecks, credit by credit, from an offset's postings."""
    flows: list[tuple[PayeeNumber, PayeeNumber, int]] = []
    giver = PayeeNumber(0)
    for account, amount in zip(accounts, amounts, strict=True):
        payee = PayeeNumber(parts_of(account).subject)
        if amount > 0:
            giver = payee
        else:
            flows.append((giver, payee, -amount))
    return flows


def offset_fault(entry: JournalEntry) -> str:
    """Say why an offset has not its form; empty when it has."""
    if entry.space != OFFSET_SPACE or _KEY.fullmatch(entry.external_id) is None or entry.personal_account is None:
        return "an offset without the key of what it offsets"
    parts = [parts_of(account) for account in entry.accounts]
    owed, outside = (AccountKind.PAYABLE, entry.transit), (AccountKind.SETTLED, _NO_TRANSIT)
    if {(part.kind, part.transit) for part in parts} not in ({owed}, {outside}):
        return "an offset stands on payables of its transit account, or on what was settled outside"
    rest = 0
    for amount, line in zip(entry.amounts, entry.lines, strict=True):
        if not line or (amount > 0 and rest) or rest + amount < 0:
            return "each debit of an offset is followed by the credits that it is spent on"
        rest += amount
    return ""


def overspent_fault(entry: JournalEntry, table: AllocationTable) -> str:
    """Say why an offset credits what its table does not owe; empty when it is owed."""
    unpaid = {
        line: weight - paid
        for tier in table.tiers
        if _takes_advances(tier)
        for line, weight, paid in zip(tier.lines, tier.weights, tier.paid, strict=True)
    }
    for amount, line in zip(entry.amounts, entry.lines, strict=True):
        if amount > 0 and line in unpaid:
            return f"an offset takes from charge line {line}, which is no advance"
        if amount < 0:
            unpaid[line] = unpaid.get(line, 0) + amount
            if unpaid[line] < 0:
                return f"an offset gives charge line {line} {-unpaid[line]} kopecks more than were unpaid"
    return ""
