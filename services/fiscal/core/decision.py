"""What one entry of the journal means for receipts: which are drafted, which sums need none, which advances are offset. Pure."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime

import msgspec

from ledger.chart import AccountKind, ledger_account, parts_of
from ledger.core.reversal import CORRECTION_SPACE
from schemas.allocation import PayerKind
from schemas.ids import LedgerAccount
from schemas.journal import EntryKind
from services.fiscal.core.corrections import Issued, refunds_of
from services.fiscal.core.drafts import NOBODY, Draft, Leg, Moments, Omission, Place, drafts_of, merged_lines
from services.fiscal.core.reference import HOUSE, NoReceipt, NotConfigured
from services.fiscal.core.templates import LegTemplate, LineFacts, Situation, Templates, issuer_template

RECEIVED = frozenset({EntryKind.PAYMENT, EntryKind.SUSPENSE_RELEASE, EntryKind.SUSPENSE})
CORRECTING = frozenset({EntryKind.REVERSAL, EntryKind.REFUND, EntryKind.REASSIGNMENT})
CONCERNED = RECEIVED | CORRECTING | {EntryKind.PAID_ELSEWHERE, EntryKind.ADVANCE_OFFSET}
"""Kinds of entries that touch what payers paid for; the others move money that was told of already."""


class Entry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What receipts need of a journal entry."""

    book: int
    sequence: int
    kind: EntryKind
    space: int
    external_id: str
    personal_account: int | None
    channel: int
    event_at: datetime
    recorded_at: datetime
    value_date: date
    accounts: Sequence[int]
    amounts: Sequence[int]
    lines: Sequence[int]


