"""A house that changes its УО in mid-month: two creditors bill it, the old accounts take debts alone, sums to the kopeck."""

from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from datetime import date

import asyncpg
import pytest

from kopeck.clock import utc_now
from kopeck.commands.billing import billing
from ledger.core.split import split_amount
from ledger.journal import create_ledger
from ledger.publication import publish_due
from ledger.rebuild import Rebuilt, rebuild_accounts
from ledger.statements import load_statements
from schemas.allocation import AccountState, AdvanceRule
from services.billing.core.engine import calculate_house
from services.billing.core.lines import ChargeLine, LineKind
from services.billing.core.month import HouseMonth
from services.billing.core.part_month import PartMonth
from services.billing.handover import list_left_accounts
from services.billing.law.proposing import load_shipped
from services.billing.reading import StockReading
from services.billing.runs.sources import HouseUnreadable
from tests.conftest import LedgerDatabase
from tests.scenarios.test_explain import Commands
from tests.services.desk import ACCOUNTS, RECIPIENTS, Desk
from tests.services.housing_town import Stock
from tests.services.metered_town import LAW, Meters

TRANSIT = load_statements("tests/pipeline/small_town.sql")
SQL = load_statements("tests/statements/run_town.sql")
TODAY = date(2026, 12, 2)
NEW_RECIPIENT = "uk2,management,ООО «УК Юг»,7707083893,770801001,40702810200000000001,044525225,,,2026-01-01,to_line\n"
NEW_ACCOUNTS = """epd;0002001;75DA000011;open;person;uk2;;;;
epd;0002002;75DA000012;open;person;uk2;;;;
"""
OPEN_OLD = ACCOUNTS.replace(";debts_only;organisation;", ";open;person;").replace(";closed;budget;", ";open;person;")
CHANGE = {
    "houses": """house,valid_from,address,region,provider,fias,house_class,time_zone
01,2026-11-15,"г. Тверь, ул. Мира, д. 5",69,uk2,0A234567-89ab-cdef-0123-456789abcdef,9floors,
""",
    "contracts": """house,service,valid_from,form,recipient,provider
01,cold,2026-11-15,pass_through,water,uk2
01,hot,2026-11-15,,heat,uk2
01,sewage,2026-11-15,,water,uk2
01,maintenance,2026-11-15,,uk2,uk2
01,common_light,2026-11-15,,water,uk2
""",
    "accounts": """namespace,number,els,house,premises,valid_from,share,excluded,only,state
epd,0001001,,01,1,2026-11-15,,,,ended
,,75DA000002,01,1,2026-11-15,,,,ended
epd,0001003,,01,2,2026-11-15,,,,ended
epd,0002001,,01,1,2026-11-15,,repair,,
epd,0002002,,01,1,2026-11-15,,,repair,
epd,0001004,,01,2,2026-11-15,1/3,,,
""",
}


@pytest.fixture
async def owner(ledger_database: LedgerDatabase) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(ledger_database.owner_dsn)
    yield connection
    await connection.close()


@pytest.fixture
async def meters(desk: Desk, owner: asyncpg.Connection) -> Meters:
    """Two УО and the house of the first one, its cold water read in October, on the 14th and on the 20th of November."""
    await create_ledger(owner, 1)
    await owner.execute(TRANSIT["open_day"], await owner.fetchval(TRANSIT["add_transit"]), utc_now().date())
    await desk.load("recipients", RECIPIENTS + NEW_RECIPIENT)
    await desk.load("accounts", OPEN_OLD + NEW_ACCOUNTS + "epd;0001004;;open;person;uk2;;;;\n")
    await load_shipped(desk.connection, "test", utc_now())
    made = Meters(stock=Stock(desk=desk))
    await made.load_all()
    await made.give("C1", ("2026-10-20", "118"), ("2026-11-14", "119"), ("2026-11-20", "122"))
    return made


async def change(meters: Meters) -> None:
    """Let the house change its УО on the 15th."""
    for what, content in CHANGE.items():
        await meters.stock.load(what, content)


async def month_of(meters: Meters, provider: str, period: int = 202611) -> HouseMonth | HouseUnreadable | None:
    """House 01 as a provider bills it; None where it does not."""
    reading = StockReading(LAW, TODAY)
    if "01" not in await reading.list_houses(meters.connection, provider, period):
        return None
    return (await reading.read_houses(meters.connection, provider, period, ["01"]))["01"]


def sums(lines: Sequence[ChargeLine]) -> dict[tuple[str, str, LineKind], int]:
    """Kopecks by premises, service and kind."""
    found: dict[tuple[str, str, LineKind], int] = defaultdict(int)
    for line in lines:
        found[line.premises, line.service, line.kind] += line.amount_kopecks
    return dict(found)


async def test_two_providers_bill_the_month_between_them(meters: Meters) -> None:
    before = await month_of(meters, "uk")
    assert isinstance(before, HouseMonth) and not isinstance(before, PartMonth)
    whole = sums(calculate_house(before))
    assert await month_of(meters, "uk2") is None
    await change(meters)
    old, new = await month_of(meters, "uk"), await month_of(meters, "uk2")
    assert isinstance(old, PartMonth) and isinstance(new, PartMonth)
    assert (old.part.days, new.part.days, new.part.is_rest) == (14, 14, True)
    first, rest = calculate_house(old), calculate_house(new)
    assert {line.account for line in first} == {"epd:0001001", "epd:0001002", "epd:0001003"}
    assert {line.account for line in rest} == {"epd:0002001", "epd:0002002", "epd:0001004"}
    assert {name: amount + sums(rest)[name] for name, amount in sums(first).items()} == whole
    creditors = {terms.service: terms.creditor for terms in new.services}
    assert creditors["maintenance"] == creditors["cold"] == "uk2" and creditors["heating"] == "heat"
    maintenance = ("1", "maintenance", LineKind.CHARGE)
    assert 2 * abs(sums(first)[maintenance] * 30 - whole[maintenance] * 14) <= 30
    assert ("1", "cold", 1_000_000, 4_000_000) in old.part.measured and old.part.measured == new.part.measured
    assert sums(first)["1", "cold", LineKind.CHARGE] * 4 - whole["1", "cold", LineKind.CHARGE] in range(-4, 5), "by the meter"


