"""The interface of RBS against the fake bank, with healthy and with broken connections."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.acquiring.rbs_answers import (
    Carried,
    OrderExists,
    OrderMissing,
    OrderState,
    OrderStatus,
    PaymentLink,
    Registered,
    events_of,
)
from connectors.acquiring.rbs_client import RbsClient
from connectors.acquiring.rbs_settings import NewOrder, RbsSettings
from connectors.sandbox.faults import HEALTHY, FaultProfile, FaultyExchange
from connectors.sandbox.rbs import RbsSandbox, RbsSandboxOptions
from schemas.acquiring import AcquirerAct
from schemas.delivery import Closed, NotTaken, Refused, Unknown
from schemas.exchange import ExchangeFailed, HttpAnswer, HttpRequest

NOON = datetime(2026, 11, 20, 9, tzinfo=UTC)
SETTINGS = RbsSettings(
    base_url="https://acquirer.test/payment/rest", user_name="sandbox", password="sandbox", account_parameter="ls", orders_page=2
)
ORDER = NewOrder(
    number="W-1", amount_kopecks=123_456, return_url="https://pay.test/back", description="Оплата ЖКУ", account="1001/5"
)


class Bank:
    """A fake bank and a merchant's connection to it, with a clock that tests move."""

    def __init__(self, options: RbsSandboxOptions | None = None, settings: RbsSettings = SETTINGS) -> None:
        self.now = NOON
        self.fake = RbsSandbox(options or RbsSandboxOptions())
        self.client = self.connected(HEALTHY, settings)

    def connected(self, profile: FaultProfile, settings: RbsSettings = SETTINGS) -> RbsClient:
        return RbsClient(settings, FaultyExchange(self.fake, profile, draw=lambda n: 0, now=lambda: self.now))

    async def paid(self, number: str = "W-1", amount_kopecks: int = 123_456) -> str:
        order = msgspec.structs.replace(ORDER, number=number, amount_kopecks=amount_kopecks)
        registered = await self.client.register(order)
        assert isinstance(registered, Registered)
        self.fake.pay(registered.order_id, self.now)
        return registered.order_id

    async def status(self, order_id: str) -> OrderStatus:
        status = await self.client.status(order_id=order_id)
        assert isinstance(status, OrderStatus), status
        return status


def answering(answer: HttpAnswer | ExchangeFailed) -> RbsClient:
    async def exchange(request: HttpRequest) -> HttpAnswer:
        if isinstance(answer, ExchangeFailed):
            raise answer
        return answer

    return RbsClient(SETTINGS, exchange)


def json_answer(**fields: object) -> HttpAnswer:
    return HttpAnswer(status=200, body=msgspec.json.encode(fields))


async def test_an_order_is_registered_paid_and_shown() -> None:
    bank = Bank()
    registered = await bank.client.register(ORDER)
    assert isinstance(registered, Registered) and registered.order_id in registered.form_url
    status = await bank.status(registered.order_id)
    assert status.state is OrderState.REGISTERED and events_of(status) == ()
    bank.now += timedelta(minutes=3)
    bank.fake.pay(registered.order_id, bank.now)
    by_number = await bank.client.status(number="W-1")
    assert by_number == await bank.status(registered.order_id)
    assert isinstance(by_number, OrderStatus)
    (event,) = events_of(by_number)
    assert (event.act, event.payment, event.amount_kopecks) == (AcquirerAct.PAID, registered.order_id, 123_456)
    assert (event.order, event.account, event.event_at) == ("W-1", "1001/5", bank.now)
    assert event.aliases == ("order:W-1", f"rrn:{by_number.rrn}")


async def test_a_number_is_registered_once_and_found_by_asking() -> None:
    bank = Bank()
    first = await bank.client.register(ORDER)
    assert isinstance(first, Registered)
    assert await bank.client.register(ORDER) == OrderExists()
    found = await bank.client.status(number="W-1")
    assert isinstance(found, OrderStatus) and found.order_id == first.order_id
    assert await bank.client.status(number="W-2") == OrderMissing()


async def test_an_answer_that_was_lost_is_found_by_our_number() -> None:
    bank = Bank()
    lost = bank.connected(FaultProfile(lost_after=1000))
    assert isinstance(await lost.register(ORDER), Unknown)
    assert isinstance(await bank.client.status(number="W-1"), OrderStatus)
    before = bank.connected(FaultProfile(lost_before=1000))
    assert isinstance(await before.register(msgspec.structs.replace(ORDER, number="W-2")), Unknown)
    assert await bank.client.status(number="W-2") == OrderMissing()


