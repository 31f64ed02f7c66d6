"""The fake RBS bank: its callbacks are read by our decoder, agree with its status, and go wrong as they were told to."""

from datetime import UTC, date, datetime, timedelta
from urllib.parse import urlsplit

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.acquiring.callback_refused import CallbackRefused
from connectors.acquiring.payment_state import AcquirerState, standing_of
from connectors.acquiring.rbs_answers import events_of, status_of
from connectors.acquiring.rbs_callback import RbsCallbackTerms, decode
from connectors.acquiring.rbs_checksum import RsaKey, SignHash
from connectors.acquiring.rbs_settings import RbsSettings
from connectors.sandbox.callbacks import CallbackFaults, DueCallback
from connectors.sandbox.rbs import RbsSandbox, RbsSandboxOptions, SigningKey
from connectors.sandbox.rbs_orders import OrderFault
from connectors.sandbox.rbs_shown import order_shown
from connectors.terminals.parameters import read_parameters
from schemas.acquiring import AcquirerAct, AcquirerEvent
from schemas.exchange import HttpAnswer, HttpRequest
from tests.connectors.acquirer_keys import private_pem, public_pem

NOON = datetime(2026, 11, 20, 9, tzinfo=UTC)
SECRET, OLD_SECRET = "sandbox-callback-secret", "sandbox-callback-secret-before"
TERMS = RbsCallbackTerms(secrets=(SECRET,), account_parameter="ls")
OPTIONS = RbsSandboxOptions(callback_url="https://kopeck.test/acquirers/rbs", old_key=SigningKey(secret=OLD_SECRET))
TAKEN, REFUSED = HttpAnswer(status=200), HttpAnswer(status=500)
SETTINGS = RbsSettings(bank="alfa", token="t", account_parameter="ls")


def bank_with(faults: CallbackFaults | None = None, **changed: object) -> RbsSandbox:
    return RbsSandbox(msgspec.structs.replace(OPTIONS, faults=faults or CallbackFaults(), **changed))


def asked(bank: RbsSandbox, method: str, now: datetime, **form: str) -> dict[str, object]:
    body = "&".join(f"{name}={value}" for name, value in (form | {"userName": "sandbox", "password": "sandbox"}).items())
    answer = bank.handle(HttpRequest(method="POST", url=f"http://bank/rest/{method}", body=body.encode()), now)
    fields: dict[str, object] = msgspec.json.decode(answer.body)
    return fields


def registered(
    bank: RbsSandbox, number: str = "W-1", now: datetime = NOON, *, amount: int = 1_000, method: str = "register.do"
) -> str:
    extras = "%7B%22ls%22%3A%221001%2F5%22%7D"
    form = {
        "orderNumber": number,
        "amount": str(amount),
        "returnUrl": "https://x",
        "description": "%D0%96%D0%9A%D0%A3",
        "jsonParams": extras,
    }
    return str(asked(bank, method, now, **form)["orderId"])


def read(callback: DueCallback, terms: RbsCallbackTerms = TERMS) -> AcquirerEvent | CallbackRefused:
    raw = callback.request.body or urlsplit(callback.request.url).query.encode()
    return decode(read_parameters(raw).values, terms)


def told(bank: RbsSandbox, now: datetime, terms: RbsCallbackTerms = TERMS) -> list[AcquirerEvent]:
    events = []
    for callback in bank.callbacks_due(now):
        event = read(callback, terms)
        assert isinstance(event, AcquirerEvent), event
        events.append(event)
        bank.callback_answered(callback.number, TAKEN, now)
    return events


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_payment_is_told_to_the_merchants_address(method: str) -> None:
    bank = bank_with(callback_method=method)
    order_id = registered(bank)
    bank.pay(order_id, NOON)
    (callback,) = bank.callbacks_due(NOON)
    assert callback.request.method == method and callback.request.url.startswith(OPTIONS.callback_url)
    event = read(callback)
    assert isinstance(event, AcquirerEvent)
    assert (event.act, event.payment, event.order, event.account) == (AcquirerAct.PAID, order_id, "W-1", "1001/5")
    assert event.event_at == NOON


