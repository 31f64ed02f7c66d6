"""A reconciled day is signed by two, stays as it was signed, and what comes later is late; months close over days."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date, timedelta
from hashlib import sha256

import asyncpg
import msgspec
import pytest

from services.days import CONFLICT_OPEN, DayNotClosed
from services.reconciliation.backlog import list_backlog
from services.reconciliation.closing import NotClosed, set_statement_required
from services.reconciliation.core import reasons
from services.reconciliation.months import MONTH_CHECKS, Checked, Month, inspect_month, sign_month
from services.reconciliation.signed import DAY as DAY_PROTOCOL
from services.reconciliation.signed import MONTH, check_protocol, find_protocol
from tests.conftest import LedgerDatabase
from tests.services.reconciliation_town import DAY, NEXT_DAY, NOW, SQL, THIRD_DAY, BankTown, Line, bank_town

FIRST = date(2026, 11, 1)


@pytest.fixture
async def bank(ledger_database: LedgerDatabase) -> AsyncIterator[BankTown]:
    async with bank_town(ledger_database) as town:
        yield town


async def covered_day(bank: BankTown, day: date = DAY) -> None:
    """A day with one payment, covered on the final statement, and cut."""
    await bank.town.pay(("heating", 100))
    bank_id = f"line of {day}"
    await bank.put_statement([Line(bank_id=bank_id, amount=100, day=day)], day)
    await bank.book_cover(bank_id, 100, day=day)
    await bank.cut(day)


async def test_two_people_sign(bank: BankTown) -> None:
    await covered_day(bank)
    first = await bank.sign(" Анна ")
    assert [one.person for one in first.protocol.signatures] == ["анна"] and not first.protocol.is_closed
    assert (await bank.report()).state == "cut"
    with pytest.raises(NotClosed, match="второе лицо"):
        await bank.sign("АННА")
    second = await bank.sign("Борис", now=NOW + timedelta(hours=1))
    assert [(one.person, one.at) for one in second.protocol.signatures] == [("анна", NOW), ("борис", NOW + timedelta(hours=1))]
    assert second.protocol.protocol == first.protocol.protocol and second.protocol.is_closed
    assert (await bank.report()).state == "reconciled"
    with pytest.raises(NotClosed, match="уже закрыт"):
        await bank.sign("Вера")


async def test_the_protocol_tells_everything_and_is_hashed(bank: BankTown) -> None:
    await bank.put_statement([Line(bank_id="a", amount=30, line_class=None)])
    await bank.cut()
    await bank.explain("line:1", text="уточняется")
    protocol = (await bank.close()).protocol
    assert sha256(protocol.content.encode()).digest() == protocol.digest
    content = msgspec.json.decode(protocol.content)
    totals = {name: value for name, value in content["totals"].items() if value}
    assert totals == {"credited": 30, "closing": 30, "open_lines": 30}
    assert content["places"] == {"0": 0, "1": 0} and content["day"] == str(DAY)
    assert content["items"][0]["explanation"] == {"text": "уточняется", "by": "Анна", "at": "2026-11-24T12:00:00Z"}
    assert msgspec.json.encode(content, order="sorted").decode() == protocol.content


async def test_nothing_unexplained_is_signed(bank: BankTown) -> None:
    await bank.put_statement([Line(bank_id="a", amount=30, line_class=None)])
    await bank.cut()
    with pytest.raises(NotClosed, match=r"не объяснено: 1 \(line:1\)"):
        await bank.sign("Анна")
    with pytest.raises(NotClosed, match="среди несошедшегося"):
        await bank.explain("line:1", "0:17")
    assert (await bank.report()).unexplained
    with pytest.raises(NotClosed, match="объяснение пусто"):
        await bank.explain("line:1", text="  ")
    await bank.explain("line:1")
    await bank.close()
    with pytest.raises(NotClosed, match="уже закрыт"):
        await bank.explain("line:1", text="ещё слово")


async def test_what_changed_between_signatures_is_signed_anew_by_both(bank: BankTown) -> None:
    await bank.town.pay(("heating", 100))
    await bank.put_statement([Line(bank_id="a", amount=100)])
    await bank.cut()
    await bank.explain("line:1")
    await bank.sign("Анна")
    await bank.book_cover("a", 100)
    begun = await bank.sign("Борис")
    assert begun.superseded and not begun.protocol.is_closed
    assert (await bank.sign("Анна")).protocol.is_closed


async def test_the_same_statement_loaded_again_between_signatures_changes_nothing(bank: BankTown) -> None:
    await covered_day(bank)
    await bank.sign("Анна")
    await bank.put_statement([Line(bank_id=f"line of {DAY}", amount=100)], opening=0, closing=100)
    assert (await bank.sign("Борис")).protocol.is_closed


async def test_a_line_told_while_a_day_is_signed_is_in_the_protocol_or_late(bank: BankTown) -> None:
    """The bank tells of a line at the moment of the second signature: the signature waits, and sees it."""
    await covered_day(bank)
    await bank.sign("Анна")
    teller = await asyncpg.connect(bank.town.database.services_dsn)
    told = teller.transaction()
    await told.start()
    await teller.execute(SQL["add_line"], bank.town.transit, "at once", DAY, True, 5, 1, None)
    signing = asyncio.create_task(bank.sign("Борис"))
    async with asyncio.timeout(20):
        while not await bank.town.owner.fetchval(SQL["count_waiting"]):
            await asyncio.sleep(0.01)
    await told.commit()
    with pytest.raises(NotClosed, match="line:2"):
        await signing
    assert await bank.late() == []
    await teller.close()


async def test_days_are_closed_in_order(bank: BankTown) -> None:
    await covered_day(bank)
    await covered_day(bank, NEXT_DAY)
    assert (await bank.report(NEXT_DAY)).obstacles == (f"сначала закройте предыдущий операционный день, {DAY}",)
    with pytest.raises(NotClosed, match="сначала закройте"):
        await bank.sign("Анна", NEXT_DAY)
    await bank.close()
    assert (await bank.close(NEXT_DAY)).protocol.is_closed


REFUSED_TO_SERVICES = ("change_protocol", "drop_protocol", "truncate_signatures", "change_signature", "add_late_item")
REFUSED_TO_ALL = ("change_protocol", "drop_protocol", "truncate_signatures", "change_signature", "add_third_signature",
                  "add_other_open_item", "add_other_protocol")  # fmt: skip


async def test_closed_stays_closed(bank: BankTown) -> None:
    await covered_day(bank)
    await bank.close()
    before = tuple(await bank.town.owner.fetchrow(SQL["everything_closed"]))
    for name in REFUSED_TO_SERVICES:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await bank.town.services.execute(SQL[name])
    for name in REFUSED_TO_ALL[4:]:
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            await bank.town.services.execute(SQL[name])
    for name in REFUSED_TO_ALL:
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            await bank.town.owner.execute(SQL[name])
    assert tuple(await bank.town.owner.fetchrow(SQL["everything_closed"])) == before


async def test_lines_told_after_signing_are_late_items_of_the_open_day(bank: BankTown) -> None:
    await covered_day(bank)
    await bank.close()
    signed = await find_protocol(bank.town.services, bank.town.transit, DAY_PROTOCOL, DAY)
    await bank.town.pay(("heating", 40))
    lines = [Line(bank_id=f"line of {DAY}", amount=100), Line(bank_id="late", amount=40)]
    await bank.put_statement(lines, opening=0)
    bank.balance = 140
    assert await bank.late() == [("statement", None, DAY, NEXT_DAY), ("appeared", "late", DAY, NEXT_DAY)]
    await bank.book_cover("late", 40)
    await bank.put_statement([], NEXT_DAY)
    await bank.cut(NEXT_DAY)
    assert await find_protocol(bank.town.services, bank.town.transit, DAY_PROTOCOL, DAY) == signed
    report = await bank.report(NEXT_DAY)
    assert report.is_clean and report.totals.difference == 0
    assert [(one.sort, one.count) for one in report.matched if one.side == "line"] == [("cover", 1)]
    assert (await bank.close(NEXT_DAY)).protocol.is_closed


async def test_a_late_line_that_nobody_booked_is_surplus_of_the_open_day(bank: BankTown) -> None:
    await covered_day(bank)
    await bank.close()
    await bank.put_statement([Line(bank_id=f"line of {DAY}", amount=100), Line(bank_id="late", amount=40)], opening=0)
    bank.balance = 140
    await bank.put_statement([], NEXT_DAY)
    await bank.cut(NEXT_DAY)
    report = await bank.report(NEXT_DAY)
    assert [(item.place, item.verdict.value, item.day, item.late) for item in report.items] == [("line:2", "surplus", DAY, True)]
    assert report.totals.difference == 0


async def test_a_line_of_a_closed_day_that_vanished_is_missing_on_the_open_day(bank: BankTown) -> None:
    await covered_day(bank)
    await bank.close()
    place = 1
    final = await bank.put_statement([], opening=0, closing=0)
    bank.balance = 0
    await bank.town.services.execute(SQL["set_vanished"], bank.numbers[f"line of {DAY}"], final)
    reversal = await bank.reverse_line(f"line of {DAY}", place)
    await bank.put_statement([], NEXT_DAY)
    await bank.cut(NEXT_DAY)
    report = await bank.report(NEXT_DAY)
    assert [(item.place, item.reason, item.late) for item in report.items] == [
        ("line:1", reasons.VANISHED_REVERSED, True),
        (f"0:{reversal}", reasons.COVER_REVERSED, False),
    ]
    assert report.totals.difference == 0 and report.identity.balances["clearing"] == 100
    # The line comes back under another id and pays what was promised again.
    await bank.explain("line:1", day=NEXT_DAY)
    await bank.close(NEXT_DAY)
    await bank.put_statement([Line(bank_id="again", amount=100, day=THIRD_DAY)], THIRD_DAY)
    await bank.book_cover("again", 100, day=THIRD_DAY)
    await bank.cut(THIRD_DAY)
    after = await bank.report(THIRD_DAY)
    assert after.is_clean and after.carried == () and after.identity.balances["clearing"] == 0


async def test_a_line_of_a_closed_day_that_moved_is_late(bank: BankTown) -> None:
    await covered_day(bank)
    await bank.close()
    await bank.town.services.execute(SQL["move_line"], bank.numbers[f"line of {DAY}"], NEXT_DAY)
    assert await bank.late() == [("moved", f"line of {DAY}", DAY, NEXT_DAY)]


async def test_open_items_are_carried_with_what_was_said_of_them(bank: BankTown) -> None:
    await bank.town.pay(("heating", 100))
    await bank.put_statement([Line(bank_id="a", amount=130)])
    place = await bank.book_cover("a", 130)
    await bank.tell_cover("a", [{"promised": 100, "amount": 130, "day": DAY}], reason="лишнее")
    await bank.cut()
    await bank.explain(f"0:{place}")
    await bank.close()
    await bank.put_statement([], NEXT_DAY)
    await bank.cut(NEXT_DAY)
    report = await bank.report(NEXT_DAY)
    assert report.items == () and report.is_clean
    ((item),) = report.carried
    assert (item.place, item.amount_kopecks, item.explanation is not None) == (f"0:{place}", 30, True)
    # What was lost is booked: the carried surplus pays it.
    await bank.town.pay(("heating", 30))
    await bank.close(NEXT_DAY)
    await bank.put_statement([], THIRD_DAY)
    await bank.cut(THIRD_DAY)
    after = await bank.report(THIRD_DAY)
    assert after.carried == () and after.promised == ()


async def test_tampering_with_a_closed_day_is_found(bank: BankTown) -> None:
    await covered_day(bank)
    protocol = (await bank.close()).protocol
    assert await check_protocol(bank.town.services, protocol) == ()
    await bank.tamper(1, 1)
    faults = await check_protocol(bank.town.services, protocol)
    assert len(faults) == 2 and "изменены" in faults[0] and "тождество" in faults[1]
    forged = msgspec.structs.replace(protocol, content="{}")
    assert "SHA-256" in (await check_protocol(bank.town.services, forged))[0]


async def test_whether_a_statement_is_required_is_a_reference_row(bank: BankTown) -> None:
    await bank.cut()
    assert (await bank.report()).is_clean
    await set_statement_required(bank.town.services, bank.town.transit, True, "Анна", NOW)
    assert (await bank.report()).obstacles == (reasons.NO_STATEMENT,)
    await set_statement_required(bank.town.services, bank.town.transit, False, "Борис", NOW)
    assert (await bank.report()).is_clean


async def test_a_parked_conflict_keeps_the_day_from_its_cut_and_so_from_closing(bank: BankTown) -> None:
    await bank.put_statement([])
    await bank.town.services.execute(SQL["park_conflict"], bank.town.transit)
    with pytest.raises(DayNotClosed) as caught:
        await bank.cut()
    assert caught.value.code == CONFLICT_OPEN
    with pytest.raises(NotClosed, match="среза ещё нет"):
        await bank.sign("Анна")


async def test_a_month_closes_over_closed_days(bank: BankTown) -> None:
    await bank.town.pay(("heating", 100))
    await bank.put_statement([Line(bank_id="a", amount=100)])
    await bank.book_cover("a", 100)
    town = bank.town
    report = await inspect_month(town.services, town.transit, FIRST)
    assert report.faults == (f"месяц не кончился: открыт день {DAY}", "в месяце нет ни одного законченного операционного дня")
    await bank.cut(DAY, date(2026, 12, 1))
    assert (await inspect_month(town.services, town.transit, FIRST)).faults == (f"не закрыты дни: {DAY}",)
    await bank.close()
    columns = (town.channel, town.spaces[0], town.transit, "9", DAY, 1, 5, False)
    await town.owner.execute(SQL["add_register"], *columns)
    waiting = await inspect_month(town.services, town.transit, FIRST)
    assert waiting.faults == ("реестр 9 не проведён, без исхода строк: 1",)
    with pytest.raises(NotClosed, match="реестр 9"):
        await sign_month(town.services, town.transit, FIRST, ("Анна", NOW))


async def test_a_months_protocol_is_signed_by_two_and_says_what_is_not_checked(bank: BankTown) -> None:
    town = bank.town
    await bank.put_statement([])
    await bank.cut(DAY, date(2026, 12, 1))
    await bank.close()
    first = await sign_month(town.services, town.transit, FIRST, ("Анна", NOW))
    assert not first.protocol.is_closed
    with pytest.raises(NotClosed, match="второе лицо"):
        await sign_month(town.services, town.transit, FIRST, ("анна", NOW))
    closed = await sign_month(town.services, town.transit, FIRST, ("Борис", NOW))
    assert closed.protocol.is_closed and closed.protocol.what == MONTH
    content = msgspec.json.decode(closed.protocol.content)
    assert {check["name"]: check["is_checked"] for check in content["checks"]}["акты составлены"] is False
    with pytest.raises(NotClosed, match="уже закрыт"):
        await sign_month(town.services, town.transit, FIRST, ("Вера", NOW))


async def test_a_month_takes_other_checks(bank: BankTown) -> None:
    async def acts(connection: object, month: Month) -> Checked:
        return Checked(name="акты составлены", faults=(f"нет акта за {month.first}",))

    report = await inspect_month(bank.town.services, bank.town.transit, FIRST, (*MONTH_CHECKS[:-1], acts))
    assert "нет акта за 2026-11-01" in report.faults


async def test_a_tampered_day_keeps_its_month_open(bank: BankTown) -> None:
    await bank.town.pay(("heating", 100))
    await bank.put_statement([])
    await bank.cut(DAY, date(2026, 12, 1))
    await bank.close()
    await bank.tamper(1, 1)
    faults = (await inspect_month(bank.town.services, bank.town.transit, FIRST)).faults
    assert len(faults) == 2 and all(fault.startswith(str(DAY)) for fault in faults)


async def test_the_backlog_counts_what_waits(bank: BankTown) -> None:
    await bank.town.pay(("heating", 100))
    await bank.put_statement([])
    await bank.cut()
    friday = DAY + timedelta(days=3)
    (one,) = await list_backlog(bank.town.services, friday)
    assert (one.unreconciled_days, one.oldest_unreconciled, one.late_items) == (1, DAY, 0)
    assert (one.promised_kopecks, one.oldest_promised, one.oldest_promised_working_days) == (100, DAY, 3)
    await bank.close()
    (closed,) = await list_backlog(bank.town.services, friday)
    assert (closed.unreconciled_days, closed.oldest_unreconciled, closed.promised_kopecks) == (0, None, 100)
