"""What tests of fiscal connectors share: sample receipts, a clock, connections to fakes, and a walk by delivery's rules."""

import asyncio
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

import msgspec

from connectors.fiscal.atol import Atol, AtolConfig
from connectors.fiscal.ferma import Ferma, FermaConfig
from connectors.sandbox.faults import HEALTHY, Fake, FaultProfile, FaultyExchange
from schemas.delivery import Accepted, Answer, Closed, Counterparty, Done, NotTaken, OrderNumber, Outgoing, Refused, Unknown
from schemas.exchange import Exchange, HttpAnswer, HttpRequest
from schemas.receipt import (
    AgentKind,
    Company,
    Correction,
    FiscalFormat,
    MeansOfPayment,
    Operation,
    PaymentMethod,
    PaymentObject,
    Receipt,
    ReceiptItem,
    Supplier,
    TaxSystem,
    Vat,
)

INN = "7700000000"
START = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)
LINES = (
    ("Содержание жилья за 10.2026", 126_988, Vat.VAT22),
    ("Холодная вода на содержание общего имущества за 10.2026", 1_090, Vat.NONE),
    ("Электроэнергия на содержание общего имущества за 10.2026", 3_823, Vat.NONE),
    ("Отопление за 10.2026", 169_772, Vat.NONE),
    ("Горячая вода за 10.2026", 59_778, Vat.NONE),
    ("Холодная вода за 10.2026", 21_050, Vat.NONE),
    ("Водоотведение за 10.2026", 29_471, Vat.NONE),
    ("Электроэнергия за 10.2026", 61_616, Vat.NONE),
    ("Обращение с ТКО за 10.2026", 22_573, Vat.NONE),
    ("Домофон за 10.2026", 3_839, Vat.VAT5),
)
"""The lines of a partial payment of 5 000 roubles (law.md §1.8, B): 500 000 kopecks."""
SUPPLIER = Supplier(name="АО «Теплосеть»", inn="7711111118", phones=("+74950000001",))
CORRECTION = Correction(by_order=True, base_date=date(2026, 11, 3), base_number="12-34/5", wrong_sign="3987654321")


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.moment = START

    def __call__(self) -> datetime:
        return self.moment

    def go(self, milliseconds: int) -> None:
        self.moment += timedelta(milliseconds=milliseconds)


def item(name: str, sum_kopecks: int, vat: Vat = Vat.NONE, **changed: Any) -> ReceiptItem:
    made = ReceiptItem(
        name=name, sum_kopecks=sum_kopecks, method=PaymentMethod.FULL_PAYMENT, subject=PaymentObject.SERVICE, vat=vat
    )
    return msgspec.structs.replace(made, **changed)


def receipt(**changed: Any) -> Receipt:
    """The sample receipt of a payment of 5 000 roubles, ten services, ФФД 1.2."""
    made = Receipt(
        operation=Operation.SELL,
        format=FiscalFormat.V12,
        company=Company(
            inn=INN,
            name="ООО «УК Двор»",
            tax_system=TaxSystem.OSN,
            payment_address="https://pay.example.ru",
            email="uk@example.ru",
        ),
        client="resident@example.ru",
        items=tuple(item(*line) for line in LINES),
        payments=((MeansOfPayment.CASHLESS, 500_000),),
        total_kopecks=500_000,
        settled_at=START,
    )
    return msgspec.structs.replace(made, **changed)


def of_items(*items: ReceiptItem, **changed: Any) -> Receipt:
    """The sample receipt with other items, paid for cashless."""
    total = sum(one.sum_kopecks for one in items)
    return receipt(items=items, total_kopecks=total, payments=((MeansOfPayment.CASHLESS, total),), **changed)


def agent_item(agent: AgentKind = AgentKind.BANK_PAYING_AGENT, **changed: Any) -> ReceiptItem:
    return item("Отопление за 10.2026", 169_772, agent=agent, supplier=SUPPLIER, **changed)


def order_of(content: Receipt, key: str = "payment-1:receipt:1", **changed: Any) -> Outgoing:
    made = Outgoing(number=OrderNumber(1), key=key, content=msgspec.json.encode(content))
    return msgspec.structs.replace(made, **changed)


def atol_config(**changed: Any) -> AtolConfig:
    given = {"base_url": "http://atol/possystem", "login": "sandbox", "password": "sandbox", "group_code": "sandbox", "inn": INN}
    return msgspec.convert({**given, **changed}, AtolConfig)


def ferma_config(**changed: Any) -> FermaConfig:
    given = {"base_url": "http://ferma", "login": "sandbox", "password": "sandbox", "inn": INN}
    return msgspec.convert({**given, **changed}, FermaConfig)


def atol(config: AtolConfig, exchange: Exchange, now: Callable[[], datetime]) -> Atol:
    return Atol(config, exchange, now=now, lock=asyncio.Lock())


def ferma(config: FermaConfig, exchange: Exchange, now: Callable[[], datetime]) -> Ferma:
    return Ferma(config, exchange, now=now, lock=asyncio.Lock())


def connection(fake: Fake, clock: Clock, profile: FaultProfile = HEALTHY, seed: int = 1) -> FaultyExchange:
    return FaultyExchange(fake, profile, draw=Random(seed).randrange, now=clock)


class Script:
    """An Exchange that gives prepared answers (or raises) in turn and keeps the requests."""

    def __init__(self, *answers: HttpAnswer | Exception) -> None:
        self._answers = list(answers)
        self.requests: list[HttpRequest] = []

    async def __call__(self, request: HttpRequest) -> HttpAnswer:
        self.requests.append(request)
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def json_answer(content: object, status: int = 200) -> HttpAnswer:
    return HttpAnswer(status=status, body=msgspec.json.encode(content))


async def deliver(party: Counterparty, order: Outgoing, clock: Clock, *, attempts_max: int = 200) -> tuple[Outgoing, Answer]:
    """Deliver an order by delivery's rules until its end, with new keys after final failures that allow another try.

    Unknown is asked about by key first, NotTaken is sent again, Accepted is asked about; returns the last order and its end.
    """
    unknown, tries = False, 1
    for _ in range(attempts_max):
        answer = await (party.ask(order) if order.reference or unknown else party.send(order))
        match answer:
            case Accepted():
                order = msgspec.structs.replace(order, reference=answer.reference)
                unknown = False
                clock.go(answer.ask_after_ms)
            case Unknown():
                unknown = True
                clock.go(1_000)
            case NotTaken():
                unknown = False
                clock.go(1_000)
            case Refused(again=True):
                tries += 1
                key = f"{order.key.rpartition(':')[0]}:{tries}"
                order, unknown = msgspec.structs.replace(order, key=key, reference="", attempt=0), False
            case Done() | Refused() | Closed():
                return order, answer
        order = msgspec.structs.replace(order, attempt=order.attempt + 1)
    raise AssertionError(f"{order.key} came to no end in {attempts_max} attempts")
