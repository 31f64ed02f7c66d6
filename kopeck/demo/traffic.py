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
from kopeck.demo.bank import BankUnmoved, SandboxBank
from kopeck.demo.network import BankFeed, Counterparty, Endpoint, Errand, Unanswered, counterparty

AT_ONCE_MAX = 16
ATTEMPTS_MAX = 5
RETRY_S = 1.0
COVER_S = 15
TIMEOUT_S = 20
UNKNOWN_SHARE = 0.02
REPEATED_SHARE = 0.03
SAME_KEY_LATER_SHARE = 0.01
"""Chance of an account nobody has; of sending one payment twice at once; of repeating one paid long ago."""
SMALL_KOPECKS = (10_000, 50_000, 100_000, 150_000, 300_000)
WEIGHTS = {"osmp": 5, "sber_online": 3, "bank_feed": 2}

_log = structlog.get_logger("kopeck.traffic")


class PayableAccount(msgspec.Struct, frozen=True, kw_only=True):
    """A number that may be paid and what its document prints, in kopecks."""

    number: str
    total_kopecks: int


class TrafficWish(msgspec.Struct, frozen=True, kw_only=True):
    """What the traffic is drawn from, payments a second, and what the bank holds on the transit account at the start."""

    seed: int
    rate: int
    standing_kopecks: int = 0


class Traffic:
    """Pays the accounts in turn at a rate, until stopped; ``sent`` counts what became of it. There must be an account.

    Covers go to ``bank`` first, the sandbox's, and then to the house as statement lines.
    """

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        accounts: Sequence[PayableAccount],
        bank: SandboxBank,
        *,
        wish: TrafficWish,
        utc_now: Clock,
    ) -> None:
        self.sent: Counter[str] = Counter()
        self._endpoints = [one for one in endpoints if one.kind in WEIGHTS]
        self._accounts = cycle(accounts)
        self._bank = bank
        self._chance = Random(wish.seed)
        self._wish = wish
        self._utc_now = utc_now
        self._clearing: Counter[str] = Counter()
        self._old: list[tuple[Counterparty, Errand]] = []
        # Keys are new in every run on the same ledger: milliseconds of the start, then a counter.
        self._keys = iter(range(int(utc_now().timestamp()) * 1_000_000, 10**19))

    async def run(self, stop: asyncio.Event) -> None:
        """Send until ``stop``; what is under way is finished."""
        limit = asyncio.Semaphore(AT_ONCE_MAX)
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        async with aiohttp.ClientSession(timeout=timeout) as session, asyncio.TaskGroup() as tasks:
            parties = [counterparty(session, endpoint) for endpoint in self._endpoints]
            covering = tasks.create_task(self._cover(session, parties, stop))
            while not stop.is_set():
                await limit.acquire()
                party = self._chance.choices(parties, [WEIGHTS[one.endpoint.kind] for one in parties])[0]
                errand = self._errand()
                task = tasks.create_task(self._send(party, errand, self._chance.random()))
                task.add_done_callback(lambda _: limit.release())
                await _pause(stop, self._chance.expovariate(self._wish.rate))
            await covering
        _log.info("traffic", **{name.replace(" ", "_"): count for name, count in sorted(self.sent.items())})

    def _errand(self) -> Errand:
        account = next(self._accounts)
        unknown = self._chance.random() < UNKNOWN_SHARE
        fate = self._chance.random()
        if fate < 0.65 and account.total_kopecks > 0:
            amount = account.total_kopecks
        elif fate < 0.85 and account.total_kopecks > 1:
            amount = self._chance.randrange(1, account.total_kopecks)
        else:
            amount = self._chance.choice(SMALL_KOPECKS)
        number = f"79{self._chance.randrange(10**8):08d}" if unknown else account.number
        return Errand(key=str(next(self._keys)), account_number=number, amount_kopecks=amount, at=self._utc_now())

    async def _send(self, party: Counterparty, errand: Errand, fate: float) -> None:
        try:
            if not await party.check(errand):
                self.sent["refused at check"] += 1
                return
            if fate < REPEATED_SHARE:
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
        if taken:
            self._clearing[party.endpoint.space] += errand.amount_kopecks
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

    async def _cover(self, session: aiohttp.ClientSession, parties: Sequence[Counterparty], stop: asyncio.Event) -> None:
        """Let the money of every operation space come onto the transit account now and then, and report it."""
        banks = [party for party in parties if isinstance(party, BankFeed)]
        if self._wish.standing_kopecks > 0:
            await self._credit(session, f"standing-{next(self._keys)}", self._wish.standing_kopecks)
        while banks and not stop.is_set():
            await _pause(stop, COVER_S)
            for space, amount in sorted(self._clearing.items()):
                if amount > 0 and await self._cover_space(session, banks[0], space, amount):
                    self._clearing[space] -= amount
                    self.sent["covered"] += 1

    async def _cover_space(self, session: aiohttp.ClientSession, bank: BankFeed, space: str, amount: int) -> bool:
        key = f"line-{next(self._keys)}"
        if not await self._credit(session, key, amount):
            return False
        for _ in range(ATTEMPTS_MAX):
            with suppress(aiohttp.ClientError, TimeoutError):
                taken = await bank.cover(key, space, amount, self._utc_now())
                if taken is not None:
                    return taken
            await asyncio.sleep(RETRY_S)
        return False

    async def _credit(self, session: aiohttp.ClientSession, key: str, amount: int) -> bool:
        try:
            await self._bank.credit(session, key, amount, "Покрытие принятых платежей за ЖКУ")
        except BankUnmoved as error:
            _log.warning("bank_unmoved", reason=str(error))
            return False
        return True


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
