"""A counterparty of no real kind and the connector that speaks to it: the smallest pair in which every answer occurs."""

from collections import Counter
from datetime import datetime

import msgspec

from schemas.delivery import Accepted, Answer, Closed, Done, NotTaken, Outgoing, Refused, Unknown
from schemas.exchange import Exchange, ExchangeFailed, HttpAnswer, HttpRequest

ASK_AFTER_MS = 20
SLOW, WRONG, HOPELESS = "slow", "wrong", "hopeless"
"""Contents with a fate: accepted at first and done later; refused for good; refused with a chance under a new key."""


class FakeCounterparty:
    """Remembers each key and how often it took effect. ``questions`` are answered «not yet» before a slow order is done."""

    def __init__(self, *, deduplicates: bool, questions: int = 1) -> None:
        self.effects: Counter[str] = Counter()
        self.shut = False
        self._deduplicates = deduplicates
        self._questions = questions
        self._asked: Counter[str] = Counter()
        self._slow: set[str] = set()

    def handle(self, request: HttpRequest, now: datetime) -> HttpAnswer:
        """POST /orders/<key> takes an order, GET /orders/<key> tells of it."""
        key = request.url.rpartition("/")[2]
        if self.shut:
            return HttpAnswer(status=403, body=b"blocked")
        if request.method == "GET":
            return self._tell(key)
        content = request.body.decode()
        if content in (WRONG, HOPELESS):
            return HttpAnswer(status=422, body=request.body)
        if not (self._deduplicates and self.effects[key]):
            self.effects[key] += 1
        if content == SLOW:
            self._slow.add(key)
            return HttpAnswer(status=202, body=b"r-" + key.encode())
        return HttpAnswer(status=200, body=b"r-" + key.encode())

    def _tell(self, key: str) -> HttpAnswer:
        key = key.removeprefix("r-")
        if not self.effects[key]:
            return HttpAnswer(status=404)
        self._asked[key] += 1
        waits = key in self._slow and self._asked[key] <= self._questions
        return HttpAnswer(status=202 if waits else 200, body=b"r-" + key.encode())


class FakeConnector:
    """Delivers to a FakeCounterparty at ``url``; what the counterparty can do is told to it."""

    def __init__(self, exchange: Exchange, url: str, *, deduplicates: bool, can_be_asked: bool) -> None:
        self._exchange = exchange
        self._url = url
        self._deduplicates = deduplicates
        self._can_be_asked = can_be_asked

    @property
    def deduplicates(self) -> bool:
        """As it was told."""
        return self._deduplicates

    @property
    def can_be_asked(self) -> bool:
        """As it was told."""
        return self._can_be_asked

    async def send(self, order: Outgoing) -> Answer:
        """Hand the order over."""
        request = HttpRequest(method="POST", url=f"{self._url}/orders/{order.key}", body=order.content)
        try:
            answer = await self._exchange(request)
        except ExchangeFailed as failure:
            return Unknown(reason=failure.reason) if failure.sent else NotTaken(reason=failure.reason)
        if answer.status == 422:
            return Refused(code="422", reason="as told", again=answer.body.decode() == HOPELESS)
        if answer.status == 503:
            return NotTaken(reason="busy", after_ms=int(answer.header("retry-after") or "0") * 1000)
        return _taken(answer)

    async def ask(self, order: Outgoing) -> Answer:
        """Ask by reference or key."""
        request = HttpRequest(method="GET", url=f"{self._url}/orders/{order.reference or order.key}")
        try:
            answer = await self._exchange(request)
        except ExchangeFailed as failure:
            return Unknown(reason=failure.reason)
        return NotTaken(reason="no such order") if answer.status == 404 else _taken(answer)


def _taken(answer: HttpAnswer) -> Answer:
    if answer.status == 200:
        return Done(reference=answer.body.decode(), content=msgspec.json.encode(answer.body.decode()))
    if answer.status == 202:
        return Accepted(reference=answer.body.decode(), ask_after_ms=ASK_AFTER_MS)
    if answer.status == 403:
        return Closed(reason="blocked")
    return Unknown(reason=f"HTTP {answer.status}")
