"""``kopeck transfers``, ``settle`` and ``contracts`` on a real ledger: what leaves is shown, approved, held and paid anew."""

import csv
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest

from connectors.sandbox.bank_folder import write_statement
from connectors.sandbox.bank_orders import BankBooks, BankOptions
from kopeck.commands.contracts import contracts
from kopeck.commands.explain import explain
from kopeck.commands.settle import settle
from kopeck.commands.transfers import transfers
from ledger.journal import fetch_entry
from ledger.statements import load_statements
from schemas.ids import Book
from schemas.transfer import StatementMovement, TransferBatch, TransferResult, TransferState
from services.runner import catch_up
from services.settlement.composing import NO_REQUISITES
from services.settlement.statement import NO_ORDER, take_movement
from services.settlement.terms import CommissionRow, add_commission, set_approval_limit
from services.settlement.transitions import Told, apply_result
from services.settlement.waiting import TRANSFER_RULE, TRANSIT_RULE
from services.settlement.whereabouts import Whereabouts, locate_money
from services.suspense.consumer import SuspenseConsumer
from tests.conftest import LedgerDatabase
from tests.scenarios.test_explain import Commands
from tests.services.settlement_town import DAY, NOW, TRANSIT_ACCOUNT, SettlementTown, settlement_town
from tests.services.settlement_town import SQL as TOWN_SQL

SQL = load_statements("tests/statements/transfers_command.sql")
S = TransferState


@pytest.fixture
async def town(ledger_database: LedgerDatabase) -> AsyncIterator[SettlementTown]:
    async with settlement_town(ledger_database) as founded:
        yield founded


@pytest.fixture
def commands(ledger_database: LedgerDatabase) -> Commands:
    return Commands(ledger_database)


async def paid(town: SettlementTown) -> list[Any]:
    """op-1 pays TEPLO and UK, op-2 FOND; all confirmed, cut and sent."""
    await town.pay(("heating", 70_000), ("maintenance", 30_005))
    await town.pay(("capital_repair", 5_000))
    await town.cover(105_005)
    await town.cut()
    await town.send()
    return await town.orders()


async def tell(town: SettlementTown, key: str, state: TransferState, **more: Any) -> None:
    """What the bank says of an order."""
    async with town.services.transaction():
        await apply_result(town.services, Told(result=TransferResult(key=key, state=state, **more), told_by="bank", at=NOW))


async def test_orders_are_found_and_shown(town: SettlementTown, commands: Commands) -> None:
    orders = await paid(town)
    await tell(town, orders[0]["key"], S.EXECUTED, bank_number="4711", bank_day=DAY)
    found = await commands.json(transfers, "list")
    assert [(one["recipient"], one["amount_kopecks"]) for one in found] == [("FOND", 5_000), ("UK", 30_005), ("TEPLO", 70_000)]
    register = found[0]["register"]
    assert register == f"{town.transit}-261124-1"
    for wanted, amounts in (
        (("--state", "executed"), [70_000]),
        (("--recipient", "UK"), [30_005]),
        (("--day", "2026-11-24"), [5_000, 30_005, 70_000]),
        (("--day", "2026-11-25"), []),
        (("--register", register), [5_000, 30_005, 70_000]),
        (("--register", f"{town.transit}-261124-2"), []),
    ):
        assert [one["amount_kopecks"] for one in await commands.json(transfers, "list", *wanted)] == amounts, wanted
    told = await commands.json(transfers, "show", "1")
    assert told["order"]["key"] == orders[0]["key"]
    assert [(one["account"], one["net_kopecks"]) for one in told["parts"]] == [
        (f"payable:{TRANSIT_ACCOUNT}:TEPLO:heating", 70_000)
    ]
    assert [(one["after"], one["upto"], one["space"]) for one in told["ranges"]] == [(0, 2, "net")]
    assert [one["state"] for one in told["history"]] == ["created", "approved", "sent", "executed"]
    assert (told["history"][-1]["told_by"], told["history"][-1]["bank_number"]) == ("bank", "4711")
    text = await commands.text(transfers, "show", orders[0]["key"])
    assert "executed by the bank's order 4711 of 2026-11-24" in text and "HISTORY" in text
    assert "ORDER" not in await commands.text(transfers, "list", "--state", "held")


