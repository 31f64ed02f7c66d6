"""Getting the demo town into the ledger through the real loader, approval and publication; again on the same folder, nothing."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random

import msgspec

from kopeck.clock import Clock
from kopeck.demo.orders import demo_commission, demo_contracts, demo_terms, write_companies, write_vat
from kopeck.demo.recipients import TRANSIT_ACCOUNT
from kopeck.demo.town import CURRENT, NAMESPACE, write_town
from kopeck.demo.traffic import PayableAccount
from kopeck.endpoints import AccountSample, OpenAccount
from ledger.publication import publish_due
from ledger.statements import load_statements
from services.fiscal.loading import load_companies, load_vat
from services.reference.approve import approve_requisites, list_waiting
from services.reference.load_accounts import load_accounts
from services.reference.load_charges import load_charges
from services.reference.load_recipients import load_recipients
from services.reference.loading import Connection, LoadTerms
from services.settlement.terms import add_commission, add_contracts, set_transit_terms

LOADER = "demo-loader"
APPROVER = "demo-approver"
PUBLISHER = "demo"
TOWN_FOLDER = "town"
OPEN_SAMPLE = 40
CLOSED_SAMPLE = 5
UNKNOWN_SAMPLE = 5
TRAFFIC_SAMPLE = 20_000
KINDS = frozenset({"recipients", "accounts", "charges"})
_SQL = load_statements("kopeck/statements/demo.sql")

Told = Callable[[str], None]


class TownFailed(RuntimeError):
    """The demo town's tables could not be built; the message names the first fault."""


class TownWish(msgspec.Struct, frozen=True, kw_only=True):
    """How many accounts the town has and what it is drawn from; a town that is loaded already stays as it is."""

    accounts: int
    seed: int


async def settle_town(connection: Connection, folder: Path, wish: TownWish, utc_now: Clock, told: Told) -> None:
    """Load and publish the town unless that was finished before, as the services' role.

    Each step is whole by itself and changes nothing when repeated, so a start that was cut off is taken up again.
    """
    if not await _is_loaded(connection):
        await _load(connection, folder, wish, utc_now, told)
    await _load_terms(connection, folder / TOWN_FOLDER, LoadTerms(loaded_by=LOADER, today=utc_now().date()))
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


async def _is_loaded(connection: Connection) -> bool:
    return {row["what"] for row in await connection.fetch(_SQL["list_loaded"])} >= KINDS


async def _load(connection: Connection, folder: Path, wish: TownWish, utc_now: Clock, told: Told) -> None:
    told(f"drawing a town of {wish.accounts} accounts")
    files = write_town(folder / TOWN_FOLDER, wish.accounts, wish.seed)
    terms = LoadTerms(loaded_by=LOADER, today=utc_now().date())
    steps: tuple[tuple[str, Callable[[], Awaitable[object]]], ...] = (
        ("loading recipients", lambda: load_recipients(connection, files.recipients, terms)),
        ("approving requisites", lambda: _approve(connection, utc_now)),
        ("loading accounts", lambda: load_accounts(connection, files.accounts, terms)),
        ("loading charges", lambda: load_charges(connection, files.charges, terms)),
    )
    for words, step in steps:
        told(words)
        await step()


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
