"""Routes of acquirers and СБП: what they tell has happened; each is answered in its own words (protocols.md §2, §3).

An event is answered as taken only when it is booked or kept. Otherwise the acquirer is told to come again: RBS knows success by
200 alone, T-Bank by 200 with the body ``OK``, Tochka by 200.
"""

from aiohttp import web

from connectors.acquiring.callback_refused import CallbackRefused
from connectors.terminals.access import network_allows, parse_networks
from gateway import metrics
from gateway.acquiring import EventTaker
from gateway.decoders import Decode
from gateway.routes.answering import note, note_form_error
from gateway.routes.body import read_body
from schemas.channel import Channel
from schemas.outcome import Answer

AGAIN = frozenset({Answer.TRY_AGAIN, Answer.STALE_TIMESTAMP})
"""Answers after which it is not known that anything was done. A conflict is none: it is kept for a person, both contents."""
RETRY_AFTER = {"Retry-After": "5"}


class AcquirerRoute:
    """The one route of an acquirer's channel; ``taken`` is the body that its protocol wants to hear, empty where none."""

    def __init__(self, channel: Channel, taker: EventTaker, decode: Decode, taken: bytes):
        self._channel = channel
        self._taker = taker
        self._decode = decode
        self._taken = taken
        self._networks = parse_networks(channel.allow_networks)

    async def told(self, request: web.BaseRequest) -> web.Response:
        """Take one callback: a query, a form or a body."""
        channel, address = self._channel, request.remote or ""
        if self._networks and not network_allows(self._networks, address):
            note_form_error(channel, "network", address)
            return web.Response(status=403)
        raw = await self._read(request)
        if raw is None:
            note_form_error(channel, "body-too-large", address)
            return web.Response(status=413)
        event = self._decode(raw)
        if isinstance(event, CallbackRefused):
            return self._refused(event, address)
        outcome = await self._taker.take(channel, event)
        note(channel, event.payment, outcome)
        if outcome.answer in AGAIN:
            return web.Response(status=503, headers=RETRY_AFTER)
        return web.Response(body=self._taken, headers={"Content-Type": "text/plain; charset=utf-8"})

    async def _read(self, request: web.BaseRequest) -> bytes | None:
        """Return the query and the body as one, None when it is too large."""
        query = request.rel_url.raw_query_string.encode("utf-8", "surrogateescape")
        if request.method != "POST":
            return query
        if (request.content_length or 0) > self._channel.body_bytes_max:
            return None
        body = await read_body(request)
        if len(body) > self._channel.body_bytes_max:
            return None
        return query + b"&" + body if query and body else query or body

    def _refused(self, refused: CallbackRefused, address: str) -> web.Response:
        note_form_error(self._channel, refused.reason, address)
        if refused.forged:
            metrics.FORGED.labels(self._channel.name).inc()
        return web.Response(status=403 if refused.forged else 400)
