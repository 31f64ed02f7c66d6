"""How fast allocation tables are built, published and rebuilt, and how an account's entries are best found.

``python -m loadtests.bench_tables [--accounts N] [--entries N]``: an embedded PostgreSQL of its own with fsync on, accounts of
eight lines, then ``--entries`` payments for each of READ_ACCOUNTS accounts, read along the back chain and by an index.
"""

import argparse
import asyncio
import statistics
import tempfile
from collections.abc import Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, TypeAlias

import asyncpg

from kopeck.clock import utc_now
from kopeck.commands.tables import Wanted, build_tables
from kopeck.config import Config
from kopeck.embedded.clean import clean_folder
from kopeck.embedded.servers import start_servers
from ledger.core.crediting import build_table
from ledger.journal import Append, append, create_ledger
from ledger.migrate import migrate, set_role_passwords
from ledger.publication import READ_ACCOUNTS_MAX
from ledger.rebuild import Rebuilt, rebuild_accounts
from ledger.statements import load_statements
from ledger.tables import SQL as TABLES
from ledger.tables import fetch_registers, read_accounts
from loadtests.cpu import cpu_ms
from schemas.allocation import pack_table
from schemas.ids import AccountId, Book, ChannelNumber, ExternalId, LedgerAccount, Line, Space, TableVersion, Transit
from schemas.journal import EntryKind, JournalEntry
from schemas.outcome import AppendStatus, SuspenseReason

SQL = load_statements("loadtests/statements/bench_tables.sql")
READ_ACCOUNTS = 4096
ROUNDS = 15
APPEND_ROUNDS = 100
REBUILD_ROUNDS = 200
WARMING_CALLS = 8
PAUSE_S = 0.01
BOOK = Book(1)
DIGEST = bytes(32)
MICROSECONDS = 1_000_000

Connection: TypeAlias = "asyncpg.Connection[Any]"


async def measure(owner: Connection, services_dsn: str, accounts: int, entries: int) -> None:
    """Run every measurement and print a line for each."""
    await create_ledger(owner, 1)
    await owner.execute(SQL["recipients"])
    await owner.execute(SQL["accounts"], accounts)
    await owner.execute(SQL["charges"])
    await owner.execute(SQL["analyze"])
    await _measure_building(owner, services_dsn, accounts)
    await owner.execute(SQL["analyze"])
    await _measure_pure(owner)
    for many in (1, 8, 64):
        await _measure_rebuild(owner, many, "no entries since the base")
    await _measure_entries(owner, entries)


