"""Seeded traffic and the synthetic town: shares, determinism, and tables that the ledger's rules accept."""

from collections import Counter
from datetime import UTC, datetime

import msgspec
import pytest

from connectors.banks.bank_feed import decode_payment
from connectors.banks.standard_webhooks import Secret, Verdict, signed_headers, verify
from connectors.terminals.osmp import PayRequest, decode
from connectors.terminals.parameters import read_parameters
from ledger.core.split import split_amount
from loadtests.generator import Verdict as Answered
from loadtests.generator import verdict_of
from loadtests.town import PAYEES, Town, table_of, weights_of
from loadtests.traffic import Doors, Expected, Plan, Planned, Source, payments_of, rendered
from schemas.allocation import pack_table, unpack_table
from schemas.notification import PaymentNotification

TOWN = Town(seed=1, accounts=500, lines=10)
PLAN = Plan(town=TOWN, phase=0, count=20_000)
AT = datetime(2026, 9, 1, 20, 59, 58, tzinfo=UTC)
DOORS = Doors(
    host="127.0.0.1", port=8040, terminal_path="/osmp/t", basic_user="u", basic_password="p",
    bank_path="/bank/b/payments", bank_secret=b"0123456789abcdef",
)  # fmt: skip


def test_a_plan_is_a_function_of_its_seed_and_phase() -> None:
    short = msgspec.structs.replace(PLAN, count=500)
    assert payments_of(short) == payments_of(short)
    other = msgspec.structs.replace(short, phase=1)
    assert not {payment.key for payment in payments_of(short)} & {payment.key for payment in payments_of(other)}


def test_shares_of_repeats_unknown_accounts_and_bank() -> None:
    planned = payments_of(PLAN)
    counted = Counter(payment.expected for payment in planned)
    assert 140 < sum(payment.first != index for index, payment in enumerate(planned)) < 270
    assert 60 < counted[Expected.SUSPENSE] + counted[Expected.REFUSED] < 150
    assert 2_600 < sum(payment.source is Source.BANK for payment in planned) < 3_400


def test_repeats_follow_their_first_with_the_same_bytes() -> None:
    planned = payments_of(PLAN)
    requests = rendered(planned, DOORS, AT)
    for index, payment in enumerate(planned):
        assert payment.first <= index and planned[payment.first] is payment
        assert requests[payment.first] == requests[index]


def _query_of(request: bytes) -> bytes:
    return request.split(b" ", 2)[1].partition(b"?")[2]


def _headers_of(request: bytes) -> dict[str, str]:
    lines = request.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
    return {name.lower(): text for name, _, text in (line.partition(": ") for line in lines)}


def _decoded(payment: Planned, request: bytes) -> PaymentNotification:
    if payment.source is Source.TERMINAL:
        asked = decode(read_parameters(_query_of(request)).values)
        assert isinstance(asked, PayRequest)
        return asked.notification
    headers, body = _headers_of(request), request.partition(b"\r\n\r\n")[2]
    assert int(headers["content-length"]) == len(body)
    secrets = (Secret(DOORS.bank_secret),)
    assert verify(signed_headers(headers), body, secrets, now=int(AT.timestamp()), window_s=300) is Verdict.VALID
    read = decode_payment(body, headers["idempotency-key"], signed_id=headers["webhook-id"])
    assert isinstance(read, PaymentNotification)
    return read


def test_the_channels_own_decoders_read_what_was_rendered() -> None:
    planned = payments_of(msgspec.structs.replace(PLAN, count=300))
    for payment, request in zip(planned, rendered(planned, DOORS, AT), strict=True):
        read = _decoded(payment, request)
        assert (read.external_id, read.account_number, read.amount_kopecks) == payment[2:5]
        assert (read.event_at, read.form_refusal) == (AT, 0)


def test_tables_are_canonical_and_split_every_planned_amount() -> None:
    for account in range(1, 200):
        table = table_of(TOWN, account)
        assert unpack_table(pack_table(table)) == table
        total = sum(weights_of(TOWN, account))
        assert table.totals[0].amount == total
        assert sum(tier.weights[line] for tier in table.tiers for line in range(len(tier.weights))) == total
        assert all(list(tier.payees) == sorted(set(tier.payees)) and max(tier.payees) <= PAYEES for tier in table.tiers)
        for amount in (1, total - 1, total, total * 2):
            split = split_amount(table, amount)
            assert sum(map(sum, split.shares)) + sum(split.advance) == amount and split.unallocated == 0


@pytest.mark.parametrize(
    "answer, verdict",
    [
        (b"HTTP/1.1 200 OK\r\n\r\n<response><result>0</result></response>", Answered.ACCEPTED),
        (b"HTTP/1.1 200 OK\r\n\r\n<response><result>5</result></response>", Answered.REFUSED),
        (b"HTTP/1.1 200 OK\r\n\r\n<response><result>1</result></response>", Answered.TRY_AGAIN),
        (b"HTTP/1.1 200 OK\r\n\r\n<response><result>300</result></response>", Answered.UNEXPECTED),
        (b'HTTP/1.1 200 OK\r\n\r\n{"status":"recorded"}', Answered.ACCEPTED),
        (b"HTTP/1.1 200 OK\r\n\r\n{}", Answered.UNEXPECTED),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", Answered.TRY_AGAIN),
        (b"HTTP/1.1 500 Internal Server Error\r\n\r\n", Answered.UNEXPECTED),
    ],
)
def test_what_an_answer_says(answer: bytes, verdict: Answered) -> None:
    assert verdict_of(answer, answer.index(b"\r\n\r\n")) is verdict


def test_every_line_of_a_table_is_its_own() -> None:
    for lines in (3, 10, 17):
        table = table_of(Town(seed=2, accounts=1, lines=lines), 1)
        numbers = [line for tier in table.tiers for line in tier.lines] + list(table.advance.lines)
        assert sorted(numbers) == list(range(1, 2 * lines - 1))
