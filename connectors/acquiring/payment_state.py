"""Where a payment stands at its acquirer, from what is known of it in any order and however often (protocols.md §2)."""

from collections.abc import Iterable
from enum import StrEnum

import msgspec

from schemas.acquiring import AcquirerAct, AcquirerEvent
from schemas.ids import ExternalId

_Content = tuple[AcquirerAct, ExternalId, int]


class AcquirerState(StrEnum):
    """The state that an acquirer's own desk would show."""

    NEW = "new"
    APPROVED = "approved"
    DEPOSITED = "deposited"
    PARTLY_REFUNDED = "partly_refunded"
    REFUNDED = "refunded"
    REVERSED = "reversed"
    DECLINED = "declined"


class StateFault(StrEnum):
    """What cannot be, in the order checked; the events must be held against the acquirer's own answer."""

    OTHER_PAYMENT = "events of several payments"
    KEY_REUSED = "one key with two contents"
    DEPOSITED_TWICE = "deposited with two sums"
    DEPOSIT_ABOVE_HOLD = "more was deposited than held"
    REVERSED_AND_REFUNDED = "reversed and refunded"
    REFUND_ABOVE_DEPOSIT = "more was refunded than deposited"


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """A payment's state and sums in kopecks, so far as told.

    ``is_whole`` is False while something that must have happened is not known: a refund without its deposit or without its
    sum. Then the acquirer is to be asked. ``deposited_kopecks`` stays what it was when the payment is reversed or refunded.
    """

    state: AcquirerState
    held_kopecks: int
    deposited_kopecks: int
    refunded_kopecks: int
    is_whole: bool
    fault: StateFault | None = None


def standing_of(events: Iterable[AcquirerEvent]) -> Standing:
    """Return where one payment stands; the result does not depend on the events' order or on repeats."""
    known: dict[ExternalId, set[_Content]] = {}
    for event in events:
        known.setdefault(event.key, set()).add((event.act, event.payment, event.amount_kopecks))
    # Of two contents of one key the same one counts whatever came first.
    told = tuple(max(contents) for contents in known.values())
    sums = {act: tuple(amount for of, _, amount in told if of is act) for act in AcquirerAct}
    held, deposited = max(sums[AcquirerAct.APPROVED], default=0), max(sums[AcquirerAct.PAID], default=0)
    refunds = sums[AcquirerAct.REFUNDED]
    refunded = sum(refunds)
    is_whole = not refunds or (bool(deposited) and all(refunds))
    return Standing(
        state=_state(sums, refunded, deposited),
        held_kopecks=held,
        deposited_kopecks=deposited,
        refunded_kopecks=refunded,
        is_whole=is_whole,
        fault=_fault(known.values(), told, sums),
    )


def _state(sums: dict[AcquirerAct, tuple[int, ...]], refunded: int, deposited: int) -> AcquirerState:
    if sums[AcquirerAct.REVERSED]:
        return AcquirerState.REVERSED
    if sums[AcquirerAct.REFUNDED]:
        # Without the deposit's sum nobody can say that everything went back.
        return AcquirerState.REFUNDED if 0 < deposited <= refunded else AcquirerState.PARTLY_REFUNDED
    if sums[AcquirerAct.PAID]:
        return AcquirerState.DEPOSITED
    if sums[AcquirerAct.APPROVED]:
        # A decline beside a hold is another attempt of the payer: the hold is what counts.
        return AcquirerState.APPROVED
    return AcquirerState.DECLINED if sums[AcquirerAct.DECLINED] else AcquirerState.NEW


def _fault(
    known: Iterable[set[_Content]], told: tuple[_Content, ...], sums: dict[AcquirerAct, tuple[int, ...]]
) -> StateFault | None:
    held, paid, refunds = sums[AcquirerAct.APPROVED], sums[AcquirerAct.PAID], sums[AcquirerAct.REFUNDED]
    # A hold may be told without a sum, and is then no bound.
    checks = (
        (len({payment for _, payment, _ in told}) > 1, StateFault.OTHER_PAYMENT),
        (any(len(contents) > 1 for contents in known), StateFault.KEY_REUSED),
        (len(set(paid)) > 1, StateFault.DEPOSITED_TWICE),
        (any(held) and max(paid, default=0) > max(held), StateFault.DEPOSIT_ABOVE_HOLD),
        (bool(sums[AcquirerAct.REVERSED]) and bool(refunds), StateFault.REVERSED_AND_REFUNDED),
        (bool(paid) and sum(refunds) > max(paid), StateFault.REFUND_ABOVE_DEPOSIT),
    )
    return next((fault for is_broken, fault in checks if is_broken), None)
