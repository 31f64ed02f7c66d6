"""From an entry and its lines to the receipts it needs, and to why a sum needs none. Pure (design §1, station: fiscal).

A draft's sum is exactly the entry's lines of one issuer, at most RECEIPT_ITEMS_MAX of them; the parts of one payment add up.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import msgspec

from schemas.receipt import RECEIPT_ITEMS_MAX, Correction, MeansOfPayment, Operation, Receipt, ReceiptItem
from services.calendar import working_day_after
from services.fiscal.core.reference import Deadline, NoReceipt
from services.fiscal.core.templates import IssuerTemplate, ItemTemplate, LegTemplate

MOSCOW = ZoneInfo("Europe/Moscow")
NOBODY = 0
OFFSET_DAYS = 10
"""Days after the month for the consolidated receipt of offsets (54-ФЗ ст. 1.2 п. 2.1, the term from memory)."""


class Place(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Where receipts belong: the entry that made them, the payment's key and which correction of it they are ('' for none)."""

    book: int
    sequence: int
    space: int
    external_id: str
    personal_account: int | None
    correction: str = ""


class Leg(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A line's sum, in kopecks above zero, and what becomes of it."""

    line: int
    amount: int
    template: LegTemplate


class Draft(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A receipt to be recorded. ``receipt`` has no client yet; it is None while something is ``missing``.

    ``after`` is the number of the receipt that must be registered first, and ``stopped`` says that it is not yet.
    ``default_client`` is the company's own e-mail, for a payer whose contact is not known.
    """

    place: Place
    issuer: int
    operation: Operation
    part: int
    lines: tuple[int, ...]
    amounts: tuple[int, ...]
    settled_at: datetime
    deadline: datetime
    receipt: Receipt | None
    operator: str = ""
    missing: str = ""
    after: int | None = None
    stopped: bool = False


class Omission(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A sum without a receipt, in kopecks, and why; negative for what a correction takes back."""

    place: Place
    issuer: int
    reason: NoReceipt
    amount: int


class Moments(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """``event_at``: the payer's act; ``recorded_at``: when the creditor learnt of the money (54-ФЗ: the day of settlement)."""

    event_at: datetime
    recorded_at: datetime


def drafts_of(place: Place, legs: Sequence[Leg], moments: Moments) -> tuple[list[Draft], list[Omission]]:
    """Group legs by issuer into receipts, in the order of the entry's lines; the rest by issuer and reason."""
    receipts: dict[int, list[Leg]] = {}
    omitted: dict[tuple[int, NoReceipt], int] = {}
    for leg in legs:
        reason = leg.template.reason
        if reason is None:
            receipts.setdefault(leg.template.issuer, []).append(leg)
        else:
            key = leg.template.issuer, reason
            omitted[key] = omitted.get(key, 0) + leg.amount
    drafts = [draft for issuer, ones in receipts.items() for draft in _parts(place, issuer, ones, moments)]
    assert sum(map(_total, drafts)) + sum(omitted.values()) == sum(leg.amount for leg in legs), "every kopeck is told of"
    return drafts, [
        Omission(place=place, issuer=issuer, reason=reason, amount=amount) for (issuer, reason), amount in omitted.items()
    ]


def _parts(place: Place, issuer: int, legs: Sequence[Leg], moments: Moments) -> Iterator[Draft]:
    for part, start in enumerate(range(0, len(legs), RECEIPT_ITEMS_MAX)):
        yield _draft(place, issuer, part, legs[start : start + RECEIPT_ITEMS_MAX], moments)


def _draft(place: Place, issuer: int, part: int, legs: Sequence[Leg], moments: Moments) -> Draft:
    head = legs[0].template
    means, when, internet = MeansOfPayment.CASHLESS, Deadline.NEXT_WORKING_DAY, False
    if head.decision is not None:
        means, when, internet = head.decision.means, head.decision.deadline, head.decision.internet
    settled_at = moments.event_at if when is Deadline.AT_ONCE else moments.recorded_at
    lines, amounts = tuple([leg.line for leg in legs]), tuple([leg.amount for leg in legs])
    missing = next((leg.template.missing for leg in legs if leg.template.missing), "")
    receipt = None
    if not missing:
        assert head.company is not None
        items = tuple([_item(leg) for leg in legs])
        receipt = receipt_of(Operation.SELL, head.company, items, Settlement(means, settled_at, internet))
        assert receipt.total_kopecks == sum(amounts), "a receipt is worth its lines"
    return Draft(
        place=place,
        issuer=issuer,
        operation=Operation.SELL,
        part=part,
        lines=lines,
        amounts=amounts,
        settled_at=settled_at,
        deadline=deadline_of(when, moments.recorded_at),
        receipt=receipt,
        operator=head.company.operator if head.company and not missing else "",
        missing=missing,
    )


class Settlement(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """By what means, when (UTC) and whether on the Internet (1125)."""

    means: MeansOfPayment
    settled_at: datetime
    internet: bool


def receipt_of(
    operation: Operation,
    issuer: IssuerTemplate,
    items: tuple[ReceiptItem, ...],
    settlement: Settlement,
    correction: Correction | None = None,
) -> Receipt:
    """Return a receipt without client whose total is the sum of its items, paid by one means."""
    assert 0 < len(items) <= RECEIPT_ITEMS_MAX, len(items)
    total = sum([item.sum_kopecks for item in items])
    return Receipt(
        operation=operation,
        format=issuer.format,
        company=issuer.company,
        client="",
        items=items,
        payments=((settlement.means, total),),
        total_kopecks=total,
        settled_at=settlement.settled_at,
        internet=settlement.internet,
        correction=correction,
    )


def item_of(template: ItemTemplate, amount: int) -> ReceiptItem:
    """Return the item of a line paid with ``amount`` kopecks."""
    return ReceiptItem(
        name=template.name,
        sum_kopecks=amount,
        method=template.method,
        subject=template.subject,
        vat=template.vat,
        measure=template.measure,
        agent=template.agent,
        supplier=template.supplier,
    )


def _item(leg: Leg) -> ReceiptItem:
    assert leg.template.item is not None
    return item_of(leg.template.item, leg.amount)


def _total(draft: Draft) -> int:
    return sum(draft.amounts)


def with_client(receipt: Receipt, contact: str) -> Receipt:
    """Return the receipt as it is sent: to the payer's contact, or to the company's own e-mail when none is known."""
    return msgspec.structs.replace(receipt, client=contact or receipt.company.email)


def deadline_of(when: Deadline, recorded_at: datetime) -> datetime:
    """Return until when the receipt must be registered (UTC): at once, or by the end of a day of Moscow's."""
    if when is Deadline.AT_ONCE:
        return recorded_at
    return _end_of_term(when, recorded_at.astimezone(MOSCOW).date())


@lru_cache(maxsize=1024)
def _end_of_term(when: Deadline, day: date) -> datetime:
    if when is Deadline.NEXT_WORKING_DAY:
        last = working_day_after(day)
    else:
        last = (day.replace(day=1) + timedelta(days=31)).replace(day=1) + timedelta(days=OFFSET_DAYS - 1)
    return datetime.combine(last + timedelta(days=1), time(), MOSCOW).astimezone(UTC)


def merged_lines(lines: Sequence[int], amounts: Sequence[int]) -> Mapping[int, int]:
    """Sum an entry's postings by charge line, in order; postings without a line are left out, credits come out positive."""
    sums: dict[int, int] = {}
    for line, amount in zip(lines, amounts, strict=True):
        if line:
            sums[line] = sums.get(line, 0) - amount
    return sums