async def test_a_register_sums_to_its_orders(town: SettlementTown, commands: Commands, tmp_path: Path) -> None:
    account = await town.account("0001001", "UK", (("maintenance", 0, 5_000),))
    await town.pay_account(account, [(1, "maintenance", 4_000)])
    await town.cover(4_000)
    await town.cut()
    await paid(town)
    register = (await commands.json(transfers, "list"))[0]["register"]
    told = await commands.json(transfers, "register", register)
    assert (told["totals"]["orders"], told["totals"]["amount_kopecks"]) == (3, 105_005) or told["totals"]["orders"] == 1
    first = await commands.json(transfers, "register", f"{town.transit}-261124-1")
    assert first["totals"] == {
        "orders": 1,
        "lines": 1,
        "gross_kopecks": 4_000,
        "claimed_kopecks": 0,
        "commission_kopecks": 0,
        "recovered_kopecks": 0,
        "amount_kopecks": 4_000,
    }
    assert [(one["personal_account"], one["operation"], one["period"]) for one in first["lines"]] == [
        ("***1001", "op-1", "2026-10")
    ]
    file = tmp_path / "register.csv"
    assert "lines written to" in await commands.text(transfers, "register", "1", "--csv", str(file))
    rows = list(csv.reader(file.read_text("utf-8").splitlines()))
    assert rows[0][0] == "order" and rows[-1][0] == "total"
    assert sum(int(row[-1]) for row in rows[1:-1]) == int(rows[-1][-1]) == 4_000
    assert "CONTROL TOTALS 1 orders, 1 lines" in await commands.text(transfers, "register", "1")


@pytest.mark.parametrize(
    "arguments", [("show", "nothing"), ("show", "77"), ("register", "9-261124-1"), ("register", "x"), ("list", "--register", "x")]
)
async def test_what_is_not_there(town: SettlementTown, commands: Commands, arguments: tuple[str, ...]) -> None:
    result = await commands.run(transfers, *arguments)
    assert (result.exit_code, "Error" in result.output) == (2, True), result.output


async def test_a_number_of_two_days_is_told(town: SettlementTown, commands: Commands) -> None:
    first = (await paid(town))[0]["key"]
    await town.owner.execute(TOWN_SQL["roll_day"], town.transit, date(2026, 11, 25))
    await town.pay(("heating", 1))
    await town.cover(1)
    await town.cut()
    result = await commands.run(transfers, "show", "1")
    assert result.exit_code == 2 and "2 orders have that number" in result.output and first in result.output, result.output
    assert (await commands.json(transfers, "show", "2"))["order"]["recipient"] == "UK"


async def test_two_people_approve(town: SettlementTown, commands: Commands) -> None:
    await set_approval_limit(town.services, DAY, 50_000, "chief")
    orders = await paid(town)
    key = orders[0]["key"]
    assert "waits for approval, 0 of 2 given" in await commands.text(transfers, "show", key)
    assert (await commands.json(transfers, "waiting", "--on", "2026-11-24"))["unsent"][0]["order"]["key"] == key
    assert "1 more to approve" in await commands.text(transfers, "approve", key, "--by", "Анна")
    for by in ("анна", "settlement", " "):
        refused = await commands.run(transfers, "approve", key, "--by", by)
        assert refused.exit_code == 2, by
    assert "approved" in await commands.text(transfers, "approve", key, "--by", "Борис")
    assert [one["person"] for one in (await commands.json(transfers, "show", key))["approvals"]] == ["анна", "борис"]
    assert (await commands.run(transfers, "approve", "nothing", "--by", "Анна")).exit_code == 2