@pytest.mark.parametrize(
    ("profile", "kind"),
    [("refused", NotTaken), ("lost_before", Unknown), ("lost_after", Unknown), ("broken", Unknown), ("busy", Unknown)],
)
async def test_a_refund_without_an_answer_is_never_taken_for_done_or_refused(profile: str, kind: type) -> None:
    bank = Bank()
    order_id = await bank.paid()
    faulty = bank.connected(FaultProfile(**{profile: 1000}))
    assert isinstance(await faulty.refund(order_id, 456, "r-1"), kind)
    known = (await bank.status(order_id)).refund_known_as("r-1")
    assert (known is not None) == (profile in ("lost_after", "broken"))


async def test_holds_are_deposited_in_part_or_released() -> None:
    bank = Bank()
    for number, amount, state in (
        ("W-1", 100_000, OrderState.PAID),
        ("W-2", 0, OrderState.PAID),
        ("W-3", None, OrderState.REVERSED),
    ):
        registered = await bank.client.register(msgspec.structs.replace(ORDER, number=number), holds=True)
        assert isinstance(registered, Registered)
        bank.fake.pay(registered.order_id, bank.now)
        (held,) = events_of(await bank.status(registered.order_id))
        assert (held.act, held.amount_kopecks) == (AcquirerAct.APPROVED, 123_456)
        done = bank.client.reverse(registered.order_id) if amount is None else bank.client.deposit(registered.order_id, amount)
        assert await done == Carried()
        status = await bank.status(registered.order_id)
        assert status.state is state
        assert status.deposited_kopecks == (0 if amount is None else amount or 123_456)


async def test_refunds_are_listed_with_our_ids_and_never_pass_the_deposit() -> None:
    bank = Bank()
    order_id = await bank.paid()
    for number, amount in enumerate((23_456, 100_000)):
        assert await bank.client.refund(order_id, amount, f"r-{number}") == Carried()
    # Both ask to be looked into: the sum does not fit, and the id is known.
    assert isinstance(await bank.client.refund(order_id, 1, "r-9"), Unknown)
    assert isinstance(await bank.client.refund(order_id, 1, "r-0"), Unknown)
    status = await bank.status(order_id)
    assert (status.deposited_kopecks, status.refunded_kopecks) == (123_456, 123_456)
    paid, *refunds = events_of(status)
    assert (paid.act, paid.amount_kopecks) == (AcquirerAct.PAID, 123_456)
    assert [(one.key, one.amount_kopecks) for one in refunds] == [
        (f"{order_id}/refunded/r-0/23456", 23_456),
        (f"{order_id}/refunded/r-1/100000", 100_000),
    ]


async def test_without_a_list_of_refunds_the_difference_is_told() -> None:
    bank = Bank(RbsSandboxOptions(lists_refunds=False))
    order_id = await bank.paid()
    await bank.client.refund(order_id, 456, "r-1")
    status = await bank.status(order_id)
    assert status.refunds is None
    (_, first) = events_of(status)
    assert (first.act, first.amount_kopecks) == (AcquirerAct.REFUNDED, 456)
    assert events_of(status, known=[first, first]) == events_of(status)[:1]
    await bank.client.refund(order_id, 1_000, "r-2")
    (_, second) = events_of(await bank.status(order_id), known=[first])
    assert second.amount_kopecks == 1_000 and second.key != first.key


async def test_a_payment_is_reversed_on_its_day_only() -> None:
    bank = Bank()
    order_id = await bank.paid()
    bank.now += timedelta(days=1)
    assert isinstance(await bank.client.reverse(order_id), Unknown)
    bank.now -= timedelta(days=1)
    assert await bank.client.reverse(order_id) == Carried()
    (event,) = events_of(await bank.status(order_id))
    assert (event.act, event.amount_kopecks, event.key) == (AcquirerAct.REVERSED, 123_456, f"{order_id}/reversed//123456")


async def test_an_unpaid_order_is_declined_by_us_or_by_time() -> None:
    bank = Bank()
    for number in ("W-1", "W-2"):
        registered = await bank.client.register(msgspec.structs.replace(ORDER, number=number))
        assert isinstance(registered, Registered)
        if number == "W-1":
            assert await bank.client.decline(registered.order_id) == Carried()
        bank.now += timedelta(minutes=30)
        (event,) = events_of(await bank.status(registered.order_id))
        assert event.act is AcquirerAct.DECLINED


