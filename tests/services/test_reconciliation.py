"""A bank day held against the bank's final statement: what matches, what is missing, surplus, promised or late."""

from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest

from services.reconciliation.core import reasons
from services.reconciliation.core.words import Verdict
from services.reconciliation.reading import NoSuchDay
from services.reconciliation.report import DayReport, reconcile
from tests.conftest import LedgerDatabase
from tests.services.reconciliation_town import DAY, NEXT_DAY, SQL, BankTown, Line, bank_town


@pytest.fixture
async def bank(ledger_database: LedgerDatabase) -> AsyncIterator[BankTown]:
    async with bank_town(ledger_database) as town:
        yield town


def told(report: DayReport) -> list[tuple[str, str, int, str]]:
    return [(item.verdict.value, item.place, item.amount_kopecks, item.reason) for item in report.items]


async def test_a_clean_day(bank: BankTown) -> None:
    await bank.town.pay(("heating", 70_00))
    await bank.town.pay(("cold_water", 30_00))
    await bank.put_statement([Line(bank_id="a", amount=100_00)])
    await bank.book_cover("a", 100_00)
    await bank.cut()
    report = await bank.report()
    assert (report.items, report.carried, report.promised, report.obstacles) == ((), (), (), ())
    assert report.is_clean and report.state == "cut" and report.statement_required
    totals = report.totals
    assert (totals.opening, totals.credited, totals.debited, totals.closing) == (0, 100_00, 0, 100_00)
    assert (totals.ledger, totals.difference) == (100_00, 0)
    matched = {(one.side, one.sort, one.reason): (one.count, one.into_kopecks) for one in report.matched}
    assert matched == {
        ("line", "cover", reasons.BOOKED): (1, 100_00),
        ("entry", "payment", reasons.COVERED): (2, 100_00),
        ("entry", "statement_cover", reasons.STANDS_ON_STATEMENT): (1, 100_00),
    }
    assert report.identity.balances["transit"] == 100_00 == -report.identity.balances["payable"]
    assert report.identity.difference == 0


async def test_readers_may_reconcile(bank: BankTown) -> None:
    await bank.put_statement([Line(bank_id="a", amount=100)])
    reader = await asyncpg.connect(bank.town.database.reader_dsn)
    report = await reconcile(reader, bank.town.transit, DAY)
    reader.terminate()
    assert told(report) == [("surplus", "line:1", 100, reasons.NOT_BOOKED)]


async def test_a_line_nobody_classified_is_surplus(bank: BankTown) -> None:
    await bank.put_statement([Line(bank_id="a", amount=100, line_class=None)])
    await bank.cut()
    report = await bank.report()
    assert told(report) == [("surplus", "line:1", 100, reasons.NOT_CLASSIFIED)]
    assert report.totals.difference == 0 and report.totals.open_lines == 100
    assert not report.is_clean


async def test_an_order_of_ours_that_is_not_recognised_is_surplus(bank: BankTown) -> None:
    await bank.put_statement([Line(bank_id="a", amount=100, is_credit=False, line_class="own_order")])
    await bank.cut()
    assert told(await bank.report()) == [("surplus", "line:1", -100, reasons.ORDER_UNKNOWN)]


async def test_a_line_booked_after_the_cut_is_matched_and_explains_the_balance(bank: BankTown) -> None:
    await bank.town.pay(("heating", 100))
    await bank.cut()
    await bank.put_statement([Line(bank_id="a", amount=100)])
    await bank.book_cover("a", 100)
    report = await bank.report()
    assert report.items == () and report.totals.difference == 0
    assert (report.totals.closing, report.totals.ledger, report.totals.open_lines) == (100, 0, 100)
    assert [(one.reason, one.count) for one in report.matched] == [(reasons.BOOKED_LATER, 1)]
    assert [(one.what, one.reference, one.amount_kopecks) for one in report.promised] == [("day", str(DAY), 100)]
    await bank.put_statement([], NEXT_DAY)
    await bank.cut(NEXT_DAY)
    await bank.close()
    after = await bank.report(NEXT_DAY)
    assert after.items == () and after.is_clean
    assert (after.totals.closing, after.totals.ledger, after.totals.open_lines) == (100, 100, 0)
    assert [(one.sort, one.reason) for one in after.matched] == [("statement_cover", reasons.BOOKED_EARLIER)]
    assert after.promised == ()


