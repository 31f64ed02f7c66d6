"""The monthly act of the commission with the fields of a УПД (универсальный передаточный документ): the only place of its VAT."""

from collections.abc import Sequence
from datetime import date

import msgspec

from services.settlement.rules.periods import last_day_of, month_words


class GeneralRate(msgspec.Struct, frozen=True, kw_only=True):
    """The general rate of VAT in whole percent from a day on, with the source."""

    since: date
    percent: int
    source: str


GENERAL_RATES = (
    GeneralRate(since=date(2004, 1, 1), percent=18, source="НК ст. 164 п. 3, 117-ФЗ of 07.07.2003 [from memory]"),
    GeneralRate(since=date(2019, 1, 1), percent=20, source="НК ст. 164 п. 3, 303-ФЗ of 03.08.2018 [from memory]"),
    GeneralRate(since=date(2026, 1, 1), percent=22, source="НК ст. 164 п. 3 since 01.01.2026"),
)
"""Ascending by ``since``."""

UNIT_CODE, UNIT_NAME = "642", "ед"
"""ОКЕИ: a service is counted as one unit."""
WITHOUT_VAT = "без НДС"


class ActParty(msgspec.Struct, frozen=True, kw_only=True):
    """A side of the act; ``kpp`` is empty for a sole trader."""

    name: str
    inn: str
    kpp: str
    address: str = ""


class ActTerms(msgspec.Struct, frozen=True, kw_only=True):
    """Who invoices whom, under which contract. ``vat_percent`` None: the seller's services bear no VAT (a bank, УСН)."""

    seller: ActParty
    buyer: ActParty
    contract_number: str
    contract_date: date
    vat_percent: int | None


class MonthlyAct(msgspec.Struct, frozen=True, kw_only=True):
    """An act's fields, amounts in kopecks; net + vat = total. Comments give the columns and lines of the УПД.

    ``status`` 1 is счёт-фактура and act in one, 2 the act alone.
    """

    status: int
    number: str  # (1)
    day: date  # (1)
    seller: ActParty  # (2), (2а), (2б)
    buyer: ActParty  # (6), (6а), (6б)
    basis: str  # [10]
    service: str  # 1а
    unit_code: str  # 2
    unit_name: str  # 2а
    quantity: int  # 3
    price_kopecks: int  # 4
    net_kopecks: int  # 5
    vat_rate: str  # 7
    vat_kopecks: int  # 8
    total_kopecks: int  # 9


def general_percent_on(day: date, rates: Sequence[GeneralRate] = GENERAL_RATES) -> int:
    """Return the general rate of VAT on a day; raises ValueError before the first known rate."""
    known = [rate.percent for rate in rates if rate.since <= day]
    if not known:
        raise ValueError(f"no rate of VAT is known for {day}")
    return known[-1]


def vat_inside(total_kopecks: int, vat_percent: int | None) -> int:
    """Return the VAT that a sum holds, in kopecks, half-up (calculated rate, НК ст. 164 п. 4); 0 without VAT."""
    if not vat_percent:
        return 0
    return (2 * total_kopecks * vat_percent + 100 + vat_percent) // (2 * (100 + vat_percent))


def monthly_act(total_kopecks: int, terms: ActTerms, period: int, number: str) -> MonthlyAct:
    """Make the act of a month's commission, dated with the month's last day.

    ``total_kopecks`` is what the month's entries accrued, VAT inside; ``period`` is year * 100 + month.
    Raises ValueError for a total below zero: a month of refunds only is corrected by a document of its own.
    """
    if total_kopecks < 0:
        raise ValueError(f"an act of {total_kopecks} kopecks")
    vat = vat_inside(total_kopecks, terms.vat_percent)
    contract = f"договор № {terms.contract_number} от {terms.contract_date:%d.%m.%Y}"
    return MonthlyAct(
        status=2 if terms.vat_percent is None else 1,
        number=number,
        day=last_day_of(period),
        seller=terms.seller,
        buyer=terms.buyer,
        basis=contract,
        service=f"Услуги по приёму, распределению и переводу платежей за {month_words(period)} г., {contract}",
        unit_code=UNIT_CODE,
        unit_name=UNIT_NAME,
        quantity=1,
        price_kopecks=total_kopecks - vat,
        net_kopecks=total_kopecks - vat,
        vat_rate=WITHOUT_VAT if terms.vat_percent is None else f"{terms.vat_percent}%",
        vat_kopecks=vat,
        total_kopecks=total_kopecks,
    )
