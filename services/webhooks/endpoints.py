"""Suppliers' endpoints: registered, rotated, ended and listed by people; looked up at every attempt by delivery."""

from base64 import b64encode
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import msgspec

from connectors.banks.standard_webhooks import SECRET_PREFIX, SIGNATURES_MAX, Secret
from connectors.webhooks.addresses import PUBLIC_ONLY, AddressRules, url_fault
from connectors.webhooks.receiver import Target
from ledger.feed import Connection
from ledger.statements import load_statements
from schemas.webhook import EventType
from services.webhooks.sealing import Sealer

_SQL = load_statements("services/webhooks/webhooks.sql")

COUNTERPARTY_PREFIX = "webhook:"
OVERLAP = timedelta(days=1)
"""How long a rotated secret goes on signing unless told otherwise."""
ENDPOINTS_OF_RECIPIENT_MAX = 16
SUBSCRIBABLE = frozenset(EventType) - {EventType.TEST}


class EndpointRefused(ValueError):
    """The endpoint cannot be registered, rotated or ended as asked; the message says why."""


class NewEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """What a person registers. ``recipient`` is its code."""

    recipient: str
    url: str
    events: tuple[EventType, ...]
    created_by: str


class Rotation(msgspec.Struct, frozen=True, kw_only=True):
    """Who gives an endpoint a new secret, when, and how long the old one goes on signing beside it."""

    by: str
    at: datetime
    overlap: timedelta = OVERLAP


class Registered(msgspec.Struct, frozen=True, kw_only=True):
    """A new secret of an endpoint, ``whsec_…``: shown once, to be handed to the receiver's owner."""

    endpoint: int
    secret: str

    def __repr__(self) -> str:
        """Name the endpoint without its secret."""
        return f"Registered(endpoint={self.endpoint})"


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint as people see it. ``closed_reason`` is set when the receiver answered 410 Gone."""

    endpoint: int
    recipient: str
    url: str
    events: tuple[str, ...]
    active: bool
    created_by: str
    created_at: datetime
    ended_by: str | None
    ended_at: datetime | None
    ended_reason: str | None
    closed_reason: str | None
    secrets: int


def counterparty_of(endpoint: int) -> str:
    """Return the name under which delivery knows an endpoint."""
    return f"{COUNTERPARTY_PREFIX}{endpoint}"


async def register_endpoint(
    connection: Connection, new: NewEndpoint, sealer: Sealer, now: datetime, rules: AddressRules = PUBLIC_ONLY
) -> Registered:
    """Register an endpoint with its first secret; raises EndpointRefused."""
    fault = url_fault(new.url, rules)
    unknown = sorted(set(new.events) - SUBSCRIBABLE)
    if not new.events or unknown:
        fault = fault or f"no such events: {', '.join(unknown) or 'none were named'}"
    if fault:
        raise EndpointRefused(fault)
    async with connection.transaction():
        recipient = await connection.fetchrow(_SQL["find_recipient"], new.recipient)
        if recipient is None:
            raise EndpointRefused(f"recipient {new.recipient!r} is not in the register")
        if recipient["endpoints"] >= ENDPOINTS_OF_RECIPIENT_MAX:
            raise EndpointRefused(f"recipient {new.recipient!r} has {recipient['endpoints']} active endpoints already")
        events = sorted(set(new.events))
        given = (recipient["recipient"], new.url, events, new.created_by, now)
        endpoint = await connection.fetchval(_SQL["add_endpoint"], *given)
        return await _add_secret(connection, endpoint, new.created_by, sealer, now)


async def rotate_secret(connection: Connection, endpoint: int, sealer: Sealer, rotation: Rotation) -> Registered:
    """Give an endpoint a new secret; raises EndpointRefused.

    An overlap of nothing retires the old one at once, as after a leak, together with earlier ones that still sign.
    """
    if rotation.overlap < timedelta(0):
        raise EndpointRefused("an old secret cannot retire before now")
    async with connection.transaction():
        if await connection.fetchval(_SQL["lock_active_endpoint"], endpoint) is None:
            raise EndpointRefused(f"endpoint {endpoint} is not active")
        await connection.execute(_SQL["retire_secrets"], endpoint, rotation.at + rotation.overlap)
        signing = await connection.fetchval(_SQL["count_signing"], endpoint, rotation.at)
        if signing >= SIGNATURES_MAX:
            raise EndpointRefused(f"endpoint {endpoint} has {signing} secrets that sign: wait until one retires")
        return await _add_secret(connection, endpoint, rotation.by, sealer, rotation.at)


async def end_endpoint(connection: Connection, endpoint: int, by: str, reason: str, now: datetime) -> int:
    """End an endpoint for good and cancel what was on its way to it; return how many orders that were.

    Raises EndpointRefused for one that is not active. An order that is being sent at the moment ends by itself.
    """
    async with connection.transaction():
        if await connection.fetchval(_SQL["end_endpoint"], endpoint, by, now, reason) is None:
            raise EndpointRefused(f"endpoint {endpoint} is not active")
        return int(await connection.fetchval(_SQL["cancel_orders"], counterparty_of(endpoint), reason))


async def list_endpoints(connection: Connection, recipient: str | None = None) -> tuple[Endpoint, ...]:
    """Return every endpoint, or a recipient's, with how many secrets it has that are not retired by date of rotation."""
    rows = await connection.fetch(_SQL["list_endpoints"], recipient)
    return tuple([msgspec.convert(dict(row) | {"events": tuple(row["events"])}, Endpoint) for row in rows])


async def list_live_endpoints(connection: Connection) -> tuple[int, ...]:
    """Return the endpoints that delivery has to serve: active ones, and ended ones that still have orders waiting."""
    return tuple([row["endpoint"] for row in await connection.fetch(_SQL["list_served"])])


async def find_target(connection: Connection, endpoint: int, sealer: Sealer, now: datetime) -> Target | None:
    """Return where an active endpoint's messages go and the secrets that sign at ``now``, newest first; else None."""
    rows = await connection.fetch(_SQL["find_target"], endpoint, now)
    if not rows:
        return None
    return Target(url=rows[0]["url"], secrets=tuple([Secret(sealer.unseal(row["sealed"], endpoint)) for row in rows]))


def target_finder(
    pool: "asyncpg.Pool[Any]", endpoint: int, sealer: Sealer, now: Callable[[], datetime]
) -> Callable[[], Awaitable[Target | None]]:
    """Return what a WebhookReceiver asks at every attempt."""

    async def find() -> Target | None:
        async with pool.acquire() as connection:
            return await find_target(connection, endpoint, sealer, now())

    return find


async def _add_secret(connection: Connection, endpoint: int, by: str, sealer: Sealer, now: datetime) -> Registered:
    secret = sealer.new_secret()
    await connection.execute(_SQL["add_secret"], endpoint, sealer.seal(secret, endpoint), by, now)
    return Registered(endpoint=endpoint, secret=SECRET_PREFIX + b64encode(secret).decode())