async def test_an_order_lives_as_long_as_it_was_given() -> None:
    bank = Bank()
    order = msgspec.structs.replace(ORDER, expires_at=NOON + timedelta(hours=5))
    registered = await bank.client.register(order)
    assert isinstance(registered, Registered)
    bank.now = NOON + timedelta(hours=4, minutes=59)
    assert (await bank.status(registered.order_id)).state is OrderState.REGISTERED
    bank.now = NOON + timedelta(hours=5)
    assert (await bank.status(registered.order_id)).state is OrderState.DECLINED


async def test_last_orders_come_by_pages_and_tell_what_callbacks_would() -> None:
    bank = Bank()
    paid = [await bank.paid(f"W-{number}", 100 + number) for number in range(5)]
    page, found = 0, []
    while True:
        got = await bank.client.last_orders(NOON - timedelta(hours=1), NOON + timedelta(hours=1), page=page)
        assert not isinstance(got, Refused | NotTaken | Unknown | Closed) and not got.unread
        found += [event.payment for order in got.orders for event in events_of(order)]
        if not got.has_next:
            break
        page += 1
    assert sorted(found) == sorted(paid) and page == 2
    nothing = await bank.client.last_orders(NOON + timedelta(hours=1), NOON + timedelta(hours=2))
    assert not isinstance(nothing, Refused | NotTaken | Unknown | Closed) and nothing.orders == ()


@pytest.mark.parametrize("bank_name", ["alfa", "vtb"])
async def test_a_payment_link_of_sbp_is_made_and_followed(bank_name: str) -> None:
    settings = msgspec.structs.replace(SETTINGS, bank=bank_name)
    bank = Bank(settings=settings)
    registered = await bank.client.register(ORDER)
    assert isinstance(registered, Registered)
    link = await bank.client.payment_link(registered.order_id, pixels=200)
    assert isinstance(link, PaymentLink) and link.payload.startswith(f"https://qr.nspk.ru/{link.qr_id}?type=02") and link.picture
    assert "sum=123456" in link.payload
    waiting = await bank.client.link_status(registered.order_id, link.qr_id)
    bank.fake.pay(registered.order_id, bank.now)
    accepted = await bank.client.link_status(registered.order_id, link.qr_id)
    assert isinstance(waiting, PaymentLink) and isinstance(accepted, PaymentLink)
    assert (waiting.status, accepted.status, accepted.qr_id) == ("STARTED", "ACCEPTED", link.qr_id)
    assert await bank.client.link_status(registered.order_id, "AD0") == OrderMissing()


async def test_wrong_credentials_are_a_refusal() -> None:
    bank = Bank(settings=msgspec.structs.replace(SETTINGS, password="wrong"))
    assert await bank.client.register(ORDER) == Refused(code="5", reason="Доступ запрещён")


ERRORS = [
    (json_answer(errorCode="1"), OrderExists),
    (json_answer(errorCode=3, errorMessage="currency"), Refused),
    (json_answer(errorCode="4"), Refused),
    (json_answer(errorCode="5"), Refused),
    (json_answer(errorCode="7", errorMessage="Системная ошибка"), Unknown),
    (json_answer(errorCode="0"), Unknown),
    (json_answer(orderId="a b", formUrl="https://x"), Unknown),
    (json_answer(errorCode="zero"), Unknown),
    (json_answer(errorCode=True), Unknown),
    (HttpAnswer(status=200, body=b"<html>"), Unknown),
    (HttpAnswer(status=404), Unknown),
    (HttpAnswer(status=302), Unknown),
    (HttpAnswer(status=500), Unknown),
    (HttpAnswer(status=403), Closed),
    (HttpAnswer(status=429, headers=(("retry-after", "7"),)), NotTaken),
    (ExchangeFailed("refused", sent=False), NotTaken),
    (ExchangeFailed("timed out", sent=True), Unknown),
]


@pytest.mark.parametrize(("answer", "kind"), ERRORS)
async def test_what_an_error_means_for_an_order(answer: HttpAnswer | ExchangeFailed, kind: type) -> None:
    assert type(await answering(answer).register(ORDER)) is kind


async def test_an_answer_about_another_order_is_not_believed() -> None:
    paid = {"orderNumber": "W-1", "orderStatus": 2, "amount": 5, "attributes": [{"name": "mdOrder", "value": "md-1"}]}
    assert isinstance(await answering(json_answer(**paid)).status(order_id="md-1"), OrderStatus)
    assert isinstance(await answering(json_answer(**paid)).status(number="W-1"), OrderStatus)
    assert isinstance(await answering(json_answer(**paid)).status(order_id="md-2"), Unknown)
    assert isinstance(await answering(json_answer(**paid)).status(number="W-2"), Unknown)