async def test_an_order_told_as_executed_without_a_line_is_missing(bank: BankTown) -> None:
    key = await _executed_order(bank)
    await bank.put_statement([Line(bank_id="a", amount=100_00)])
    await bank.cut()
    report = await bank.report()
    ((verdict, place, amount, reason),) = told(report)
    assert (verdict, amount, reason) == ("missing", -100_00, reasons.NO_LINE_OF_ORDER)
    assert report.totals.difference == 0 and report.totals.open_entries == -100_00
    # Its line comes on the next day's statement.
    await bank.explain(place)
    await bank.close()
    await bank.put_statement([Line(bank_id="b", amount=100_00, day=NEXT_DAY, is_credit=False, line_class="own_order")], NEXT_DAY)
    await bank.town.services.execute(SQL["add_movement"], bank.numbers["b"], key)
    await bank.cut(NEXT_DAY)
    after = await bank.report(NEXT_DAY)
    assert after.items == () and after.carried == () and after.totals.difference == 0
    assert (after.totals.closing, after.totals.ledger) == (0, 0)


async def test_an_executed_order_on_the_statement_is_matched(bank: BankTown) -> None:
    key = await _executed_order(bank)
    await bank.put_statement(
        [Line(bank_id="a", amount=100_00), Line(bank_id="b", amount=100_00, is_credit=False, line_class="own_order")]
    )
    await bank.town.services.execute(SQL["add_movement"], bank.numbers["b"], key)
    await bank.cut()
    report = await bank.report()
    assert report.is_clean and report.items == () and report.promised == ()
    kinds = {one.sort: one.reason for one in report.matched if one.side == "entry"}
    assert kinds["order_created"] == reasons.ORDER_ENDED and kinds["order_executed"] == reasons.STANDS_ON_STATEMENT


async def test_an_order_under_way_is_promised_to_go(bank: BankTown) -> None:
    await _order(bank)
    await bank.put_statement([Line(bank_id="a", amount=100_00)])
    await bank.cut()
    report = await bank.report()
    assert report.is_clean
    assert [(one.what, one.amount_kopecks, one.age_working_days) for one in report.promised] == [("order", 100_00, 0)]
    assert report.promised_entries == 1


async def _order(bank: BankTown) -> str:
    await bank.town.pay(("heating", 100_00))
    await bank.put_statement([Line(bank_id="a", amount=100_00)], kind="intraday")
    await bank.book_cover("a", 100_00)
    (key,) = (await bank.town.cut()).orders
    await bank.town.send()
    return key


async def _executed_order(bank: BankTown) -> str:
    key = await _order(bank)
    await bank.execute(key)
    return key


async def test_promises_are_told_by_register_or_day_and_their_age(bank: BankTown) -> None:
    town = bank.town
    first = await town.pay(("heating", 300))
    await town.pay(("heating", 50))
    register = await town.owner.fetchval(SQL["add_register"], town.channel, town.spaces[0], town.transit, "77", DAY, 1, 300, True)
    await town.owner.execute(SQL["add_register_line"], register, 1, "op-1", 300, 1, first)
    friday = DAY + timedelta(days=3)
    await bank.put_statement([], DAY, until=friday)
    await bank.cut(DAY, friday)
    await bank.cut(friday)
    report = await bank.report(friday)
    assert report.promised_entries == 0
    promised = {one.what: (one.reference, one.amount_kopecks, one.count, one.age_working_days) for one in report.promised}
    assert promised == {"register": ("77", 300, 1, 3), "day": (str(DAY), 50, 1, 3)}


