"""Until when money may stay in suspense: five working days to find its owner, three in transit by law (law.md §1.12). Pure."""

from datetime import date, timedelta

import msgspec

from services.calendar import add_working_days, nth_working_day

CLARIFIED_WORKING_DAYS = 5
"""Within so many working days after its bank day an item is to be decided (rules of banks, law.md §1.12 [from memory])."""
CLARIFIED_RULE = "невыясненные: 5 рабочих дней"
TRANSIT_WORKING_DAYS = 3
"""Money may be in transit up to the third working day, the day of acceptance being the first."""
TRANSIT_RULE = "161-ФЗ ст. 5 ч. 5"


class Term(msgspec.Struct, frozen=True, kw_only=True):
    """The last day by a rule; ``overdue``: it has passed."""

    day: date
    rule: str
    overdue: bool


def clarified_until(bank_day: date) -> date:
    """Return the last day on which an item of a bank day is to be decided."""
    return add_working_days(bank_day, CLARIFIED_WORKING_DAYS)


def clarify_term(bank_day: date, today: date) -> Term:
    """Return the term of an item by our own promise."""
    day = clarified_until(bank_day)
    return Term(day=day, rule=CLARIFIED_RULE, overdue=today > day)


def transit_term(bank_day: date, today: date) -> Term:
    """Return the term of money on the transit account by law; what the bank holds on 47416 is not under it."""
    day = nth_working_day(bank_day, TRANSIT_WORKING_DAYS)
    return Term(day=day, rule=TRANSIT_RULE, overdue=today > day)


def overdue_since(today: date) -> date:
    """Return the newest bank day whose items are overdue by our promise on ``today``: those of it and before it are."""
    day = today
    while clarified_until(day) >= today:
        day -= timedelta(days=1)
    return day
