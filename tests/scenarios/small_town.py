"""A small town on the real processes: gateways, workers and orders under the supervisor, the sandbox's counterparties over HTTP.

The fakes live in the test's own process behind the doors that `kopeck run` opens for them, so a test can look into their books.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import msgspec

from connectors.sandbox.atol import AtolSandbox
from connectors.sandbox.bank import FakeBank
from connectors.sandbox.ferma import FermaSandbox
from connectors.sandbox.till import Registered
from kopeck.channels import read_channels, register_channels
from kopeck.clock import utc_now
from kopeck.config import Config
from kopeck.demo.bank import SandboxBank
from kopeck.demo.channels import demo_channels_file
from kopeck.demo.network import BankFeed, Counterparty, Errand, counterparty
from kopeck.demo.orders import BANK, demo_sandbox
from kopeck.demo.recipients import TRANSIT_ACCOUNT
from kopeck.demo.start import TownPlace, TownWish, settle_town
from kopeck.embedded.clean import clean_folder
from kopeck.embedded.servers import Servers, start_servers
from kopeck.endpoints import Endpoints, base_url_of
from kopeck.running import House, OrdersHouse, keep_house
from kopeck.sandbox_process import SandboxDoors, SandboxParty, open_doors
from kopeck.supervisor import Supervisor, open_listener
from ledger.journal import create_ledger
from ledger.migrate import migrate, set_role_passwords
from schemas.channel import Channel
from services.billing.law.proposing import load_shipped

LOOPBACK = "127.0.0.1"
WISH = TownWish(accounts=160, seed=7)
CUT_EVERY_S = 2
BANK_DELAY_MS = 2_500
"""How long the bank has an order before it is executed: long enough to be killed in between."""
ATTEMPTS_MAX = 40
RETRY_S = 0.2
TIMEOUT_S = 20
AT_ONCE_MAX = 8


class SmallTown:
    """The running town and everybody who deals with it. ``taken`` is what each operation space has promised, in kopecks."""

    def __init__(
        self,
        owner: "asyncpg.Connection[Any]",
        doors: SandboxDoors,
        bank: SandboxBank,
        served: tuple[Endpoints, Supervisor, aiohttp.ClientSession],
    ) -> None:
        self.owner = owner
        self.fakes = doors.fakes
        self.taken: Counter[str] = Counter()
        self.covered: Counter[str] = Counter()
        self._bank = bank
        endpoints, self._supervisor, self._session = served
        self.parties: dict[str, Counterparty] = {
            one.kind: counterparty(self._session, one)
            for one in endpoints.channels
            if one.kind in ("osmp", "sber_online", "bank_feed")
        }

    @property
    def bank(self) -> FakeBank:
        """The sandbox's bank."""
        fake = self.fakes[BANK]
        assert isinstance(fake, FakeBank)
        return fake

    @property
    def registered(self) -> tuple[Registered, ...]:
        """Every receipt that any till of the sandbox has registered."""
        tills = [fake.till for fake in self.fakes.values() if isinstance(fake, AtolSandbox | FermaSandbox)]
        return tuple(receipt for till in tills for receipt in till.registered)

    @property
    def orders_pids(self) -> tuple[int, ...]:
        """The processes of the moment that make orders and deliver them."""
        return tuple([child.pid for child in self._supervisor.children if child.spec.name in ("orders", "delivery")])

    async def pay(self, kind: str, key: str, account: str, amount_kopecks: int) -> bool:
        """Pay through a channel with a network's patience; whether it was taken."""
        party = self.parties[kind]
        errand = Errand(key=key, account_number=account, amount_kopecks=amount_kopecks, at=utc_now())
        taken = await _persist(lambda: party.pay(errand))
        if taken:
            self.taken[party.endpoint.space] += amount_kopecks
        return taken

    async def cover(self, spaces: dict[str, int]) -> None:
        """Let money come onto the transit account for each space, in kopecks, and report it by the bank's statement."""
        feed = self.parties["bank_feed"]
        assert isinstance(feed, BankFeed)
        for space, amount in spaces.items():
            key = f"line-{space}-{self.covered[space]}"
            await self._bank.credit(self._session, key, amount, "Покрытие принятых платежей")
            at = utc_now()
            assert await _persist(lambda key=key, space=space, amount=amount, at=at: feed.cover(key, space, amount, at))
            self.covered[space] += amount

    async def pay_all(self, payments: "list[tuple[str, str, str, int]]") -> None:
        """Pay all of (channel's kind, key, account, kopecks), several at once; all must be taken."""
        limit = asyncio.Semaphore(AT_ONCE_MAX)

        async def pay_one(payment: tuple[str, str, str, int]) -> None:
            async with limit:
                assert await self.pay(*payment), payment

        async with asyncio.TaskGroup() as tasks:
            for one in payments:
                tasks.create_task(pay_one(one))


