"""The demo town's own billing: its stock and readings loaded, and its months billed as ``kopeck month`` does it."""

from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime
from functools import partial
from pathlib import Path
from secrets import token_bytes
from typing import Any, TypeAlias

import asyncpg
import msgspec

from kopeck.demo.files import TownFiles, write_town
from kopeck.demo.meters import MeterFiles, write_meters
from kopeck.demo.stock import write_stock
from kopeck.demo.town import CURRENT, PERIODS, list_residents
from kopeck.month_closing import close_whole_month
from kopeck.month_steps import MonthMeans, MonthStopped, MonthWish, Told, publish_month
from ledger.core.entry import MOSCOW
from services.billing.law.reading import read_law
from services.billing.papers.companies import load_banks, load_contacts
from services.billing.readings.fields import FACT_KINDS
from services.billing.readings.files import load_readings
from services.billing.readings.intake import IntakeTerms
from services.billing.readings.loading import load_facts
from services.billing.runs.keeping import Person
from services.billing.stock.files import KINDS
from services.billing.stock.loading import load_owners, load_stock
from services.reference.load_accounts import load_accounts
from services.reference.load_charges import load_charges
from services.reference.load_recipients import load_recipients
from services.reference.loading import Connection, LoadTerms, no_progress
from services.sealing import KEY_BYTES, Sealer

Pool: TypeAlias = "asyncpg.Pool[Any]"

LOADER, ACCOUNTANT, SECOND_PERSON = "demo-loader", "demo-accountant", "demo-approver"
NO_NAMES = Sealer((token_bytes(KEY_BYTES),))
"""The town's owners have references and no names: nothing is sealed, and no key needs to be kept."""
ISSUED = {
    202608: datetime(2026, 9, 1, 9, tzinfo=MOSCOW),
    202609: datetime(2026, 10, 1, 9, tzinfo=MOSCOW),
    CURRENT: datetime(2026, 11, 1, 9, tzinfo=MOSCOW),
}
"""When each month was calculated and published: its documents say so, whenever the demo is started."""

Payer: TypeAlias = Callable[[int], Awaitable[None]]
"""Pays a published month, before it is closed."""


class BilledTown(msgspec.Struct, frozen=True, kw_only=True):
    """Files of a town that was drawn, in the folder of its tables."""

    town: TownFiles
    stock: Mapping[str, Path]
    meters: MeterFiles


def write_billed_town(folder: Path, accounts: int, seed: int) -> BilledTown:
    """Draw the town and write all its files, the housing stock's and the meters' in folders of their own."""
    return BilledTown(
        town=write_town(folder, list_residents(accounts, seed)),
        stock=(write_stock(folder / "housing", list_residents(accounts, seed))),
        meters=write_meters(folder / "readings", list_residents(accounts, seed), seed),
    )


async def load_town(connection: Connection, files: TownFiles, terms: LoadTerms, approve: Callable[[], Awaitable[None]]) -> None:
    """Load recipients, whose requisites ``approve`` lets pay, accounts, and what an earlier billing left unpaid."""
    await load_recipients(connection, files.recipients, terms)
    await approve()
    by = Person(name=terms.loaded_by, at=ISSUED[PERIODS[0]])
    await load_banks(connection, files.banks, by)
    await load_contacts(connection, files.contacts, by)
    await load_accounts(connection, files.accounts, terms)
    await _load_some(files.debts, partial(load_charges, connection, terms=terms))


async def load_housing(connection: Connection, files: BilledTown, terms: LoadTerms) -> None:
    """Load the housing stock, meters, and readings of the months before the town's own billing."""
    for kind, path in files.stock.items():
        if kind == "owners":
            await load_owners(connection, path, NO_NAMES, terms, no_progress)
        else:
            await load_stock(connection, path, KINDS[kind], terms)
    for kind, path in files.meters.facts.items():
        await _load_facts(connection, path, kind, terms)
    await _load_readings(connection, files.meters.earlier, (terms, ISSUED[PERIODS[0]]))


async def bill_town(pool: Pool, files: BilledTown, terms: LoadTerms, pay: Payer, told: Told) -> None:
    """Bill every month of the town: the earlier ones are paid by ``pay`` and closed, the last stays open. Raises MonthStopped."""
    with ProcessPoolExecutor() as executor:
        for period in PERIODS:
            told(f"billing {period // 100}-{period % 100:02d}")
            async with pool.acquire() as connection:
                await _load_some(files.town.insurance[period], partial(load_charges, connection, terms=terms))
                await _load_facts(connection, files.meters.volumes[period], "house-volumes", terms)
                await _load_readings(connection, files.meters.readings[period], (terms, ISSUED[period]))
            means = MonthMeans(pool=pool, executor=executor, clock=partial(ISSUED.__getitem__, period), told=_untold)
            # Rebuilding every table takes as long as publishing: the demo's start leaves it to the command.
            wish = MonthWish(period=period, provider=None, by=ACCOUNTANT, approver=SECOND_PERSON, with_saldo=False)
            await publish_month(means, wish)
            if period != CURRENT:
                await pay(period)
                await _close(means, wish)


async def _close(means: MonthMeans, wish: MonthWish) -> None:
    done = await close_whole_month(means, wish)
    if not done.agreement.agrees:
        wrong = next(check for check in done.agreement.checks if check.differences)
        raise MonthStopped(f"{wish.period}: {wrong.title}: {wrong.shown[0]}")


async def _load_facts(connection: Connection, path: Path, kind: str, terms: LoadTerms) -> None:
    await _load_some(path, partial(load_facts, connection, kind=FACT_KINDS[kind], terms=terms))


async def _load_some(path: Path, load: Callable[[Path], Awaitable[object]]) -> None:
    """Load a file that has rows: a small town may have nobody with a debt, and loaders refuse a file without rows."""
    with path.open(encoding="utf-8") as lines:
        if sum(1 for _ in lines) > 1:
            await load(path)


async def _load_readings(connection: Connection, path: Path, given: tuple[LoadTerms, datetime]) -> None:
    terms, at = given
    intake = IntakeTerms(law=await read_law(connection), at=at, by=LOADER)
    await load_readings(connection, path, intake, terms)


def _untold(line: str) -> None:
    """The demo's start names its steps only."""