async def test_what_waits_is_named_with_its_deadline(town: SettlementTown, commands: Commands) -> None:
    await town.owner.execute(SQL["park_result"])
    recipient = await town.owner.fetchval(TOWN_SQL["add_recipient"], "NEW", "service", "ООО NEW", "7728168971")
    town.payees["intercom"] = await town.owner.fetchval(TOWN_SQL["add_payee"], recipient, "intercom")
    await town.pay(("intercom", 1_100))
    await town.cover(1_100)
    orders = await paid(town)
    await tell(town, orders[0]["key"], S.HELD, reason="115-ФЗ")
    await tell(town, orders[1]["key"], S.REJECTED, reason="счёт закрыт")
    await town.pay(("heating", 9))
    await town.cover(9)
    await town.fold()
    told = await commands.json(transfers, "waiting", "--on", "2026-11-26")
    assert told["uncut"] == [{"transit_account": TRANSIT_ACCOUNT, "amount_kopecks": 9}]
    assert [(one["account"], one["reason"], one["amount_kopecks"], one["since"]) for one in told["carried"]] == [
        (f"payable:{TRANSIT_ACCOUNT}:NEW:intercom", NO_REQUISITES, 1_100, "2026-11-24")
    ]
    assert told["carried"][0]["due"] == {"day": "2026-11-25", "rule": TRANSFER_RULE, "overdue": True}
    assert {one["order"]["state"]: one["due"]["rule"] for one in told["under_way"]} == {
        "held": TRANSIT_RULE,
        "sent": TRANSIT_RULE,
    }
    assert [one["order"]["reason"] for one in told["came_back"]] == ["счёт закрыт"]
    assert (told["overdue"], told["parked_results"][0]["key"]) == (2, "no-such-order")
    text = await commands.text(transfers, "waiting", "--on", "2026-11-27")
    assert "OVERDUE 4" in text and "held by the bank" in text and "PARKED RESULT 1" in text, text
    assert "Nothing is overdue." in await commands.text(transfers, "waiting", "--on", "2026-11-24")
    assert (await commands.text(transfers, "resolve", "1", "--by", "Анна")).startswith("parked result 1 is resolved")
    assert (await commands.run(transfers, "resolve", "1", "--by", "Анна")).exit_code == 2


async def test_a_cancelled_order_is_paid_anew(town: SettlementTown, commands: Commands) -> None:
    await set_approval_limit(town.services, DAY, 50_000, "chief")
    key = (await paid(town))[0]["key"]
    assert (await commands.run(transfers, "reissue", key, "--by", "Анна")).exit_code == 2
    await commands.text(transfers, "cancel", key, "--by", "Анна")
    assert (await commands.run(transfers, "cancel", key, "--by", "Анна")).exit_code == 2
    assert "its money is to be paid anew" in await commands.text(transfers, "show", key)
    await commands.text(transfers, "reissue", key, "--by", "Анна")
    settled = await commands.json(settle)
    assert [one["amount_kopecks"] for one in settled["orders"]] == [70_000]
    told = await commands.json(transfers, "show", key)
    assert told["particulars"]["reissued_by"] == settled["orders"][0]["key"] != key
    leg = (await commands.json(explain, "op-1"))["followed"]["money"][0]
    assert [one["state"] for one in leg["orders"]] == ["cancelled", "created"]
    assert "paid anew after 1 that came back: waits for approval" in leg["told"]


async def test_statement_lines_of_nobody(town: SettlementTown, commands: Commands) -> None:
    line = StatementMovement(
        transit_account=TRANSIT_ACCOUNT,
        bank_id="m-1",
        day=DAY,
        is_credit=False,
        amount_kopecks=1,
        number="5",
        counterparty_account="40702810000000000001",
        counterparty_inn="",
        purpose="Комиссия",
    )
    await take_movement(town.services, line, NOW)
    assert [one["reason"] for one in await commands.json(transfers, "unrecognised")] == [NO_ORDER]
    assert "Комиссия" in await commands.text(transfers, "unrecognised")


