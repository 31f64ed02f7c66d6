"""How fast houses are read from the database: by columns into frames, and a sample of them the plain way; both must agree.

``python -m loadtests.bench_reading [--premises N] [--months N] [--sample N] [--at-once N]``: an embedded PostgreSQL of its own,
the stock of ``reading_town.py`` with so many months of readings; every batch of houses is read in a transaction of its own.
"""

import argparse
import asyncio
import os
import tempfile
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from time import perf_counter, process_time

import asyncpg

from kopeck.billing_shown import progress_bar
from kopeck.config import Config
from kopeck.embedded.clean import clean_folder
from kopeck.embedded.servers import Connections, start_servers
from ledger.migrate import migrate, set_role_passwords
from loadtests.cpu import cpu_ms
from loadtests.memory import watch_memory
from loadtests.reading_town import HOUSE_PREMISES, PERIOD, build_town, house_codes
from services.billing.columnar.frames import TownFrames
from services.billing.columnar.months import frames_of
from services.billing.columnar.reading import read_frames
from services.billing.core.law import Law
from services.billing.core.month import HouseMonth
from services.billing.law.files import shipped_law
from services.billing.reading import Asked, StockReading
from services.billing.runs.sources import Connection

MEBIBYTE = 1 << 20
ASKED = Asked(period=PERIOD, today=date(2026, 12, 1), provider="uo")


class Spent:
    """What a stretch of work took: seconds by the clock, of Python's CPU and of everybody's."""

    def __init__(self) -> None:
        self._clock, self._python, self._all = perf_counter(), process_time(), cpu_ms([os.getpid()])

    def tell(self, what: str, premises: int) -> float:
        """Print it; the CPU microseconds a premises are returned."""
        seconds, python = perf_counter() - self._clock, process_time() - self._python
        cpu = (cpu_ms([os.getpid()]) - self._all) / 1_000
        each, of_python = cpu * 1_000_000 / premises, python * 1_000_000 / premises
        rates = f"{premises / seconds:.0f} premises/s by the clock, {premises / cpu:.0f} a second of CPU"
        print(
            f"{what}: {premises} premises, {seconds:.1f} s; {rates}; CPU {each:.0f} µs each, Python's {of_python:.0f}", flush=True
        )
        return each


async def read_by_columns(connection: Connection, houses: Sequence[str], law: Law, at_once: int) -> float:
    """Read every house, batch by batch, and keep none."""
    spent, supplies, plain = Spent(), 0, 0
    with progress_bar("premises read", len(houses) * HOUSE_PREMISES) as advance:
        for start in range(0, len(houses), at_once):
            batch = houses[start : start + at_once]
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                read = await read_frames(connection, batch, law, ASKED)
            assert not read.unreadable, read.unreadable
            supplies, plain = supplies + read.supplies, plain + read.plain_supplies
            advance(len(batch) * HOUSE_PREMISES)
    print(f"supplies {supplies}, of them climbed plainly {plain} ({100 * plain / supplies:.2f} %)")
    return spent.tell("by columns", len(houses) * HOUSE_PREMISES)


async def read_plainly(connection: Connection, houses: Sequence[str], law: Law) -> tuple[float, TownFrames]:
    """Read houses as StockReading does."""
    spent = Spent()
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        months = await StockReading(law, ASKED.today).read_houses(connection, "uo", PERIOD, houses)
    each = spent.tell("the plain way", len(houses) * HOUSE_PREMISES)
    return each, frames_of([month for month in months.values() if isinstance(month, HouseMonth)])


async def run(connections: Connections, options: argparse.Namespace) -> None:
    """Build, read both ways, compare."""
    owner = await asyncpg.connect(connections.owner_dsn)
    await migrate(owner)
    await set_role_passwords(owner, dict(connections.role_passwords))
    started = perf_counter()
    await build_town(owner, options.premises, options.months)
    await owner.close()
    print(f"built in {perf_counter() - started:.0f} s")
    connection, law = await asyncpg.connect(connections.services_dsn), shipped_law()
    houses = house_codes(options.premises)
    sample = houses[: -(-options.sample // HOUSE_PREMISES)]
    with watch_memory(os.getpid()) as peak:
        columns = await read_by_columns(connection, houses, law, options.at_once)
    print(f"memory at its peak: Python {peak.python // MEBIBYTE} MiB, PostgreSQL {peak.postgres // MEBIBYTE} MiB")
    plain, expected = await read_plainly(connection, sample, law)
    read = await read_frames(connection, sample, law, ASKED)
    for name in ("houses", "terms", "premises", "individual", "volumes", "room_volumes", "absences", "breaks", "shares"):
        mine, theirs = getattr(read.frames, name), getattr(expected, name)
        assert mine.height == theirs.height, (name, mine.height, theirs.height)
        if "volume" in mine.columns:
            assert mine["volume"].sum() == theirs["volume"].sum(), name
    print(f"the plain way takes {plain / columns:.0f} times the CPU")
    await connection.close()


def main() -> None:
    """Start a server of its own, measure, stop it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--premises", type=int, default=100_000)
    parser.add_argument("--months", type=int, default=13)
    parser.add_argument("--sample", type=int, default=4_000)
    parser.add_argument("--at-once", type=int, default=500)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    try:
        with start_servers(folder, Config(data_dir=folder)) as servers:
            asyncio.run(run(servers.connections, options))
    finally:
        # A temporary folder alone would leave the cluster, which to root stands elsewhere: gigabytes a run.
        clean_folder(folder)


if __name__ == "__main__":
    main()
