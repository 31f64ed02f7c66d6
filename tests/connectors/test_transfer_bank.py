"""The fake bank through a faulty network: every order executed once and only once, and its statements add up."""

from collections.abc import Callable
from datetime import timedelta

import msgspec
import pytest

from connectors.sandbox.bank_folder import file_order_key
from connectors.sandbox.bank_orders import CLOSED_ACCOUNT, NO_MONEY, STOPPED, STOPPED_FOR_GOOD, Credit
from connectors.transfers.alfa_link import AlfaLink, AlfaLinkSettings
from connectors.transfers.alfa_payments import AlfaPayments, AlfaSettings, external_id
from connectors.transfers.client_bank import ClientBank, ClientBankSettings
from connectors.transfers.distribution_register import DistributionRegister, RegisterSettings
from connectors.transfers.pain001 import identifier
from connectors.transfers.statement import Statement
from schemas.delivery import Accepted, Closed, Counterparty, Done, Outgoing, Unknown
from schemas.exchange import HttpRequest
from schemas.transfer import Transfer, TransferBatch, TransferState
from tests.connectors.transfer_desk import (
    CREDIT,
    DAY,
    FAULTS,
    HEAT,
    TRANSIT,
    Stage,
    batch_of,
    outgoing,
    report_of,
    sign,
    transfer,
)

URL = "http://127.0.0.1:1"
FILES = ClientBankSettings(
    folder_url=f"{URL}/folder", statement_url=f"{URL}/statement?account={{account}}&from={{from}}&to={{to}}", poll_ms=2_000
)
SEEDS = range(12)
ORDERS = 6


def by_register(stage: Stage) -> Counterparty:
    return DistributionRegister(RegisterSettings(url=URL, poll_ms=2_000), stage.exchange, sign)


def by_alfa(stage: Stage) -> Counterparty:
    return AlfaPayments(AlfaSettings(url=f"{URL}/api", authorization="ApiKey k", poll_ms=2_000), stage.exchange, stage.clock)


def by_link(stage: Stage) -> Counterparty:
    settings = AlfaLinkSettings(url=URL, user="u", password="p", absence_proves=True, poll_ms=2_000)
    return AlfaLink(settings, stage.exchange, sign)


def by_file(stage: Stage) -> Counterparty:
    return ClientBank(FILES, stage.exchange, sign, stage.clock)


def batches(several: bool) -> list[Outgoing]:
    """Orders of the day: one batch of several transfers, or a batch each."""
    transfers = [transfer(n, 10_000 + n) for n in range(1, ORDERS + 1)]
    groups = [tuple(transfers)] if several else [(one,) for one in transfers]
    return [outgoing(batch_of(*group, register=str(place))) for place, group in enumerate(groups, start=1)]


def key_at_the_bank(connector: str, order: Outgoing, one: Transfer) -> str:
    match connector:
        case "alfa":
            return external_id(order.key)
        case "file":
            return file_order_key(TRANSIT, one.number, one.day)
        case "link":
            return identifier(one.key)
        case _:
            return one.key


WAYS: list[tuple[str, Callable[[Stage], Counterparty], bool]] = [
    ("register", by_register, True),
    ("register", by_register, False),
    ("alfa", by_alfa, False),
    ("link", by_link, True),
]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("name", "connector", "several"), WAYS, ids=["register", "registers", "alfa", "link"])
async def test_every_order_is_executed_exactly_once_through_faults(
    name: str, connector: Callable[[Stage], Counterparty], several: bool, seed: int
) -> None:
    stage = Stage(seed, FAULTS, delay_ms=1_000, refused_permille=150, held_permille=150, held_ms=30_000)
    stage.bank.credit(CREDIT, stage.clock())
    for order in batches(several):
        answer = await stage.deliver(connector(stage), order)
        assert isinstance(answer, Done), answer
        ends = {result.key: result for result in report_of(answer).results}
        for one in msgspec.json.decode(order.content, type=TransferBatch).transfers:
            executed = stage.bank.books.effects[key_at_the_bank(name, order, one)]
            assert executed == (ends[one.key].state is TransferState.EXECUTED)
            assert ends[one.key].state in (TransferState.EXECUTED, TransferState.REJECTED)
    assert set(stage.bank.books.effects.values()) <= {1} and not stage.bank.books.unfunded
    assert {request.method for request in stage.requests} == {"POST", "GET"}


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_file_is_never_paid_twice_and_what_cannot_be_known_waits_for_a_person(seed: int) -> None:
    stage = Stage(seed, FAULTS, delay_ms=1_000)
    stage.bank.credit(CREDIT, stage.clock())
    for order in batches(several=False):
        answer = await stage.deliver(by_file(stage), order)
        one = msgspec.json.decode(order.content, type=TransferBatch).transfers[0]
        executed = stage.bank.books.effects[file_order_key(TRANSIT, one.number, one.day)]
        if isinstance(answer, Unknown):
            assert executed == 0
            stage.heal()
            answer = await by_file(stage).ask(order)
            assert isinstance(answer, Unknown) and "look in the bank client" in answer.reason
            return
        assert isinstance(answer, Done) and executed == 1