@pytest.mark.parametrize("hash_name", list(SignHash))
def test_callbacks_signed_by_rsa_are_believed_and_by_an_old_key_while_it_is_kept(hash_name: SignHash) -> None:
    key = SigningKey(pem=private_pem("bank"), alias="k-2026", hash=hash_name)
    old = SigningKey(pem=private_pem("bank-old"), alias="k-2025", hash=hash_name)
    new_key = RsaKey(pem=public_pem("bank"), alias="k-2026", hash=hash_name)
    both = RbsCallbackTerms(keys=(RsaKey(pem=public_pem("bank-old"), alias="k-2025", hash=hash_name), new_key))
    bank = bank_with(CallbackFaults(old_key=500), key=key, old_key=old)
    for number in range(12):
        bank.pay(registered(bank, f"W-{number}"), NOON)
    callbacks = bank.callbacks_due(NOON)
    assert all(isinstance(read(callback, both), AcquirerEvent) for callback in callbacks)
    only_new = [read(callback, RbsCallbackTerms(keys=(new_key,))) for callback in callbacks]
    assert {type(one) for one in only_new} == {AcquirerEvent, CallbackRefused}


def carried_out(bank: RbsSandbox, steps: list[tuple[str, int]], now: datetime = NOON) -> tuple[str, int]:
    """Do what the bank allows of the steps to one order; return its id and how much of them it refused."""
    holds = bool(steps) and steps[0][0] == "hold"
    order_id = registered(bank, now=now, method="registerPreAuth.do" if holds else "register.do")
    refused = 0
    for number, (step, amount) in enumerate(steps):
        match step:
            case "pay" | "hold":
                fields = asked(bank, "sandbox/pay", now, orderId=order_id)
            case "fail":
                fields = asked(bank, "sandbox/pay", now, orderId=order_id, declined="1")
            case "deposit":
                fields = asked(bank, "deposit.do", now, orderId=order_id, amount=str(amount))
            case "refund":
                fields = asked(bank, "refund.do", now, orderId=order_id, amount=str(amount), externalRefundId=f"r-{number}")
            case _:
                fields = asked(bank, f"{step}.do", now, orderId=order_id)
        refused += fields["errorCode"] != "0"
    return order_id, refused


HISTORIES = [
    [("pay", 0)],
    [("fail", 0), ("pay", 0)],
    [("hold", 0)],
    [("hold", 0), ("deposit", 0)],
    [("hold", 0), ("deposit", 700), ("refund", 200), ("refund", 500)],
    [("hold", 0), ("reverse", 0)],
    [("pay", 0), ("reverse", 0)],
    [("pay", 0), ("refund", 300), ("refund", 300), ("refund", 400)],
]


@pytest.mark.parametrize("steps", HISTORIES)
def test_the_status_tells_what_callbacks_told_with_the_same_keys(steps: list[tuple[str, int]]) -> None:
    bank = bank_with()
    order_id, refused = carried_out(bank, steps)
    assert refused == 0
    callbacks = {event.key: event for event in told(bank, NOON)}
    status = status_of(order_shown(bank.book.find(order_id), lists_refunds=True), SETTINGS, order_id=order_id)
    polled = events_of(status)
    assert polled
    for event in polled:
        assert event == msgspec.structs.replace(callbacks[event.key], event_at=event.event_at)


STEPS = st.lists(
    st.tuples(st.sampled_from(["pay", "fail", "deposit", "refund", "reverse", "decline"]), st.integers(0, 1_200)), max_size=8
)
FAULTS = st.builds(
    CallbackFaults,
    duplicated=st.integers(0, 1000),
    reordered=st.integers(0, 1000),
    slow=st.integers(0, 1000),
    old_key=st.integers(0, 1000),
)


