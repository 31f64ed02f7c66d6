"""Cases that no program may decide, kept for a person before their channel is answered (design §4, W6)."""

import hashlib
from datetime import datetime

import msgspec
import structlog

from gateway import metrics
from gateway.decide import Request
from gateway.reader import Reader
from schemas.acquiring import AcquirerEvent
from schemas.channel import Channel
from schemas.ids import ExternalId
from schemas.journal import JournalEntry
from schemas.notification import PaymentNotification, StatementLine

log = structlog.get_logger("gateway.parking")

CONTENT_BYTES_MAX = 65_536


class Content(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is kept of a case; no names, no raw message. ``field`` names where a conflict differs.

    ``payments`` are the two booked payments that one notification says are one.
    """

    account: str = ""
    amount_kopecks: int = 0
    event_at: datetime | None = None
    designation: str = ""
    field: str = ""
    why: str = ""
    signed_at: str = ""
    covers: str = ""
    payments: tuple[ExternalId, ...] = ()


class Parking:
    """Writes cases beside the journal; the stored side of a conflict stays where its key leads, in the journal."""

    def __init__(self, reader: Reader):
        self._reader = reader

    async def knows_key(self, channel: Channel, external_id: ExternalId) -> bool:
        """Tell whether anything is stored under a payment key of the channel."""
        return await self._reader.find_key(channel.space, external_id)

    async def park_conflict(self, entry: JournalEntry, request: Request | None, field: str) -> None:
        """Keep the second content of a known key; it blocks the closing of the day until a person has resolved it."""
        content = Content(
            account=request.notification.account_number if request is not None else "",
            amount_kopecks=entry.amount_kopecks,
            event_at=entry.event_at,
            designation=entry.designation,
            field=field,
        )
        await self._keep("conflict", entry, content)

    async def park_names(self, channel: Channel, told: PaymentNotification, payments: tuple[ExternalId, ExternalId]) -> None:
        """Keep a notification whose ids lead to two booked payments: a person says which was paid twice."""
        content = Content(
            account=told.account_number,
            amount_kopecks=told.amount_kopecks,
            event_at=told.event_at,
            field="alias",
            payments=payments,
        )
        metrics.PARKED.labels("conflict").inc()
        log.error("payment.two_booked", payment=told.external_id, space=channel.space, payments=payments)
        key = (channel.number, channel.space, told.external_id)
        await self._reader.park("conflict", channel.transit, key, _text(content))

    async def park_event(self, channel: Channel, event: AcquirerEvent) -> None:
        """Keep the second content of an acquirer's event that is known under its key."""
        content = Content(amount_kopecks=event.amount_kopecks, event_at=event.event_at, field="event", why=event.act.value)
        metrics.PARKED.labels("conflict").inc()
        log.error("event.conflict", payment=event.payment, event_key=event.key, space=channel.space)
        key = (channel.number, channel.space, event.key)
        await self._reader.park("conflict", channel.transit, key, _text(content))

    async def park_table(self, request: Request, why: str) -> None:
        """Note an account whose table must not be split now; one that does not carry its head's digest waits for a person."""
        content = Content(account=request.notification.account_number, why=why)
        channel = request.channel
        key = (channel.number, channel.space, request.notification.external_id)
        metrics.PARKED.labels("table").inc()
        log.error("table.unusable", payment=request.notification.external_id, why=why)
        if why == "digest":
            await self._reader.park("table", channel.transit, key, _text(content))

    async def park_stale(self, channel: Channel, notification: PaymentNotification | StatementLine, signed_at: str) -> None:
        """Keep a well-signed message whose timestamp lies outside the window and whose key is not known."""
        content = Content(
            account=notification.account_number if isinstance(notification, PaymentNotification) else "",
            covers=notification.space if isinstance(notification, StatementLine) else "",
            amount_kopecks=notification.amount_kopecks,
            event_at=notification.event_at,
            signed_at=signed_at,
        )
        metrics.PARKED.labels("stale-timestamp").inc()
        log.warning("notification.stale_timestamp", channel=channel.name, payment=notification.external_id)
        key = (channel.number, channel.space, notification.external_id)
        await self._reader.park("stale-timestamp", channel.transit, key, _text(content))

    async def _keep(self, what: str, entry: JournalEntry, content: Content) -> None:
        metrics.PARKED.labels(what).inc()
        log.error("payment.conflict", payment=entry.external_id, space=entry.space, field=content.field)
        await self._reader.park(what, entry.transit, (entry.channel, entry.space, entry.external_id), _text(content))


def _text(content: Content) -> str:
    """Return the JSON; a designation that would not fit stands in it by its digest."""
    encoded = msgspec.json.encode(content)
    if len(encoded) > CONTENT_BYTES_MAX:
        digest = hashlib.sha256(content.designation.encode()).hexdigest()
        encoded = msgspec.json.encode(msgspec.structs.replace(content, designation=f"sha256:{digest}"))
    return encoded.decode()