async def in_small_town(folder: Path, play: Callable[[SmallTown], Awaitable[None]]) -> None:
    """Start everything on a folder, run ``play``, stop everything in order and remove the folder."""
    try:
        with start_servers(folder, Config(data_dir=folder), durable=False) as servers:
            owner = await asyncpg.connect(servers.connections.owner_dsn)
            try:
                channels = await _settle(owner, servers, folder)
                await _serve(owner, servers, channels, play)
            finally:
                await owner.close()
    finally:
        clean_folder(folder)


async def _settle(owner: "asyncpg.Connection[Any]", servers: Servers, folder: Path) -> tuple[Channel, ...]:
    await migrate(owner)
    await set_role_passwords(owner, servers.connections.role_passwords)
    await create_ledger(owner, 1)
    servers.publish()
    connection = await asyncpg.connect(servers.connections.services_dsn)
    try:
        file = read_channels(demo_channels_file(folder), {})
        channels = await register_channels(connection, file, today=utc_now().date())
        await load_shipped(connection, "test", utc_now())
        place = TownPlace(folder=folder, services_dsn=servers.connections.services_dsn)
        await settle_town(connection, place, WISH, utc_now, lambda words: None)
        return channels
    finally:
        await connection.close()


async def _serve(
    owner: "asyncpg.Connection[Any]",
    servers: Servers,
    channels: tuple[Channel, ...],
    play: Callable[[SmallTown], Awaitable[None]],
) -> None:
    async with _sandbox(servers.folder) as (doors, orders, bank):
        house = House(
            folder=servers.folder,
            host=LOOPBACK,
            port=0,
            processes=2,
            books=1,
            log_level="info",
            connections=servers.connections,
            channels=channels,
            with_secrets=True,
            orders=orders,
        )

        async def beside(endpoints: Endpoints, supervisor: Supervisor, stop: asyncio.Event) -> None:
            async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S)) as session:
                await play(SmallTown(owner, doors, bank, (endpoints, supervisor, session)))
            stop.set()

        await keep_house(house, servers, asyncio.Event(), beside)


@asynccontextmanager
async def _sandbox(folder: Path) -> AsyncIterator[tuple[SandboxDoors, OrdersHouse, SandboxBank]]:
    """The demo's sandbox with its faulty network; its bank refuses, holds and returns nothing: the whole day is executed."""
    with closing(await open_listener(LOOPBACK, 0)) as listener:
        sandbox = demo_sandbox(folder, base_url_of(LOOPBACK, listener.getsockname()[1]), utc_now())
        doors = SandboxDoors([_calm(party) for party in sandbox.parties], seed=WISH.seed)
        runner = await open_doors(doors, listener)
        try:
            yield (
                doors,
                OrdersHouse(counterparties=sandbox.file, cut_every_s=CUT_EVERY_S),
                SandboxBank(sandbox.bank_url, TRANSIT_ACCOUNT),
            )
        finally:
            await runner.cleanup()


def _calm(party: SandboxParty) -> SandboxParty:
    """Nothing is remembered: a town lives once."""
    if party.name != BANK:
        return msgspec.structs.replace(party, memory="")
    calm = {"delay_ms": BANK_DELAY_MS, "refused_permille": 0, "held_permille": 0, "returned_permille": 0}
    return msgspec.structs.replace(party, options={**party.options, **calm}, memory="")


async def _persist(ask: Callable[[], Awaitable[bool | None]]) -> bool:
    """Ask again after «try again»; a channel that never answers for good is a failure."""
    for _ in range(ATTEMPTS_MAX):
        answer = await ask()
        if answer is not None:
            return answer
        await asyncio.sleep(RETRY_S)
    raise AssertionError("the channel gave no final answer")