class Payer(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Whose account was paid; ``contact`` is empty when none is known."""

    kind: PayerKind
    provider: int
    contact: str


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """What a correcting entry corrects: the payment's key and channel, which correction of it this is, and its receipts."""

    space: int
    external_id: str
    channel: int
    nth: str
    issued: tuple[Issued, ...]


class Offset(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A part of an advance that a charged line used, below nought: given back by a reversal; ``month`` is year * 100 + month."""

    place: Place
    line: int
    issuer: int
    amount: int
    month: int


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """All that an entry means for receipts."""

    drafts: list[Draft]
    omissions: list[Omission]
    offsets: list[Offset]


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What was read beside the entries: payers by account, charges by (account, line), templates, origins by (book, sequence)."""

    payers: Mapping[int, Payer]
    charges: Mapping[tuple[int, int], LineFacts]
    templates: Templates
    origins: dict[tuple[int, int], Origin]


def decide_entry(entry: Entry, known: Known) -> Decided:
    """Decide one entry; sums of lines and of suspense are all told of, kopeck by kopeck."""
    place = place_of(entry, known.origins.get((entry.book, entry.sequence)))
    sums = merged_lines(entry.lines, entry.amounts)
    decided = Decided(drafts=[], omissions=_suspended(place, entry), offsets=[])
    if entry.kind is EntryKind.PAID_ELSEWHERE:
        decided.omissions.extend(_paid_elsewhere(place, entry, sums, known))
    elif moves_no_money(entry):
        _offset(place, entry, sums, known, decided)
    else:
        _sell(place, entry, sums, known, decided)
        if entry.kind in CORRECTING:
            _give_back(place, entry, sums, known, decided)
    return decided


def moves_no_money(entry: Entry) -> bool:
    """Tell whether an entry is an offset of an advance or the reversal of one: nothing came and nobody's owner is unknown."""
    if entry.kind is EntryKind.REVERSAL:
        return {parts_of(LedgerAccount(account)).kind for account in entry.accounts} <= _OF_OFFSETS
    return entry.kind is EntryKind.ADVANCE_OFFSET


_OF_OFFSETS = frozenset({AccountKind.PAYABLE, AccountKind.SETTLED})


def place_of(entry: Entry, origin: Origin | None) -> Place:
    """Return where the entry's receipts belong: under the key of the payment that it is or corrects."""
    return Place(
        book=entry.book,
        sequence=entry.sequence,
        space=entry.space if origin is None else origin.space,
        external_id=entry.external_id if origin is None else origin.external_id,
        personal_account=entry.personal_account,
        correction="" if origin is None else origin.nth,
    )


def corrected_place(entry: Entry) -> tuple[int, int, str] | None:
    """Return (book, sequence, n) of the entry that this one is the n-th correction of, by its key (design W7); else None."""
    if entry.space != CORRECTION_SPACE or entry.kind not in CORRECTING:
        return None
    place, slash, nth = entry.external_id.partition("/")
    book, colon, sequence = place.partition(":")
    if not slash or not colon or not all(part.isascii() and part.isdigit() for part in (book, sequence, nth)):
        return None
    return int(book), int(sequence), nth


def situation_of(entry: Entry, payer: Payer, known: Known) -> Situation:
    """Return what the entry's lines have in common.

    Money released from suspense came by the channel it waited under, money given to another account by the payment's.
    """
    offset = moves_no_money(entry)
    origin = known.origins.get((entry.book, entry.sequence))
    channel = _channel(entry) if origin is None else origin.channel
    legal_kind = HOUSE if offset else known.templates.reference.channels.get(channel, "")
    return Situation(legal_kind, payer.kind, payer.provider, entry.value_date)


def templates_of(entry: Entry, known: Known) -> Callable[[int], LegTemplate]:
    """Return a function from a charge line of the entry's account to its template."""
    account = entry.personal_account
    payer = None if account is None else known.payers.get(account)
    if account is None or payer is None:
        return lambda line: LegTemplate(issuer=NOBODY, missing=f"personal account {account} is not in the register")
    situation = situation_of(entry, payer, known)
    made, charges = known.templates.of(situation), known.charges

    def template(line: int) -> LegTemplate:
        facts = charges.get((account, line))
        if facts is None:
            return LegTemplate(issuer=NOBODY, missing=f"charge line {line} of account {account} is not in the register")
        return made.get(facts) or known.templates.make(situation, facts)

    return template


def _channel(entry: Entry) -> int:
    if entry.kind is EntryKind.SUSPENSE_RELEASE:
        for account, amount in zip(entry.accounts, entry.amounts, strict=True):
            parts = parts_of(LedgerAccount(account))
            if parts.kind is AccountKind.SUSPENSE and amount > 0:
                return parts.subject
    return entry.channel


def _sell(place: Place, entry: Entry, sums: Mapping[int, int], known: Known, decided: Decided) -> None:
    """Money credited to lines."""
    template = templates_of(entry, known)
    legs = [Leg(line, amount, template(line)) for line, amount in sums.items() if amount > 0]
    if not legs:
        return
    drafts, omissions = drafts_of(place, legs, Moments(event_at=entry.event_at, recorded_at=entry.recorded_at))
    decided.drafts.extend(drafts)
    decided.omissions.extend(omissions)


def _give_back(place: Place, entry: Entry, sums: Mapping[int, int], known: Known, decided: Decided) -> None:
    """Money taken back from lines: refunds of what was issued."""
    origin = known.origins.get((entry.book, entry.sequence))
    back = {line: -amount for line, amount in sums.items() if amount < 0}
    if back:
        drafts, omissions = refunds_of(place, back, origin.issued if origin else (), entry.recorded_at)
        decided.drafts.extend([through_operator(draft, known.templates, entry.value_date) for draft in drafts])
        decided.omissions.extend(omissions)


def through_operator(draft: Draft, templates: Templates, day: date) -> Draft:
    """Return a refund with the operator of its issuer's till on that day, or unconfigured when there is none."""
    try:
        operator = issuer_template(templates.reference, draft.issuer, day).operator
    except NotConfigured as missing:
        return msgspec.structs.replace(draft, receipt=None, missing=draft.missing or str(missing))
    return msgspec.structs.replace(draft, operator=operator)


def _paid_elsewhere(place: Place, entry: Entry, sums: Mapping[int, int], known: Known) -> list[Omission]:
    """Whoever took the money issued; summed by creditor."""
    by_creditor: dict[int, int] = {}
    for line, amount in sums.items():
        facts = known.charges.get((entry.personal_account or 0, line))
        creditor = NOBODY if facts is None else facts[0]
        by_creditor[creditor] = by_creditor.get(creditor, 0) + amount
    return [
        Omission(place=place, issuer=creditor, reason=NoReceipt.PAID_ELSEWHERE, amount=amount)
        for creditor, amount in by_creditor.items()
        if amount
    ]


def _offset(place: Place, entry: Entry, sums: Mapping[int, int], known: Known, decided: Decided) -> None:
    """Tell of the charged lines: credited by an offset, debited by its reversal. The advance lines had their receipts."""
    template = templates_of(entry, known)
    month = entry.value_date.year * 100 + entry.value_date.month
    charged = -1 if entry.kind is EntryKind.REVERSAL else 1
    omitted: dict[tuple[int, NoReceipt], int] = {}
    for line, amount in sums.items():
        if amount * charged <= 0:
            continue
        leg = template(line)
        if leg.reason is None:
            decided.offsets.append(Offset(place=place, line=line, issuer=leg.issuer, amount=amount, month=month))
        else:
            omitted[leg.issuer, leg.reason] = omitted.get((leg.issuer, leg.reason), 0) + amount
    decided.omissions.extend(
        [Omission(place=place, issuer=issuer, reason=reason, amount=sum_) for (issuer, reason), sum_ in omitted.items()]
    )


_SUSPENSE_FIRST = ledger_account(AccountKind.SUSPENSE, 0)
_SUSPENSE_END = ledger_account(AccountKind(AccountKind.SUSPENSE + 1), 0)


def _suspended(place: Place, entry: Entry) -> list[Omission]:
    """What came into suspense, or left it (negative): no receipt until the owner is known."""
    amount = -sum(
        [
            amount
            for account, amount in zip(entry.accounts, entry.amounts, strict=True)
            if _SUSPENSE_FIRST <= account < _SUSPENSE_END
        ]
    )
    return [Omission(place=place, issuer=NOBODY, reason=NoReceipt.SUSPENSE, amount=amount)] if amount else []
