"""Getting the demo town into the ledger through the real loader, approval and publication; again on the same folder, nothing."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from typing import TypeAlias

import asyncpg
import msgspec

from kopeck.clock import Clock
from kopeck.demo.billed import LOADER, BilledTown, bill_town, load_housing, load_town, write_billed_town
from kopeck.demo.orders import demo_commission, demo_contracts, demo_terms, write_companies, write_vat
from kopeck.demo.recipients import TRANSIT_ACCOUNT
from kopeck.demo.town import CURRENT, NAMESPACE
from kopeck.demo.traffic import PayableAccount
from kopeck.endpoints import AccountSample, OpenAccount
from kopeck.month_steps import MonthStopped
from ledger.publication import publish_due
from ledger.statements import load_statements
from services.fiscal.loading import load_companies, load_vat
from services.reference.approve import approve_requisites, list_waiting
from services.reference.loading import Connection, LoadTerms
from services.settlement.terms import add_commission, add_contracts, set_transit_terms

APPROVER = "demo-approver"
PUBLISHER = "demo"
TOWN_FOLDER = "town"
OPEN_SAMPLE = 40
CLOSED_SAMPLE = 5
UNKNOWN_SAMPLE = 5
TRAFFIC_SAMPLE = 20_000
CONNECTIONS_MAX = 8
_SQL = load_statements("kopeck/statements/demo.sql")

Told = Callable[[str], None]


class TownFailed(RuntimeError):
    """The demo town's tables could not be built; the message names the first fault."""


class TownWish(msgspec.Struct, frozen=True, kw_only=True):
    """How many accounts the town has and what it is drawn from; a town that is loaded already stays as it is."""

    accounts: int
    seed: int


Payer: TypeAlias = Callable[[TownWish, int], Awaitable[None]]
"""Pays a published month of the town before it is closed."""


class TownPlace(msgspec.Struct, frozen=True, kw_only=True):
    """Where the town is settled: the data folder and the services' address; without ``payer`` nothing was paid of its past."""

    folder: Path
    services_dsn: str
    payer: Payer | None = None

    def __repr__(self) -> str:
        """Name the folder only."""
        return f"TownPlace({str(self.folder)!r})"


async def settle_town(connection: Connection, place: TownPlace, wish: TownWish, utc_now: Clock, told: Told) -> None:
    """Load, bill and publish the town unless that was finished before, as the services' role.

    Each step is whole by itself and changes nothing when repeated, so a start that was cut off is taken up again.
    """
    if not await _is_settled(connection):
        await _load(connection, place, wish, utc_now, told)
    await _load_terms(connection, place.folder / TOWN_FOLDER, LoadTerms(loaded_by=LOADER, today=utc_now().date()))
    if (await connection.fetchrow(_SQL["count_accounts"], NAMESPACE))["due"]:
        told("building allocation tables")
        report = await publish_due(connection, utc_now(), PUBLISHER)
        if report.failed:
            raise TownFailed(f"{len(report.failed)} tables could not be built, the first: {report.failed[0]}")


async def sample_accounts(connection: Connection) -> AccountSample:
    """Accounts for people and scripts to try things on."""
    opened = await connection.fetch(_SQL["list_open_accounts"], NAMESPACE, CURRENT, OPEN_SAMPLE)
    closed = await connection.fetch(_SQL["list_closed_accounts"], NAMESPACE, CLOSED_SAMPLE)
    return AccountSample(
        open=tuple(OpenAccount(number=row["number"], total=row["total"]) for row in opened),
        closed=tuple(row["number"] for row in closed),
        unknown=tuple(f"79{Random(number).randrange(10**8):08d}" for number in range(UNKNOWN_SAMPLE)),
    )


async def list_payable_accounts(connection: Connection, sample: AccountSample) -> tuple[PayableAccount, ...]:
    """Accounts that the demo's traffic pays, in the order in which it does; those of the sample are left to people."""
    kept = {account.number for account in sample.open}
    rows = await connection.fetch(_SQL["list_payable_accounts"], NAMESPACE, CURRENT, TRAFFIC_SAMPLE)
    return tuple(PayableAccount(number=row["number"], total_kopecks=row["total"]) for row in rows if row["number"] not in kept)


async def _is_settled(connection: Connection) -> bool:
    return bool(await connection.fetchval(_SQL["is_billed"], CURRENT))


async def _load(connection: Connection, place: TownPlace, wish: TownWish, utc_now: Clock, told: Told) -> None:
    told(f"drawing a town of {wish.accounts} accounts")
    files = write_billed_town(place.folder / TOWN_FOLDER, wish.accounts, wish.seed)
    terms = LoadTerms(loaded_by=LOADER, today=utc_now().date())
    told("loading recipients, accounts and debts")
    await load_town(connection, files.town, terms, lambda: _approve(connection, utc_now))
    told("loading houses, meters and readings")
    await load_housing(connection, files, terms)
    await _bill(place, files, (wish, terms), told)


async def _bill(place: TownPlace, files: BilledTown, by: tuple[TownWish, LoadTerms], told: Told) -> None:
    wish, terms = by
    payer = place.payer

    async def pay(period: int) -> None:
        if payer is not None:
            told(f"paying {period // 100}-{period % 100:02d}")
            await payer(wish, period)

    async with asyncpg.create_pool(place.services_dsn, min_size=1, max_size=CONNECTIONS_MAX) as pool:
        try:
            await bill_town(pool, files, terms, pay, told)
        except MonthStopped as error:
            raise TownFailed(str(error)) from error


async def _load_terms(connection: Connection, folder: Path, terms: LoadTerms) -> None:
    """Load who issues receipts, and by which terms money is passed on; again it changes nothing."""
    await load_companies(connection, write_companies(folder / "companies.csv"), terms)
    await load_vat(connection, write_vat(folder / "vat.csv"), terms)
    transit = await connection.fetchval(_SQL["find_transit"], TRANSIT_ACCOUNT)
    await set_transit_terms(connection, demo_terms(transit))
    if not await connection.fetchval(_SQL["count_contracts"]):
        await add_contracts(connection, demo_contracts())
        await add_commission(connection, demo_commission())


async def standing_kopecks(connection: Connection) -> int:
    """What stands on the transit accounts by the books: money that the sandbox's bank has forgotten with its last run."""
    return int(await connection.fetchval(_SQL["sum_of_transits"]))


async def _approve(connection: Connection, utc_now: Clock) -> None:
    for waiting in await list_waiting(connection):
        if waiting.loaded_by == LOADER:
            await approve_requisites(connection, waiting.code, waiting.version, APPROVER, utc_now())