@settings(max_examples=60)
@given(STEPS, st.booleans(), FAULTS, st.text(max_size=5))
def test_whatever_happens_callbacks_and_status_agree(
    steps: list[tuple[str, int]], holds: bool, faults: CallbackFaults, seed: str
) -> None:
    bank = bank_with(faults, seed=seed)
    order_id, _ = carried_out(bank, [("hold", 0), *steps] if holds else steps)
    both = RbsCallbackTerms(secrets=(SECRET, OLD_SECRET), account_parameter="ls")
    events = told(bank, NOON + timedelta(hours=1), both)
    order = bank.book.orders[order_id]
    standing = standing_of(events)
    assert standing.fault is None and standing.is_whole
    assert (standing.deposited_kopecks, standing.refunded_kopecks) == (order.deposited_kopecks, order.refunded_kopecks)
    polled = events_of(status_of(order_shown(order, lists_refunds=True), SETTINGS, order_id=order_id))
    assert {event.payment for event in events} <= {order_id}
    money = {event.key for event in polled if event.act in (AcquirerAct.PAID, AcquirerAct.REFUNDED, AcquirerAct.REVERSED)}
    assert money <= {event.key for event in events}
    assert (standing.state is AcquirerState.REVERSED) == (order.state.name == "REVERSED")


def test_a_callback_is_repeated_every_thirty_seconds_until_the_third_failure() -> None:
    bank = bank_with()
    bank.pay(registered(bank), NOON)
    sent = []
    for second in range(0, 300, 10):
        now = NOON + timedelta(seconds=second)
        for callback in bank.callbacks_due(now):
            sent.append((second, callback.request.body))
            bank.callback_answered(callback.number, REFUSED if second else None, now)
    assert [second for second, _ in sent] == [0, 30, 60] and len({body for _, body in sent}) == 1
    assert bank.callbacks.waiting == 0


def test_a_callback_that_is_taken_is_not_repeated() -> None:
    bank = bank_with()
    bank.pay(registered(bank), NOON)
    (callback,) = bank.callbacks_due(NOON)
    assert bank.callbacks_due(NOON + timedelta(hours=1)) == ()
    bank.callback_answered(callback.number, TAKEN, NOON)
    assert bank.callbacks_due(NOON + timedelta(days=1)) == () and bank.callbacks.waiting == 0


def test_lost_callbacks_are_found_by_asking() -> None:
    bank = bank_with(CallbackFaults(lost=1000))
    order_id = registered(bank)
    bank.pay(order_id, NOON)
    assert bank.callbacks_due(NOON + timedelta(days=1)) == ()
    moments = {"from": "20261120110000", "to": "20261120130000"}
    listed = asked(bank, "getLastOrdersForMerchants.do", NOON, size="200", **moments)["orderStatuses"]
    assert isinstance(listed, list)
    (event,) = events_of(status_of(listed[0], SETTINGS))
    assert (event.act, event.payment) == (AcquirerAct.PAID, order_id)


def test_duplicates_delays_and_a_wrong_order() -> None:
    bank = bank_with(CallbackFaults(duplicated=1000))
    bank.pay(registered(bank), NOON)
    assert len(set(told(bank, NOON))) == 1 and bank.callbacks.waiting == 0
    slow = bank_with(CallbackFaults(slow=1000, slow_s=600))
    slow.pay(registered(slow), NOON)
    assert told(slow, NOON + timedelta(seconds=599)) == [] and len(told(slow, NOON + timedelta(seconds=600))) == 1
    mixed = bank_with(CallbackFaults(reordered=500, reorder_s=60))
    order = [registered(mixed, f"W-{number}") for number in range(12)]
    for second, order_id in enumerate(order):
        mixed.pay(order_id, NOON + timedelta(seconds=second))
    arrived = [event.payment for event in told(mixed, NOON + timedelta(hours=1))]
    assert sorted(arrived) == sorted(order) and arrived != order


