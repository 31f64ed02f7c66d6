"""Everybody who pays in the demo, put together: who comes over a wire, and who pays at the sandbox's acquirers and bank."""

import asyncio
from pathlib import Path
from random import Random

import aiohttp
import asyncpg
import msgspec

from kopeck.channels import ChannelsFile
from kopeck.clock import utc_now
from kopeck.demo.acquirers import TBANK, TOCHKA
from kopeck.demo.bank import SandboxBank
from kopeck.demo.covering import Covering
from kopeck.demo.network import Counterparty, Endpoint, counterparty
from kopeck.demo.payers import CardPayer, CounterPayer, OrderPayer, QrPayer, WebPayer
from kopeck.demo.recipients import TRANSIT_ACCOUNT
from kopeck.demo.registers import RegisterDesk
from kopeck.demo.traffic import TIMEOUT_S, WIRE, PayableAccount, Traffic, TrafficWish
from kopeck.embedded.servers import Connections
from kopeck.endpoints import Endpoints
from schemas.channel import Channel
from services.delivery.http import HttpExchange
from services.sealing import Sealer

CONNECTIONS_MAX = 2
COUNTER_CHANNEL = "demo-counter"
OWED = "sandbox/owed.json"


class DemoOutside(msgspec.Struct, frozen=True, kw_only=True):
    """Where the demo's counterparties stand, and the house as they find it."""

    folder: Path
    connections: Connections
    sandbox_url: str
    bank_url: str
    channels: tuple[Channel, ...]
    file: ChannelsFile
    sealer: Sealer

    def __repr__(self) -> str:
        """Name the folder only."""
        return f"DemoOutside({str(self.folder)!r})"


class _Means(msgspec.Struct, frozen=True, kw_only=True):
    """What payers pay with."""

    session: aiohttp.ClientSession
    pool: "asyncpg.Pool[asyncpg.Record]"
    exchange: HttpExchange
    covering: Covering
    bank: SandboxBank
    chance: Random


async def send_traffic(
    outside: DemoOutside,
    endpoints: Endpoints,
    told: tuple[tuple[PayableAccount, ...], TrafficWish],
    stop: asyncio.Event,
) -> None:
    """Pay through every channel until ``stop``; ``told`` are the accounts to pay and the wish."""
    accounts, wish = told
    bank = SandboxBank(outside.bank_url, TRANSIT_ACCOUNT)
    registers = RegisterDesk(outside.folder, outside.connections, outside.file, outside.sealer)
    covering = Covering(bank, registers, outside.folder / OWED, utc_now)
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        HttpExchange() as exchange,
        asyncpg.create_pool(outside.connections.services_dsn, min_size=0, max_size=CONNECTIONS_MAX) as pool,
    ):
        means = _Means(
            session=session, pool=pool, exchange=exchange, covering=covering, bank=bank, chance=Random(f"payers/{wish.seed}")
        )
        parties = [_party(outside, endpoint, means) for endpoint in endpoints.channels]
        traffic = Traffic([one for one in parties if one is not None], accounts, covering, wish=wish, utc_now=utc_now)
        await traffic.run(session, stop)


def _party(outside: DemoOutside, endpoint: Endpoint, means: _Means) -> Counterparty | None:
    """Who pays through a channel; nobody where its register repeats what another channel tells."""
    session, note = means.session, means.covering.note
    match endpoint.kind:
        case kind if kind in WIRE:
            return counterparty(session, endpoint)
        case "rbs":
            channel = next(one for one in outside.channels if one.name == endpoint.name)
            return WebPayer(session, endpoint, note, (means.pool, channel, means.exchange))
        case "tbank":
            return CardPayer(session, endpoint, note, f"{outside.sandbox_url}/{TBANK}")
        case "tochka":
            return QrPayer(session, endpoint, note, f"{outside.sandbox_url}/{TOCHKA}")
        case "statement":
            return OrderPayer(session, endpoint, note, means.bank, means.chance)
        case "register" if endpoint.name == COUNTER_CHANNEL:
            return CounterPayer(session, endpoint, note)
        case _:
            return None
