"""The house of the simulated month: its own embedded servers, a town, channels, services at hand, and a clock that is told."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

import asyncpg
import msgspec

from gateway.intake import Intake, open_intake
from gateway.settings import GatewaySettings
from kopeck.channels import parse_channels, register_channels
from kopeck.clearing_tools import clearing_tools
from kopeck.config import Config
from kopeck.embedded.servers import Connections, Servers, start_servers
from ledger.journal import create_ledger
from ledger.migrate import migrate, set_role_passwords
from ledger.statements import load_statements
from loadtests.fixture import make_town
from loadtests.month_parties import PROVIDER, channels_text, rules
from loadtests.orders_town import VALID_FROM, make_orders_town
from loadtests.town import RECIPIENTS, Town
from schemas.channel import Channel
from schemas.ids import Transit
from services.balances.consumer import BalancesConsumer
from services.calendar import next_working_day
from services.clearing.consumer import ClearingConsumer
from services.clearing.keeping import Pass, clear_once
from services.clearing.loading_rules import load_rules
from services.postings.consumer import PostingsConsumer
from services.runner import Consumer, catch_up
from services.sealing import KEY_BYTES, Sealer
from services.settlement.consumer import SettlementConsumer
from services.settlement.reassignments import ReassignmentConsumer
from services.settlement.terms import CommissionRow, ContractRow, add_commission, add_contracts
from services.suspense.consumer import SuspenseConsumer

Connection: TypeAlias = "asyncpg.Connection[Any]"

SQL = load_statements("loadtests/statements/month.sql")
MOSCOW = ZoneInfo("Europe/Moscow")
LOADER = "Загрузка"
EARNER = "bench-005"
COMMISSION_RATE = 300
OWES_HIMSELF = ("bench-002", "bench-003")
"""Recipients who have not consented to netting: what they owe they pay."""
STATEMENT_TIMEOUT_MS = 5_000
QUEUE_PAYMENTS = 8_192


class Diverged(RuntimeError):
    """Something is not as it must be; the message names the first such thing."""


class House:
    """Everything that the month's people, counterparties and bank work with; ``now`` moves only as it is told."""

    def __init__(self, connections: Connections, services: Connection, channels: tuple[Channel, ...], now: datetime) -> None:
        self.connections = connections
        self.services = services
        self.channels = {one.name: one for one in channels}
        self.transit: Transit = channels[0].transit
        self.sealer = Sealer((b"m" * KEY_BYTES,))
        self.now = now
        self.day = self.today
        self.intake: Intake = None  # type: ignore[assignment]
        self.cleared = Pass()

    @property
    def today(self) -> date:
        """The calendar day of ``now``."""
        return self.now.astimezone(MOSCOW).date()

    def at(self, day: date, hour: int, minute: int = 0) -> None:
        """Move the clock forward to a moment of Moscow."""
        moment = datetime.combine(day, time(hour, minute), MOSCOW).astimezone(UTC)
        if moment < self.now:
            raise ValueError(f"the clock stands at {self.now}, and {moment} is before it")
        self.now = moment

    def later(self, minutes: int) -> None:
        """Move the clock forward."""
        self.now += timedelta(minutes=minutes)

    async def fold(self) -> None:
        """Let every read model come to the heads."""
        for consumer in consumers():
            await catch_up(self.services, consumer)

    async def clear(self) -> Pass:
        """One pass of clearing."""
        tools = clearing_tools(tuple(self.channels.values()), self.intake, self.sealer)
        await self.fold()
        done = await clear_once(self.services, tools, self.now)
        names = Pass.__struct_fields__
        self.cleared = Pass(**{name: getattr(self.cleared, name) + getattr(done, name) for name in names})
        await self.fold()
        return done


def consumers() -> tuple[Consumer, ...]:
    """Return the consumers whose read models the month needs."""
    ledger = (BalancesConsumer(), PostingsConsumer(), ClearingConsumer(), SuspenseConsumer())
    return (*ledger, ReassignmentConsumer(), SettlementConsumer())


class Founding(msgspec.Struct, frozen=True, kw_only=True):
    """What the house is made of. ``jwks`` are the public keys of the bank whose webhooks are signed."""

    folder: Path
    town: Town
    first_day: date
    jwks: str
    durable: bool = True


@asynccontextmanager
async def open_house(founding: Founding) -> AsyncIterator[House]:
    """Found a house on a fresh ledger on servers of its own, and end everything in order."""
    folder = founding.folder
    with start_servers(folder, Config(data_dir=folder), durable=founding.durable) as servers:
        services: Connection | None = None
        try:
            channels = await _found(servers, founding)
            services = await _connect(servers.connections.services_dsn)
            now = datetime.combine(founding.first_day, time(7, 0), MOSCOW).astimezone(UTC)
            house = House(servers.connections, services, channels, now)
            await load_rules(services, rules(), LOADER, now)
            await _agree(services)
            settings = GatewaySettings(
                gateway_dsn=servers.connections.gateway_dsn,
                redis_url=servers.connections.redis_url,
                channels=channels,
                spaces=tuple(sorted({(one.space_name, one.space) for one in channels})),
                queue_payments_max=QUEUE_PAYMENTS,
            )
            async with open_intake(settings, lambda: house.now) as intake:
                house.intake = intake
                yield house
        finally:
            if services is not None:
                await services.close()


async def _connect(dsn: str) -> Connection:
    """As services connect: short statements, plans by key."""
    limits = {"statement_timeout": str(STATEMENT_TIMEOUT_MS), "enable_seqscan": "off"}
    return await asyncpg.connect(dsn, server_settings=limits)


async def _found(servers: Servers, founding: Founding) -> tuple[Channel, ...]:
    """Migrate, create the ledger, register the channels, fill the town."""
    owner = await asyncpg.connect(servers.connections.owner_dsn)
    try:
        await migrate(owner)
        await set_role_passwords(owner, servers.connections.role_passwords)
        await create_ledger(owner, 1)
        (founding.folder / "jwks.json").write_text(founding.jwks, "utf-8")
        file = parse_channels(channels_text("jwks.json"), folder=founding.folder, environ={})
        channels = await register_channels(owner, file, today=next_working_day(founding.first_day))
        await make_town(owner, founding.town, 1, None)
        await make_orders_town(owner, founding.town)
    finally:
        await owner.close()
    return channels


async def _agree(connection: Connection) -> None:
    """Contracts with every recipient, and the operator's commission, which recipients bear from what they are paid."""
    codes = [f"bench-{number:03d}" for number in range(1, RECIPIENTS + 1)]
    terms: dict[str, Any] = {"signed_on": VALID_FROM, "valid_from": VALID_FROM, "bears_commission": True}
    contracts = [
        ContractRow(code=code, recipient=code, number=code, nets_debts=code not in OWES_HIMSELF, **terms) for code in codes
    ]
    await add_contracts(connection, contracts)
    commission: dict[str, Any] = {"earner": EARNER, "valid_from": VALID_FROM, "rate": COMMISSION_RATE}
    await add_commission(connection, [CommissionRow(creditor=PROVIDER, principal_weight=0, recipients_weight=1, **commission)])
