"""How fast files load: writes seeded files of recipients, accounts and charges and loads them with the real loaders.

``python -m loadtests.bench_load [--accounts N] [--lines N]`` on embedded servers of its own, or with ``--dsn DSN`` on an empty
migrated ledger, with the services' role.
"""

import asyncio
import csv
import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from random import Random

import asyncpg
import click

from kopeck.config import Config
from kopeck.embedded.clean import clean_folder
from kopeck.embedded.servers import Connections, start_servers
from ledger.migrate import migrate, set_role_passwords
from services.reference.load_accounts import load_accounts
from services.reference.load_charges import load_charges
from services.reference.load_recipients import load_recipients
from services.reference.loading import LoadReport, LoadTerms, no_progress

SEED = 20261124
PROVIDERS = 20
SUPPLIERS = 200
TERMS = LoadTerms(loaded_by="bench", today=date(2026, 11, 24))
ACCOUNT = "40911810101850000000"
BIC = "044525593"


@click.command()
@click.option("--dsn", help="An empty migrated ledger, with the services' role; an embedded one without it.")
@click.option("--accounts", default=100_000, show_default=True, help="Personal accounts.")
@click.option("--lines", default=8, show_default=True, help="Charge lines an account.")
@click.option("--months", default=1, show_default=True, help="Files of charges, a month each.")
def main(dsn: str | None, accounts: int, lines: int, months: int) -> None:
    """Write the files to a temporary folder, load each, and print rows and rows per second."""
    with tempfile.TemporaryDirectory(prefix="kopeck-load-") as name, _ledger(dsn, Path(name, "ledger")) as address:
        asyncio.run(_bench(address, Path(name), accounts, (lines, months)))
    click.echo(f"peak memory of the loader: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB")


@contextmanager
def _ledger(dsn: str | None, folder: Path) -> Iterator[str]:
    """The address given, or that of an embedded ledger that lives as long as the run."""
    if dsn:
        yield dsn
        return
    with start_servers(folder, Config(data_dir=folder)) as servers:
        asyncio.run(_migrate(servers.connections))
        yield servers.connections.services_dsn
    clean_folder(folder)


async def _migrate(connections: Connections) -> None:
    owner = await asyncpg.connect(connections.owner_dsn)
    try:
        await migrate(owner)
        await set_role_passwords(owner, connections.role_passwords)
    finally:
        await owner.close()


async def _bench(dsn: str, folder: Path, accounts: int, sizes: tuple[int, int]) -> None:
    lines, months = sizes
    chance = Random(SEED)
    connection = await asyncpg.connect(dsn)
    try:
        recipients = _write(folder / "recipients.csv", _recipients())
        _print(await load_recipients(connection, recipients, TERMS, no_progress), 0)
        files = [(_write(folder / "accounts.csv", _accounts(accounts)), load_accounts)]
        files += [
            (_write(folder / f"charges{month}.csv", _charges(accounts, lines, month, chance)), load_charges)
            for month in range(1, months + 1)
        ]
        for file, load in [*files, files[-1]]:
            started = time.perf_counter()
            report = await load(connection, file, TERMS, no_progress)
            _print(report, time.perf_counter() - started)
    finally:
        await connection.close()


def _print(report: LoadReport, seconds: float) -> None:
    rate = f"{report.rows / seconds:,.0f} rows/s, {seconds:.1f} s" if seconds else ""
    click.echo(f"{report.file_name}: {report.rows} rows, {report.added} new, {report.unchanged} unchanged; {rate}")


def _write(path: Path, rows: Iterator[tuple[object, ...]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def _recipients() -> Iterator[tuple[object, ...]]:
    yield "code", "kind", "name", "inn", "kpp", "bank_account", "bic", "valid_from"
    for number in range(PROVIDERS):
        yield f"uk{number}", "management", f"УК {number}", "7707083893", "770801001", ACCOUNT, BIC, "2026-01-01"
    for number in range(SUPPLIERS):
        yield f"rso{number}", "supplier", f"РСО {number}", "7707083893", "770801001", ACCOUNT, BIC, "2026-01-01"


def _accounts(count: int) -> Iterator[tuple[object, ...]]:
    yield "namespace", "number", "els", "state", "payer_kind", "provider", "name", "address"
    for number in range(count):
        provider = f"uk{number % PROVIDERS}"
        address = f"ул. Мира, д. {number // 100}, кв. {number % 100 + 1}"
        yield "epd", f"{number:010d}", f"75DA{number:06X}", "open", "person", provider, "Иванов Иван Иванович", address


def _charges(accounts: int, lines: int, month: int, chance: Random) -> Iterator[tuple[object, ...]]:
    yield (
        *("namespace", "number", "creditor", "period", "service", "recipient", "kind", "pool", "amount_kopecks", "due_date"),
        *("paid_kopecks", "advance_kopecks", "printed_total_kopecks"),
    )
    open_before = [0] * accounts if month == 1 else _open_before
    for number in range(accounts):
        amounts = [chance.randrange(500, 400_000) for _ in range(lines)]
        paid = [amount // 2 if number % 10 == 0 else 0 for amount in amounts]
        open_before[number] += sum(amounts) - sum(paid)
        for place, amount in enumerate(amounts):
            recipient = f"rso{(number * 7 + place * 13) % SUPPLIERS}" if place > 1 else f"uk{number % PROVIDERS}"
            yield (
                *("epd", f"{number:010d}", f"uk{number % PROVIDERS}", f"2026-{month:02d}", f"service{place}", recipient),
                *("principal", "main", amount, "2026-11-16", paid[place], 0, open_before[number]),
            )
    _open_before[:] = open_before


_open_before: list[int] = []
"""What each account owes after the months written so far: the printed totals follow it."""


if __name__ == "__main__":
    main()