async def test_a_statement_file_tells_what_was_executed(town: SettlementTown, commands: Commands, tmp_path: Path) -> None:
    orders = await paid(town)
    bank = BankBooks(BankOptions(accounts=(TRANSIT_ACCOUNT,), delay_ms=0))
    bank.balances[TRANSIT_ACCOUNT] = 105_005
    for row in await town.owner.fetch(TOWN_SQL["outgoing"]):
        for transfer in msgspec.json.decode(row["content"], type=TransferBatch).transfers[:2]:
            bank.take(transfer.key, transfer, NOW)
    bank.advance(NOW)
    file = tmp_path / "kl_to_1c.txt"
    file.write_bytes(write_statement(TRANSIT_ACCOUNT, bank.postings[TRANSIT_ACCOUNT], DAY, DAY))
    told = await commands.json(transfers, "statement", str(file), "--transit", TRANSIT_ACCOUNT)
    assert told == {"offered": 2, "recognised": 2, "left": 0}
    assert sorted(one["state"] for one in await commands.json(transfers, "list")) == ["executed", "executed", "sent"]
    assert "0 lines offered" in await commands.text(transfers, "statement", str(file), "--transit", TRANSIT_ACCOUNT)
    file.write_bytes(file.read_bytes().replace(b"=700.00", b"=700.01"))
    refused = await commands.run(transfers, "statement", str(file), "--transit", TRANSIT_ACCOUNT)
    assert refused.exit_code == 2 and "ВсегоСписано" in refused.output, "nothing of a file whose sums do not agree is taken"
    assert len(orders) == 3


async def test_settling_says_what_was_ordered_and_carried(town: SettlementTown, commands: Commands) -> None:
    await town.approve("VODA", 90, by=None)
    await town.stop("UK", DAY)
    await town.pay(("heating", 70_000), ("maintenance", 30_005))
    await town.cover(100_005)
    told = await commands.json(settle)
    assert [(one["recipient"], one["state"]) for one in told["orders"]] == [("TEPLO", "sent")]
    assert told["registers"] == [told["orders"][0]["register"]] and len(told["cuts"]) == 1
    assert [(one["amount_kopecks"], one["account"].split(":")[2]) for one in told["carried"]] == [(30_005, "UK")]
    again = await commands.text(settle)
    assert "ORDERED 0 orders" in again and "CARRIED 1 sums" in again and "перечням" in again


async def test_a_payer_without_requisites_is_told_what_to_do(town: SettlementTown, commands: Commands) -> None:
    await town.owner.execute(SQL["forget_terms"])
    await town.pay(("heating", 1))
    await town.cover(1)
    result = await commands.run(settle)
    assert result.exit_code == 1 and "kopeck contracts transit" in result.output, result.output
    given = ("--inn", "7728168971", "--kpp", "770801001", "--cut-time", "12:00", "--cut-time", "20:30")
    assert "cuts at 12:00, 20:30 Europe/Moscow" in await commands.text(contracts, "transit", TRANSIT_ACCOUNT, *given)
    assert (await commands.json(transfers, "list"))[0]["state"] == "approved"
    await commands.text(settle)
    assert (await commands.json(transfers, "list"))[0]["state"] == "sent"


async def test_a_transit_account_keeps_what_is_not_given(town: SettlementTown, commands: Commands) -> None:
    await commands.text(contracts, "transit", TRANSIT_ACCOUNT, "--name", "Банк", "--contracts-required", "--cut-time", "15:45")
    await commands.text(contracts, "transit", TRANSIT_ACCOUNT, "--counterparty", "alfa", "--contracts-optional")
    row = await town.owner.fetchrow(SQL["transit_terms"])
    assert (row["payer_name"], row["payer_inn"], row["counterparty"]) == ("Банк", "7728168971", "alfa")
    assert ([f"{one:%H:%M}" for one in row["cut_times"]], row["contracts_required"]) == (["15:45"], False)


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (("--inn", "7728168972"), "--inn"),
        (("--kpp", "1"), "--kpp"),
        (("--correspondent", "30101810000000000000"), "--correspondent"),
        (("--cut-time", "25:00"), "--cut-time"),
        (("--time-zone", "Mars/Olympus"), "--time-zone"),
    ],
)
async def test_terms_that_a_bank_would_refuse(
    town: SettlementTown, commands: Commands, arguments: tuple[str, ...], fault: str
) -> None:
    result = await commands.run(contracts, "transit", TRANSIT_ACCOUNT, *arguments)
    assert result.exit_code == 2 and fault in result.output, result.output
    assert (await commands.run(contracts, "transit", "1", *arguments)).exit_code == 2


