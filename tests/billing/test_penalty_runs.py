"""Penalties charged on a real ledger: two persons, exactly once whatever dies, reductions, waivers, documents."""

import io
from collections.abc import AsyncIterator
from datetime import date
from typing import Any
from unicodedata import normalize

import asyncpg
import pytest
import zxingcpp
from PIL import Image
from pypdf import PdfReader

from connectors.payment_qr import read_payment_qr
from kopeck.clock import utc_now
from kopeck.commands.penalties import penalties
from ledger.publication import publish_accounts
from ledger.statements import load_statements
from schemas.allocation import Kind, Pool
from schemas.payment_document import PaymentDocument
from services.billing.core.penalties import Debt, penalty_of
from services.billing.law.proposing import load_shipped
from services.billing.law.reading import read_law
from services.billing.penalties.drafting import draft_penalties
from services.billing.penalties.keeping import (
    WaiverTerms,
    approve_penalties,
    approve_waiver,
    begin_penalties,
    check_penalties,
    drop_penalties,
    end_exclusion,
    exclude_account,
    fetch_penalties,
    propose_waiver,
)
from services.billing.penalties.papers import PenaltyPaperTerms, read_penalty_papers
from services.billing.penalties.publishing import OVERTAKEN, PenaltyReport, charge_penalties, publish_penalties
from services.billing.runs.keeping import Person, RunRefused
from services.paper.payment_document import DocumentPrinter
from services.requisites import account_key_is_valid
from tests.billing.run_town import RunTown, run_town
from tests.conftest import LedgerDatabase
from tests.scenarios.test_explain import Commands

SQL = load_statements("tests/statements/penalties.sql")
OCTOBER, NOVEMBER = 202610, 202611
DUE = date(2026, 8, 17)
FIRST_DAY, SECOND_DAY = date(2026, 10, 31), date(2026, 11, 20)
DEBT = 654_321


class PenaltyTown:
    """Accounts 1 … 4 owe July's maintenance, the first capital repair too."""

    def __init__(self, town: RunTown) -> None:
        self.town, self.services = town, town.town.services

    async def calculated(self, period: int = OCTOBER, as_of: date = FIRST_DAY, page: int = 2) -> int:
        run = await begin_penalties(self.services, "УО", (period, as_of), self.town.anna, utc_now().date())
        await self.draft(run, page)
        return run

    async def draft(self, run: int, page: int = 2) -> None:
        async with self.town.pool() as pool:
            await draft_penalties(pool, run, await read_law(self.services), lambda done: None, page=page)

    async def approved(self, period: int = OCTOBER, as_of: date = FIRST_DAY) -> int:
        run = await self.calculated(period, as_of)
        await check_penalties(self.services, run)
        assert await approve_penalties(self.services, run, self.town.boris)
        return run

    async def publish(self, run: int) -> PenaltyReport:
        async with self.town.pool() as pool:
            return await publish_penalties(pool, run, self.town.publishing(chunk=2))

    async def published(self, period: int = OCTOBER, as_of: date = FIRST_DAY) -> int:
        run = await self.approved(period, as_of)
        report = await self.publish(run)
        assert (report.state, report.parked_count, report.waiting) == ("published", 0, 0), report
        return run

    async def read(self, statement: str, *arguments: Any) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in await self.town.town.owner.fetch(SQL[statement], *arguments)]

    async def charged(self, account: str = "1") -> list[tuple[Any, ...]]:
        return await self.read("penalties", await self.town.account(account))

    async def expected(self, as_of: date, pool: Pool = Pool.MAIN, debt: int = DEBT) -> int:
        of = Debt(amount_kopecks=debt, due=DUE, pool=pool)
        return penalty_of(of, [], await read_law(self.services), as_of).amount_kopecks


@pytest.fixture
async def town(ledger_database: LedgerDatabase) -> AsyncIterator[PenaltyTown]:
    async with run_town(ledger_database, houses=2, flats=3) as made:
        await load_shipped(made.town.services, "test", utc_now())
        accounts = [await made.account(str(number)) for number in range(1, 5)]
        for account in accounts:
            await made.town.charge(account, "maintenance", DEBT, period=202607, due=DUE)
        await made.town.charge(accounts[0], "capital_repair", 71_235, period=202607, due=DUE)
        await made.town.publish(*accounts)
        yield PenaltyTown(made)


