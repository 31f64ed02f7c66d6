"""Registers that the tests send: the same payments in every shipped format."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from connectors.registers.describing import parse_description
from connectors.registers.description import RegisterFormat
from connectors.sandbox.registers import SentPayment, SentRegister

MOSCOW = ZoneInfo("Europe/Moscow")
DAY = date(2026, 11, 1)
WITHOUT_IDS = {"sber-tagged"}
"""Formats whose lines have no id of their own."""
WITHOUT_TIME = {"sber-tagged", "lanbilling"}
WITHOUT_FEE = {"lanbilling"}
WITHOUT_FOOTER = {"sber-tagged", "lanbilling", "dbf"}
"""Formats without control totals; a DBF's header counts its records, and it may still be reordered."""
WITH_PERIOD = {"bank-csv", "dbf", "fixed-width", "kopeck", "payment-batch", "sber", "xlsx"}


def sent_payment(place: int, **given: object) -> SentPayment:
    """The payment at a place, changed as given."""
    made: dict[str, object] = {
        "operation": f"op-{place}",
        "account": f"000{1000 + place}",
        "amount_kopecks": 10_050 + place,
        "fee_kopecks": place,
        "moment": datetime(2026, 11, 1, 10, place % 60, place // 60 % 60, tzinfo=MOSCOW),
        "period": 202610,
    }
    return SentPayment(**(made | given))  # type: ignore[arg-type]


def sent_register(count: int = 6, **given: object) -> SentRegister:
    """So many payments of one day."""
    made: dict[str, object] = {"number": "7", "day": DAY, "payments": tuple(sent_payment(place) for place in range(count))}
    return SentRegister(**(made | given))  # type: ignore[arg-type]


DESCRIPTION = """
name = "mine"
title = "A format of one's own"
delimiter = ","
dates = ["yyyy-mm-dd"]

[fields]
operation = { column = 1 }
date = { column = 2 }
account = { column = 3 }
amount = { column = 4 }
"""


def described(extra: str = "", text: str = DESCRIPTION) -> RegisterFormat:
    """A small description; ``extra`` lines stand before its tables."""
    return parse_description(text.replace("\n[fields]", f"\n{extra}\n[fields]", 1))
