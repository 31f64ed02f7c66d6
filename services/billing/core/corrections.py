"""Recalculation of a closed month: what was charged then against what would be charged now, carried by the open month.

A closed month stays as it was published: corrected readings, areas or persons become CORRECTION lines of the open month that name
the month they belong to, and an overcharge that the provider did not mend in time a FINE (п. 155(1) ПП 354).
"""

from collections.abc import Iterable, Mapping
from datetime import date
from enum import Enum

import msgspec

from services.billing.core.lines import ChargeLine, LineKind
from services.billing.core.month import Adjustment
from services.billing.core.quantities import times

Adjustments = Mapping[str, tuple[Adjustment, ...]]
"""By personal account, in order of service codes; accounts with nothing to adjust are not there."""
FINE_CAUSE = "штраф исполнителя за необоснованное начисление (п. 155(1) Правил)"


def period_corrections(charged: Iterable[ChargeLine], due: Iterable[ChargeLine], of_period: int, cause: str) -> Adjustments:
    """Return CORRECTION adjustments, kopecks, one an account and service; nothing where sums agree.

    ``charged``: all lines that the period was ever charged by – its own month's, and later corrections of it. ``due``: the
    engine's lines of the period on corrected facts. Lines that belong to other periods, and fines, do not take part: made twice,
    a correction gives nothing the second time.
    """
    difference: dict[tuple[str, str], int] = {}
    for sign, lines in ((-1, charged), (1, due)):
        for line in lines:
            if line.kind is not LineKind.FINE and line.of_period in (0, of_period):
                key = line.account, line.service
                difference[key] = difference.get(key, 0) + sign * line.amount_kopecks
    return _by_account(
        (account, _adjustment(service, LineKind.CORRECTION, amount, cause, of_period))
        for (account, service), amount in sorted(difference.items())
        if amount
    )


class FineVerdict(Enum):
    """Whether an overcharge is fined; in the order in which it is checked."""

    NOT_OVERCHARGED = "начислено не больше должного"
    PAYERS_FAULT = "ошибка возникла по вине потребителя"
    NOT_CLAIMED = "потребитель не обращался"
    MENDED_BEFORE = "исправлено до обращения и до оплаты"
    FINED = "штраф начисляется"


class Overcharge(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an overcharge when it is corrected. ``mended_on``: the day it was corrected; others None where not so."""

    mended_on: date
    claimed_on: date | None
    paid_on: date | None
    is_payers_fault: bool = False


def fine_verdict(amount_kopecks: int, overcharge: Overcharge) -> FineVerdict:
    """Judge a correction of ``amount_kopecks`` (negative: overcharged) under п. 155(1).

    Mended before the consumer claimed and before he paid, it is not fined.
    """
    if amount_kopecks >= 0:
        return FineVerdict.NOT_OVERCHARGED
    if overcharge.is_payers_fault:
        return FineVerdict.PAYERS_FAULT
    if overcharge.claimed_on is None:
        return FineVerdict.NOT_CLAIMED
    first = min(overcharge.claimed_on, overcharge.paid_on or overcharge.claimed_on)
    return FineVerdict.MENDED_BEFORE if overcharge.mended_on < first else FineVerdict.FINED


def provider_fines(corrections: Adjustments, overcharges: Mapping[str, Overcharge], share: int) -> Adjustments:
    """Return FINE adjustments, negative: ``share`` (a ratio, dated law) of every overcharge of the accounts that are fined.

    ``corrections`` are what ``period_corrections`` made; ``overcharges`` by personal account. Each service is fined by itself.
    """
    return _by_account(
        (account, _adjustment(row.service, LineKind.FINE, times(row.amount_kopecks, share), FINE_CAUSE, row.of_period))
        for account, rows in corrections.items()
        if account in overcharges
        for row in rows
        if fine_verdict(row.amount_kopecks, overcharges[account]) is FineVerdict.FINED and times(row.amount_kopecks, share)
    )


def _adjustment(service: str, kind: LineKind, amount_kopecks: int, cause: str, of_period: int) -> Adjustment:
    return Adjustment(service=service, kind=int(kind), amount_kopecks=amount_kopecks, cause=cause, of_period=of_period)


def _by_account(rows: Iterable[tuple[str, Adjustment]]) -> Adjustments:
    found: dict[str, tuple[Adjustment, ...]] = {}
    for account, row in rows:
        found[account] = (*found.get(account, ()), row)
    return found