async def test_a_run_is_charged_by_two_persons_and_once(town: PenaltyTown) -> None:
    run = await town.calculated()
    with pytest.raises(RunRefused, match="утверждается проверенный"):
        await approve_penalties(town.services, run, town.town.boris)
    checks = await check_penalties(town.services, run)
    main, repair = await town.expected(FIRST_DAY), await town.expected(FIRST_DAY, Pool.CAPITAL_REPAIR, 71_235)
    assert [(one.creditor, one.pool, one.accounts, one.change) for one in checks.totals] == [
        ("УО", 0, 4, 4 * main),
        ("ФКР", 1, 1, repair),
    ]
    with pytest.raises(RunRefused, match="второе лицо"):
        await approve_penalties(town.services, run, town.town.anna)
    assert await town.charged() == []
    assert await approve_penalties(town.services, run, town.town.boris)
    report = await town.publish(run)
    assert (report.state, report.published, report.charged_kopecks) == ("published", 5, 4 * main + repair)
    due = date(2026, 11, 15)
    assert await town.charged() == [(OCTOBER, "УО", 0, main, due), (OCTOBER, "ФКР", 1, repair, due)]
    before = [await town.charged(str(number)) for number in range(1, 7)]
    assert await town.publish(run) == report
    assert [await town.charged(str(number)) for number in range(1, 7)] == before and before[4:] == [[], []]
    table = (await town.town.town.rebuilt(await town.town.account("1"))).table
    assert [sum(tier.weights) for tier in table.tiers if tier.kind == Kind.PENALTY] == [main, repair]


async def test_the_next_run_charges_what_grew(town: PenaltyTown) -> None:
    await town.published()
    run = await town.published(NOVEMBER, SECOND_DAY)
    whole, earlier = await town.expected(SECOND_DAY), await town.expected(FIRST_DAY)
    assert [row[3] for row in await town.charged("2")] == [earlier, whole - earlier]
    assert ("2", 202607, whole, earlier, whole - earlier, "") in await town.read("bills", run)
    again = await town.calculated(NOVEMBER, SECOND_DAY)
    assert {row[4] for row in await town.read("bills", again)} == {0}


async def test_a_second_run_of_the_month_adds_to_the_same_line(town: PenaltyTown) -> None:
    await town.published(OCTOBER, FIRST_DAY)
    await town.published(OCTOBER, SECOND_DAY)
    assert [row[:4] for row in await town.charged("2")] == [(OCTOBER, "УО", 0, await town.expected(SECOND_DAY))]
    numbers = [row[3] for row in await town.read("documents", 2) if row[0] == "2"]
    assert numbers == [f"2-{OCTOBER}-П2"]


async def test_a_draft_goes_on_where_it_died_and_calculates_nobody_twice(town: PenaltyTown) -> None:
    run = await begin_penalties(town.services, "УО", (OCTOBER, FIRST_DAY), town.town.anna, utc_now().date())
    with pytest.raises(asyncpg.InterfaceError):
        async with town.town.pool() as pool:

            def die(done: int) -> None:
                pool.terminate()

            await draft_penalties(pool, run, await read_law(town.services), die, page=1)
    assert not (await fetch_penalties(town.services, run)).is_complete
    with pytest.raises(RunRefused, match="не досчитан"):
        await check_penalties(town.services, run)
    await town.draft(run)
    known = await fetch_penalties(town.services, run)
    assert known.is_complete and (known.accounts, known.bills) == (4, 5)


async def test_publication_goes_on_after_it_died_between_charge_and_table(town: PenaltyTown) -> None:
    run = await town.approved()
    account = await town.town.account("1")
    due = date(2026, 11, 15)
    await town.services.execute(load_statements("services/billing/penalties/publishing.sql")["begin"], run, due)
    await charge_penalties(town.services, await fetch_penalties(town.services, run), [account], utc_now().date())
    charged = await town.charged()
    assert len(charged) == 2
    report = await town.publish(run)
    assert (report.state, report.published) == ("published", 5) and await town.charged() == charged


async def test_penalties_charged_meanwhile_are_not_charged_again(town: PenaltyTown) -> None:
    run = await town.calculated()
    with pytest.raises(RunRefused, match="уже считаются"):
        await town.calculated()
    await drop_penalties(town.services, run, town.town.anna)
    assert not await drop_penalties(town.services, run, town.town.anna)
    second = await town.published()
    with pytest.raises(RunRefused, match="уже начислен"):
        await drop_penalties(town.services, second, town.town.anna)
    stale = await town.approved(NOVEMBER, SECOND_DAY)
    account = await town.town.account("2")
    crimes = load_statements("tests/statements/penalty_crimes.sql")
    await town.town.town.owner.execute(crimes["charge_meanwhile"], account, second)
    report = await town.publish(stale)
    assert [(one.account, one.reason) for one in report.parked] == [("uo:2", OVERTAKEN)]
    assert report.state == "published" and len(await town.charged("2")) == 1


