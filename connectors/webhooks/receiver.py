"""A supplier's webhook receiver as a counterparty: signed POST, answers read as Standard Webhooks 1.0.0 suggests.

The receiver knows a repeat by ``webhook-id``, which is the order's key without the number of its replay, so an attempt whose
answer was lost is made again like any other failed one, and nothing is ever asked.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from zlib import crc32

import msgspec

from connectors.banks.standard_webhooks import Secret, sign_headers
from connectors.webhooks.addresses import PUBLIC_ONLY, AddressRules, url_fault
from schemas.delivery import Answer, Closed, Done, NotTaken, Outgoing, Refused
from schemas.exchange import Exchange, ExchangeFailed, HttpAnswer, HttpRequest

RETRY_AFTER_S = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""Delays after the first, second … failed attempt: the specification's example, 75 hours in all."""
ATTEMPTS_MAX = len(RETRY_AFTER_S) + 1
RETRY_AFTER_S_MAX = 86_400
TIMEOUT_MS = 15_000
"""The specification recommends 15 to 30 s."""
REPLAY_SEPARATOR = "/"

GONE = 410
_JITTER_PARTS = 10
_MS = 1000


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Where an endpoint's messages go now, and the secrets in use."""

    url: str
    secrets: tuple[Secret, ...]

    def __repr__(self) -> str:
        """Name the receiver without its secrets and its path, which is often a secret too."""
        return f"Target({self.url.partition('?')[0].rsplit('/', 1)[0]})"


FindTarget = Callable[[], Awaitable[Target | None]]
"""Looks the endpoint up anew at every attempt: secrets rotate and endpoints end; None for one that is not active."""


class WebhookReceiver:
    """Counterparty ``webhook:<endpoint>``. ``exchange`` must follow no redirect and refuse addresses that are not allowed.

    ``delays_s`` are the delays after each failed attempt but the last.
    """

    deduplicates = True
    can_be_asked = False

    def __init__(
        self,
        exchange: Exchange,
        find_target: FindTarget,
        now: Callable[[], datetime],
        rules: AddressRules = PUBLIC_ONLY,
        delays_s: tuple[int, ...] = RETRY_AFTER_S,
    ) -> None:
        self._exchange = exchange
        self._find_target = find_target
        self._now = now
        self._rules = rules
        self._delays_s = delays_s

    async def send(self, order: Outgoing) -> Answer:
        """Post the order's content, which is the message's body, byte for byte."""
        target = await self._find_target()
        if target is None:
            return Refused(code="inactive", reason="the endpoint is not active any more")
        fault = url_fault(target.url, self._rules)
        if fault:
            return Refused(code="address", reason=fault)
        try:
            answer = await self._exchange(self._request(order, target))
        except ExchangeFailed as failed:
            return self._failed(order, failed.reason, 0)
        return self._read(order, answer)

    async def ask(self, order: Outgoing) -> Answer:
        """Say that the order may be sent: a receiver cannot be asked, and takes a repeat for what it is."""
        return NotTaken(reason="a webhook receiver cannot be asked; it knows a repeat by its id")

    def _request(self, order: Outgoing, target: Target) -> HttpRequest:
        headers = sign_headers(
            target.secrets,
            message_id=order.key.partition(REPLAY_SEPARATOR)[0],
            timestamp=int(self._now().timestamp()),
            body=order.content,
        )
        kind = ("content-type", "application/json")
        return HttpRequest(method="POST", url=target.url, headers=(kind, *headers), body=order.content, timeout_ms=TIMEOUT_MS)

    def _read(self, order: Outgoing, answer: HttpAnswer) -> Answer:
        if 200 <= answer.status < 300:
            return Done(reference=order.key, content=msgspec.json.encode({"status": answer.status}))
        if answer.status == GONE:
            return Closed(reason="the receiver answered 410 Gone: it wants no more webhooks")
        return self._failed(order, f"HTTP {answer.status}", retry_after_s(answer.header("retry-after"), self._now()))

    def _failed(self, order: Outgoing, reason: str, least_s: int) -> Answer:
        """Say that the attempt failed, whatever the receiver has seen of it; final after the last one."""
        if order.attempt > len(self._delays_s):
            return Refused(code="exhausted", reason=f"{order.attempt} attempts failed, the last with: {reason}")
        return NotTaken(reason=reason, after_ms=max(least_s * _MS, delay_ms(order.key, order.attempt, self._delays_s)))


def retry_after_s(header: str, now: datetime) -> int:
    """Read ``Retry-After``, seconds or a date, as seconds from ``now``, at most a day; 0 for none and for nonsense."""
    if header.isascii() and header.isdigit():
        return min(int(header[:9]), RETRY_AFTER_S_MAX)
    try:
        moment = parsedate_to_datetime(header)
    except ValueError:
        return 0
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return max(0, min(int((aware - now).total_seconds()), RETRY_AFTER_S_MAX))


def delay_ms(key: str, attempt: int, delays_s: tuple[int, ...] = RETRY_AFTER_S) -> int:
    """Return the delay after a failed attempt, up to a tenth longer by chance that the key and the attempt fix."""
    delay = delays_s[attempt - 1] * _MS
    return delay + crc32(f"{key} {attempt}".encode()) % (delay // _JITTER_PARTS + 1)
