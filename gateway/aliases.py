"""One payment under several names: found or fixed before it is submitted, so that it is booked once (design W5).

Who hears of a payment under one id and another under a second (a callback by the acquirer's id, a register by the RRN) books
it under the same: the ids that were told together are kept in intake.known_as. Spaces in which an acquirer tells of payments are
asked for every notification, and a statement's that it shares; elsewhere only notifications that carry aliases are. Terminals pay
nothing for it.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec
import structlog

from gateway.parking import Parking
from gateway.pipeline import Pipeline
from gateway.reader import POSTGRESQL_ERRORS, Reader
from gateway.submission import TRY_AGAIN
from schemas.channel import Channel, ChannelKind
from schemas.ids import EXTERNAL_ID_BYTES_MAX, ExternalId, Space
from schemas.notification import PaymentNotification
from schemas.outcome import Answer, PaymentOutcome

log = structlog.get_logger("gateway.aliases")

ALIAS = "alias"
"""The field that such a conflict names."""
MANY_NAMED = frozenset({ChannelKind.RBS, ChannelKind.TBANK, ChannelKind.TOCHKA})
"""Kinds that tell of one payment by several ids."""
NAMED_PAYMENTS_MAX = 512

Named = PaymentNotification | PaymentOutcome
"""A notification under the id that its payment is booked by, or the answer that ends its way here."""


def many_named_spaces(channels: Iterable[Channel]) -> frozenset[Space]:
    """Return the spaces in which every id must be looked up: an acquirer's, and a statement's if another channel is in it.

    Lines of a statement tell references, and may be read before the other channel tells of the same payment by one of them.
    """
    known = tuple(channels)
    told = Counter(channel.space for channel in known)
    return frozenset(
        channel.space
        for channel in known
        if channel.kind in MANY_NAMED or (channel.kind is ChannelKind.STATEMENT and told[channel.space] > 1)
    )


class Names:
    """Finds or fixes the id of each payment; ``spaces`` are those in which one without aliases may be an alias too."""

    def __init__(self, reader: Reader, parking: Parking, spaces: frozenset[Space]):
        self._reader = reader
        self._parking = parking
        self._spaces = spaces

    def asks_all(self, channel: Channel) -> bool:
        """Whether every payment of the channel's space is looked up, aliases or none."""
        return channel.space in self._spaces

    async def learn(self, channel: Channel) -> None:
        """Look whether ids of this channel's space have been told together by anybody; from then on all of it are asked."""
        if channel.space not in self._spaces and await self._reader.has_names(channel.space):
            self._spaces |= {channel.space}

    async def name(self, channel: Channel, notifications: Sequence[PaymentNotification]) -> list[Named]:
        """Return each notification under its payment's id, at most NAMED_PAYMENTS_MAX; in one statement.

        Ids that lead to two payments, both booked, are a conflict kept for a person. Never raises.
        """
        assert len(notifications) <= NAMED_PAYMENTS_MAX
        every = channel.space in self._spaces
        asked = [
            (turn, one) for turn, one in enumerate(notifications) if (every or one.aliases) and _is_storable(one.external_id)
        ]
        named: list[Named] = list(notifications)
        if not asked:
            return named
        ids = {turn: _ids(one) for turn, one in asked}
        try:
            answers = await self._reader.name_payments(channel.space, ids)
            for turn, one in asked:
                external_id, other = answers[turn]
                named[turn] = await self._named(channel, one, external_id, other)
        except POSTGRESQL_ERRORS as error:
            log.warning("payments.not_named", channel=channel.name, error=type(error).__name__)
            for turn, _ in asked:
                named[turn] = TRY_AGAIN
        return named

    async def _named(self, channel: Channel, told: PaymentNotification, external_id: ExternalId, other: str | None) -> Named:
        if other is None:
            if external_id == told.external_id:
                return told
            return msgspec.structs.replace(told, external_id=external_id)
        await self._parking.park_names(channel, told, (external_id, ExternalId(other)))
        return PaymentOutcome(answer=Answer.CONFLICT, conflict_field=ALIAS)


class NamingPipeline(Pipeline):
    """The pipeline of channels in whose space one payment may be told of under several ids."""

    def __init__(self, pipeline: Pipeline, names: Names):
        super().__init__(*pipeline.parts)
        self._names = names

    async def submit_payment(self, channel: Channel, notification: PaymentNotification) -> PaymentOutcome:
        """Answer one payment under the id that it is known by; see Pipeline."""
        (named,) = await self._names.name(channel, (notification,))
        return named if isinstance(named, PaymentOutcome) else await super().submit_payment(channel, named)


def _ids(notification: PaymentNotification) -> tuple[str, ...]:
    """Return its ids, its own first; an alias that no key could be has never been anybody's key."""
    aliases = [one for one in notification.aliases if _is_storable(one)]
    return tuple(dict.fromkeys((notification.external_id, *aliases)))


def _is_storable(told: str) -> bool:
    try:
        return 0 < len(told.encode()) <= EXTERNAL_ID_BYTES_MAX and "\0" not in told
    except UnicodeEncodeError:
        return False