async def test_a_payment_known_late_takes_back_what_is_not_paid(town: PenaltyTown) -> None:
    await town.published()
    account = await town.town.account("2")
    main = await town.expected(FIRST_DAY)
    await town.town.town.pay(account, DEBT + 1_000)
    await town.town.town.owner.execute(load_statements("tests/statements/penalty_crimes.sql")["paid_in_time"], account)
    await town.published(NOVEMBER, SECOND_DAY)
    assert [row[3] for row in await town.charged("2")] == [main, 1_000 - main]
    assert [row[3] for row in await town.charged("3")][1] > 0


async def test_a_waiver_of_two_persons_lowers_the_next_charge(town: PenaltyTown) -> None:
    await town.published()
    terms = WaiverTerms(account="uo:2", creditor="УО", pool=Pool.MAIN, amount_kopecks=500, why="решение комиссии")
    waiver = await propose_waiver(town.services, terms, town.town.anna)
    with pytest.raises(RunRefused, match="второе лицо"):
        await approve_waiver(town.services, waiver, town.town.anna)
    assert await approve_waiver(town.services, waiver, town.town.boris)
    run = await town.published(OCTOBER, FIRST_DAY)
    main = await town.expected(FIRST_DAY)
    assert [row[3] for row in await town.charged("2")] == [main - 500]
    assert [row[1:] for row in await town.read("documents", run)] == [("published", "", f"2-{OCTOBER}-П2", -500, main)]
    third = await town.published(NOVEMBER, SECOND_DAY)
    assert (await fetch_penalties(town.services, third)).waived == 0
    assert sum(row[3] for row in await town.charged("2")) == await town.expected(SECOND_DAY) - 500


async def test_who_is_excluded_is_charged_after_it_ends(town: PenaltyTown) -> None:
    exclusion = await exclude_account(town.services, ("uo:2", ""), "спор о тарифе", town.town.anna)
    await town.town.town.owner.execute(SQL["add_penalty"], await town.town.account("3"))
    await town.town.town.owner.execute(SQL["order_by_court"], await town.town.account("4"))
    checks = await check_penalties(town.services, await town.calculated())
    told = dict(checks.reasons)
    assert (
        told["спор о тарифе"] == 1 and any("не нами" in reason for reason in told) and any("2-117" in reason for reason in told)
    )
    assert [row[4] for row in await town.read("bills", 1) if row[0] in "23"] == [0, 0]
    await drop_penalties(town.services, 1, town.town.anna)
    await end_exclusion(town.services, exclusion, town.town.boris)
    with pytest.raises(RunRefused, match="уже снято"):
        await end_exclusion(town.services, exclusion, town.town.boris)
    await town.published()
    assert [row[3] for row in await town.charged("2")] == [await town.expected(FIRST_DAY)]


async def test_what_is_recorded_never_changes(town: PenaltyTown) -> None:
    run = await town.calculated()
    owner = town.town.town.owner
    for statement in ("change_bill", "skip_approval", "approve_alone"):
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            await owner.execute(SQL[statement], run)
    await check_penalties(town.services, run)
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="no draft"):
        await owner.execute(SQL["add_bill"], run)
    await approve_penalties(town.services, run, town.town.boris)
    await town.publish(run)
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="is charged"):
        await owner.execute(SQL["rewrite_document"], run)
    terms = WaiverTerms(account="uo:2", creditor="УО", pool=Pool.MAIN, amount_kopecks=500, why="решение")
    await propose_waiver(town.services, terms, town.town.anna)
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="never changes"):
        await owner.execute(SQL["raise_waiver"])
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await town.services.execute(SQL["raise_waiver"])


REFUSED = [((OCTOBER, date(2026, 9, 30)), "считаются на день"), ((OCTOBER, date(2099, 1, 1)), "считаются на день")]


@pytest.mark.parametrize(("month", "reason"), REFUSED)
async def test_a_day_before_the_month_or_in_the_future_is_refused(
    town: PenaltyTown, month: tuple[int, date], reason: str
) -> None:
    with pytest.raises(RunRefused, match=reason):
        await begin_penalties(town.services, "УО", month, town.town.anna, utc_now().date())


async def test_one_person_is_no_second_person_by_another_spelling(town: PenaltyTown) -> None:
    terms = WaiverTerms(account="uo:1", creditor="УО", pool=Pool.MAIN, amount_kopecks=500, why="решение")
    proposed_by = Person(name="Мария Заец-Йодко", at=utc_now())
    waiver = await propose_waiver(town.services, terms, proposed_by)
    for name in ("мария  заец-йодко", normalize("NFD", "Мария Заец-Йодко")):
        with pytest.raises(RunRefused, match="второе лицо"):
            await approve_waiver(town.services, waiver, Person(name=name, at=utc_now()))
    assert await approve_waiver(town.services, waiver, town.town.boris)


