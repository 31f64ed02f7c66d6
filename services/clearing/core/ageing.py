"""How old what is still promised is: by clearing account and day of the payers, so that it adds up to the ledger's balance."""

from collections.abc import Sequence
from datetime import date, timedelta

import msgspec

from services.calendar import working_days_between


class OpenDay(msgspec.Struct, frozen=True, kw_only=True):
    """A day with what covers that named it leave open; below nought they brought more than was promised."""

    day: date
    rest: int
    payments: int


class Owed(msgspec.Struct, frozen=True, kw_only=True):
    """What of a day is still promised, kopecks. ``day`` None: came and was promised by nobody yet, below nought.

    ``age`` in working days since the day: on the first one after it money is expected.
    """

    day: date | None
    amount_kopecks: int
    payments: int
    age: int


def age_promises(days: Sequence[OpenDay], balance: int, today: date) -> tuple[Owed, ...]:
    """Return the days that are still owed, the oldest first, adding up to ``balance`` (promised − covered).

    Covers that named no day (by operation of a feed, by amount of nothing known) are counted to the oldest days first.
    """
    excess = sum(one.rest for one in days) - balance
    owed = []
    for one in sorted(days, key=lambda one: one.day):
        taken = min(max(one.rest, 0), excess) if excess > 0 else 0
        excess -= taken
        if one.rest != taken:
            age = working_days_between(one.day + timedelta(days=1), today)
            owed.append(Owed(day=one.day, amount_kopecks=one.rest - taken, payments=one.payments, age=age))
    if excess:
        owed.append(Owed(day=None, amount_kopecks=-excess, payments=0, age=0))
    return tuple(owed)