FILES = (
    ("load", '{"code": "c-1", "recipient": "TEPLO", "number": "1", "signed_on": "2026-01-01", "valid_from": "2026-01-01"}'),
    ("commission", '{"creditor": "UK", "earner": "OPER", "valid_from": "2026-01-01", "rate": 500}'),
    ("stop-list", '{"list_code": "rfm", "reference": "1", "name": "ООО Ромашка", "since": "2026-01-01"}'),
    ("limits", '{"operation": "transfer", "since": "2026-01-01", "amount_kopecks": 100, "inclusive": true, "source": "115-ФЗ"}'),
)


@pytest.mark.parametrize(("what", "row"), FILES)
async def test_files_are_taken_whole_or_not_at_all(
    town: SettlementTown, commands: Commands, tmp_path: Path, what: str, row: str
) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(f"{row}\n{{}}\n", "utf-8")
    before = tuple(await town.owner.fetchrow(SQL["count_terms"]))
    refused = await commands.run(contracts, what, str(file))
    assert refused.exit_code == 2 and "строка 2" in refused.output, refused.output
    assert tuple(await town.owner.fetchrow(SQL["count_terms"])) == before
    file.write_text(f"{row}\n", "utf-8")
    assert "1 rows: 1 taken" in await commands.text(contracts, what, str(file))
    again = await commands.run(contracts, what, str(file))
    assert (again.exit_code == 2 and "legal_limit_key" in again.output) if what == "limits" else again.exit_code == 0
    assert sum(await town.owner.fetchrow(SQL["count_terms"])) == sum(before) + 1
    file.write_text(row.replace("TEPLO", "NOBODY").replace("OPER", "NOBODY").replace("115-ФЗ", "x"), "utf-8")
    if what in ("load", "commission"):
        assert "NOBODY" in (await commands.run(contracts, what, str(file))).output


async def test_the_same_columns_as_csv_and_names_of_services(town: SettlementTown, commands: Commands, tmp_path: Path) -> None:
    file = tmp_path / "contracts.csv"
    heading = "code;recipient;number;signed_on;valid_from;nets_debts;vat_percent;purpose"
    file.write_text(f"{heading}\nc-1;TEPLO;1;2026-01-01;2026-01-01;true;22;\n", "utf-8-sig")
    assert "1 rows: 1 taken" in await commands.text(contracts, "load", str(file))
    row = await town.owner.fetchrow(SQL["contract"], "c-1")
    assert (row["nets_debts"], row["vat_percent"], row["defers_small"], row["valid_to"]) == (True, 22, False, None)
    for wrong, told in (("c-2;TEPLO;1", "столбцов"), ("c-2;TEPLO;1;вчера;2026-01-01;true;22;", "строка 2")):
        file.write_text(f"{heading}\n{wrong}\n", "utf-8")
        refused = await commands.run(contracts, "load", str(file))
        assert refused.exit_code == 2 and told in refused.output, refused.output
    names = tmp_path / "names.csv"
    names.write_text("service,name\nheating,отопление\ncold_water,холодная вода\n", "utf-8")
    assert "2 rows: 2 taken" in await commands.text(contracts, "service-names", str(names))
    await paid(town)
    assert "отопление" in (await town.orders())[0]["purpose"]


async def test_an_approval_limit(town: SettlementTown, commands: Commands) -> None:
    text = await commands.text(contracts, "approval-limit", "300000", "--since", "2026-11-24", "--by", "Анна")
    assert "300\u202f000,00" in text
    again = await commands.run(contracts, "approval-limit", "1", "--since", "2026-11-24", "--by", "Анна")
    assert again.exit_code == 2 and "approval_limit_pkey" in again.output
    assert (await commands.run(contracts, "approval-limit", "0", "--since", "2026-11-25", "--by", "Анна")).exit_code == 2


