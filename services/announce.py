"""Tells suppliers' endpoints what happened: an event and its order for delivery, in the caller's transaction (design W9).

It stands beside the services, so that any of their desks can call it. The message's id is made of the endpoint, the type and the
thing's own key, never of a place in a book: told twice it is one message, and a receiver knows it again after a restore.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from hashlib import sha256

import msgspec

from ledger.feed import Connection
from ledger.statements import load_statements
from schemas.webhook import EventType, News, Payload

_SQL = load_statements("services/announce.sql")

_ID_DIGEST_CHARACTERS = 32


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A message for one endpoint; ``body`` is what is signed and sent, byte for byte."""

    endpoint: int
    message_id: str
    type: EventType
    body: str


async def announce(connection: Connection, news: Sequence[News]) -> int:
    """Make an event for every live endpoint of a recipient that wants news of the type; return how many are new.

    Call it in the transaction in which the thing happens. One indexed look when nobody listens.
    """
    rows = await connection.fetch(_SQL["list_listeners"], sorted({one.recipient for one in news}))
    listeners = [(row["recipient"], row["endpoint"], row["events"]) for row in rows]
    return await add_events(
        connection,
        [event_of(endpoint, one) for one in news for recipient, endpoint, types in listeners if _wants(one, recipient, types)],
    )


async def add_events(connection: Connection, events: Sequence[Event]) -> int:
    """Add events and their orders, in the order given; return how many were not there yet."""
    if not events:
        return 0
    added = await connection.fetch(
        _SQL["add_events"],
        [event.endpoint for event in events],
        [event.message_id for event in events],
        [event.type.value for event in events],
        [event.body for event in events],
    )
    return len(added)


def event_of(endpoint: int, news: News) -> Event:
    """Return the message that tells an endpoint the news."""
    return Event(
        endpoint=endpoint,
        message_id=message_id_of(endpoint, news.type, news.key),
        type=news.type,
        body=body_of(news.type, news.happened_at, news.payload),
    )


def message_id_of(endpoint: int, type_: EventType, key: str) -> str:
    """Return the ``webhook-id``: ``evt_`` and 32 hexadecimal digits."""
    named = sha256(f"{endpoint} {type_} {key}".encode()).hexdigest()
    return f"evt_{named[:_ID_DIGEST_CHARACTERS]}"


def body_of(type_: EventType, happened_at: datetime, payload: Payload) -> str:
    """Return the body in the form of Standard Webhooks: type, timestamp, data; no spaces."""
    body = {"type": type_, "timestamp": happened_at.astimezone(UTC), "data": payload}
    return msgspec.json.encode(body).decode()


def _wants(news: News, recipient: int, types: Iterable[str]) -> bool:
    return news.recipient == recipient and news.type in types
