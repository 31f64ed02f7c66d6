"""Seeded traffic: which payments a phase sends, what must be answered, and the bytes of each request.

A plan is enough to know everything: the generator renders it, the proof plans it again and compares.
"""

import random
from base64 import b64encode
from datetime import datetime, timedelta, timezone
from enum import IntEnum
from typing import NamedTuple

import msgspec

from connectors.banks.standard_webhooks import Secret, sign
from loadtests.town import UNKNOWN_NUMBER, Town, number_of, weights_of
from schemas.money import roubles_from_kopecks

MOSCOW = timezone(timedelta(hours=3))
REPEAT_DISTANCE_MAX = 2_000
"""A repeat follows its first within so many payments: some while the first is in flight, most after its answer."""
PHASE_KEYS = 10_000_000_000


class Source(IntEnum):
    """Which channel a payment comes by: an asking one (terminals) or a reporting one (bank feed)."""

    TERMINAL = 0
    BANK = 1


class Expected(IntEnum):
    """What must become of a payment once it is answered for good."""

    BOOKED = 0
    SUSPENSE = 1
    REFUSED = 2


class Planned(NamedTuple):
    """One payment of a plan; ``first`` is the index of the payment it repeats, or its own."""

    first: int
    source: Source
    key: str
    account: str
    amount_kopecks: int
    expected: Expected


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One phase's payments. Shares are in ten-thousandths; ``phase`` keeps the keys of phases apart."""

    town: Town
    phase: int
    count: int
    repeats: int = 100
    unknown: int = 50
    bank: int = 1_500


class Doors(msgspec.Struct, frozen=True, kw_only=True):
    """How the two channels are reached: paths, the terminals' Basic credentials, the bank's signing secret."""

    host: str
    port: int
    terminal_path: str
    basic_user: str
    basic_password: str
    bank_path: str
    bank_secret: bytes


def payments_of(plan: Plan) -> list[Planned]:
    """Plan the phase: the same plan always gives the same list."""
    chance = random.Random(f"{plan.town.seed}/{plan.phase}")
    planned: list[Planned] = []
    for index in range(plan.count):
        if planned and chance.randrange(10_000) < plan.repeats:
            planned.append(planned[index - 1 - chance.randrange(min(index, REPEAT_DISTANCE_MAX))])
        else:
            planned.append(_new_payment(plan, index, chance))
    return planned


def _new_payment(plan: Plan, index: int, chance: random.Random) -> Planned:
    source = Source.BANK if chance.randrange(10_000) < plan.bank else Source.TERMINAL
    key = f"{(plan.phase + 1) * PHASE_KEYS + index}"
    if chance.randrange(10_000) < plan.unknown:
        expected = Expected.REFUSED if source is Source.TERMINAL else Expected.SUSPENSE
        return Planned(index, source, key, str(UNKNOWN_NUMBER + index), 100 + chance.randrange(500_000), expected)
    account = 1 + chance.randrange(plan.town.accounts)
    amount = _amount_of(sum(weights_of(plan.town, account)), chance)
    return Planned(index, source, key, number_of(account), amount, Expected.BOOKED)


def _amount_of(total_kopecks: int, chance: random.Random) -> int:
    """Six in ten pay what is printed, three a part of it, one more than it."""
    manner = chance.randrange(10)
    if manner < 6:
        return total_kopecks
    if manner < 9:
        return 100 + chance.randrange(total_kopecks - 100)
    return total_kopecks + 1 + chance.randrange(total_kopecks)


def rendered(planned: list[Planned], doors: Doors, at: datetime) -> list[bytes]:
    """Requests' bytes in the plan's order; payers acted and the bank signed at ``at``. Repeats are the same bytes."""
    requests: list[bytes] = []
    terminal = _TerminalForm(doors, at)
    bank = _BankForm(doors, at)
    for index, payment in enumerate(planned):
        if payment.first != index:
            requests.append(requests[payment.first])
        else:
            requests.append(terminal.render(payment) if payment.source is Source.TERMINAL else bank.render(payment))
    return requests


class _TerminalForm:
    """A ``pay`` of the OSMP protocol (protocols.md §1)."""

    def __init__(self, doors: Doors, at: datetime) -> None:
        basic = b64encode(f"{doors.basic_user}:{doors.basic_password}".encode()).decode()
        txn_date = at.astimezone(MOSCOW).strftime("%Y%m%d%H%M%S")
        self._start = f"GET {doors.terminal_path}?command=pay&txn_date={txn_date}&txn_id="
        self._end = f" HTTP/1.1\r\nHost: {doors.host}:{doors.port}\r\nAuthorization: Basic {basic}\r\n\r\n"

    def render(self, payment: Planned) -> bytes:
        amount = roubles_from_kopecks(payment.amount_kopecks)
        return f"{self._start}{payment.key}&account={payment.account}&sum={amount}{self._end}".encode()


class _BankForm:
    """A signed notification of a bank's feed (Standard Webhooks)."""

    def __init__(self, doors: Doors, at: datetime) -> None:
        self._secret = Secret(doors.bank_secret)
        self._timestamp = int(at.timestamp())
        self._occurred_at = at.isoformat(timespec="seconds").replace("+00:00", "Z")
        self._start = (
            f"POST {doors.bank_path} HTTP/1.1\r\nHost: {doors.host}:{doors.port}\r\nContent-Type: application/json\r\n"
            f"webhook-timestamp: {self._timestamp}\r\n"
        )

    def render(self, payment: Planned) -> bytes:
        body = msgspec.json.encode(
            {"account": payment.account, "amount": payment.amount_kopecks, "occurred_at": self._occurred_at}
        )
        signature = sign(self._secret, message_id=payment.key, timestamp=self._timestamp, body=body)
        head = (
            f"{self._start}Idempotency-Key: {payment.key}\r\nwebhook-id: {payment.key}\r\n"
            f"webhook-signature: {signature}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body
