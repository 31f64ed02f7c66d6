"""How fast a register becomes payments: ``python -m loadtests.bench_register [--lines N] [--format NAME]``.

A register of a fake counterparty is read, taken and booked on a durable PostgreSQL and a warm Valkey of its own, in one process,
as ``kopeck registers load`` does. The bulk path is the sum of the three; CPU of this process and of PostgreSQL is told apart.
"""

import hashlib
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import asyncpg
import click
import msgspec
import uvloop

from connectors.registers.reading import read_register
from connectors.registers.shipped import shipped_formats
from connectors.sandbox.registers import WRITERS, SentPayment, SentRegister, write_sent
from gateway.cache import TableCache
from gateway.intake import open_intake
from gateway.settings import GatewaySettings
from kopeck.channels import parse_channels, register_channels
from kopeck.clock import utc_now
from kopeck.config import Config
from kopeck.embedded.clean import clean_folder
from kopeck.embedded.servers import Connections, start_servers
from kopeck.register_loading import BATCH_ENTRIES, QUEUE_PAYMENTS, register_channel
from ledger.journal import create_ledger
from ledger.migrate import migrate, set_role_passwords
from loadtests.channels import CHANNELS, TRANSIT
from loadtests.cpu import cpu_ms, parent_of
from loadtests.fixture import make_town
from loadtests.town import NAMESPACE, Town, number_of
from schemas.channel import Channel
from services.registers.booking import Run, book_register
from services.registers.showing import find_register
from services.registers.taking import Purpose, TakingTerms, take_register

CHANNEL = "bench-agent"
OWN = f"""
[[space]]
name = "{CHANNEL}"

[[channel]]
name = "{CHANNEL}"
kind = "register"
manner = "reporting"
legal_kind = "payment_agent"
space = "{CHANNEL}"
transit = "{TRANSIT}"
namespace = "{NAMESPACE}"
"""
ACCOUNTS_SHARE = 2
"""So many payments an account in the mean: in a day's register most accounts stand once."""
CACHE_TIMEOUT_S = 5.0
MOSCOW = ZoneInfo("Europe/Moscow")
SEED = 20261124


class Timed(msgspec.Struct, frozen=True, kw_only=True):
    """One part of the way."""

    name: str
    wall_ms: int
    python_ms: int
    postgresql_ms: int


class Stopwatch:
    """Wall time and CPU of the parts of the bulk path; ``server`` is a process of PostgreSQL."""

    def __init__(self, server: int) -> None:
        self._server = server
        self.parts: list[Timed] = []

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Time what is inside."""
        wall, python, postgresql = time.perf_counter_ns(), time.process_time_ns(), cpu_ms([self._server])
        yield
        self.parts.append(
            Timed(
                name=name,
                wall_ms=(time.perf_counter_ns() - wall) // 1_000_000,
                python_ms=(time.process_time_ns() - python) // 1_000_000,
                postgresql_ms=cpu_ms([self._server]) - postgresql,
            )
        )


@click.command()
@click.option("--lines", default=100_000, show_default=True, help="Payments in the register.")
@click.option("--charges", default=10, show_default=True, help="Charge lines an account.")
@click.option("--format", "name", type=click.Choice(sorted(WRITERS)), default="sber", show_default=True, help="Its format.")
def main(lines: int, charges: int, name: str) -> None:
    """Book one register and print each part's payments a second; exits 1 unless every line was recorded."""
    with tempfile.TemporaryDirectory(prefix="kopeck-register-") as folder:
        place = Path(folder, "ledger")
        with start_servers(place, Config(data_dir=place)) as servers:
            done = uvloop.run(_bench(servers.connections, sent_register(lines), (name, charges)))
        clean_folder(place)
    for part in done:
        rate = lines * 1000 // max(1, part.wall_ms)
        cost = f"{part.python_ms * 1000 // lines} µs of Python, {part.postgresql_ms * 1000 // lines} µs of PostgreSQL"
        click.echo(f"{part.name:>6}: {part.wall_ms:>6} ms, {rate:>8} payments/s, {cost} a payment")


def sent_register(lines: int) -> SentRegister:
    """A day's register: most accounts once, some several times."""
    start = datetime.combine(utc_now().astimezone(MOSCOW).date() - timedelta(days=1), datetime.min.time(), MOSCOW)
    payments = tuple(
        SentPayment(
            operation=f"{place:012d}",
            account=number_of(1 + place * 7919 % max(1, lines // ACCOUNTS_SHARE)),
            amount_kopecks=100_000 + place % 500_000,
            moment=start + timedelta(seconds=place % 86_000),
            period=202610,
        )
        for place in range(lines)
    )
    return SentRegister(number="1", day=start.date(), payments=payments)


async def _bench(connections: Connections, sent: SentRegister, how: tuple[str, int]) -> list[Timed]:
    name, charges = how
    town = Town(seed=SEED, accounts=max(1, len(sent.payments) // ACCOUNTS_SHARE), lines=charges)
    channels = await _make_ledger(connections, town)
    content = write_sent(name, sent)
    channel = register_channel(channels, CHANNEL)
    connection = await asyncpg.connect(connections.services_dsn)
    try:
        watch = Stopwatch(parent_of(connection.get_server_pid()))
        with watch.part("parse"):
            register = read_register(content, shipped_formats()[name])
        terms = TakingTerms(
            by="bench",
            at=utc_now(),
            file_name=f"{len(sent.payments)}.txt",
            content_digest=hashlib.sha256(content).digest(),
            purpose=Purpose.PAYMENTS,
        )
        with watch.part("accept"):
            taken = await take_register(connection, channel, register, terms)
        async with open_intake(_settings(connections, channels), utc_now) as intake:
            with watch.part("book"):
                await book_register(connection, intake, channel, taken.register, Run(utc_now=utc_now))
        view = await find_register(connection, taken.register)
        if view is None or view.outcomes != {"recorded": len(sent.payments)}:
            raise click.ClickException(f"not every line was recorded: {view.outcomes if view else {}}")
    finally:
        await connection.close()
    fields = ("wall_ms", "python_ms", "postgresql_ms")
    whole = {field: sum(getattr(part, field) for part in watch.parts) for field in fields}
    return [*watch.parts, Timed(name="whole", **whole)]


def _settings(connections: Connections, channels: tuple[Channel, ...]) -> GatewaySettings:
    return GatewaySettings(
        gateway_dsn=connections.gateway_dsn,
        redis_url=connections.redis_url,
        channels=channels,
        spaces=tuple(sorted({(one.space_name, one.space) for one in channels})),
        batch_entries_max=BATCH_ENTRIES,
        queue_payments_max=QUEUE_PAYMENTS,
    )


async def _make_ledger(connections: Connections, town: Town) -> tuple[Channel, ...]:
    owner = await asyncpg.connect(connections.owner_dsn)
    cache = TableCache(connections.redis_url, CACHE_TIMEOUT_S)
    try:
        await migrate(owner)
        await set_role_passwords(owner, connections.role_passwords)
        await create_ledger(owner, 1)
        file = parse_channels(CHANNELS + OWN, folder=Path(), environ={})
        channels = await register_channels(owner, file, today=utc_now().date())
        await make_town(owner, town, 1, cache)
    finally:
        await cache.close()
        await owner.close()
    return channels


if __name__ == "__main__":
    main()
