"""Channels that tell of payments without an acquirer: terminals, Sber online, the bank's feed; with repeats and losses."""

from collections.abc import Collection, Sequence
from datetime import date, datetime

import msgspec

from loadtests.month_bank import Bank
from loadtests.month_house import MOSCOW, Diverged, House
from loadtests.month_parties import PARTIES, Party, Way
from loadtests.month_record import Paid, Record, Truth
from loadtests.month_traffic import Payers
from schemas.channel import ChannelKind
from schemas.ids import ExternalId
from schemas.notification import PaymentNotification
from schemas.outcome import Answer, PaymentOutcome

BATCH = 512
UNKNOWN, REPEATED, LOST, LATE = 5, 12, 3, 40
"""Of a thousand: numbers that name nobody, notifications told twice, never told, told only after the bank showed the money."""


class ToldChannels:
    """The channels of PARTIES that no acquirer stands behind."""

    def __init__(self, house: House, payers: Payers, bank: Bank, *, faults: bool) -> None:
        self.house = house
        self.payers = payers
        self.record: Record = payers.record
        self.bank = bank
        self.faults = faults
        self._late: list[Paid] = []

    async def play(self, party: Party, count: int) -> None:
        """Let so many payments be made and told now."""
        at = self.house.now.astimezone(MOSCOW)
        asking = party.way is not Way.OPERATION
        wrong = UNKNOWN if self.faults or not asking else 0
        told, repeats = [], []
        for _ in range(count):
            key = f"{at:%y%m%d}{self.payers.number():08d}"
            truth = Truth.REFUSED if asking else Truth.SUSPENSE
            paid = self.payers.payment(party.space, key, at, wrong, truth=truth)
            self.record.pay(paid)
            if not asking:
                self.bank.covers_operation(party, paid)
            if not self._is_told(party, paid):
                continue
            told.append(paid)
            if self.faults and self.payers.happens(REPEATED):
                repeats.append(paid)
        await self._tell(party, told, repeated=False)
        await self._tell(party, repeats, repeated=True)

    def _is_told(self, party: Party, paid: Paid) -> bool:
        if not self.faults or paid.truth is Truth.REFUSED:
            return True
        if party.kind == ChannelKind.SBER_ONLINE and self.payers.happens(LOST):
            return False
        if party.way is Way.OPERATION and self.payers.happens(LATE):
            self._late.append(paid)
            return False
        return True

    async def tell_late(self, signed: Collection[date]) -> None:
        """Tell what the feed holds back, once the day is closed on which the bank has shown its money."""
        due = [one for one in self._late if self.bank.shown.get((one.space, one.key)) in signed]
        self._late = [one for one in self._late if one not in due]
        for party in PARTIES:
            if own := [one for one in due if one.space == party.space]:
                self.record.counts["told late"] += len(own)
                await self._tell(party, own, repeated=False)

    async def _tell(self, party: Party, payments: Sequence[Paid], *, repeated: bool) -> None:
        channel = self.house.channels[party.space]
        for start in range(0, len(payments), BATCH):
            batch = payments[start : start + BATCH]
            outcomes = await self.house.intake.book(channel, [notification_of(one) for one in batch])
            for paid, outcome in zip(batch, outcomes, strict=True):
                check_outcome(paid, outcome, repeated=repeated)
                self.record.hear(paid.space, paid.key)
        self.record.counts["repeats" if repeated else "told"] += len(payments)


def notification_of(paid: Paid) -> PaymentNotification:
    """Return what a channel tells of a payment."""
    return PaymentNotification(
        external_id=ExternalId(paid.key),
        account_number=paid.written,
        amount_kopecks=paid.amount,
        raw_amount="",
        event_at=instant(paid.at),
    )


def instant(at: datetime) -> datetime:
    """Return a moment of Moscow as it is told."""
    return at.astimezone(MOSCOW)


def check_outcome(paid: Paid, outcome: PaymentOutcome, *, repeated: bool) -> None:
    """Hold an answer against what must become of the payment; raises Diverged."""
    if paid.truth is Truth.REFUSED:
        right = outcome.answer in (Answer.REFUSED, Answer.DUPLICATE) and outcome.sequence is None
    else:
        right = outcome.answer is (Answer.DUPLICATE if repeated else Answer.RECORDED) and outcome.sequence is not None
    if not right:
        raise Diverged(f"{paid}: answered {msgspec.structs.asdict(outcome)}, repeated: {repeated}")
