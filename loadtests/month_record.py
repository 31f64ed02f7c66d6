"""The simulator's own record of a month: every payment that the fakes know of, what each party owes, what is to be explained.

It is written where money is made up, never from what the house answers: at the end both must be the same.
"""

from collections import Counter, defaultdict
from datetime import date, datetime
from enum import IntEnum

import msgspec

from loadtests.month_house import SQL, Diverged, House
from schemas.ids import Book
from schemas.ids import Sequence as Place
from schemas.journal import EntryKind

PASSAGE_ENTRIES = 20_000


class Truth(IntEnum):
    """What must become of a payment: an entry of the payer's account, one of suspense, or none."""

    BOOKED = EntryKind.PAYMENT
    SUSPENSE = EntryKind.SUSPENSE
    REFUSED = 0


class Paid(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A payment: kopecks, the payer's day, the account as written, the one that was meant, and what must become of it."""

    space: str
    key: str
    amount: int
    day: date
    at: datetime
    written: str
    account: int
    truth: Truth = Truth.BOOKED


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """Something that reconciliation of a day must name: kopecks, a word of its reason, why people say it is so."""

    day: date
    amount: int
    reason: str
    text: str


class Owed:
    """What a party has yet to send for one day of payers, in kopecks: gross, and its fee that is kept from it."""

    def __init__(self, gross: int = 0) -> None:
        self.gross = gross
        self.fee = 0


class Record:
    """Everything that happened. ``owed`` is by space and payers' day, ``counts`` are the figures of the report."""

    def __init__(self) -> None:
        self.paid: dict[tuple[str, str], Paid] = {}
        self.by_day: dict[tuple[str, date], list[Paid]] = defaultdict(list)
        self.owed: dict[str, dict[date, Owed]] = defaultdict(lambda: defaultdict(Owed))
        self.counts: Counter[str] = Counter()
        self.expected: dict[int, Expected] = {}
        self.unheard: dict[tuple[str, str], Paid] = {}
        self.gone: set[tuple[str, str]] = set()

    def hear(self, space: str, key: str) -> None:
        """Note that the house knows of a payment."""
        self.unheard.pop((space, key), None)

    def pay(self, paid: Paid, fee: int = 0) -> None:
        """Note a payment; a refused one is owed by nobody."""
        place = (paid.space, paid.key)
        if place in self.paid:
            raise Diverged(f"the simulator paid {place} twice")
        self.paid[place] = paid
        self.by_day[paid.space, paid.day].append(paid)
        self.counts["payments"] += 1
        if paid.truth is not Truth.REFUSED:
            owed = self.owed[paid.space][paid.day]
            owed.gross += paid.amount
            owed.fee += fee
            self.unheard[place] = paid

    def keep(self, space: str, day: date, amount: int, fee: int = 0) -> None:
        """Note that a party sends so much less for a day: it gave that back, or never takes the fee."""
        owed = self.owed[space][day]
        owed.gross -= amount
        owed.fee -= fee

    def expect(self, expected: Expected) -> None:
        """Note what reconciliation of a day will have to name."""
        self.expected[len(self.expected)] = expected

    async def find_place(self, house: House, paid: Paid) -> tuple[Book, Place]:
        """Return where a payment stands in the journal; raises Diverged when it does not."""
        space = await house.services.fetchval(SQL["find_space"], paid.space)
        row = await house.services.fetchrow(SQL["find_place"], space, paid.key)
        if row is None:
            raise Diverged(f"payment {paid.space}/{paid.key} is not in the journal")
        return row["book"], row["sequence"]

    async def compare(self, house: House) -> None:
        """Hold the journal against the record, key by key and kopeck by kopeck; raises Diverged with the first difference."""
        names = {row["space"]: row["name"] for row in await house.services.fetch(SQL["list_spaces"])}
        left = {place: one for place, one in self.paid.items() if one.truth is not Truth.REFUSED}
        for book, head in [(row["book"], row["head"]) for row in await house.services.fetch(SQL["list_heads"])]:
            for after in range(0, head, PASSAGE_ENTRIES):
                for row in await house.services.fetch(SQL["list_payments"], book, after, after + PASSAGE_ENTRIES):
                    told = (row["kind"], row["amount"], row["value_date"])
                    _take(left, (names[row["space"]], row["external_id"]), told)
        if left:
            first = next(iter(left.values()))
            raise Diverged(f"{len(left)} payments are not in the journal, the first: {first}")
        refused = [one for one in self.paid.values() if one.truth is Truth.REFUSED]
        for one in refused:
            space = await house.services.fetchval(SQL["find_space"], one.space)
            if await house.services.fetchrow(SQL["find_place"], space, one.key) is not None:
                raise Diverged(f"payment {one.space}/{one.key} was refused and is in the journal")


def _take(left: dict[tuple[str, str], Paid], place: tuple[str, str], told: tuple[int, int, date]) -> None:
    """Take an entry's payment from those that are left; ``told``: its kind, kopecks and value date."""
    paid = left.pop(place, None)
    if paid is None:
        raise Diverged(f"the journal has {place} of {told}, and nobody paid it, or it is there twice")
    if told != (int(paid.truth), paid.amount, paid.day):
        raise Diverged(f"the journal has {place} of {told}, it was {paid}")
