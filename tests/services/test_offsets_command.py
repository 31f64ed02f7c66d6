"""Published months, an advance paid out to the УО, and the obligations report: from the payment to the supplier's order."""

import asyncio
import csv
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from click.testing import CliRunner

from kopeck.commands.billing import billing
from kopeck.commands.explain import explain
from ledger.audit import conclude, connect_for_audit, plan_audit, run_job
from ledger.core.entry import entry_for_payment
from ledger.core.fingerprint import fingerprint_of
from ledger.core.split import apply_lines, split_amount
from ledger.journal import Append, append
from ledger.publication import publish_accounts
from ledger.reversal import reverse_entry, table_of_account
from ledger.statements import load_statements
from schemas.allocation import digest_of, pack_table
from schemas.ids import AccountId, Book
from schemas.ids import Sequence as Place
from schemas.outcome import AppendStatus
from services.settlement.obligations import list_obligations
from tests.conftest import LedgerDatabase
from tests.services.settlement_town import NOW, SettlementTown, settlement_town

SQL = load_statements("tests/statements/settlement_town.sql")
TOWN = load_statements("tests/statements/allocation_town.sql")
MOSCOW = ZoneInfo("Europe/Moscow")


@pytest.fixture
async def town(ledger_database: LedgerDatabase) -> AsyncIterator[SettlementTown]:
    async with settlement_town(ledger_database) as founded:
        yield founded


async def open_account(town: SettlementTown) -> AccountId:
    return AccountId(await town.owner.fetchval(SQL["add_account"], "1001", town.recipients["UK"]))


async def charge(town: SettlementTown, account: AccountId, period: int, *lines: tuple[str, int]) -> None:
    """Charge lines of the УО, the next ones of the account, and publish."""
    first = await town.owner.fetchval(TOWN["next_line"], account)
    for line, (service, amount) in enumerate(lines, start=first):
        await town.owner.execute(SQL["add_charge"], account, line, town.recipients["UK"], period, town.payees[service], 0, amount)
    assert (await publish_accounts(town.services, [account], NOW, "test")).failed == ()


async def pay(town: SettlementTown, account: AccountId, amount: int) -> Place:
    """Pay through the door, as the gateway does."""
    state = await table_of_account(town.services, account)
    entry = entry_for_payment(town._facts(amount, 0), state.table, split_amount(state.table, amount), MOSCOW)
    print_ = fingerprint_of(kind=entry.kind, account="1001", amount_kopecks=amount, raw_amount="", designation="")
    after = digest_of(pack_table(apply_lines(state.table, entry.lines, entry.amounts)))
    (answer,) = await append(
        town.services, state.book, [Append(entry=entry, fingerprint=print_, before=state.digest, after=after)]
    )
    assert answer.status is AppendStatus.RECORDED and answer.sequence is not None
    return answer.sequence


async def prepaid(town: SettlementTown) -> AccountId:
    """October paid with 700 kopecks ahead, all of it confirmed and ordered; November published."""
    account = await open_account(town)
    await charge(town, account, 202610, ("maintenance", 500), ("heating", 300))
    await pay(town, account, 1_500)
    await town.cover(1_500)
    assert (await town.cut()).ordered == 1_500
    await charge(town, account, 202611, ("maintenance", 400), ("heating", 600), ("cold_water", 300))
    return account


async def told(town: SettlementTown) -> list[tuple[str, int, int, int, int, int]]:
    """(recipient, offset, handed, owed, waiting, outside) of November."""
    rows = await list_obligations(town.services, 202611)
    assert all((row.creditor, row.holder) == ("UK", "UK") for row in rows)
    sums = ("offset_kopecks", "handed_kopecks", "owed_kopecks", "waiting_kopecks", "outside_kopecks")
    return [(row.recipient, *[getattr(row, name) for name in sums]) for row in rows]


async def assert_verified(town: SettlementTown) -> None:
    """The ledger's and settlement's own checks have nothing to say."""
    await town.assert_sound()
    connection = await connect_for_audit(town.database.reader_dsn)
    try:
        plan = await plan_audit(connection, 1)
        assert conclude(plan, [await run_job(connection, job, lambda _: None) for job in plan.jobs]) is None
    finally:
        await connection.close()


