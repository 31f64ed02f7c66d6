"""Alfa API's statement: pages that repeat or move, the summary they must agree with, exact roubles, hints."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from hypothesis import given, settings

from connectors.sandbox.bank import FakeBank
from connectors.sandbox.bank_orders import BankOptions, Credit
from connectors.sandbox.statements import NONE, Faults, StatementFault, StatementPlan
from connectors.sandbox.statements_alfa import AlfaStatementDoor, write_alfa_pages, write_alfa_summary
from connectors.statements.alfa import AskedDay, read_alfa_file, read_day, read_page
from connectors.statements.alfa_hint import alfa_hint
from connectors.statements.alfa_source import PAGES_MAX, READINGS_MAX, AlfaStatements
from connectors.statements.believing import read_any
from connectors.statements.source import BankStatementSource, StatementUnread
from connectors.transfers.alfa_payments import AlfaPayments, AlfaSettings
from connectors.transfers.client_bank import ClientBank, ClientBankSettings
from schemas.exchange import Exchange, ExchangeFailed, HttpAnswer, HttpRequest
from schemas.statement import BankStatement, StatementKind, StatementUnbelieved
from tests.connectors.statement_plans import ACCOUNT, COVER, NOW, OTHER_ACCOUNT, PAID, PAYEE, PLAN, plans
from tests.connectors.transfer_desk import HEAT, Told

DAY = PLAN.since
PAID_THEN = msgspec.structs.replace(PAID, day=DAY)
DAY_PLAN = StatementPlan(account=ACCOUNT, since=DAY, until=DAY, entries=(COVER, PAID_THEN), opening_kopecks=-5)


def asking(exchange: Exchange, now: datetime = NOW) -> AlfaStatements:
    """A source that asks through this exchange."""
    return AlfaStatements(lambda path: HttpRequest(method="GET", url=f"http://bank/api{path}"), exchange, lambda: now)


def fake(plan: StatementPlan, faults: Faults = NONE, *, page_lines: int = 1) -> tuple[Exchange, list[str]]:
    """A bank that has this day, and the paths it was asked for."""
    door = AlfaStatementDoor({(plan.account, plan.since): plan}, faults, page_lines=page_lines)
    asked: list[str] = []

    async def exchange(request: HttpRequest) -> HttpAnswer:
        asked.append(urlsplit(request.url).path.rpartition("/")[2])
        return door.handle(request, NOW)

    return exchange, asked


async def test_a_day_of_pages_agrees_with_its_summary() -> None:
    exchange, asked = fake(DAY_PLAN)
    read = await asking(exchange).bank_statement(ACCOUNT, DAY)
    assert isinstance(read, BankStatement)
    assert read.entries == (COVER, PAID_THEN) and read.kind is StatementKind.FINAL and read.source == "alfa"
    assert (read.opening_kopecks, read.credited_kopecks, read.debited_kopecks, read.closing_kopecks) == (
        -5,
        120_050,
        35_000,
        85_045,
    )
    assert asked == ["transactions", "transactions", "summary"]


async def test_today_is_intraday_until_midnight_in_moscow() -> None:
    exchange, _ = fake(DAY_PLAN)
    for moment, kind in (
        (datetime(2026, 11, 23, 20, 59, tzinfo=UTC), StatementKind.INTRADAY),
        (datetime(2026, 11, 23, 21, 0, tzinfo=UTC), StatementKind.FINAL),
    ):
        read = await asking(exchange, moment).bank_statement(ACCOUNT, DAY)
        assert isinstance(read, BankStatement) and read.kind is kind


async def test_a_day_without_lines_is_a_statement() -> None:
    exchange, _ = fake(StatementPlan(account=ACCOUNT, since=DAY, until=DAY, entries=(), opening_kopecks=9))
    read = await asking(exchange).bank_statement(ACCOUNT, DAY)
    assert isinstance(read, BankStatement) and read.entries == () and read.closing_kopecks == 9


@given(plan=plans)
@settings(max_examples=40, deadline=None)
async def test_any_day_comes_back_line_by_line(plan: StatementPlan) -> None:
    moved = tuple(msgspec.structs.replace(one, day=DAY) for one in plan.entries)
    exchange, _ = fake(msgspec.structs.replace(plan, until=DAY, entries=moved), page_lines=3)
    read = await asking(exchange).bank_statement(ACCOUNT, DAY)
    assert isinstance(read, BankStatement) and read.entries == moved and read.opening_kopecks == plan.opening_kopecks


@pytest.mark.parametrize(
    ("fault", "again"),
    [
        (StatementFault.REPEATED_PAGE, True),
        (StatementFault.HALF, False),
        (StatementFault.WRONG_TURNOVER, False),
        (StatementFault.SKEWED_DATES, False),
        (StatementFault.TRUNCATED, False),
    ],
)
async def test_a_fault_that_lasts_is_not_believed(fault: StatementFault, again: bool) -> None:
    exchange, asked = fake(DAY_PLAN, frozenset({fault}))
    read = await asking(exchange).bank_statement(ACCOUNT, DAY)
    assert isinstance(read, StatementUnread) and read.again is again and len(asked) <= READINGS_MAX * 3
    assert "Иванов" not in read.reason


def moments(*plans: StatementPlan) -> tuple[Exchange, list[int]]:
    """A bank whose day looks otherwise at every request; the last look stays."""
    count = [0]

    async def exchange(request: HttpRequest) -> HttpAnswer:
        plan = plans[min(count[0], len(plans) - 1)]
        count[0] += 1
        return AlfaStatementDoor({(ACCOUNT, DAY): plan}, page_lines=1).handle(request, NOW)

    return exchange, count


async def test_a_line_that_comes_while_pages_are_read_does_not_hide_another() -> None:
    late = msgspec.structs.replace(COVER, bank_id="late", amount_kopecks=1)
    grown = msgspec.structs.replace(DAY_PLAN, entries=(late, COVER, PAID_THEN))
    exchange, count = moments(DAY_PLAN, grown)
    # First page: the cover. Then the late line pushes it onto the second page, which brings nothing new: all is read anew.
    read = await asking(exchange).bank_statement(ACCOUNT, DAY)
    assert isinstance(read, BankStatement) and {one.bank_id for one in read.entries} == {"late", COVER.bank_id, PAID.bank_id}
    assert count[0] == 2 + 4


async def test_a_line_that_is_told_otherwise_later_is_read_anew() -> None:
    changed = msgspec.structs.replace(COVER, purpose="уточнено")
    before = msgspec.structs.replace(DAY_PLAN, entries=(COVER, PAID_THEN))
    after = msgspec.structs.replace(DAY_PLAN, entries=(PAID_THEN, changed))
    read = await asking(moments(before, after)[0]).bank_statement(ACCOUNT, DAY)
    assert isinstance(read, BankStatement) and {one.purpose for one in read.entries} == {"уточнено", PAID.purpose}


async def test_a_line_that_vanished_between_pages_is_missed_by_the_summary_and_read_anew() -> None:
    third = msgspec.structs.replace(COVER, bank_id="third", amount_kopecks=3)
    before = msgspec.structs.replace(DAY_PLAN, entries=(third, COVER, PAID_THEN))
    # Once the first line is gone, the second page begins one line later: the cover would be lost.
    exchange, _ = moments(before, DAY_PLAN)
    read = await asking(exchange).bank_statement(ACCOUNT, DAY)
    assert isinstance(read, BankStatement) and read.entries == (COVER, PAID_THEN)


async def test_a_day_that_never_ends_is_given_up() -> None:
    count = [0]

    async def endless(request: HttpRequest) -> HttpAnswer:
        count[0] += 1
        one = msgspec.structs.replace(COVER, bank_id=f"u-{count[0]}")
        return HttpAnswer(
            status=200, body=write_alfa_pages(msgspec.structs.replace(DAY_PLAN, entries=(one, COVER)), page_lines=1)[0]
        )

    read = await asking(endless).bank_statement(ACCOUNT, DAY)
    assert isinstance(read, StatementUnread) and not read.again and count[0] == PAGES_MAX


BUSY = [
    (HttpAnswer(status=429, headers=(("retry-after", "7"),)), True, 7_000),
    (HttpAnswer(status=503, headers=(("retry-after", "Wed, 21 Oct 2026 07:28:00 GMT"),)), True, 0),
    (HttpAnswer(status=500), True, 0),
    (ExchangeFailed("timed out", sent=True), True, 0),
    (HttpAnswer(status=401), False, 0),
    (HttpAnswer(status=404), False, 0),
    (HttpAnswer(status=200, body=b"{}"), False, 0),
]


@pytest.mark.parametrize(("told", "again", "after_ms"), BUSY)
async def test_a_bank_that_is_busy_is_left_alone_as_long_as_it_asks(
    told: HttpAnswer | Exception, again: bool, after_ms: int
) -> None:
    pages = HttpAnswer(status=200, body=write_alfa_pages(DAY_PLAN)[0])
    for answers in ((told,), (pages, told)):
        read = await asking(Told(*answers)).bank_statement(ACCOUNT, DAY)
        assert isinstance(read, StatementUnread) and (read.again, read.after_ms) == (again, after_ms)


@pytest.mark.parametrize(
    ("written", "fits"),
    [
        ("2026-11-23", True),
        ("2026-11-23T23:59:59Z", True),
        ("2026-11-22T21:00:00Z", True),
        ("2026-11-22T20:59:59Z", False),
        ("2026-11-24T00:00:00Z", False),
        ("2026-11-24", False),
    ],
)
def test_a_moment_is_of_the_asked_day_as_written_or_in_moscow(written: str, fits: bool) -> None:
    body = write_alfa_pages(DAY_PLAN)[0].replace(b"2026-11-23T00:00:00Z", written.encode())
    operations = {one.uuid: one for one in read_page(body).transactions}
    asked = AskedDay(account=ACCOUNT, day=DAY, now=NOW)
    if fits:
        assert {one.day for one in read_day(asked, operations, None).entries} == {DAY}
    else:
        with pytest.raises(StatementUnbelieved, match="another day"):
            read_day(asked, operations, None)


def test_a_saved_answer_is_read_but_closes_nothing() -> None:
    body = write_alfa_pages(DAY_PLAN)[0]
    read = read_any(body, ACCOUNT, NOW)
    assert read == read_alfa_file(body, ACCOUNT, NOW)
    assert (read.kind, read.since, read.until, len(read.entries)) == (StatementKind.INTRADAY, DAY, DAY, 2)
    for lost in write_alfa_pages(DAY_PLAN, page_lines=1):
        with pytest.raises(StatementUnbelieved, match="one page of several"):
            read_any(lost, ACCOUNT, NOW)
    with pytest.raises(StatementUnbelieved, match="same id"):
        read_any(body.replace(PAID.bank_id.encode(), COVER.bank_id.encode()), ACCOUNT, NOW)
    with pytest.raises(StatementUnbelieved, match="another account"):
        read_any(body, OTHER_ACCOUNT, NOW)
    with pytest.raises(StatementUnbelieved, match="which days"):
        read_any(b'{"transactions":[]}', ACCOUNT, NOW)


def connections(exchange: Exchange) -> tuple[AlfaPayments, ClientBank]:
    """The connections of orders that can be asked for statements."""
    url = "http://bank/statement?account={account}&from={from}&to={to}"
    folder = ClientBankSettings(folder_url="http://bank/folder", statement_url=url, signed=False)
    return (
        AlfaPayments(AlfaSettings(url="http://bank/api", authorization="ApiKey k"), exchange, lambda: NOW),
        ClientBank(folder, exchange, None, lambda: NOW),
    )


def test_both_connections_are_sources_of_statements() -> None:
    told = Told()
    alfa = AlfaPayments(AlfaSettings(url="http://bank/api", authorization="ApiKey k"), told, lambda: NOW)
    client = ClientBank(
        ClientBankSettings(folder_url="http://bank", statement_url="http://bank", signed=False), told, None, lambda: NOW
    )
    assert isinstance(alfa, BankStatementSource) and isinstance(client, BankStatementSource)


async def test_the_sandbox_s_bank_tells_days_that_agree() -> None:
    bank = FakeBank(BankOptions(accounts=(ACCOUNT,)))
    for number, moment in enumerate((datetime(2026, 11, 23, 9, tzinfo=UTC), datetime(2026, 11, 24, 9, tzinfo=UTC)), start=1):
        credit = Credit(id=str(number), account=ACCOUNT, amount_kopecks=number * 100, payer=HEAT, purpose="Покрытие")
        bank.credit(credit, moment)

    async def exchange(request: HttpRequest) -> HttpAnswer:
        return bank.handle(request, NOW)

    alfa = AlfaPayments(AlfaSettings(url="http://bank/api", authorization="ApiKey k"), exchange, lambda: NOW)
    url = "http://bank/statement?account={account}&from={from}&to={to}"
    client = ClientBank(
        ClientBankSettings(folder_url="http://bank/folder", statement_url=url, signed=False), exchange, None, lambda: NOW
    )
    for source in (alfa, client):
        read = await source.bank_statement(ACCOUNT, date(2026, 11, 24))
        assert isinstance(read, BankStatement) and read.kind is StatementKind.FINAL
        assert (read.opening_kopecks, read.closing_kopecks, len(read.entries)) == (100, 300, 1)


def event(told: Callable[[dict[str, object]], object]) -> bytes:
    """A webhook with the first operation of the day in it."""
    operation = msgspec.json.decode(write_alfa_pages(DAY_PLAN)[0])["transactions"][0]
    return msgspec.json.encode(told({"actionType": "create", "object": "ul_transaction_default", "data": operation}))


HINTS = [
    (event(lambda one: one), ACCOUNT),
    (event(lambda one: [one]), ACCOUNT),
    (event(lambda one: one | {"object": "jp_sbp_incoming_payments"}), None),
    (event(lambda one: one | {"data": {}}), None),
    (event(lambda one: []), None),
    (b"", None),
    (b"[" * 100_000, None),
    (b'{"object":"\xff"}', None),
    (b" " * 1_000_001, None),
]


@pytest.mark.parametrize(("body", "account"), HINTS)
def test_a_hint_names_an_account_or_nothing(body: bytes, account: str | None) -> None:
    assert alfa_hint(body) == account


def test_a_hint_of_a_debit_names_the_payer_s_account() -> None:
    operation = msgspec.json.decode(write_alfa_pages(DAY_PLAN)[0])["transactions"][1]
    assert operation["rurTransfer"]["payeeAccount"] == PAYEE.account
    assert alfa_hint(msgspec.json.encode({"object": "ul_transaction_default", "data": operation})) == ACCOUNT


async def test_a_page_in_the_middle_of_a_reading_is_asked_for_by_number() -> None:
    told = Told(
        *[HttpAnswer(status=200, body=body) for body in (*write_alfa_pages(DAY_PLAN, page_lines=1), write_alfa_summary(DAY_PLAN))]
    )
    assert isinstance(await asking(told).bank_statement(ACCOUNT, DAY), BankStatement)
    asked = [parse_qs(urlsplit(request.url).query) for request in told.requests]
    assert [one.get("page") for one in asked] == [["1"], ["2"], None]
    assert all(one["accountNumber"] == [ACCOUNT] and one["statementDate"] == ["2026-11-23"] for one in asked)
