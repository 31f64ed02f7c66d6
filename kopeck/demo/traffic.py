"""A few payments a second from the demo's counterparties, with the oddities of real ones: repeats, unknown accounts."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from itertools import cycle
from random import Random

import aiohttp
import msgspec
import structlog

from kopeck.clock import Clock
from kopeck.demo.covering import Covering
from kopeck.demo.network import Counterparty, Errand, Unanswered
from kopeck.demo.payers import Paid

AT_ONCE_MAX = 16
ATTEMPTS_MAX = 5
RETRY_S = 1.0
TIMEOUT_S = 20
UNKNOWN_SHARE, MISTYPED_SHARE = 0.02, 0.08
REPEATED_SHARE = 0.03
SAME_KEY_LATER_SHARE = 0.01
"""Chance of an account nobody has, and of a slip of the pen where people write it; of sending one payment twice at once; of
repeating one paid long ago."""
SMALL_KOPECKS = (10_000, 50_000, 100_000, 150_000, 300_000)
WEIGHTS = {"osmp": 10, "sber_online": 6, "bank_feed": 4, "rbs": 2, "tbank": 2, "tochka": 2, "register": 2, "statement": 1}
WIRE = frozenset({"osmp", "sber_online", "bank_feed"})
"""Kinds whose counterparty repeats a payment by itself, and whose payments are told of by us alone."""
WRITTEN = frozenset({"tbank", "tochka", "register", "statement"})
"""Kinds by which an account's number is written by hand and checked by nobody."""

_log = structlog.get_logger("kopeck.traffic")


class PayableAccount(msgspec.Struct, frozen=True, kw_only=True):
    """A number that may be paid and what its document prints, in kopecks."""

    number: str
    total_kopecks: int


class TrafficWish(msgspec.Struct, frozen=True, kw_only=True):
    """What the traffic is drawn from, and payments a second."""

    seed: int
    rate: int


class Traffic:
    """Pays the accounts in turn at a rate, until stopped; ``sent`` counts what became of it. There must be an account.

    Of what was taken ``covering`` is told, that lets the money come.
    """

    def __init__(
        self,
        parties: Sequence[Counterparty],
        accounts: Sequence[PayableAccount],
        covering: Covering,
        *,
        wish: TrafficWish,
        utc_now: Clock,
    ) -> None:
        self.sent: Counter[str] = Counter()
        self._parties = [one for one in parties if one.endpoint.kind in WEIGHTS]
        self._accounts = cycle(accounts)
        self._covering = covering
        self._chance = Random(wish.seed)
        self._wish = wish
        self._utc_now = utc_now
        self._old: list[tuple[Counterparty, Errand]] = []
        # Keys are new in every run on the same ledger: milliseconds of the start, then a counter.
        self._keys = iter(range(int(utc_now().timestamp()) * 1_000_000, 10**19))

    async def run(self, session: aiohttp.ClientSession, stop: asyncio.Event) -> None:
        """Send until ``stop``; what is under way is finished."""
        limit = asyncio.Semaphore(AT_ONCE_MAX)
        weights = [WEIGHTS[one.endpoint.kind] for one in self._parties]
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._covering.run(session, stop))
            while not stop.is_set():
                await limit.acquire()
                party = self._chance.choices(self._parties, weights)[0]
                errand = self._errand(party.endpoint.kind)
                task = tasks.create_task(self._send(party, errand, self._chance.random()))
                task.add_done_callback(lambda _: limit.release())
                await _pause(stop, self._chance.expovariate(self._wish.rate))
        self._covering.save()
        told = {name.replace(" ", "_"): count for name, count in sorted(self.sent.items())}
        _log.info("traffic", **told, covered=self._covering.covered)

    def _errand(self, kind: str) -> Errand:
        account = next(self._accounts)
        unknown = self._chance.random() < UNKNOWN_SHARE
        mistyped = kind in WRITTEN and self._chance.random() < MISTYPED_SHARE
        fate = self._chance.random()
        if fate < 0.65 and account.total_kopecks > 0:
            amount = account.total_kopecks
        elif fate < 0.85 and account.total_kopecks > 1:
            amount = self._chance.randrange(1, account.total_kopecks)
        else:
            amount = self._chance.choice(SMALL_KOPECKS)
        number = f"79{self._chance.randrange(10**8):08d}" if unknown else account.number
        if mistyped:
            number = mistype(number, self._chance)
        return Errand(key=str(next(self._keys)), account_number=number, amount_kopecks=amount, at=self._utc_now())

    async def _send(self, party: Counterparty, errand: Errand, fate: float) -> None:
        try:
            if not await party.check(errand):
                self.sent["refused at check"] += 1
                return
            if fate < REPEATED_SHARE and party.endpoint.kind in WIRE:
                taken, _ = await asyncio.gather(self._pay(party, errand), self._pay(party, errand))
            else:
                taken = await self._pay(party, errand)
            self._count(party, errand, taken)
            if fate > 1 - SAME_KEY_LATER_SHARE and self._old:
                await self._pay(*self._old[int(fate * 1e6) % len(self._old)])
                self.sent["repeated"] += 1
        except (aiohttp.ClientError, TimeoutError, Unanswered) as error:
            self.sent["unanswered"] += 1
            _log.warning("traffic_unanswered", channel=party.endpoint.name, error=repr(error))

    def _count(self, party: Counterparty, errand: Errand, taken: bool | None) -> None:
        self.sent["taken" if taken else "refused" if taken is False else "given up"] += 1
        self.sent[party.endpoint.kind] += bool(taken)
        if taken and party.endpoint.kind in WIRE:
            paid = Paid(operation=errand.key, account=errand.account_number, amount_kopecks=errand.amount_kopecks, at=errand.at)
            self._covering.note(party.endpoint.space, paid)
            self._old = [*self._old[-99:], (party, errand)]

    async def _pay(self, party: Counterparty, errand: Errand) -> bool | None:
        """Pay with the network's patience: the same key again after "try again" and after silence."""
        for attempt in range(ATTEMPTS_MAX):
            with suppress(aiohttp.ClientError, TimeoutError):
                taken = await party.pay(errand)
                if taken is not None:
                    return taken
            await asyncio.sleep(RETRY_S * (attempt + 1))
        return None


def mistype(number: str, chance: Random) -> str:
    """Return a number with two neighbouring digits swapped, as people do; the same where no two differ."""
    places = [place for place in range(2, len(number) - 1) if number[place] != number[place + 1]]
    if not places:
        return number
    place = chance.choice(places)
    return number[:place] + number[place + 1] + number[place] + number[place + 2 :]


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
