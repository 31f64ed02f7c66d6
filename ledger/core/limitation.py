"""The limitation period (исковая давность) of charges: ГК 196 п. 1, 191–192, 207; Пленум 22 п. 32."""

from collections.abc import Sequence
from datetime import date
from functools import lru_cache

from ledger.core.account_facts import LIMITATION_TERMS, Charge, ChargeKind, LimitationTerm
from schemas.ids import Line


@lru_cache(maxsize=4096)
def last_day_of_limitation(due_date: date, law: tuple[LimitationTerm, ...] = LIMITATION_TERMS) -> date:
    """Return the last day on which a charge is not time-barred, when its creditor has named none.

    The term starts on the day after the due date and ends on the due date's day and month (ГК 191, 192 п. 3).
    """
    years = next((term.years for term in reversed(law) if term.since <= due_date), law[0].years)
    try:
        return due_date.replace(year=due_date.year + years)
    except ValueError:
        return due_date.replace(year=due_date.year + years, day=28)  # 29 February: the month has no such day


def limits_by_line(charges: Sequence[Charge], law: tuple[LimitationTerm, ...]) -> dict[Line, date]:
    """Return each line's last day of limitation; a penalty's ends with its principal's (ГК 207)."""
    limits = {charge.line: charge.limitation_until or last_day_of_limitation(charge.due_date, law) for charge in charges}
    penalties = [charge for charge in charges if charge.kind is ChargeKind.PENALTY]
    if not penalties:
        return limits
    principal: dict[tuple[object, ...], date] = {}
    for charge in charges:
        if charge.kind is ChargeKind.PRINCIPAL:
            key = _obligation(charge)
            principal[key] = max(principal.get(key, date.min), limits[charge.line])
    for charge in penalties:
        limits[charge.line] = min(limits[charge.line], principal.get(_obligation(charge), date.max))
    return limits


def _obligation(charge: Charge) -> tuple[object, ...]:
    return charge.creditor, charge.period, charge.pool, charge.court_order