async def test_a_cover_pays_the_register_that_it_names_not_the_oldest_promise(bank: BankTown) -> None:
    town = bank.town
    await town.pay(("heating", 300))
    second = await town.pay(("heating", 300))
    register = await town.owner.fetchval(SQL["add_register"], town.channel, town.spaces[0], town.transit, "78", DAY, 1, 300, True)
    await town.owner.execute(SQL["add_register_line"], register, 1, "op-2", 300, 1, second)
    await bank.put_statement([Line(bank_id="a", amount=300)])
    await bank.book_cover("a", 300)
    await bank.tell_cover("a", [{"promised": 300, "amount": 300, "register": register}], by="register")
    await bank.cut()
    report = await bank.report()
    assert [(one.what, one.reference, one.amount_kopecks) for one in report.promised] == [("day", str(DAY), 300)]
    assert report.is_clean


async def test_a_cover_above_its_promises_is_surplus_with_clearings_reason(bank: BankTown) -> None:
    await bank.town.pay(("heating", 100))
    await bank.put_statement([Line(bank_id="a", amount=130)])
    place = await bank.book_cover("a", 130)
    await bank.tell_cover("a", [{"promised": 100, "amount": 130, "day": DAY}], reason="лишнее")
    await bank.cut()
    report = await bank.report()
    assert told(report) == [("surplus", f"0:{place}", 30, f"{reasons.COVER_ABOVE}: лишнее")]
    assert report.identity.balances["clearing"] == -30


async def test_a_surplus_of_one_cover_does_not_hide_anothers_shortfall(bank: BankTown) -> None:
    await bank.town.pay(("heating", 100), space=0)
    await bank.town.pay(("heating", 500), space=0)
    await bank.put_statement([Line(bank_id="a", amount=130), Line(bank_id="b", amount=470)])
    first = await bank.book_cover("a", 130)
    await bank.book_cover("b", 470)
    await bank.tell_cover("a", [{"promised": 100, "amount": 130, "operation": "op-1"}], reason="лишнее")
    await bank.tell_cover("b", [{"promised": 500, "amount": 470, "operation": "op-2"}], reason="недостача")
    await bank.cut()
    report = await bank.report()
    assert told(report) == [("surplus", f"0:{first}", 30, f"{reasons.COVER_ABOVE}: лишнее")]
    assert [one.amount_kopecks for one in report.promised] == [30]
    assert report.identity.balances["clearing"] == 0


async def test_a_line_that_vanished_after_booking_is_missing_reversed_or_not(bank: BankTown) -> None:
    await bank.town.pay(("heating", 100))
    await bank.put_statement([Line(bank_id="a", amount=100)], kind="intraday")
    place = await bank.book_cover("a", 100)
    final = await bank.put_statement([])
    await bank.town.services.execute(SQL["set_vanished"], bank.numbers["a"], final)
    stands = await bank.report()
    assert told(stands) == [
        ("missing", "line:1", 100, reasons.VANISHED_STANDS),
        ("missing", f"0:{place}", 100, reasons.VANISHED_STANDS),
    ]
    assert stands.totals.difference == 0 and stands.totals.open_lines == -100
    await bank.reverse_line("a", place)
    await bank.cut()
    report = await bank.report()
    assert told(report) == [("missing", "line:1", 100, reasons.VANISHED_REVERSED)]
    assert [one.amount_kopecks for one in report.promised] == [100]
    assert report.totals.difference == 0 and report.totals.ledger == 0
    await bank.explain("line:1")
    (item,) = (await bank.report()).items
    assert item.explanation is not None and item.explanation.by == "Анна" and item.counterpart == f"0:{place}"
    assert (await bank.close()).protocol.is_closed


async def test_a_line_of_another_amount_than_its_entry_is_missing_and_surplus(bank: BankTown) -> None:
    await bank.town.pay(("heating", 100))
    await bank.put_statement([Line(bank_id="a", amount=90)])
    place = await bank.book_cover("a", 100)
    await bank.cut()
    report = await bank.report()
    assert told(report) == [
        ("surplus", "line:1", 90, reasons.NOT_BOOKED),
        ("missing", f"0:{place}", 100, reasons.OTHER_AMOUNT),
    ]
    assert report.totals.difference == 0


