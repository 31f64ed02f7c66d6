"""Endpoints of the town's recipients, and receivers on loopback that verify what they are sent."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import msgspec
from aiohttp import web

from connectors.banks.standard_webhooks import Verdict, parse_secret, signed_headers, verify
from connectors.webhooks.addresses import AddressRules
from kopeck.clock import utc_now
from ledger.statements import load_statements
from schemas.webhook import EventType
from services.runner import catch_up
from services.webhooks.consumer import WebhooksConsumer
from services.webhooks.endpoints import NewEndpoint, Registered, register_endpoint
from services.webhooks.sealing import KEY_BYTES, Sealer
from tests.read_town import Town

SQL = load_statements("tests/statements/webhooks.sql")
NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)
LOOPBACK = AddressRules(http=True, networks=("127.0.0.0/8",))
KEY = b"k" * KEY_BYTES
PAYMENTS = (EventType.PAYMENT_SPLIT, EventType.PAYMENT_REVERSED)


class WebhookDesk(msgspec.Struct, frozen=True, kw_only=True):
    """A town, the services' connection to it, and the sealer of its endpoints' secrets."""

    town: Town
    services: asyncpg.Connection
    sealer: Sealer

    async def register(
        self, recipient: str = "TEPLO", url: str = "https://hooks.example.ru/", events: tuple[EventType, ...] = PAYMENTS
    ) -> Registered:
        """Register an endpoint of a recipient."""
        new = NewEndpoint(recipient=recipient, url=url, events=events, created_by="clerk")
        return await register_endpoint(self.services, new, self.sealer, NOW, LOOPBACK)

    async def fold(self) -> int:
        """Let the consumer take what there is."""
        return await catch_up(self.services, WebhooksConsumer())

    async def events(self) -> list[Any]:
        """Events with their orders."""
        rows: list[Any] = await self.town.connection.fetch(SQL["list_events"])
        return rows

    async def told(self) -> list[tuple[int, str, Any]]:
        """(endpoint, type, data) of every event."""
        return [(row["endpoint"], row["type"], msgspec.json.decode(row["body"])["data"]) for row in await self.events()]


class Told(msgspec.Struct, frozen=True, array_like=True):
    """An answer to give."""

    status: int
    headers: dict[str, str] = {}


class Receiver:
    """A receiver on loopback: answers as told, the last answer for ever, and keeps what it took; repeats are known by id."""

    def __init__(self, secrets: Callable[[], tuple[str, ...]]) -> None:
        self.url = ""
        self.answers: list[Told | None] = []
        self.seen: list[str] = []
        self.taken: dict[str, bytes] = {}
        self.verdicts: list[Verdict] = []
        self._secrets = secrets

    async def take(self, request: web.Request) -> web.StreamResponse:
        """Verify and take a message; None among the answers takes it and breaks the connection off."""
        body = await request.read()
        secrets = tuple(parse_secret(secret) for secret in self._secrets())
        now = int(utc_now().timestamp())
        self.verdicts.append(verify(signed_headers(request.headers), body, secrets, now=now, window_s=300))
        message_id = request.headers["webhook-id"]
        self.seen.append(message_id)
        answer = self.answers.pop(0) if self.answers else Told(204)
        if answer is None or answer.status < 300:
            self.taken[message_id] = body
        if answer is None:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        return web.Response(status=answer.status, headers=answer.headers)


@asynccontextmanager
async def receiving(secrets: Callable[[], tuple[str, ...]]) -> AsyncIterator[Receiver]:
    """A receiver at work."""
    receiver = Receiver(secrets)
    app = web.Application()
    app.router.add_post("/hook", receiver.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    sockets = getattr(site._server, "sockets", ())
    receiver.url = f"http://127.0.0.1:{sockets[0].getsockname()[1]}/hook"
    try:
        yield receiver
    finally:
        await runner.cleanup()