@pytest.mark.parametrize(
    "changed",
    [{"amount": 0}, {"amount": 1.5}, {"amount": "5"}, {"amount": -5}, {"currency": "840"}, {"orderStatus": 9}, {"refunds": 5}],
)
async def test_an_unreadable_status_is_unknown(changed: dict[str, object]) -> None:
    paid: dict[str, object] = {"orderNumber": "W-1", "orderStatus": 2, "amount": 5}
    assert isinstance(await answering(json_answer(**(paid | changed))).status(order_id="md-1"), Unknown)


async def test_the_request_is_a_form_in_kopecks_with_credentials_and_moscow_time() -> None:
    seen: list[HttpRequest] = []

    async def exchange(request: HttpRequest) -> HttpAnswer:
        seen.append(request)
        return json_answer(orderId="md-1", formUrl="https://x")

    settings = RbsSettings(bank="alfa", token="token-of-the-merchant")
    order = msgspec.structs.replace(ORDER, expires_at=NOON + timedelta(hours=1), email="payer@example.com")
    assert await RbsClient(settings, exchange).register(order) == Registered(order_id="md-1", form_url="https://x")
    form = {name: values[0] for name, values in parse_qs(seen[0].body.decode()).items()}
    assert seen[0].url == "https://pay.alfabank.ru/payment/rest/register.do" and seen[0].method == "POST"
    assert (form["amount"], form["currency"], form["token"]) == ("123456", "643", "token-of-the-merchant")
    assert form["expirationDate"] == "2026-11-20T13:00:00" and "password" not in form and "jsonParams" not in form


async def test_a_period_is_asked_for_in_whole_seconds_that_hold_it() -> None:
    seen: list[HttpRequest] = []

    async def exchange(request: HttpRequest) -> HttpAnswer:
        seen.append(request)
        return json_answer(orderStatuses=[], totalCount=0)

    since, until = NOON + timedelta(microseconds=1), NOON + timedelta(minutes=5, microseconds=1)
    await RbsClient(SETTINGS, exchange).last_orders(since, until, page=3)
    form = {name: values[0] for name, values in parse_qs(seen[0].body.decode()).items()}
    assert (form["from"], form["to"], form["page"], form["size"]) == ("20261120120000", "20261120120501", "3", "2")


def test_settings_hide_secrets_and_refuse_what_reaches_nobody() -> None:
    shown = repr(RbsSettings(bank="sber", token="very-secret")) + repr(ORDER) + repr(answering(HttpAnswer(status=200)))
    assert "very-secret" not in shown and "1001/5" not in shown
    for wrong in (
        {"bank": "vtb", "token": "t"},
        {"bank": "alfa"},
        {"bank": "alfa", "token": "t", "user_name": "u", "password": "p"},
        {"bank": "alfa", "user_name": "u"},
        {"base_url": "https://x/", "token": "t"},
        {"bank": "moon", "token": "t"},
    ):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(wrong, RbsSettings)
    for number in ("", "a b", "Ж"):
        with pytest.raises(ValueError, match="number"):
            msgspec.structs.replace(ORDER, number=number).__post_init__()
    with pytest.raises(ValueError, match="amount"):
        NewOrder(number="W", amount_kopecks=0, return_url="https://x")


async def test_a_number_too_long_for_the_bank_is_our_own_error() -> None:
    with pytest.raises(ValueError, match="at most 32"):
        await answering(HttpAnswer(status=200)).register(msgspec.structs.replace(ORDER, number="W" * 33))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    [
        "errorCode",
        "orderNumber",
        "orderStatus",
        "amount",
        "attributes",
        "paymentAmountInfo",
        "refunds",
        "authRefNum",
        "orderStatuses",
        "totalCount",
        "date",
    ]
)


@given(st.dictionaries(FIELDS, JSON, max_size=10))
async def test_no_answer_makes_the_client_raise(fields: dict[str, object]) -> None:
    client = answering(HttpAnswer(status=200, body=msgspec.json.encode(fields)))
    status = await client.status(order_id="md-1")
    if isinstance(status, OrderStatus):
        assert all(event.payment == "md-1" and event.amount_kopecks >= 0 for event in events_of(status))
    for answer in (await client.register(ORDER), await client.payment_link("md-1"), await client.last_orders(NOON, NOON)):
        assert answer is not None