async def test_a_payment_is_followed_to_the_banks_order(town: SettlementTown, commands: Commands) -> None:
    orders = await paid(town)
    await tell(town, orders[0]["key"], S.EXECUTED, bank_number="4711", bank_day=DAY)
    await tell(town, orders[1]["key"], S.HELD, reason="115-ФЗ")
    money = (await commands.json(explain, "op-1"))["followed"]["money"]
    assert [(one["payee"], one["amount_kopecks"], one["where"]) for one in money] == [
        ("TEPLO:heating", 70_000, "ordered"),
        ("UK:maintenance", 30_005, "ordered"),
    ]
    assert money[0]["orders"][0]["bank_number"] == "4711"
    text = await commands.text(explain, "op-1")
    assert "executed by the bank's order 4711 of 2026-11-24" in text and "held by the bank since 2026-11-24: 115-ФЗ" in text


async def test_why_money_has_not_left(town: SettlementTown, commands: Commands) -> None:
    first = await town.pay(("heating", 100))
    await town.approve("VODA", 60, by=None)
    await town.stop("VODA", DAY)

    async def where(reference: str) -> tuple[str, str]:
        (leg,) = (await commands.json(explain, reference))["followed"]["money"]
        return leg["where"], leg["told"]

    assert (await where("op-1"))[0] == "not_read"
    await town.fold()
    assert (await where("op-1"))[0] == "not_confirmed"
    await town.cover(100)
    await town.fold()
    assert (await where("op-1"))[0] == "not_cut"
    await town.pay(("cold_water", 50))
    await town.cover(50)
    await town.cut()
    assert (await where("op-1")) == ("ordered", "order 1 of 2026-11-24: approved, leaves with the next register")
    kept, told = await where("op-3")
    assert kept == "carried" and "перечням" in told
    undone = await town.pay(("hot_water", 7))
    await town.reverse(undone)
    await town.cut()
    assert (await where("1:3"))[0] == "nothing_left"
    await town.reverse(first)
    assert (await commands.json(explain, "1:1"))["reversed_by"] == ["1:5"]
    assert (await commands.json(explain, "correction/1:1/1"))["followed"]["money"] == []


async def test_netted_commission_is_followed_to_its_earner(town: SettlementTown) -> None:
    await add_commission(town.services, [CommissionRow(creditor="UK", earner="OPER", valid_from=date(2026, 1, 1), rate=1_200)])
    account = await town.account("1001", "UK", (("maintenance", 0, 100_000), ("heating", 0, 100_000)))
    place = await town.pay_account(account, [(1, "maintenance", 50_000), (2, "heating", 25_000)])
    await town.cover(75_000)
    await town.cut()
    legs = await locate_money(town.services, await fetch_entry(town.services, Book(1), place))
    assert [(leg.amount, leg.commission) for leg in legs] == [(50_000, 900), (25_000, 0), (900, 0)]
    assert {leg.where for leg in legs} == {Whereabouts.ORDERED}
    assert sum(leg.amount - leg.commission for leg in legs) == 75_000
    assert [leg.orders[-1].recipient for leg in legs] == ["UK", "TEPLO", "OPER"]


async def test_money_without_an_owner_is_warned_of_too(town: SettlementTown, commands: Commands) -> None:
    assert (await commands.json(transfers, "waiting", "--on", "2026-11-24"))["suspended"] == []
    await town.suspend(12_345)
    await catch_up(town.services, SuspenseConsumer())
    (told,) = (await commands.json(transfers, "waiting", "--on", "2026-11-27"))["suspended"]
    assert (told["transit_account"], told["items"], told["amount"]) == (TRANSIT_ACCOUNT, 1, 12_345)
    assert (told["law"]["day"], told["law"]["overdue"], told["promise"]["overdue"]) == ("2026-11-26", True, False)
    text = await commands.text(transfers, "waiting", "--on", "2026-11-27")
    assert "IN SUSPENSE" in text and "123,45" in text