async def _measure_building(owner: Connection, dsn: str, accounts: int) -> None:
    """Publish every account, and everything again, in a process of its own, while others' payments go through the same book."""
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as builder:
        for what in ("first publication", "all again, nothing changed"):
            waits: list[float] = []
            stop = asyncio.Event()
            paying = asyncio.create_task(_pay_on(owner, waits, what, stop))
            done, seconds, cpu = await loop.run_in_executor(builder, build_all, dsn)
            stop.set()
            await paying
            assert done == accounts, done
            rate, each = accounts / seconds, cpu * MICROSECONDS / accounts
            print(f"{what}: {accounts} accounts, {seconds:.1f} s, {rate:.0f} accounts/s, {each:.0f} µs of our CPU each")
            waits.sort()
            median, high, longest = (waits[len(waits) * part // 1000] * 1000 for part in (500, 990, 999))
            print(f"  {len(waits)} payments meanwhile: median {median:.1f} ms, p99 {high:.1f} ms, p99.9 {longest:.1f} ms")


def build_all(dsn: str) -> tuple[int, float, float]:
    """Build every table, as the command does: accounts done, seconds, seconds of this process's CPU."""
    started, cpu = perf_counter(), process_time()
    report = asyncio.run(build_tables(dsn, Wanted(account=None, all_accounts=True)))
    assert not report.failed, report.failed[0]
    return report.published + report.unchanged, perf_counter() - started, process_time() - cpu


async def _pay_on(owner: Connection, waits: list[float], what: str, stop: asyncio.Event) -> None:
    while not stop.is_set():
        offer = _offer(None, len(waits), what)
        started = perf_counter()
        await append(owner, BOOK, [offer])
        waits.append(perf_counter() - started)
        await asyncio.sleep(PAUSE_S)


async def _measure_pure(owner: Connection) -> None:
    registers = await fetch_registers(owner)
    readings = await read_accounts(owner, BOOK, [AccountId(number) for number in range(1, 1025)], registers)
    moment = utc_now()
    started = process_time()
    packed = [pack_table(build_table(one.facts, one.charges, one.paid, moment).table) for one in readings]
    micros = (process_time() - started) * MICROSECONDS / len(packed)
    size = statistics.mean(map(len, packed))
    print(f"pure build and pack: {micros:.0f} µs of CPU an account; packed {size:.0f} bytes for 8 lines")


async def _measure_rebuild(owner: Connection, many: int, what: str) -> None:
    first = 1

    async def once() -> None:
        nonlocal first
        states = await rebuild_accounts(owner, [AccountId(first + offset * 13) for offset in range(many)])
        assert len(states) == many and all(isinstance(state, Rebuilt) for state in states.values())
        first += 1

    wall, cpu = await _measure(owner, once, REBUILD_ROUNDS)
    print(f"rebuild of {many}, {what}: {wall:.0f} µs a call, {wall / many:.0f} µs an account, server CPU {cpu:.0f} µs a call")


async def _measure_entries(owner: Connection, entries: int) -> None:
    """Read by the chain and by the index, and append with and without the index."""
    await owner.execute(SQL["add_entries"], READ_ACCOUNTS, entries, timeout=600)
    await owner.execute(SQL["link_heads"], DIGEST)
    await owner.execute(SQL["analyze"])
    await _measure_reading(owner, "list_paid", f"paid so far by the chain, {entries} entries an account")
    version = await _measure_append(owner, "without the index", entries + 1)
    await owner.execute(SQL["add_index"])
    await owner.execute(SQL["analyze"])
    await _measure_reading(owner, "list_paid_by_index", f"paid so far by the index, {entries} entries an account")
    await _measure_append(owner, "with the index", version)
    sizes = await owner.fetchrow(SQL["index_bytes"])
    assert sizes is not None
    each = sizes["index"] / sizes["entries"]
    print(f"index: {each:.0f} bytes an entry beside {sizes['journal'] / sizes['entries']:.0f} of the journal")


async def _measure_reading(owner: Connection, name: str, what: str) -> None:
    statement = (TABLES | SQL)[name]
    start = 1

    async def once() -> None:
        nonlocal start
        async with owner.transaction():
            await owner.execute(TABLES["prefer_indexes"])
            rows = await owner.fetch(statement, BOOK, list(range(start, start + READ_ACCOUNTS_MAX)))
        assert len(rows) >= READ_ACCOUNTS_MAX
        start = start % (READ_ACCOUNTS - 2 * READ_ACCOUNTS_MAX) + READ_ACCOUNTS_MAX

    wall, cpu = (each / READ_ACCOUNTS_MAX for each in await _measure(owner, once))
    print(f"{what}: {wall:.0f} µs an account, server CPU {cpu:.0f} µs, in chunks of {READ_ACCOUNTS_MAX}")


async def _measure_append(owner: Connection, what: str, version: int) -> int:
    await owner.execute(SQL["forget_stored"])
    turn = version

    async def once() -> None:
        nonlocal turn
        offers = [_offer(account, turn) for account in range(1, READ_ACCOUNTS_MAX + 1)]
        answers = await append(owner, BOOK, offers)
        assert {answer.status for answer in answers} == {AppendStatus.RECORDED}
        turn += 1

    wall, cpu = (each / READ_ACCOUNTS_MAX for each in await _measure(owner, once, APPEND_ROUNDS))
    print(f"append {what}: {wall:.1f} µs an entry, server CPU {cpu:.1f} µs, in batches of {READ_ACCOUNTS_MAX}")
    return turn


def _offer(account: int | None, version: int, what: str = "append") -> Append:
    now = utc_now()
    entry = JournalEntry(
        kind=EntryKind.PAYMENT,
        event_at=now,
        value_date=now.date(),
        transit=Transit(1),
        channel=ChannelNumber(101),
        space=Space(101),
        external_id=ExternalId(f"{what}-{account}-{version}"),
        personal_account=None if account is None else AccountId(account),
        table_version=TableVersion(version),
        reason=SuspenseReason.NONE,
        designation="",
        amount_kopecks=700,
        accounts=tuple(map(LedgerAccount, range(1, 9))),
        amounts=(700, *(-100,) * 7),
        lines=tuple(map(Line, range(8))),
    )
    return Append(
        entry=entry, fingerprint=bytes(26), before=b"" if account is None else DIGEST, after=b"" if account is None else DIGEST
    )


async def _measure(owner: Connection, once: Callable[[], Awaitable[None]], rounds: int = ROUNDS) -> tuple[float, float]:
    """Microseconds of a call: the median by the wall clock, and the mean of the server's CPU; the first calls make plans."""
    for _ in range(WARMING_CALLS):
        await once()
    server = owner.get_server_pid()
    before, taken = cpu_ms([server]), []
    for _ in range(rounds):
        started = perf_counter()
        await once()
        taken.append(perf_counter() - started)
    return statistics.median(taken) * MICROSECONDS, (cpu_ms([server]) - before) * 1000 / rounds


async def _run(owner_dsn: str, services_dsn: str, passwords: dict[str, str], options: argparse.Namespace) -> None:
    owner = await asyncpg.connect(owner_dsn)
    await migrate(owner)
    await set_role_passwords(owner, passwords)
    await measure(owner, services_dsn, options.accounts, options.entries)
    await owner.close()


def main() -> None:
    """Start a server of its own, measure, stop it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=20_000)
    parser.add_argument("--entries", type=int, default=36)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    try:
        with start_servers(folder, Config(data_dir=folder)) as servers:
            connections = servers.connections
            asyncio.run(_run(connections.owner_dsn, connections.services_dsn, dict(connections.role_passwords), options))
    finally:
        # A temporary folder alone would leave the cluster, which to root stands elsewhere: gigabytes a run.
        clean_folder(folder)


if __name__ == "__main__":
    main()