async def test_technical_lines_that_do_not_net_to_nought_are_told(bank: BankTown) -> None:
    await bank.put_statement(
        [
            Line(bank_id="a", amount=50, line_class="technical"),
            Line(bank_id="b", amount=20, is_credit=False, line_class="technical"),
        ]
    )
    await bank.book_technical("a", 50, is_credit=True)
    await bank.book_technical("b", 20, is_credit=False)
    await bank.cut()
    report = await bank.report()
    assert told(report) == [("surplus", "technical", 30, reasons.TECHNICAL_STANDS)]
    await bank.explain("technical")
    assert (await bank.report()).is_clean


async def test_a_balance_that_lines_do_not_explain(bank: BankTown) -> None:
    bank.balance = 500
    await bank.town.pay(("heating", 100))
    await bank.put_statement([Line(bank_id="a", amount=100)])
    await bank.book_cover("a", 100)
    await bank.cut()
    report = await bank.report()
    assert told(report) == [("surplus", "difference", 500, reasons.CLOSING_DIFFERS)]
    await bank.explain("difference", text="остаток до начала учёта")
    await bank.close()
    await bank.put_statement([], NEXT_DAY)
    await bank.cut(NEXT_DAY)
    after = await bank.report(NEXT_DAY)
    assert after.items == () and (after.totals.difference, after.totals.carried) == (500, 500)


async def test_only_a_final_whole_statement_closes(bank: BankTown) -> None:
    line = Line(bank_id="a", amount=100)
    await bank.put_statement([line], kind="intraday")
    await bank.cut()
    assert (await bank.report()).obstacles == (reasons.NO_STATEMENT,)
    await bank.put_statement([line], filtered=True)
    assert reasons.FILTERED in (await bank.report()).obstacles
    await bank.put_statement([line], credited=101, opening=0, closing=100)
    assert (await bank.report()).obstacles == (reasons.TURNOVER_DIFFERS,)
    await bank.put_statement([line], opening=None, closing=None)
    assert (await bank.report()).obstacles == (reasons.BALANCE_UNTOLD,)


async def test_a_house_told_by_a_feed_alone_needs_no_statement(bank: BankTown) -> None:
    await bank.town.pay(("heating", 100))
    await bank.town.cover(100)
    await bank.cut()
    report = await bank.report()
    assert not report.statement_required and report.is_clean
    assert {one.reason for one in report.matched} == {reasons.COVERED, reasons.TOLD_BY_FEED}
    assert (await bank.close()).protocol.is_closed


async def test_a_broken_identity_is_found(bank: BankTown) -> None:
    place = await bank.town.pay(("heating", 100))
    await bank.put_statement([])
    await bank.cut()
    assert (await bank.report()).is_clean
    await bank.tamper(1, place)
    report = await bank.report()
    assert report.identity.difference == -1
    assert report.obstacles == ("тождество счёта нарушено на -1 коп.: kopeck verify",)


async def test_an_open_day_is_shown_and_cannot_be_closed(bank: BankTown) -> None:
    await bank.put_statement([])
    report = await bank.report()
    assert report.state == "open" and report.cut is None and len(report.obstacles) == 1
    with pytest.raises(NoSuchDay):
        await bank.report(NEXT_DAY)


async def test_every_line_and_entry_ends_once(bank: BankTown) -> None:
    """Counts of matched, missing, surplus and promised entries sum to the entries that touch the account's own kinds."""
    await bank.town.pay(("heating", 100))
    await bank.town.pay(("heating", 40))
    await bank.town.reverse(await bank.town.pay(("cold_water", 7)))
    await bank.put_statement([Line(bank_id="a", amount=100), Line(bank_id="b", amount=5, line_class=None)])
    await bank.book_cover("a", 100)
    await bank.cut()
    report = await bank.report()
    entries = sum(one.count for one in report.matched if one.side == "entry") + report.promised_entries
    lines = sum(one.count for one in report.matched if one.side == "line")
    assert (entries, lines, [item.verdict for item in report.items]) == (5, 1, [Verdict.SURPLUS])
    assert [one.amount_kopecks for one in report.promised] == [40]
