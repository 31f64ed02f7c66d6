"""Registers of the month: evening files of every party, some cut short or saved wrong, some sent twice, some late."""

import hashlib
from datetime import date

import msgspec

from connectors.registers.detection import FormatUncertain, detect_register
from connectors.registers.register import RegisterUnreadable
from connectors.registers.shipped import shipped_formats
from connectors.sandbox.registers import RegisterFault, SentPayment, SentRegister, write_sent
from kopeck.register_loading import purpose_of
from loadtests.month_house import MOSCOW, SQL, Diverged, House
from loadtests.month_parties import PARTIES, Party, Way
from loadtests.month_record import Paid, Truth
from loadtests.month_traffic import Payers, fee_of
from services.registers.booking import Run, book_register
from services.registers.taking import Taken, TakingTerms, take_register

WRONG, SENT_WRONG, SENT_TWICE, DOUBLED, LATE = 5, 250, 150, 180, 120
"""Of a thousand: numbers that name nobody; files with a fault at first, sent again, with payments that stand twice (where the
format has ids), sent a day late (where money comes gross)."""
REFUSED = {
    # Half of such a file may be one whole batch of two, with totals of its own.
    "payment-batch": (RegisterFault.WRONG_FOOTER, RegisterFault.WRONG_ENCODING),
    "dbf": (RegisterFault.HALF, RegisterFault.WRONG_FOOTER),
    "xlsx": (RegisterFault.HALF, RegisterFault.WRONG_ENCODING),
}
REFUSED_TEXT = (RegisterFault.HALF, RegisterFault.WRONG_FOOTER, RegisterFault.WRONG_ENCODING)
BY = "Реестры"


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """A register that a party sent: what its money is told by. Sums in kopecks."""

    number: str
    order_number: str
    day: date
    gross: int
    fee: int


class Registers:
    """Writes the parties' files and loads them as ``kopeck registers load`` does."""

    def __init__(self, house: House, payers: Payers, *, faults: bool) -> None:
        self.house = house
        self.payers = payers
        self.record = payers.record
        self.faults = faults
        self.unpaid: dict[str, list[Sent]] = {}
        self._numbered = 0
        self._kept: list[tuple[Party, bytes]] = []
        self._late: list[tuple[Party, date]] = []

    def play(self, party: Party, count: int) -> None:
        """Let payments be made of which only the evening's register tells."""
        for _ in range(count):
            at = self.house.now.astimezone(MOSCOW)
            paid = self.payers.payment(party.space, f"{at:%y%m%d}{self.payers.number():010d}", at, WRONG if self.faults else 0)
            self.record.pay(paid, fee_of(paid.amount, party.rate))

    async def send_all(self, day: date) -> None:
        """Send the registers of a day, but for those that come a day late, and those that are due since yesterday."""
        late, self._late = self._late, []
        for party, since in late:
            await self._send(party, since)
            self.record.counts["registers late"] += 1
        for party in PARTIES:
            # What is kept net of a fee cannot be told from a cover that brings too much as well: such parties are on time.
            may_wait = self.faults and party.way is Way.DAYS
            if may_wait and self.payers.happens(LATE):
                self._late.append((party, day))
            elif party.register:
                await self._send(party, day)

    async def _send(self, party: Party, day: date) -> None:
        made, gone = self.record.by_day[party.space, day], self.record.gone
        payments = [one for one in made if one.truth is not Truth.REFUSED and (one.space, one.key) not in gone]
        if not payments:
            return
        self._numbered += 1
        sent = SentRegister(
            number=str(self._numbered),
            day=day,
            payments=tuple([_sent(party, one, self.payers.name()) for one in payments]),
            order_number=str(300_000 + self._numbered),
        )
        if self.faults and self.payers.happens(SENT_WRONG):
            await self._refused(party, sent)
        doubled = self.faults and party.register == "sber" and self.payers.happens(DOUBLED)
        content = write_sent(party.register, sent, RegisterFault.DUPLICATES if doubled else RegisterFault.NONE)
        before = len(self.record.unheard)
        taken = await self._load(party, content)
        if taken.again is not None:
            raise Diverged(f"the register of {party.space} of {day} was taken for an earlier one: {taken}")
        for one in payments:
            self.record.hear(one.space, one.key)
        self.record.counts["registers"] += 1
        if not party.is_offline:
            self.record.counts["found by registers"] += before - len(self.record.unheard)
        else:
            total = Sent(
                number=sent.number, order_number=sent.order_number, day=day, gross=sent.total_kopecks, fee=sent.fee_kopecks
            )
            self.unpaid.setdefault(party.space, []).append(total)
        if self.faults and self.payers.happens(SENT_TWICE):
            self._kept.append((party, content))

    async def send_again(self) -> None:
        """Send what was kept to be sent twice: nothing may come of it."""
        for party, content in self._kept:
            taken = await self._load(party, content)
            if taken.again is None:
                raise Diverged(f"a register of {party.space} sent twice was taken twice")
            self.record.counts["registers sent twice"] += 1
        self._kept = []

    async def _refused(self, party: Party, sent: SentRegister) -> None:
        faults = REFUSED.get(party.register, REFUSED_TEXT)
        fault = faults[self._numbered % len(faults)]
        try:
            await self._load(party, write_sent(party.register, sent, fault))
        except (RegisterUnreadable, FormatUncertain):
            self.record.counts["registers refused"] += 1
            return
        raise Diverged(f"a register of {party.space} in {party.register} was taken in spite of its fault {fault.value}")

    async def _load(self, party: Party, content: bytes) -> Taken:
        house = self.house
        channel = house.channels[party.evening]
        read = detect_register(content, shipped_formats())
        terms = TakingTerms(
            by=BY,
            at=house.now,
            file_name=f"{party.space}.{party.register}",
            content_digest=hashlib.sha256(content).digest(),
            purpose=purpose_of(tuple(house.channels.values()), channel),
        )
        taken = await take_register(house.services, channel, read, terms)
        if not taken.booked:
            payers = {line.row: line.payer for line in read.lines if line.payer}
            run = Run(utc_now=lambda: house.now, payers=payers, seal=house.sealer.seal)
            await book_register(house.services, house.intake, channel, taken.register, run)
        bad = await house.services.fetchval(SQL["find_bad_outcome"], taken.register)
        if bad is not None:
            raise Diverged(f"a line of a register of {party.space} ended as {bad}")
        return taken


def _sent(party: Party, paid: Paid, name: str) -> SentPayment:
    at = paid.at.astimezone(MOSCOW).replace(tzinfo=None, microsecond=0)
    return SentPayment(
        operation=paid.key,
        account=paid.written,
        amount_kopecks=paid.amount,
        fee_kopecks=fee_of(paid.amount, party.rate),
        moment=at,
        payer=name,
    )
