"""A webhook receiver as delivery sees it: what is signed, and what every answer is taken for."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from connectors.banks.standard_webhooks import SIGNATURES_MAX, Secret, Verdict, parse_secret, sign_headers, signed_headers, verify
from connectors.webhooks.addresses import AddressRules
from connectors.webhooks.receiver import (
    ATTEMPTS_MAX,
    RETRY_AFTER_S,
    RETRY_AFTER_S_MAX,
    FindTarget,
    Target,
    WebhookReceiver,
    delay_ms,
    retry_after_s,
)
from schemas.delivery import Closed, Done, NotTaken, OrderNumber, Outgoing, Refused
from schemas.exchange import ExchangeFailed, HttpAnswer, HttpRequest

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
OLD, NEW, OTHER = Secret(b"o" * 32), Secret(b"n" * 32), Secret(b"x" * 32)
BODY = '{"type":"payment.split","data":{"service":"отопление"}}'.encode()
URL = "https://hooks.example.ru/kopeck"
TARGET = Target(url=URL, secrets=(NEW, OLD))


class Wire:
    """An exchange that remembers what was sent and answers as told; an exception is raised."""

    def __init__(self, said: HttpAnswer | ExchangeFailed) -> None:
        self.said = said
        self.sent: list[HttpRequest] = []

    async def __call__(self, request: HttpRequest) -> HttpAnswer:
        self.sent.append(request)
        if isinstance(self.said, ExchangeFailed):
            raise self.said
        return self.said


def order(attempt: int = 1, key: str = "evt_0123456789abcdef") -> Outgoing:
    return Outgoing(number=OrderNumber(1), key=key, content=BODY, attempt=attempt)


def leading_to(target: Target | None) -> FindTarget:
    async def find() -> Target | None:
        return target

    return find


def receiver(wire: Wire, target: Target | None = TARGET) -> WebhookReceiver:
    return WebhookReceiver(wire, leading_to(target), lambda: NOW)


def answered(status: int, retry_after: str = "") -> Wire:
    headers = (("retry-after", retry_after),) if retry_after else ()
    return Wire(HttpAnswer(status=status, headers=headers))


async def test_the_request_is_signed_with_every_secret_and_our_own_verifier_agrees() -> None:
    wire = answered(204)
    assert isinstance(await receiver(wire).send(order()), Done)
    (request,) = wire.sent
    headers = dict(request.headers)
    assert (request.method, request.url, request.body) == ("POST", URL, BODY)
    assert headers["content-type"] == "application/json"
    assert (headers["webhook-id"], headers["webhook-timestamp"]) == ("evt_0123456789abcdef", str(SECONDS))
    assert len(headers["webhook-signature"].split(" ")) == 2
    signed = signed_headers(headers)
    for secret in (OLD, NEW):
        assert verify(signed, BODY, (secret,), now=SECONDS, window_s=300) is Verdict.VALID
    assert verify(signed, BODY, (OTHER,), now=SECONDS, window_s=300) is Verdict.WRONG_SIGNATURE
    assert verify(signed, BODY + b" ", (NEW,), now=SECONDS, window_s=300) is Verdict.WRONG_SIGNATURE
    assert verify(signed, BODY, (NEW,), now=SECONDS + 301, window_s=300) is Verdict.STALE


def test_headers_are_those_of_the_published_example() -> None:
    secret = parse_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = sign_headers(
        (secret,), message_id="msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp=1614265330, body=b'{"test": 2432232314}'
    )
    assert headers == (
        ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
        ("webhook-timestamp", "1614265330"),
        ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
    )


@pytest.mark.parametrize(("message_id", "secrets"), [("a.b", 1), ("", 1), ("evt_1", 0), ("evt_1", SIGNATURES_MAX + 1)])
def test_what_a_verifier_would_refuse_is_never_signed(message_id: str, secrets: int) -> None:
    with pytest.raises(AssertionError):
        sign_headers((NEW,) * secrets, message_id=message_id, timestamp=SECONDS, body=BODY)


async def test_a_replay_carries_the_same_id_and_a_repeat_a_new_timestamp() -> None:
    wire = answered(200)
    moments = iter([NOW, NOW + timedelta(hours=5)])
    sender = WebhookReceiver(wire, leading_to(Target(url=URL, secrets=(NEW,))), lambda: next(moments))
    await sender.send(order())
    await sender.send(order(key="evt_0123456789abcdef/2"))
    first, second = (dict(request.headers) for request in wire.sent)
    assert first["webhook-id"] == second["webhook-id"] == "evt_0123456789abcdef"
    assert int(second["webhook-timestamp"]) - int(first["webhook-timestamp"]) == 5 * 3600


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
async def test_2xx_is_done(status: int) -> None:
    answer = await receiver(answered(status)).send(order())
    assert answer == Done(reference="evt_0123456789abcdef", content=b'{"status":%d}' % status)


async def test_410_closes_the_receiver() -> None:
    answer = await receiver(answered(410)).send(order())
    assert isinstance(answer, Closed) and "410" in answer.reason


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 401, 403, 404, 408, 409, 422, 425, 429, 500, 502, 503, 504])
async def test_everything_else_is_tried_again_by_the_schedule(status: int) -> None:
    answer = await receiver(answered(status)).send(order(attempt=3))
    assert isinstance(answer, NotTaken) and answer.reason == f"HTTP {status}"
    assert RETRY_AFTER_S[2] * 1000 <= answer.after_ms <= RETRY_AFTER_S[2] * 1100


@pytest.mark.parametrize("sent", [True, False])
async def test_no_answer_is_tried_again_whether_it_was_seen_or_not(sent: bool) -> None:
    answer = await receiver(Wire(ExchangeFailed("timed out", sent=sent))).send(order())
    assert isinstance(answer, NotTaken) and answer.reason == "timed out" and answer.after_ms >= 5_000


@pytest.mark.parametrize("wire", [answered(500), answered(404), Wire(ExchangeFailed("timed out", sent=True))])
async def test_the_last_attempt_is_final(wire: Wire) -> None:
    assert isinstance(await receiver(wire).send(order(attempt=ATTEMPTS_MAX - 1)), NotTaken)
    answer = await receiver(wire).send(order(attempt=ATTEMPTS_MAX))
    assert isinstance(answer, Refused) and answer.code == "exhausted" and not answer.again


def test_the_schedule_takes_more_than_three_days() -> None:
    assert timedelta(seconds=sum(RETRY_AFTER_S)) > timedelta(days=3)
    assert [delay_ms("k", attempt) // 1000 >= delay for attempt, delay in enumerate(RETRY_AFTER_S, start=1)] == [True] * 9


def test_two_messages_of_one_moment_do_not_come_back_at_one_moment() -> None:
    assert len({delay_ms(f"evt_{number}", 2) for number in range(100)}) > 50


RETRY_AFTER = [
    ("", 0),
    ("soon", 0),
    ("-5", 0),
    ("0", 0),
    ("120", 120),
    ("999999999999999999", RETRY_AFTER_S_MAX),
    ("٣", 0),
    (format_datetime(NOW + timedelta(minutes=2), usegmt=True), 120),
    (format_datetime(NOW - timedelta(minutes=2), usegmt=True), 0),
    (format_datetime(NOW + timedelta(days=40), usegmt=True), RETRY_AFTER_S_MAX),
    ("Tue, 24 Nov 2026 09:02:00 -0000", 120),
    ("Tue, 99 Nov 2026 09:02:00 GMT", 0),
]


@pytest.mark.parametrize(("header", "seconds"), RETRY_AFTER)
def test_retry_after_is_read(header: str, seconds: int) -> None:
    assert retry_after_s(header, NOW) == seconds


@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_is_honoured_and_never_shortens_the_delay(status: int) -> None:
    long = await receiver(answered(status, "3600")).send(order())
    short = await receiver(answered(status, "1")).send(order())
    assert isinstance(long, NotTaken) and long.after_ms == 3_600_000
    assert isinstance(short, NotTaken) and short.after_ms == delay_ms("evt_0123456789abcdef", 1)


async def test_an_ended_endpoint_and_a_forbidden_address_are_refused_unsent() -> None:
    wire = answered(200)
    ended = await receiver(wire, None).send(order())
    private = await receiver(wire, Target(url="https://10.0.0.1/", secrets=(NEW,))).send(order())
    plain = await receiver(wire, Target(url="http://hooks.example.ru/", secrets=(NEW,))).send(order())
    assert [answer.code for answer in (ended, private, plain) if isinstance(answer, Refused)] == [
        "inactive",
        "address",
        "address",
    ]
    assert wire.sent == []


async def test_loopback_is_sent_to_when_the_rules_allow_it() -> None:
    wire = answered(200)
    rules = AddressRules(http=True, networks=("127.0.0.0/8",))
    target = Target(url="http://127.0.0.1:1/x", secrets=(NEW,))
    assert isinstance(await WebhookReceiver(wire, leading_to(target), lambda: NOW, rules).send(order()), Done)


async def test_a_receiver_cannot_be_asked_and_knows_repeats() -> None:
    sender = receiver(answered(200))
    assert sender.deduplicates and not sender.can_be_asked
    assert isinstance(await sender.ask(order()), NotTaken)


def test_neither_secrets_nor_paths_are_printed() -> None:
    target = Target(url="https://hooks.example.ru/very-secret?token=1", secrets=(NEW,))
    assert repr(target) == "Target(https://hooks.example.ru)"