@pytest.mark.parametrize("seed", SEEDS)
async def test_where_absence_proves_nothing_nothing_is_sent_twice(seed: int) -> None:
    stage = Stage(seed, FAULTS)
    stage.bank.credit(CREDIT, stage.clock())
    settings = AlfaLinkSettings(url=URL, user="u", password="p", poll_ms=2_000)
    for order in batches(several=False):
        answer = await stage.deliver(AlfaLink(settings, stage.exchange, sign), order)
        assert isinstance(answer, Done | Unknown)
        one = msgspec.json.decode(order.content, type=TransferBatch).transfers[0]
        assert stage.bank.books.effects[one.key] == isinstance(answer, Done)


async def run(stage: Stage, *transfers: Transfer) -> dict[str, tuple[TransferState, str]]:
    answer = await stage.deliver(by_register(stage), outgoing(batch_of(*transfers)))
    assert isinstance(answer, Done)
    return {one.key: (one.state, one.reason) for one in report_of(answer).results}


async def test_a_closed_account_is_a_refused_line() -> None:
    stage = Stage(refused_permille=1_000)
    assert await run(stage, transfer(1)) == {"transfer-1": (TransferState.REJECTED, CLOSED_ACCOUNT)}
    assert not stage.bank.books.postings[TRANSIT]


async def test_a_hold_is_told_and_ends_either_way() -> None:
    for refused, end in ((0, (TransferState.EXECUTED, "")), (1_000, (TransferState.REJECTED, STOPPED_FOR_GOOD))):
        stage = Stage(held_permille=1_000, held_ms=120_000, held_refused_permille=refused)
        stage.bank.credit(CREDIT, stage.clock())
        register, order = by_register(stage), outgoing(batch_of(transfer(1)))
        await register.send(order)
        stage.clock.pass_ms(5_000)
        held = await register.ask(order)
        assert isinstance(held, Accepted) and report_of(held).results[0].state is TransferState.HELD
        assert report_of(held).results[0].reason == STOPPED and stage.bank.books.effects.total() == 0
        assert await run(stage, transfer(1)) == {"transfer-1": end}


async def test_money_that_has_not_come_in_is_never_paid() -> None:
    stage = Stage()
    stage.bank.credit(msgspec.structs.replace(CREDIT, amount_kopecks=100), stage.clock())
    ends = await run(stage, transfer(1, 60), transfer(2, 60), transfer(3, 40))
    assert ends["transfer-2"] == (TransferState.REJECTED, NO_MONEY) and stage.bank.books.unfunded == ["transfer-2"]
    assert stage.bank.books.balances[TRANSIT] == 0


async def test_a_cover_counts_once_by_its_id() -> None:
    stage = Stage()
    for _ in range(2):
        stage.bank.credit(msgspec.structs.replace(CREDIT, amount_kopecks=100), stage.clock())
        request = HttpRequest(method="POST", url=f"{URL}/sandbox/credits", body=msgspec.json.encode(CREDIT))
        assert (await stage.exchange(request)).status == 204
    assert stage.bank.books.balances[TRANSIT] == 100
    for credit in (msgspec.structs.replace(CREDIT, account="x"), msgspec.structs.replace(CREDIT, amount_kopecks=0)):
        request = HttpRequest(method="POST", url=f"{URL}/sandbox/credits", body=msgspec.json.encode(credit))
        assert (await stage.exchange(request)).status == 422


