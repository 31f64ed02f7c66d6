"""``kopeck verify`` on a ledger whose receipts and money have left: a true one passes, what an owner spoils is named."""

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import msgspec
import pytest

from kopeck.commands.explain import explain
from kopeck.commands.settle import settle
from kopeck.commands.verify import verify
from kopeck.orders_audit import audit_orders_of_ledger
from ledger.core.entry import PaymentFacts, entry_for_cover
from ledger.journal import Append, append
from ledger.statements import load_statements
from schemas.ids import Book, ChannelNumber, ExternalId
from schemas.outcome import AppendStatus
from services.balances.consumer import BalancesConsumer
from services.postings.consumer import PostingsConsumer
from services.reference.approve import approve_requisites
from services.runner import catch_up
from services.settlement.terms import TransitTerms, set_transit_terms
from services.suspense.consumer import SuspenseConsumer
from tests.conftest import LedgerDatabase
from tests.scenarios.test_explain import Commands
from tests.services.desk import Desk
from tests.services.fiscal_town import DAY, NOW, FiscalTown, open_town
from tests.services.fiscal_town import SQL as TOWN_SQL

SQL = load_statements("tests/statements/transfers_command.sql")


@pytest.fixture
def commands(ledger_database: LedgerDatabase) -> Commands:
    return Commands(ledger_database)


@pytest.fixture
async def town(ledger_database: LedgerDatabase, tmp_path: Path) -> AsyncIterator[FiscalTown]:
    """op-1 of 1001 has its receipts at the tills and is confirmed; only UK's requisites are approved."""
    services = await asyncpg.connect(ledger_database.services_dsn)
    town = await open_town(ledger_database, Desk(connection=services, folder=tmp_path))
    await set_transit_terms(services, TransitTerms(transit=town.transit, payer_inn="7728168971", payer_kpp="770801001"))
    await approve_requisites(services, "uk", 1, "approver", NOW)
    await town.pay("1001", 550_000)
    await town.take()
    await cover(town, 550_000)
    await fold(town)
    yield town
    await town.owner.close()
    await services.close()


async def cover(town: FiscalTown, amount: int) -> None:
    """A believed statement line covers the feed's payments."""
    facts = PaymentFacts(
        transit=town.transit,
        channel=ChannelNumber(0),
        space=town.space,
        external_id=ExternalId("cover-1"),
        event_at=NOW,
        amount_kopecks=amount,
        designation="",
    )
    offer = Append(entry=entry_for_cover(facts, town.space), fingerprint=b"cover-1")
    (answer,) = await append(town.services, Book(0), [offer])
    assert answer.status is AppendStatus.RECORDED


async def fold(town: FiscalTown) -> None:
    """Let the read models come to the heads."""
    for consumer in (BalancesConsumer(), PostingsConsumer()):
        await catch_up(town.services, consumer)


async def test_a_settled_ledger_is_verified(town: FiscalTown, commands: Commands) -> None:
    settled = await commands.json(settle)
    assert [one["amount_kopecks"] for one in settled["orders"]] == [200_000]
    await fold(town)
    told = await commands.json(verify, "--jobs", "1")
    assert (told["verified"], told["divergence"], told["order_divergences"]) == (True, None, 0)
    assert told["orders"] == {"transfers": 1, "receipts": 2, "deliveries": 3}
    assert "orders: 1 transfers, 2 receipts, 3 deliveries" in await commands.text(verify, "--jobs", "1")


SPOILT = (
    (("spoil_part",), "settlement", "its parts and its entry say otherwise"),
    (("forget_history",), "settlement", "its history or its entry says otherwise"),
    (("spoil_carried",), "settlement", "payable:40911810101850000000:heat:heating: 300000 kopecks owed, 300001 explained"),
    (("allow_forgery", "fake_receipt"), "receipts", "entry 1:1: 550000 kopecks moved, receipts 549999"),
    (("spoil_delivery",), "delivery", "ended or parked without a reason"),
)


@pytest.mark.parametrize(("spoiling", "where", "what"), SPOILT)
async def test_what_is_spoilt_is_named(
    town: FiscalTown, commands: Commands, spoiling: tuple[str, ...], where: str, what: str
) -> None:
    await commands.text(settle)
    await fold(town)
    for name in spoiling:
        await town.owner.execute((SQL | TOWN_SQL)[name], *([1] if name == "fake_receipt" else []))
    result = await commands.run(verify, "--jobs", "1", "--json")
    answer = msgspec.json.decode(result.stdout)
    assert (result.exit_code, answer["verified"], answer["divergence"]["where"]) == (1, False, where), result.output
    assert what in answer["divergence"]["what"], answer
    text = (await commands.run(verify, "--jobs", "1")).stdout
    assert text.startswith(f"DIVERGENCE in {where}: {answer['divergence']['what']}")


async def test_an_item_of_suspense_that_is_not_what_is_owed_is_named(town: FiscalTown, commands: Commands) -> None:
    await town.suspend(777)
    for consumer in (BalancesConsumer(), PostingsConsumer(), SuspenseConsumer()):
        await catch_up(town.services, consumer)
    assert (await commands.run(verify, "--jobs", "1", "--json")).exit_code == 0
    await town.owner.execute(SQL["spoil_suspense"])
    answer = msgspec.json.decode((await commands.run(verify, "--jobs", "1", "--json")).stdout)
    assert answer["divergence"]["where"] == "suspense", answer
    assert "777 kopecks are owed, the items make 776" in answer["divergence"]["what"], answer


async def test_money_that_waits_too_long_is_no_divergence(town: FiscalTown, commands: Commands) -> None:
    await commands.text(settle)
    await fold(town)
    dsns = (commands.environ["KOPECK_POSTGRES_READER_DSN"], commands.environ["KOPECK_POSTGRES_SERVICES_DSN"])
    assert (await audit_orders_of_ledger(*dsns, DAY)).overdue == 0
    audit = await audit_orders_of_ledger(*dsns, DAY.replace(day=30))
    assert (audit.first, audit.overdue) == (None, 3)


async def test_a_payment_is_followed_to_its_receipts(town: FiscalTown, commands: Commands) -> None:
    await town.register_all()
    await commands.text(settle)
    followed = (await commands.json(explain, "op-1"))["followed"]
    assert followed["receipts_decided"] is True
    assert sorted((one["issuer"], one["total_kopecks"], one["state"]) for one in followed["receipts"]) == [
        ("uk", 500_000, "registered"),
        ("water", 50_000, "registered"),
    ]
    assert all(one["fpd"].startswith("300000000") for one in followed["receipts"])
    assert {one["payee"]: one["where"] for one in followed["money"]} == {
        "uk:maintenance": "ordered",
        "heat:heating": "carried",
        "water:cold_water": "carried",
    }
    text = await commands.text(explain, "op-1")
    for words in ("RECEIPTS", "9960440300000001", "WHERE THE MONEY IS", "нет утверждённых реквизитов"):
        assert words in text, words


async def test_money_without_a_receipt_says_why(town: FiscalTown, commands: Commands) -> None:
    await town.suspend(777)
    before = (await commands.json(explain, "op-2"))["followed"]
    assert (before["receipts_decided"], before["without_receipt"]) == (False, [])
    assert "the fiscal service has not read the entry yet" in await commands.text(explain, "op-2")
    await town.take()
    told = (await commands.json(explain, "op-2"))["followed"]
    assert [(one["amount_kopecks"], one["reason"]) for one in told["without_receipt"]] == [(777, "suspense")]
    assert (told["receipts"], told["money"]) == ([], [])
    assert "No receipt for 7,77 ₽: suspense" in await commands.text(explain, "op-2")
