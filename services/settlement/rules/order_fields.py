"""Fields of a payment order that law sets: priority (21), code (22), and the budget block (101, 104–110)."""

from collections.abc import Sequence
from datetime import date

import msgspec

from schemas.transfer import BudgetFields

NOTHING = "0"
"""Stands in a field of the form that has nothing to say."""
ORDINARY_PRIORITY = 5
"""Очерёдность of settlements with suppliers, of refunds and of payments to the budget that nobody enforces (ГК ст. 855 п. 2)."""


class DrawerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Status of who draws up an order to the budget (field 101) from a day on, with the source."""

    since: date
    code: str
    source: str


DRAWER_STATUSES = (
    DrawerStatus(
        since=date(2014, 2, 4), code="15", source="Приказ Минфина № 107н, прил. 5: an order with a register [from memory]"
    ),
)
"""Ascending by ``since``: a credit organisation or payment agent that pays one sum taken from individuals by a register."""


def payment_code(code: str) -> str:
    """Return field 22: the УИН or УИП that the payee issued, without spaces, or «0»."""
    return "".join(code.split()) or NOTHING


def budget_fields(kbk: str, oktmo: str, day: date, statuses: Sequence[DrawerStatus] = DRAWER_STATUSES) -> BudgetFields | None:
    """Return the budget block of an order of a day, None for a payee whose requisites have neither КБК nor ОКТМО.

    Services are no taxes: grounds, period, document and kind (106–110) are «0». Raises ValueError before the first known status.
    """
    if not kbk and not oktmo:
        return None
    known = [status.code for status in statuses if status.since <= day]
    if not known:
        raise ValueError(f"no drawer status is known for {day}")
    return BudgetFields(drawer_status=known[-1], kbk=kbk or NOTHING, oktmo=oktmo or NOTHING)
