"""Refunds that mirror what was issued, and correction receipts of both fiscal formats (law.md 4.3). Pure."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime

import msgspec

from schemas.receipt import Correction, FiscalFormat, FiscalSign, Operation, Receipt
from services.fiscal.core.drafts import Draft, Omission, Place, deadline_of
from services.fiscal.core.reference import Deadline, NoReceipt

SALES = (Operation.SELL, Operation.SELL_CORRECTION)


class NothingToMend(ValueError):
    """The receipt says already what is right."""


class Issued(msgspec.Struct, frozen=True, kw_only=True):
    """A receipt of a payment as it was recorded. ``receipt`` is None while it is not configured."""

    number: int
    issuer: int
    operation: Operation
    part: int
    lines: tuple[int, ...]
    receipt: Receipt | None
    registered: bool

    @property
    def sells(self) -> bool:
        """Whether it registered money received."""
        return self.operation in SALES


def refunds_of(
    place: Place, amounts: Mapping[int, int], issued: Sequence[Issued], recorded_at: datetime
) -> tuple[list[Draft], list[Omission]]:
    """Mirror what a correction takes back: ``amounts`` by line, in kopecks above zero.

    Each line is taken from the newest receipt that sold it, with its own name, rate and marks; lines that had no receipt
    have none now. A refund waits until what it mirrors is registered.
    """
    source: dict[int, Issued] = {}
    for one in sorted(issued, key=lambda one: one.number):
        if one.sells:
            source |= dict.fromkeys(one.lines, one)
    by_receipt: dict[int, list[int]] = {}
    bare = 0
    for line, amount in amounts.items():
        if line in source:
            by_receipt.setdefault(source[line].number, []).append(line)
        else:
            bare += amount
    numbers = {one.number: one for one in issued}
    drafts = [
        _refund(place, numbers[number], {line: amounts[line] for line in lines}, recorded_at)
        for number, lines in by_receipt.items()
    ]
    omissions = [Omission(place=place, issuer=0, reason=NoReceipt.ORIGINAL_WITHOUT, amount=-bare)] if bare else []
    return drafts, omissions


def mirror_of(original: Receipt, lines: Sequence[int], amounts: Mapping[int, int], settled_at: datetime) -> Receipt:
    """Return the refund (возврат прихода) of some lines of a receipt, whose items stand in the order of ``lines``."""
    items = tuple(
        [
            msgspec.structs.replace(item, sum_kopecks=amounts[line])
            for line, item in zip(lines, original.items, strict=True)
            if line in amounts
        ]
    )
    total = sum(item.sum_kopecks for item in items)
    return msgspec.structs.replace(
        original,
        operation=Operation.SELL_REFUND,
        items=items,
        payments=((original.payments[0][0], total),),
        total_kopecks=total,
        settled_at=settled_at,
        correction=None,
    )


def _refund(place: Place, original: Issued, amounts: Mapping[int, int], recorded_at: datetime) -> Draft:
    receipt = None
    if original.receipt is not None:
        receipt = mirror_of(original.receipt, original.lines, amounts, recorded_at)
        assert receipt.total_kopecks == sum(amounts.values()), "a refund mirrors kopeck by kopeck"
    lines = tuple([line for line in original.lines if line in amounts])
    return Draft(
        place=place,
        issuer=original.issuer,
        operation=Operation.SELL_REFUND,
        part=original.part,
        lines=lines,
        amounts=tuple([amounts[line] for line in lines]),
        settled_at=recorded_at,
        deadline=deadline_of(Deadline.NEXT_WORKING_DAY, recorded_at),
        receipt=receipt,
        missing="" if receipt is not None else f"receipt {original.number} is not configured",
        after=original.number,
        stopped=not original.registered,
    )


class Ground(msgspec.Struct, frozen=True, kw_only=True):
    """Why receipts are corrected: by oneself or by the tax service's order, of what day, under what number (1173, 1178, 1179)."""

    by_order: bool
    base_date: date
    base_number: str = ""


def corrections_of(wrong: Receipt, sign: FiscalSign, right: Receipt, ground: Ground) -> tuple[Receipt, Receipt]:
    """Return what undoes a wrong receipt and what stands for it, to be registered in this order.

    ФФД 1.05: a refund of the wrong one and then the right one. ФФД 1.2: correction receipts, the first naming the fiscal
    sign of the wrong one (1192). Raises NothingToMend when both say the same.
    """
    if _content(wrong) == _content(right):
        raise NothingToMend("the receipt says already what is right")
    if wrong.format is FiscalFormat.V105:
        undo = msgspec.structs.replace(wrong, operation=Operation.SELL_REFUND, client="", correction=None)
        return undo, msgspec.structs.replace(right, operation=Operation.SELL, client="", correction=None)
    correction = _correction(ground)
    undo = msgspec.structs.replace(
        wrong,
        operation=Operation.SELL_REFUND_CORRECTION,
        client="",
        correction=msgspec.structs.replace(correction, wrong_sign=sign.fpd),
    )
    return undo, msgspec.structs.replace(right, operation=Operation.SELL_CORRECTION, client="", correction=correction)


def correction_of_missing(receipt: Receipt, ground: Ground) -> Receipt:
    """Return the correction receipt for money that no receipt was registered of in time: the same in both formats."""
    return msgspec.structs.replace(receipt, operation=Operation.SELL_CORRECTION, correction=_correction(ground))


def _correction(ground: Ground) -> Correction:
    return Correction(by_order=ground.by_order, base_date=ground.base_date, base_number=ground.base_number)


def _content(receipt: Receipt) -> tuple[object, ...]:
    return receipt.company, receipt.items, receipt.payments, receipt.total_kopecks
