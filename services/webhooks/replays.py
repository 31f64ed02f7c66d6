"""What an endpoint was told and how each message went; asking for a repeat, and for a try (the portal's inspector)."""

from collections import defaultdict
from datetime import datetime

import msgspec

from ledger.feed import Connection
from ledger.statements import load_statements
from schemas.delivery import OrderState
from schemas.webhook import EventType, TestNews
from services.announce import Event, add_events, body_of, message_id_of
from services.webhooks.endpoints import counterparty_of

_SQL = load_statements("services/webhooks/webhooks.sql")

EVENTS_MAX = 200
NEWEST = 2**63 - 1
REPLAYS_MAX = 1_000


class NotReplayable(ValueError):
    """The event does not exist, or its endpoint takes no messages now; the message says which."""


class Sending(msgspec.Struct, frozen=True, kw_only=True):
    """One order by which a message went out: the first, or a repeat that somebody asked for.

    ``reason`` is what the last failed attempt came to; ``due_at`` is when the next is made while the order waits.
    """

    key: str
    state: OrderState
    attempts: int
    reason: str
    due_at: datetime
    created_at: datetime
    ended_at: datetime | None
    asked_by: str | None


class ToldEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A message and every sending of it, oldest first."""

    event: int
    message_id: str
    type: EventType
    body: str
    created_at: datetime
    sendings: tuple[Sending, ...]


async def list_events(
    connection: Connection, endpoint: int, *, before: int = NEWEST, events_max: int = EVENTS_MAX
) -> tuple[ToldEvent, ...]:
    """Return an endpoint's newest messages before one of them (an event's number), newest first."""
    rows = await connection.fetch(_SQL["list_events_before"], endpoint, before, min(events_max, EVENTS_MAX))
    sendings: dict[int, list[Sending]] = defaultdict(list)
    for row in await connection.fetch(_SQL["list_sendings"], [row["event"] for row in rows]):
        given = dict(row)
        sendings[given.pop("event")].append(msgspec.convert(given, Sending))
    return tuple([msgspec.convert(dict(row) | {"sendings": tuple(sendings[row["event"]])}, ToldEvent) for row in rows])


async def replay(connection: Connection, event: int, by: str) -> str:
    """Send a message once more and return the new order's key; the receiver sees the same ``webhook-id`` and body.

    Raises NotReplayable.
    """
    async with connection.transaction():
        row = await connection.fetchrow(_SQL["find_event"], event)
        if row is None or not row["live"]:
            raise NotReplayable(f"there is no event {event}" if row is None else f"endpoint {row['endpoint']} takes no messages")
        turn = None
        while turn is None:
            turn = await connection.fetchval(_SQL["add_replay"], event, by)
        key = f"{row['message_id']}/{turn}"
        await connection.execute(_SQL["add_replay_order"], event, counterparty_of(row["endpoint"]), key, row["body"])
    return key


async def replay_refused(connection: Connection, endpoint: int, since: datetime, by: str) -> tuple[str, ...]:
    """Send again what an endpoint has not taken since a moment, at most REPLAYS_MAX messages; the new orders' keys.

    What still waits for its next attempt is left alone. Raises NotReplayable.
    """
    rows = await connection.fetch(_SQL["list_refused_events"], endpoint, since, REPLAYS_MAX)
    return tuple([await replay(connection, row["event"], by) for row in rows])


async def send_test(connection: Connection, endpoint: int, by: str, now: datetime) -> str:
    """Send an endpoint a message of type ``webhook.test`` and return its id, whatever events it wants to hear of.

    Raises NotReplayable.
    """
    if await connection.fetchval(_SQL["find_live"], endpoint) is None:
        raise NotReplayable(f"endpoint {endpoint} takes no messages")
    message_id = message_id_of(endpoint, EventType.TEST, f"{by} {now.isoformat()}")
    body = body_of(EventType.TEST, now, TestNews(asked_by=by))
    await add_events(connection, [Event(endpoint=endpoint, message_id=message_id, type=EventType.TEST, body=body)])
    return message_id
