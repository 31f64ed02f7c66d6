"""What the ledger's door alone can do: ``python -m loadtests.bench_append``.

A fresh durable PostgreSQL of its own, one book, two connections, each with one batch in flight, entries of 11 postings on
distinct accounts. The client's own work (encoding, asyncio) runs on the same cores and is part of the figure.
"""

import asyncio
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import asyncpg
import click
import uvloop

from kopeck.clock import utc_now
from kopeck.config import Config
from kopeck.embedded.clean import clean_folder
from kopeck.embedded.postgres import PID_FILE
from kopeck.embedded.servers import start_servers
from ledger.chart import AccountKind, ledger_account, payable_base
from ledger.journal import Append, append, create_ledger
from ledger.migrate import migrate, set_role_passwords
from ledger.statements import load_statements
from loadtests.cpu import cpu_ms
from schemas.ids import AccountId, Book, ChannelNumber, ExternalId, LedgerAccount, Line, Space, TableVersion, Transit
from schemas.journal import EntryKind, JournalEntry
from schemas.outcome import AppendStatus, SuspenseReason

BATCHES = (8, 16, 64, 256)
PUBLISHED_AT_ONCE = 256
BOOK = Book(1)
CONNECTIONS = 2
CREDITS = 10
SHARE_KOPECKS = 10_000

_SQL = load_statements("loadtests/statements/bench_append.sql")
_PUBLISH = load_statements("ledger/statements/tables.sql")["publish"]
_VALID_UNTIL = datetime(2100, 1, 1, tzinfo=UTC)


def _digest(account: int, version: int) -> bytes:
    return sha256(b"%d/%d" % (account, version)).digest() if version > 1 else sha256(b"%d" % account).digest()


def _offer(account: int, version: int, run: str, moment: datetime) -> Append:
    payables = payable_base(1)
    clearing = ledger_account(AccountKind.CLEARING, 1, 10)
    external_id = ExternalId(f"{run}-{account}-{version}")
    entry = JournalEntry(
        kind=EntryKind.PAYMENT,
        event_at=moment,
        value_date=moment.date(),
        transit=Transit(1),
        channel=ChannelNumber(1),
        space=Space(10),
        external_id=external_id,
        personal_account=AccountId(account),
        table_version=TableVersion(version),
        reason=SuspenseReason.NONE,
        designation="",
        amount_kopecks=CREDITS * SHARE_KOPECKS,
        accounts=(clearing, *(LedgerAccount(payables + payee) for payee in range(1, CREDITS + 1))),
        amounts=(CREDITS * SHARE_KOPECKS, *(-SHARE_KOPECKS for _ in range(CREDITS))),
        lines=(Line(0), *(Line(line) for line in range(1, CREDITS + 1))),
    )
    return Append(
        entry=entry,
        fingerprint=sha256(external_id.encode()).digest()[:26],
        before=_digest(account, version),
        after=_digest(account, version + 1),
    )


async def _prepare(connection: "asyncpg.Connection[Any]", accounts: int) -> None:
    await create_ledger(connection, 1)
    await connection.execute(_SQL["open_day"])
    for first in range(1, accounts + 1, PUBLISHED_AT_ONCE):
        chunk = list(range(first, min(first + PUBLISHED_AT_ONCE, accounts + 1)))
        contents = [b"%d" % account for account in chunk]
        await connection.fetch(_PUBLISH, BOOK, chunk, [0] * len(chunk), contents, [_VALID_UNTIL] * len(chunk), "bench")
    await connection.execute(_SQL["settle"])


async def _drain(dsn: str, batches: Iterator[list[Append]]) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        for batch in batches:
            answers = await append(connection, BOOK, batch)
            assert all(answer.status is AppendStatus.RECORDED for answer in answers), "a fresh batch is recorded"
    finally:
        await connection.close()


async def _measure(dsn: str, size: int, version: int, accounts: int, pid: int) -> tuple[int, int]:
    """Return payments a second and PostgreSQL's microseconds of CPU a payment."""
    moment = utc_now()
    offers = [_offer(account, version, f"b{size}", moment) for account in range(1, accounts + 1)]
    batches = iter([offers[first : first + size] for first in range(0, accounts, size)])
    spent, started = cpu_ms([pid]), time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for _ in range(CONNECTIONS):
            tasks.create_task(_drain(dsn, batches))
    seconds = time.perf_counter() - started
    return round(accounts / seconds), (cpu_ms([pid]) - spent) * 1_000 // accounts


async def _bench(owner_dsn: str, gateway_dsn: str, pid: int, accounts: int) -> None:
    connection = await asyncpg.connect(owner_dsn)
    try:
        await _prepare(connection, accounts)
        first = 0
        for version, size in enumerate(BATCHES, start=1):
            rate, cpu_us = await _measure(gateway_dsn, size, version, accounts, pid)
            first = first or rate
            click.echo(
                f"batch {size:3d}: {rate:6d} payments/s, {cpu_us:4d} us of PostgreSQL's CPU, ratio {rate * 100 // first} %"
            )
        recorded = await connection.fetchval(_SQL["count_entries"])
        assert recorded == accounts * len(BATCHES), "every payment is in the journal once"
    finally:
        await connection.close()


async def _migrated(owner_dsn: str, passwords: dict[str, str]) -> None:
    connection = await asyncpg.connect(owner_dsn)
    try:
        await migrate(connection)
        await set_role_passwords(connection, passwords)
    finally:
        await connection.close()


@click.command()
@click.option(
    "--accounts", type=click.IntRange(min=1), default=20_480, show_default=True, help="Accounts, one payment each a batch size."
)
def main(accounts: int) -> None:
    """Measure append alone, batch by batch."""
    with tempfile.TemporaryDirectory(prefix="kopeck-append-") as name:
        folder = Path(name, "ledger")
        with start_servers(folder, Config(data_dir=folder)) as servers:
            connections = servers.connections
            uvloop.run(_migrated(connections.owner_dsn, dict(connections.role_passwords)))
            assert servers.postgres is not None
            pid = int(servers.postgres.place.cluster.joinpath(PID_FILE).read_text().split()[0])
            uvloop.run(_bench(connections.owner_dsn, connections.gateway_dsn, pid, accounts))
        clean_folder(folder)


if __name__ == "__main__":
    main()
