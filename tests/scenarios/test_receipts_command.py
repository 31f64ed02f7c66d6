"""``kopeck receipts`` on a real ledger: every receipt is found, explained, printed, and brought on its way again."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import asyncpg
import pytest

from kopeck.commands.load import load
from kopeck.commands.receipts import receipts
from kopeck.connections import open_routes
from kopeck.counterparties import read_counterparties
from ledger.statements import ROOT, load_statements
from schemas.channel import LegalKind
from schemas.delivery import Refused
from services.fiscal.lookups import find_receipt, list_newest_receipts
from services.fiscal.states import ReceiptState
from tests.conftest import LedgerDatabase
from tests.scenarios.test_explain import Commands
from tests.services.desk import Desk
from tests.services.fiscal_town import COMPANIES, FUND, FUND_VAT, SQL, FiscalTown, open_town

LOOKUPS = load_statements("services/fiscal/lookups.sql")
TABLES = ("companies", "services", "vat", "agencies", "decisions", "item-rules", "contacts")
REFUSED = Refused(code="12", reason="wrong ИНН")


@pytest.fixture
def commands(ledger_database: LedgerDatabase) -> Commands:
    return Commands(ledger_database)


@pytest.fixture
async def town(ledger_database: LedgerDatabase, tmp_path: Path) -> AsyncIterator[FiscalTown]:
    """op-1 of 1001: receipts 1 of uk and 2 of water, ordered. op-2 of 1002: 3 of uk, ordered; 4 of fund, unconfigured."""
    services = await asyncpg.connect(ledger_database.services_dsn)
    built = await open_town(ledger_database, Desk(connection=services, folder=tmp_path))
    await built.pay("1001", 550_000)
    await built.pay("1002", 170_000)
    await built.take()
    yield built
    await built.owner.close()
    await services.close()


async def register(town: FiscalTown, *numbers: int) -> None:
    """Let the tills register some receipts."""
    for row in await town.orders():
        if row["subject"] in numbers and row["state"] == 0:
            await town.register(row, link="https://ofd.example.ru/1", shift="12", number_in_shift="3", register_number="0001")


async def numbers(commands: Commands, *arguments: str) -> list[int]:
    """Receipts that a list shows, in its order."""
    told = await commands.json(receipts, "list", *arguments)
    return [one["number"] for one in told["receipts"]]


async def test_receipts_are_found_by_every_reference(town: FiscalTown, commands: Commands) -> None:
    await register(town, 1)
    sign = (await commands.json(receipts, "show", "1"))["sign"]
    assert await numbers(commands) == [4, 3, 2, 1]
    assert await numbers(commands, "--limit", "2") == [4, 3]
    assert await numbers(commands, "--payment", "op-1") == await numbers(commands, "--payment", "feed/op-1") == [2, 1]
    assert await numbers(commands, "--account", "epd/1002") == await numbers(commands, "--account", "1002") == [4, 3]
    assert await numbers(commands, "--account", "epd:1002", "--limit", "1") == [4]
    assert await numbers(commands, "--sign", sign["fpd"]) == [1]
    assert await numbers(commands, "--sign", f"{sign['fn']}/{sign['fd']}/{sign['fpd']}") == [1]
    assert await numbers(commands, "--sign", f"{sign['fn']}/999/{sign['fpd']}") == []
    for state, expected in (("ordered", [3, 2]), ("registered", [1]), ("unconfigured", [4]), ("failed", [])):
        assert await numbers(commands, "--state", state) == expected, state
    assert await numbers(commands, "--account", "1002", "--state", "unconfigured") == [4]
    text = await commands.text(receipts, "list")
    assert "feed/op-1" in text and "registered" in text and "5\u202f000,00" in text


WRONG = [
    (("list", "--payment", "nothing"), 2, "no payment 'nothing'"),
    (("list", "--account", "77"), 2, "no personal account '77'"),
    (("list", "--account", "epd/77"), 2, "no personal account 'epd/77'"),
    (("list", "--sign", "x"), 2, "expected ФПД or ФН/ФД/ФПД"),
    (("list", "--sign", "1", "--payment", "op-1"), 2, "exclude one another"),
    (("show", "99"), 2, "there is no receipt 99"),
    (("print", "99", "--output", "x.pdf"), 2, "there is no receipt 99"),
    (("print", "1", "--output", "x.pdf"), 2, "only what a till registered"),
    (("mend", "1", "--by", "Анна"), 2, "no registered receipt"),
    (("mend", "1", "--by", "Анна", "--by-order"), 2, "--base-number"),
    (("offsets", "2199-01"), 2, "has not ended"),
]


@pytest.mark.parametrize(("arguments", "code", "words"), WRONG)
async def test_what_cannot_be_done_is_said(
    town: FiscalTown, commands: Commands, arguments: tuple[str, ...], code: int, words: str
) -> None:
    result = await commands.run(receipts, *arguments)
    assert (result.exit_code, words in result.output) == (code, True), result.output
    assert not Path("x.pdf").exists()


async def test_an_account_of_two_namespaces_must_be_named(town: FiscalTown, commands: Commands) -> None:
    await town.desk.load("accounts", "namespace,number,state,payer_kind,provider\nold,1002,open,person,uk\n")
    result = await commands.run(receipts, "list", "--account", "1002")
    assert (result.exit_code, "epd/1002, old/1002" in result.output) == (2, True)
    assert await numbers(commands, "--account", "epd/1002") == [4, 3]
    assert await numbers(commands, "--account", "old/1002") == []


async def test_a_receipt_is_shown_with_its_reason(town: FiscalTown, commands: Commands) -> None:
    await register(town, 1)
    told = await commands.json(receipts, "show", "1")
    assert (told["state"], told["issuer"], told["account"], told["total_kopecks"]) == ("registered", "uk", "epd:1001", 500_000)
    assert [item["sum_kopecks"] for item in told["receipt"]["items"]] == [300_000, 200_000]
    assert told["receipt"]["client"] == ""
    assert [(one["relation"], one["lines"], one["amount_kopecks"], one["issues"]) for one in told["reasons"]] == [
        ("pass_through", 1, 300_000, "creditor"),
        ("own", 1, 200_000, "creditor"),
    ]
    assert all("54-ФЗ ст. 1.2 п. 5.3" in one["source"] for one in told["reasons"])
    assert [(one["state"], one["counterparty"], one["attempts"]) for one in told["orders"]] == [("done", "atol:uk", 0)]
    assert told["qr"].startswith("t=20261124T1230&s=5000.00&fn=9960440300000001")
    text = await commands.text(receipts, "show", "1")
    for words in ("RECEIPT 1: sell", "the till registered it", "passes on to a supplier", told["qr"], "https://ofd.example.ru/1"):
        assert words in text, words
    direct = await commands.json(receipts, "show", "2")
    assert [one["relation"] for one in direct["reasons"]] == ["direct"]
    missing = await commands.text(receipts, "show", "4")
    assert "unconfigured: waits for a dated table (fiscal company fund" in missing


async def test_a_sum_without_a_receipt_says_why(town: FiscalTown, commands: Commands) -> None:
    await town.pay("1003", 100_000, external_id="firm")
    await town.pay("1002", 5_000, LegalKind.PAYMENT_AGENT, external_id="agent")
    await town.take()
    told = await commands.json(receipts, "list", "--payment", "firm")
    assert (told["receipts"], [one["reason"] for one in told["without_receipt"]]) == ([], ["organisation"])
    text = await commands.text(receipts, "list", "--payment", "agent")
    assert "the payment agent has issued its own receipt" in text and "50,00" in text


async def test_a_refund_says_what_it_takes_back(town: FiscalTown, commands: Commands) -> None:
    await register(town, 1, 2)
    sequence = next(one["sequence"] for one in await town.receipts() if one["number"] == 1)
    await town.reverse(sequence)
    await town.take()
    told = await commands.json(receipts, "list", "--payment", "op-1")
    refund = next(one for one in told["receipts"] if one["operation"] == "sell_refund" and one["issuer"] == "uk")
    shown = await commands.json(receipts, "show", str(refund["number"]))
    assert (shown["after"], shown["reasons"], shown["total_kopecks"]) == (1, [], 500_000)
    assert "takes back or replaces what receipt 1 said" in await commands.text(receipts, "show", str(refund["number"]))


async def test_a_registered_receipt_is_printed(town: FiscalTown, commands: Commands, tmp_path: Path) -> None:
    await register(town, 1)
    page = tmp_path / "receipt.pdf"
    assert str(page) in await commands.text(receipts, "print", "1", "--output", str(page))
    assert page.read_bytes().startswith(b"%PDF-")
    nowhere = await commands.run(receipts, "print", "1", "--output", str(tmp_path / "none" / "receipt.pdf"))
    assert (nowhere.exit_code, "cannot be written" in nowhere.output) == (1, True)


async def test_what_a_till_registered_otherwise_is_not_printed(town: FiscalTown, commands: Commands, tmp_path: Path) -> None:
    row = next(row for row in await town.orders() if row["subject"] == 1)
    await town.register(row, total_kopecks=499_999)
    told = await commands.json(receipts, "stopped")
    assert [(one["number"], one["state"]) for one in told["receipts"]] == [(1, "disputed"), (4, "unconfigured")]
    page = tmp_path / "receipt.pdf"
    result = await commands.run(receipts, "print", "1", "--output", str(page))
    assert (result.exit_code, "499999 registered" in result.output, page.exists()) == (2, True, False)


async def test_failed_receipts_are_sent_again(town: FiscalTown, commands: Commands) -> None:
    row = next(row for row in await town.orders() if row["subject"] == 1)
    await town.settle(row, REFUSED, 3)
    told = await commands.json(receipts, "stopped", "--state", "failed")
    assert [(one["number"], one["reason"]) for one in told["receipts"]] == [(1, "12: wrong ИНН")]
    assert told["counts"] == {"unconfigured": 1, "failed": 1}
    assert "stopped in all: 1 unconfigured, 1 failed" in await commands.text(receipts, "stopped")
    report = await commands.json(receipts, "resend", "1", "2", "77", "1", "--by", "Анна")
    assert (report["ordered"], report["left_alone"]) == (1, 2)
    shown = await commands.json(receipts, "show", "1")
    assert (shown["state"], [one["state"] for one in shown["orders"]]) == ("ordered", ["refused", "waiting"])
    assert len({one["key"] for one in shown["orders"]}) == 2
    assert "0 ordered" in await commands.text(receipts, "resend", "1", "--by", "Анна")


async def test_what_is_configured_at_last_goes_out(town: FiscalTown, commands: Commands) -> None:
    assert (await commands.json(receipts, "order-unconfigured"))["waiting"] == 1
    await town.load("companies", FUND)
    await town.load("vat", FUND_VAT)
    assert "1 ordered" in await commands.text(receipts, "order-unconfigured")
    view = await find_receipt(town.services, 4)
    assert view is not None and view.state is ReceiptState.ORDERED
    assert [one.number for one in await list_newest_receipts(town.services, ReceiptState.ORDERED)] == [4, 3, 2, 1]


async def test_a_wrong_receipt_is_corrected(town: FiscalTown, commands: Commands) -> None:
    await register(town, 1)
    same = await commands.run(receipts, "mend", "1", "--by", "Анна")
    assert (same.exit_code, "says already what is right" in same.output) == (2, True)
    await town.load("companies", COMPANIES.replace("osn,1.2", "usn_income,1.2"))
    order = ("--by-order", "--base-number", "12-ф", "--base-date", "2026-11-20")
    made = await commands.json(receipts, "mend", "1", "--by", "Анна", *order)
    assert (made["wrong"], made["undo"] < made["right"]) == (1, True)
    undo = await commands.json(receipts, "show", str(made["undo"]))
    assert (undo["operation"], undo["state"]) == ("sell_refund_correction", "ordered")
    assert (undo["receipt"]["correction"]["base_number"], undo["receipt"]["correction"]["by_order"]) == ("12-ф", True)
    right = await commands.json(receipts, "show", str(made["right"]))
    assert (right["operation"], right["state"], right["after"]) == ("sell_correction", "held", made["undo"])
    assert "correction by order of 2026-11-20 12-ф" in await commands.text(receipts, "show", str(made["undo"]))


async def test_offsets_of_a_month_that_had_none(town: FiscalTown, commands: Commands) -> None:
    told = await commands.json(receipts, "offsets", "2026-01")
    assert told == {"receipts": [], "total_kopecks": 0, "missing": []}
    assert "none" in await commands.text(receipts, "offsets", "2026-01")


async def test_a_contact_is_erased(town: FiscalTown, commands: Commands) -> None:
    assert any(b"ivanov@example.com" in row["content"] for row in await town.orders())
    assert "the contact is erased" in await commands.text(receipts, "erase-contact", "epd", "1001")
    assert not any(b"ivanov@example.com" in row["content"] for row in await town.orders())
    assert (await commands.json(receipts, "erase-contact", "epd", "1001")) == {"erased": False}


async def test_the_reader_finds_without_the_services_rights(town: FiscalTown, commands: Commands) -> None:
    """Reading commands connect as the reader: with an address of the services that leads nowhere they still answer."""
    commands.environ["KOPECK_POSTGRES_SERVICES_DSN"] = "postgresql://nobody@127.0.0.1:1/none"
    assert await numbers(commands, "--payment", "op-1") == [2, 1]
    assert (await commands.json(receipts, "show", "1"))["reasons"] != []
    assert len((await commands.json(receipts, "stopped"))["receipts"]) == 1


async def test_the_documented_files_are_loaded_by_their_commands(town: FiscalTown, commands: Commands, tmp_path: Path) -> None:
    text = (ROOT / "docs/loading.md").read_text("utf-8")
    for table in TABLES:
        section = text.partition(f"### {table}\n")[2]
        example = re.search(r"```csv\n(.*?)```", section, re.DOTALL)
        assert example is not None, table
        file = tmp_path / f"documented-{table}.csv"
        file.write_text(example[1], "utf-8")
        report = await commands.json(load, table, str(file), "--by", "anna")
        assert (report["what"], report["added"] + report["changed"] + report["unchanged"]) == (
            f"fiscal_{table.replace('-', '_')}",
            example[1].count("\n") - 1,
        )
    assert {"services", "vat", "agencies", "decisions", "item-rules"} <= set(load.commands)


async def test_a_faulty_file_of_contacts_is_refused_without_quoting_it(
    town: FiscalTown, commands: Commands, tmp_path: Path
) -> None:
    file = tmp_path / "contacts.csv"
    file.write_text("namespace,number,contact\nepd,1001,somebody at example\n", "utf-8")
    result = await commands.run(load, "contacts", str(file))
    assert (result.exit_code, "line 2, contact: expected an e-mail" in result.output) == (2, True), result.output
    assert "somebody" not in result.output


async def test_the_documented_tills_can_be_used(tmp_path: Path) -> None:
    example = re.search(r"```toml\n(.*?)```", (ROOT / "docs/receipts.md").read_text("utf-8"), re.DOTALL)
    assert example is not None
    file = tmp_path / "counterparties.toml"
    file.write_text(example[1], "utf-8")
    (tmp_path / "atol-password").write_text("secret\n", "utf-8")
    read = await asyncio.to_thread(read_counterparties, file, {"FERMA_PASSWORD": "secret"})
    async with AsyncExitStack() as stack:
        opened = await open_routes(read, stack)
        assert [route.name for route in opened.routes] == ["atol:uk", "ferma:water"]


@pytest.mark.parametrize(
    ("statement", "arguments", "index"),
    [
        ("list_newest", (10,), "receipt_pkey"),
        ("list_newest_stopped", (3, 10), "stopped_by_state"),
        ("list_newest_ordered", (10,), "outgoing_"),
        ("list_newest_registered", (10,), "sign_pkey"),
        ("list_accounts_of_number", ("1001",), "personal_account_once"),
    ],
)
async def test_lists_go_by_indexes(town: FiscalTown, statement: str, arguments: tuple[object, ...], index: str) -> None:
    await town.services.execute(SQL["prefer_indexes"])
    rows = await town.services.fetch(f"{SQL['explain']} {LOOKUPS[statement]}", *arguments)
    plan = "\n".join(row[0] for row in rows)
    assert index in plan and "Seq Scan on receipt" not in plan and "Seq Scan on sign" not in plan, plan