async def test_the_months_around_are_one_providers(meters: Meters) -> None:
    october = await month_of(meters, "uk", 202610)
    await change(meters)
    assert await month_of(meters, "uk", 202610) == october
    assert await month_of(meters, "uk2", 202610) is None and await month_of(meters, "uk", 202612) is None
    december = await month_of(meters, "uk2", 202612)
    assert isinstance(december, HouseMonth) and not isinstance(december, PartMonth)
    found = await StockReading(LAW, TODAY).houses_of(meters.connection, "uk2", 202611, ["epd:0002001", "epd:0001001"])
    assert found == {"epd:0002001": "01"}


async def test_an_account_that_was_not_replaced_is_the_first_providers_alone(meters: Meters) -> None:
    """Else the second provider's run would take away what the first one's charged the account for the same month."""
    await change(meters)
    asked = ["epd:0001001", "epd:0002001"]
    for provider, own in (("uk", "epd:0001001"), ("uk2", "epd:0002001")):
        assert list(await StockReading(LAW, TODAY).number_accounts(meters.connection, provider, asked)) == [own]


async def test_two_changes_in_a_month_are_not_calculated(meters: Meters) -> None:
    await change(meters)
    await meters.stock.load("houses", CHANGE["houses"].replace("2026-11-15", "2026-11-25").replace(",uk2,", ",rent,"))
    for provider in ("uk", "uk2"):
        month = await month_of(meters, provider)
        assert isinstance(month, HouseUnreadable) and "больше одного раза" in str(month)


async def publish(commands: Commands, owner: asyncpg.Connection, run: int, provider: str) -> None:
    """Draft, check, approve and publish a provider's November."""
    drafted = await commands.json(billing, "draft", "2026-11", "--provider", provider, "--house", "01", "--by", "Анна")
    assert (drafted["run"], drafted["code"], drafted["accounts"], drafted["parked"]) == (run, provider, 3, 0)
    await commands.run(billing, "checks", str(run), "--json")
    for row in await owner.fetch(SQL["errors"], run):
        await commands.run(billing, "checks", str(run), "--acknowledge", str(row["finding"]), "--by", "Борис", "--why", "акт")
    await commands.text(billing, "approve", str(run), "--by", "Борис")
    assert "отложено 0" in await commands.text(billing, "publish", str(run))


async def table_of(owner: asyncpg.Connection, number: str) -> Rebuilt:
    """The table at the head of an account."""
    account = await owner.fetchval(SQL["account_of"], number)
    state = (await rebuild_accounts(owner, [account]))[account]
    assert isinstance(state, Rebuilt)
    return state


async def test_payments_of_the_old_document_go_to_the_old_creditor(
    meters: Meters, owner: asyncpg.Connection, ledger_database: LedgerDatabase
) -> None:
    commands = Commands(ledger_database)
    await change(meters)
    await publish(commands, owner, 1, "uk")
    await publish(commands, owner, 2, "uk2")
    recipients = {row["code"]: row["recipient"] for row in await owner.fetch(SQL["recipients"])}
    services = {row["payee"]: row["code"] for row in await owner.fetch(SQL["payees"])}
    for number, code, other in (("0001001", "uk", "uk2"), ("0002001", "uk2", "uk")):
        table = (await table_of(owner, number)).table
        assert (table.state, table.provider, table.advance.rule) == (AccountState.OPEN, recipients[code], AdvanceRule.TO_LINE)
        assert recipients[other] not in {tier.creditor for tier in table.tiers}
        paid = {services[payee] for tier in table.tiers for payee in tier.payees}
        assert code in paid and other not in paid
    told = await commands.text(billing, "handover", "2026-11", "--provider", "uk", "--dry-run")
    assert "epd:0001001" in told and (await table_of(owner, "0001001")).table.state is AccountState.OPEN
    shown = await commands.json(billing, "handover", "2026-11", "--provider", "uk")
    assert ([one["name"] for one in shown["accounts"]], shown["published"], shown["failed"]) == (
        ["epd:0001001", "epd:0001002", "epd:0001003"],
        3,
        [],
    )
    old = (await table_of(owner, "0001001")).table
    assert (old.state, old.advance.rule) == (AccountState.DEBTS_ONLY, AdvanceRule.REFUSE)
    owed = sum(sum(tier.weights) - sum(tier.paid) for tier in old.tiers)
    split = split_amount(old, owed + 100)
    assert (sum(map(sum, split.shares)), split.advance, split.unallocated) == (owed, (), 100), "debts, but no advance"
    assert (await table_of(owner, "0002001")).table.state is AccountState.OPEN
    again = await commands.json(billing, "handover", "2026-11", "--provider", "uk")
    assert (again["accounts"], again["published"]) == ([], 0)
    assert await list_left_accounts(owner, "uk2", 202611) == ()
    await publish_due(owner, utc_now(), "test")