async def test_a_returned_order_comes_back_the_next_day_on_both_statements() -> None:
    stage = Stage(returned_permille=1_000)
    stage.bank.credit(CREDIT, stage.clock())
    assert (await run(stage, transfer(1)))["transfer-1"][0] is TransferState.EXECUTED
    stage.clock.pass_ms(86_400_000)
    for source in (by_file(stage), by_alfa(stage)):
        assert isinstance(source, ClientBank | AlfaPayments)
        read = await source.statement(TRANSIT, DAY + timedelta(days=1))
        assert isinstance(read, Statement)
        (back,) = read.movements
        assert (back.is_credit, back.amount_kopecks, back.counterparty_account) == (True, 432_150, HEAT.account)
        assert back.purpose.startswith("Возврат платежного поручения № 1 от 24.11.2026")


def lines_of(read: Statement) -> list[tuple[bool, int, str, str]]:
    return [(one.is_credit, one.amount_kopecks, one.number, one.purpose) for one in read.movements]


@pytest.mark.parametrize("seed", SEEDS)
async def test_statements_agree_with_the_books_and_with_each_other(seed: int) -> None:
    stage = Stage(seed, delay_ms=30_000_000, refused_permille=200, returned_permille=300, statement_page=2)
    for day in range(3):
        credit = Credit(id=f"c{day}", account=TRANSIT, amount_kopecks=50_000 + day, payer=HEAT, purpose=f"Покрытие № {day}")
        stage.bank.credit(credit, stage.clock())
        made = (transfer(n, 700 + n, day=DAY + timedelta(days=day), key=f"{day}-{n}") for n in range(1, 5))
        register = outgoing(batch_of(*made, register=f"r{day}"))
        await by_register(stage).send(register)
        stage.clock.pass_ms(86_400_000)
    await by_register(stage).ask(register)
    files, alfa = by_file(stage), by_alfa(stage)
    assert isinstance(files, ClientBank) and isinstance(alfa, AlfaPayments)
    balance = 0
    for later in range(5):
        day = DAY + timedelta(days=later)
        file, pages = await files.statement(TRANSIT, day), await alfa.statement(TRANSIT, day)
        assert isinstance(file, Statement) and isinstance(pages, Statement) and file.opening_kopecks == balance
        balance += sum(one.amount_kopecks if one.is_credit else -one.amount_kopecks for one in file.movements)
        assert file.closing_kopecks == balance
        assert lines_of(file) == lines_of(pages)
    assert balance == stage.bank.books.balances[TRANSIT]


async def test_only_the_token_opens_the_bank() -> None:
    stage = Stage(token="t")
    stage.bank.credit(CREDIT, stage.clock())
    settings = RegisterSettings(url=URL, token="t", poll_ms=2_000)
    order = outgoing(batch_of(transfer()))
    assert isinstance(await stage.deliver(DistributionRegister(settings, stage.exchange, sign), order), Done)
    wrong = DistributionRegister(msgspec.structs.replace(settings, token="x"), stage.exchange, sign)
    assert isinstance(await wrong.send(order), Closed)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/statement?account=x", 404),
        ("GET", f"/statement?account={TRANSIT}", 400),
        ("GET", f"/api/statement/transactions?accountNumber={TRANSIT}", 400),
        ("GET", "/api/statement/transactions", 404),
        ("POST", "/registers", 400),
        ("POST", "/api/jp/v2/payments", 400),
        ("POST", "/API/v1/ISO20022/Payments", 400),
        ("POST", "/sandbox/credits", 400),
        ("HEAD", "/folder/x", 404),
    ],
)
async def test_the_bank_answers_nonsense_calmly(method: str, path: str, status: int) -> None:
    assert (await Stage().exchange(HttpRequest(method=method, url=URL + path))).status == status


@pytest.mark.parametrize(("content", "signed"), [(b"1CClientBankExchange", b"something else"), (b"1CClientBankExchange", b"")])
async def test_a_file_with_a_wrong_signature_or_form_is_thrown_away(content: bytes, signed: bytes) -> None:
    stage = Stage()
    url = f"{URL}/folder/1c_to_kl_x.txt"
    signature = (await sign(signed or content)).signature
    for address, body in ((f"{url}.p7s", signature), (url, content)):
        assert (await stage.exchange(HttpRequest(method="PUT", url=address, body=body))).status == 201
    assert (await stage.exchange(HttpRequest(method="HEAD", url=url))).status == 200
    stage.clock.pass_ms(5_000)
    assert (await stage.exchange(HttpRequest(method="HEAD", url=url))).status == 404
    assert stage.bank.books.effects.total() == 0