async def test_a_day_before_that_of_the_last_run_is_refused(town: PenaltyTown) -> None:
    dropped = await town.calculated(NOVEMBER, SECOND_DAY)
    assert await drop_penalties(town.services, dropped, town.town.anna)
    await town.published(OCTOBER, date(2026, 11, 10))
    with pytest.raises(RunRefused, match=r"уже начислены на 10\.11\.2026"):
        await town.calculated(NOVEMBER, date(2026, 11, 9))
    await town.published(NOVEMBER, date(2026, 11, 10))


async def test_a_month_partly_under_a_court_order_is_charged_on(town: PenaltyTown) -> None:
    account = await town.town.account("2")
    await town.town.town.owner.execute(SQL["order_by_court"], account)
    await town.town.town.publish(account)
    await town.published()
    earlier = await town.expected(FIRST_DAY)
    await town.published(NOVEMBER, SECOND_DAY)
    charged = [(period, amount) for period, _, _, amount, _ in await town.charged("2")]
    assert charged == [(OCTOBER, earlier), (NOVEMBER, await town.expected(SECOND_DAY) - earlier)]


async def test_the_document_has_the_detail_and_asks_for_what_is_charged(town: PenaltyTown) -> None:
    await town.town.town.owner.execute(SQL["add_requisites"])
    await town.published()
    run = await town.published(NOVEMBER, SECOND_DAY)
    found = await read_penalty_papers(town.services, PenaltyPaperTerms(run=run, account="uo:1"))
    main, repair = found
    assert isinstance(main, PaymentDocument) and isinstance(repair, PaymentDocument)
    earlier, whole = await town.expected(FIRST_DAY), await town.expected(SECOND_DAY)
    assert main.charged_before_kopecks == earlier and main.sections[0].charged_kopecks == whole - earlier
    assert (main.sections[0].debt_kopecks, main.sections[0].due_kopecks) == (earlier, whole)
    assert [(part.days, part.divisor) for part in main.penalties] == [(60, 300), (5, 130)]
    printer = DocumentPrinter()
    text = " ".join(" ".join(page.extract_text().split()) for page in PdfReader(io.BytesIO(printer.pdf([main]))).pages)
    assert "Платёжный документ: пени за ноябрь 2026 г." in text and "Начислено раньше" in text
    picture = Image.open(io.BytesIO(printer.pictures(repair)[0])).convert("L")
    (code,) = zxingcpp.read_barcodes(picture, formats=zxingcpp.BarcodeFormat.QRCode)
    asked = read_payment_qr(code.bytes, account_key_is_valid)
    assert (asked.amount_kopecks, asked.personal_account) == (repair.sections[0].due_kopecks, "1")


async def test_penalties_as_they_are_typed(town: PenaltyTown, ledger_database: LedgerDatabase, tmp_path: Any) -> None:
    await town.town.town.owner.execute(SQL["add_requisites"])
    commands = Commands(ledger_database)
    told = await commands.text(penalties, "calculate", "2026-10", "--as-of", "2026-10-31", "--by", "Анна", "--provider", "УО")
    assert "Пени 1: за 10.2026 на 31.10.2026, УО; черновик; считал Анна" in told and "лицевых счетов 4, долгов 5" in told
    assert "ФКР" in await commands.text(penalties, "check", "1")
    assert await commands.text(penalties, "approve", "1", "--by", "Борис") == "расчёт пеней 1 утверждён\n"
    assert "документов 5, отложено 0" in await commands.text(penalties, "publish", "1")
    assert "1/300" in await commands.text(penalties, "show", "1", "--account", "uo:1")
    out = tmp_path / "p.pdf"
    await commands.text(penalties, "print", "1", "--out", str(out))
    assert len(PdfReader(out).pages) == 5
    waived = await commands.text(
        penalties, "waive", "uo:1", "1.00", "--creditor", "УО", "--by", "Анна", "--why", "решение комиссии"
    )
    assert waived == "списание 1 ждёт второго лица\n"
    assert await commands.text(penalties, "approve-waiver", "1", "--by", "Борис") == "списание 1 утверждено\n"
    await commands.text(penalties, "exclude", "uo:2", "--by", "Анна", "--why", "спор")
    assert await commands.text(penalties, "end-exclusion", "1", "--by", "Анна") == "исключение 1 снято\n"
    gone = await commands.run(penalties, "show", "9")
    assert gone.exit_code == 2 and "расчёта пеней 9 нет" in gone.output


async def test_tables_that_cannot_be_built_wait_and_are_published_later(town: PenaltyTown) -> None:
    run = await town.approved()
    account = await town.town.account("1")
    runs = load_statements("tests/statements/run_town.sql")
    await town.town.town.owner.execute(runs["forget_names"], account)
    report = await town.publish(run)
    assert (report.published, report.waiting) == (3, 2)
    await town.town.town.owner.execute(runs["know_names"], account)
    assert (await publish_accounts(town.services, [], utc_now(), "test")).published == 0
    assert (await town.publish(run)).published == 5