async def test_what_the_manager_owes_for_an_advance_is_told_until_it_has_paid(town: SettlementTown) -> None:
    await prepaid(town)
    assert await told(town) == [("TEPLO", 200, 0, 0, 200, 0), ("VODA", 100, 0, 0, 100, 0)]
    assert (await town.cut()).ordered == 0
    assert await told(town) == [("TEPLO", 200, 0, 200, 0, 0), ("VODA", 100, 0, 100, 0, 0)]
    assert await list_obligations(town.services, 202611, "TEPLO") == ()
    await town.pay_debt("UK", 300)
    assert (await town.cut()).ordered == 300
    assert await told(town) == [("TEPLO", 200, 200, 0, 0, 0), ("VODA", 100, 100, 0, 0, 0)]
    assert await town.paid() == {("UK", "services"): 1_200, ("TEPLO", "services"): 500, ("VODA", "services"): 100}
    await assert_verified(town)


async def test_an_opening_advance_is_settled_between_the_two_outside(town: SettlementTown) -> None:
    account = await open_account(town)
    await town.owner.execute(TOWN["charge_opened"], account, town.recipients["UK"], town.payees["maintenance"], 100, 400)
    await charge(town, account, 202611, ("heating", 700))
    assert await told(town) == [("TEPLO", 300, 0, 0, 0, 300)]
    assert (await town.cut()).ordered == 0
    await assert_verified(town)


async def run(town: SettlementTown, *arguments: str) -> Any:
    environ = {"KOPECK_POSTGRES_DSN": town.database.owner_dsn, "KOPECK_REDIS_URL": town.database.redis_url}
    return await asyncio.to_thread(CliRunner().invoke, billing, ["offsets", "2026-11", *arguments], env=environ)


async def test_the_command_offsets_what_is_left_once(town: SettlementTown, tmp_path: Path) -> None:
    await prepaid(town)
    await reverse_entry(town.services, Book(1), Place(2), NOW)
    for number, expected in enumerate((False, False, True)):
        arguments = ["--json"] if expected else ["--json", "--dry-run"]
        answer = await run(town, *arguments)
        assert answer.exit_code == 0, answer.output
        report = msgspec.json.decode(answer.stdout)
        offsets = report["offsets"]
        assert (offsets["holders"], offsets["accounts"], offsets["amount_kopecks"], offsets["booked"]) == (1, 1, 700, expected), (
            number
        )
        assert len(report["obligations"]) == (2 if expected else 0)
    flows = [(flow["advance"], flow["recipient"], flow["amount_kopecks"]) for flow in offsets["flows"]]
    assert flows == [("advance", "TEPLO", 200), ("advance", "UK", 400), ("advance", "VODA", 100)]
    again = msgspec.json.decode((await run(town, "--json")).stdout)["offsets"]
    assert (again["holders"], again["accounts"], again["failed"]) == (0, 0, [])
    screen = await run(town, "--csv", str(tmp_path / "owed.csv"))
    assert "Обязательства по зачтённым авансам" in screen.output and "UK должен 0,00 ₽" in screen.output
    rows = list(csv.reader((tmp_path / "owed.csv").read_text(encoding="utf-8").splitlines()))
    assert [row[2] for row in rows] == ["recipient", "TEPLO", "VODA", ""] and rows[-1][6] == "300"
    await assert_verified(town)


async def test_a_failed_offset_is_told_and_exits_with_one(town: SettlementTown) -> None:
    await prepaid(town)
    await reverse_entry(town.services, Book(1), Place(2), NOW)
    await town.owner.execute(TOWN["take_key"], 7, "1:1/2")
    answer = await run(town)
    assert answer.exit_code == 1 and "offset 1:1/2: conflict" in answer.output


async def test_a_payment_and_its_offset_are_explained(town: SettlementTown) -> None:
    await prepaid(town)
    environ = {"KOPECK_POSTGRES_READER_DSN": town.database.reader_dsn, "KOPECK_POSTGRES_DSN": town.database.owner_dsn}
    environ["KOPECK_REDIS_URL"] = town.database.redis_url
    for reference, told in (
        ("1:1", "Its advance was set off against charges by entry 1:2."),
        ("1:2", "ENTRY 1:2 advance_offset"),
    ):
        answer = await asyncio.to_thread(CliRunner().invoke, explain, [reference], env=environ)
        assert answer.exit_code == 0 and told in answer.output, answer.output