def test_the_banks_clock_and_encoding_may_be_wrong_and_the_money_is_right() -> None:
    bank = bank_with(
        CallbackFaults(skew_s=-3_600, wrong_encoding=1000), extras=("amount", "orderDescription", "callbackCreationDate")
    )
    bank.pay(registered(bank), NOON)
    (callback,) = bank.callbacks_due(NOON)
    assert b"%C6%CA%D3" in callback.request.body
    event = read(callback)
    assert isinstance(event, AcquirerEvent)
    assert (event.amount_kopecks, event.event_at) == (1_000, NOON - timedelta(hours=1))


def test_an_order_may_name_its_own_address() -> None:
    bank = bank_with()
    form = {"orderNumber": "W-1", "amount": "5", "returnUrl": "x", "dynamicCallbackUrl": "https://own.test/cb"}
    bank.pay(str(asked(bank, "register.do", NOON, **form)["orderId"]), NOON)
    (callback,) = bank.callbacks_due(NOON)
    assert callback.request.url == "https://own.test/cb"


def test_the_evening_register_lists_the_days_deposits_with_fees() -> None:
    bank = bank_with(fee_permille=18)
    night = datetime(2026, 11, 20, 21, 30, tzinfo=UTC)
    for number, (amount, now) in enumerate([(1_000, NOON), (27, NOON), (5_000, NOON), (9_000, night)]):
        bank.pay(registered(bank, f"W-{number}", now, amount=amount), now)
    bank.book.reverse(bank.book.find("", "W-2").order_id, NOON)
    bank.book.refund(bank.book.find("", "W-0").order_id, 400, "r", NOON)
    rows = bank.evening_register(date(2026, 11, 20))
    assert [(row.number, row.amount_kopecks, row.fee_kopecks) for row in rows] == [("W-0", 1_000, 18), ("W-1", 27, 0)]
    assert len({row.rrn for row in rows}) == 2 and all(len(row.rrn) == 12 for row in rows)
    assert [row.number for row in bank.evening_register(date(2026, 11, 21))] == ["W-3"]
    answer = bank.handle(HttpRequest(method="GET", url="http://bank/sandbox/register?day=2026-11-20"), NOON)
    assert [row["number"] for row in msgspec.json.decode(answer.body)] == ["W-0", "W-1"]


def test_the_bank_refuses_what_cannot_be() -> None:
    bank = bank_with()
    order_id = registered(bank)
    bank.pay(order_id, NOON)
    assert asked(bank, "register.do", NOON, orderNumber="W-1", amount="5", returnUrl="x")["errorCode"] == "1"
    assert asked(bank, "register.do", NOON, orderNumber="W-2", amount="5", returnUrl="x", currency="840")["errorCode"] == "3"
    assert asked(bank, "register.do", NOON, orderNumber="W-2", amount="5")["errorCode"] == "4"
    assert asked(bank, "register.do", NOON, orderNumber="W-2", amount="0.5", returnUrl="x")["errorCode"] == "5"
    assert asked(bank, "register.do", NOON, orderNumber="W-2", amount="5", returnUrl="x", jsonParams="5")["errorCode"] == "5"
    assert asked(bank, "refund.do", NOON, orderId=order_id, amount="1001")["errorCode"] == "7"
    assert asked(bank, "getLastOrdersForMerchants.do", NOON, size="201")["errorCode"] == "5"
    assert asked(bank, "getOrderStatusExtended.do", NOON, orderNumber="W-9")["errorCode"] == "6"
    with pytest.raises(OrderFault, match="корректном"):
        bank.pay(order_id, NOON)
    for request in (HttpRequest(method="GET", url="http://b/register.do"), HttpRequest(method="POST", url="http://b/other.do")):
        assert bank.handle(request, NOON).status == 404
    assert "sandbox-callback" not in repr(OPTIONS)
