"""``kopeck law`` as it is typed, and what rows of law would have changed on a ledger's real bills and payments."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

from kopeck.commands.law import law
from ledger.journal import Appended, append, fetch_entry
from ledger.statements import load_statements
from schemas.ids import AccountId
from services.billing.core.law import law_of
from services.billing.law.diff import Comparison, PenaltyRecalculation, compare, laws_for
from services.billing.law.files import shipped_law
from services.billing.law.history import ACCOUNTS_PER_PAGE, Bill, Bounds, HouseUnknown, stream_bills
from services.billing.law.proposing import load_shipped
from tests.billing.made_law import rule
from tests.conftest import LedgerDatabase
from tests.ledger.town import Town
from tests.scenarios.test_explain import Commands

SQL = load_statements("tests/statements/law.sql")
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
DUE = date(2026, 9, 15)
PERIOD = 202608
CAP_ENDS = date(2027, 1, 1)
EXTENDED = rule("penalty_cap", CAP_ENDS, rate=95_000, is_fixed=0)
PROPOSAL = """[[rule]]
table = "penalty_cap"
valid_from = 2027-01-01
figures = { rate = "9.5%", is_fixed = false }
source = "a decree of December"
certainty = "document"
"""


class BillsTown(Town):
    """The small town, paid on days of the past."""

    async def pay_on(self, account: AccountId, amount: int, day: date) -> Appended:
        """Pay through the door with a value date."""
        state = await self.rebuilt(account)
        offer = self.offer(state, amount)
        dated = msgspec.structs.replace(offer, entry=msgspec.structs.replace(offer.entry, value_date=day))
        return (await append(self.services, state.book, [dated]))[0]

    async def bill(self, number: int, amount: int, service: str = "maintenance", **more: Any) -> AccountId:
        """A new account with one bill, published."""
        (account,) = await self.accounts(number, number)
        await self.charge(account, service, amount, **({"period": PERIOD, "due": DUE} | more))
        await self.publish(account)
        return account

    async def bills(self, **bounds: Any) -> list[Bill]:
        """History as it is streamed."""
        return [bill async for bill in stream_bills(self.services, Bounds(**bounds))]


@pytest.fixture
async def town(ledger_database: LedgerDatabase) -> AsyncIterator[BillsTown]:
    connections = [await asyncpg.connect(dsn) for dsn in (ledger_database.owner_dsn, ledger_database.services_dsn)]
    made = BillsTown(*connections)
    await made.found(books=2)
    await load_shipped(made.services, "0.1.0", NOW)
    yield made
    for connection in connections:
        await connection.close()


@pytest.fixture
def commands(ledger_database: LedgerDatabase, tmp_path: Path) -> Commands:
    made = Commands(ledger_database)
    made.environ |= {"KOPECK_DATA": str(tmp_path)}
    return made


def credits_of(bills: list[Bill]) -> list[list[tuple[date, int]]]:
    return [[(credit.day, credit.amount_kopecks) for credit in bill.credits] for bill in bills]


async def compared(town: BillsTown, *asked: Any, on: date = CAP_ENDS, **more: Any) -> Comparison:
    laws = laws_for(shipped_law().rules(), asked, on, more.pop("since", None))
    return await compare(town.services, PenaltyRecalculation(), Bounds(**more), laws)


async def test_bills_are_read_with_the_days_on_which_they_were_paid(town: BillsTown) -> None:
    account = await town.bill(1, 300_000)
    await town.charge(account, "heating", -20_000, period=PERIOD, due=DUE)
    await town.charge(account, "capital_repair", 70_000, period=PERIOD, due=DUE)
    await town.charge(account, "maintenance", 100_000, period=202609, due=date(2026, 10, 15))
    await town.publish(account)
    await town.pay_on(account, 50_000, date(2026, 9, 10))
    paid = await town.pay_on(account, 100_000, date(2026, 10, 20))
    wrong = await town.pay_on(account, 1_000, date(2026, 10, 21))
    assert paid.sequence is not None and wrong.sequence is not None
    recorded = await fetch_entry(town.services, (await town.rebuilt(account)).book, wrong.sequence)
    await town.reverse(recorded, account)
    bills = await town.bills()
    facts = [(bill.account, bill.creditor, bill.period, bill.debt.amount_kopecks, bill.debt.due) for bill in bills]
    assert facts == [
        ("uo/1", "УО", PERIOD, 280_000, DUE),
        ("uo/1", "УО", 202609, 100_000, date(2026, 10, 15)),
        ("uo/1", "ФКР", PERIOD, 70_000, DUE),
    ]
    assert sum(credit.amount_kopecks for bill in bills for credit in bill.credits) == 150_000
    assert {credit.day for bill in bills for credit in bill.credits} == {date(2026, 9, 10), date(2026, 10, 20)}


async def test_history_is_bounded_by_periods_and_pages_end(town: BillsTown) -> None:
    for number in range(1, 6):
        await town.bill(number, 1_000, period=202600 + number)
    assert [bill.period for bill in await town.bills(first_period=202602, last_period=202604)] == [202602, 202603, 202604]
    rest = await town.accounts(10, 10 + ACCOUNTS_PER_PAGE)
    for account in rest:
        await town.charge(account, "maintenance", 1_000, period=PERIOD, due=DUE)
    bills = await town.bills(first_period=PERIOD, last_period=PERIOD)
    assert len({bill.account for bill in bills}) == len(rest) == ACCOUNTS_PER_PAGE + 1


async def test_history_is_bounded_by_a_house(town: BillsTown) -> None:
    first, second = await town.bill(1, 1_000), await town.bill(2, 2_000)
    await town.owner.execute(SQL["settle"], "mira-5", second)
    await town.owner.execute(SQL["settle"], "mira-7", first)
    assert [bill.account for bill in await town.bills(house="mira-5")] == ["uo/2"]
    assert await town.bills(house="mira-5", last_period=PERIOD - 1) == []
    with pytest.raises(HouseUnknown, match="no house mira-9"):
        await town.bills(house="mira-9")


async def test_what_was_paid_before_the_ledger_began_bears_no_penalty(town: BillsTown) -> None:
    await town.bill(1, 300_000, opening_paid=100_000)
    assert credits_of(await town.bills()) == [[(DUE, 100_000)]]


async def test_the_caps_end_on_real_history(town: BillsTown) -> None:
    """The worked example: 200 000 kopecks paid on 20.01.2027 cost 13 569 without the cap, 9 208 with it."""
    account = await town.bill(1, 300_000)
    await town.pay_on(account, 100_000, date(2026, 10, 20))
    await town.pay_on(account, 200_000, date(2027, 1, 20))
    other = await town.bill(2, 70_000, "capital_repair")
    await town.pay_on(other, 70_000, DUE)
    found = await compared(town, EXTENDED, on=date(2027, 1, 31))
    told = {one.creditor: (one.sums, one.changed, one.before_kopecks, one.after_kopecks) for one in found.totals}
    # 158.33 + 13 569.23 and 158.33 + 9 207.69
    assert told == {"УО": (1, 1, 13_728, 9_366), "ФКР": (1, 0, 0, 0)}
    assert [(one.account, one.difference_kopecks) for one in found.largest] == [("uo/1", 9_366 - 13_728)]


async def test_a_row_in_force_is_compared_with_the_law_without_it(town: BillsTown) -> None:
    account = await town.bill(1, 300_000)
    await town.pay_on(account, 300_000, date(2027, 1, 20))
    in_force = shipped_law().rules()
    numbered = [msgspec.structs.replace(one, rule=place) for place, one in enumerate(in_force, start=1)]
    (end,) = [one for one in numbered if (one.table, one.valid_from) == ("penalty_cap", CAP_ENDS)]
    laws = laws_for(numbered, [end], date(2027, 1, 31))
    assert laws.after == law_of(numbered)
    found = await compare(town.services, PenaltyRecalculation(), Bounds(), laws)
    assert [(one.before_kopecks, one.after_kopecks) for one in found.totals] == [(13_812, 20_354)]


async def test_a_future_row_is_tried_on_the_past(town: BillsTown) -> None:
    account = await town.bill(1, 300_000)
    await town.pay_on(account, 300_000, date(2026, 11, 20))
    end = rule("penalty_cap", CAP_ENDS)
    assert [one.changed for one in (await compared(town, end, on=CAP_ENDS)).totals] == [0]
    (total,) = (await compared(town, end, on=CAP_ENDS, since=date(2024, 6, 1))).totals
    # 66 days: 36 × 1/300 at 9.5 %, then at 14 %
    assert (total.before_kopecks, total.after_kopecks) == (3_420, 5_040)


async def test_a_later_day_of_payment_moves_the_bills_due_day(town: BillsTown) -> None:
    account = await town.bill(1, 300_000)
    await town.pay_on(account, 300_000, date(2026, 10, 20))
    twentieth = rule("due_day", date(2026, 9, 1), issue_day=5, pay_day=21)
    (total,) = (await compared(town, twentieth, on=NOW.date())).totals
    # 35 days overdue become 29.
    assert (total.before_kopecks, total.after_kopecks) == (475, 0)


async def test_the_ten_largest_differences_are_kept(town: BillsTown) -> None:
    for number in range(1, 14):
        await town.bill(number, 100_000 * number)
    found = await compared(town, EXTENDED, on=date(2027, 1, 20))
    (total,) = found.totals
    assert (total.sums, total.changed) == (13, 13)
    assert [one.account for one in found.largest] == [f"uo/{number}" for number in range(13, 3, -1)]
    assert total.after_kopecks - total.before_kopecks <= sum(one.difference_kopecks for one in found.largest) < 0


async def test_rows_are_listed_proposed_and_approved(town: BillsTown, commands: Commands, tmp_path: Path) -> None:
    listed = await commands.json(law, "list", "--table", "penalty_cap")
    assert [(row["valid_from"], row["ends"]) for row in listed["in_force"]][-1] == ("2027-01-01", True)
    (on,) = (await commands.json(law, "list", "--table", "penalty_cap", "--on", "2026-11-24"))["in_force"]
    assert (on["figures"], on["certainty"], on["approved_by"]) == ({"rate": 95_000, "is_fixed": 0}, "H", "release")
    assert (await commands.json(law, "list", "--table", "penalty_cap", "--on", "2027-01-01"))["in_force"] == []
    number = listed["in_force"][-1]["row"]
    file = tmp_path / "change.toml"
    file.write_text(PROPOSAL + f"replaces = {number}\n", "utf-8")
    told = await commands.text(law, "propose", str(file), "--by", "anna")
    row = told.split()[1]
    assert "holds nothing until a second person approves it" in told
    assert [one["row"] for one in (await commands.json(law, "list"))["waiting"]] == [int(row)]
    own = await commands.run(law, "approve", row, "--by", "Anna")
    assert own.exit_code == 2 and "second person must" in own.stderr
    assert f"Row {row} is approved." in await commands.text(law, "approve", row, "--by", "boris")
    assert f"Row {row} was approved before." in await commands.text(law, "approve", row, "--by", "boris")
    shown = await commands.text(law, "list", "--table", "penalty_cap")
    assert "9.5%" in shown and "a decree of December" in shown and "прекращается" not in shown
    assert "1.5" in await commands.text(law, "list", "--table", "coefficient", "--on", "2026-11-24")


async def test_a_proposal_is_tried_on_the_ledger_before_it_is_approved(
    town: BillsTown, commands: Commands, tmp_path: Path
) -> None:
    account = await town.bill(1, 300_000)
    await town.pay_on(account, 100_000, date(2026, 10, 20))
    as_of = ("2027-01-01", "--as-of", "2027-01-20")
    (standing,) = (await commands.json(law, "diff", *as_of))["creditors"]
    assert standing["after_kopecks"] > standing["before_kopecks"], "the cap's end, in force, raises penalties"
    (end,) = [
        row
        for row in (await commands.json(law, "list", "--table", "penalty_cap"))["in_force"]
        if row["valid_from"] == "2027-01-01"
    ]
    file = tmp_path / "change.toml"
    file.write_text(PROPOSAL + f"replaces = {end['row']}\n", "utf-8")
    await commands.text(law, "propose", str(file), "--by", "anna")
    found = await commands.json(law, "diff", *as_of)
    assert [(one["before_kopecks"], one["after_kopecks"]) for one in found["creditors"]] == [(13_728, 9_366)]
    assert found["largest"][0]["account"] == "uo/1"
    shown = await commands.text(law, "diff", *as_of)
    assert "137,28" in shown and "93,66" in shown and "−43,62" in shown
    none = await commands.text(law, "diff", *as_of, "--period", "2026-01:2026-07")
    assert "Ничего не изменилось бы." in none
    assert (await commands.json(law, "diff", "2027-01-01", "--period", "2026-08"))["what"] == "penalties"


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (("diff", "2026-12-13"), "no row of law begins on 2026-12-13"),
        (("diff", "2027-01-01", "--row", "9999"), "no row of law 9999 begins"),
        (("diff", "2027-01-01", "--period", "2026"), "a period is like"),
        (("diff", "2027-01-01", "--period", "2026-05:2026-04"), "a period is like"),
        (("diff", "2027-01-01", "--house", "nowhere"), "the housing stock has no house nowhere"),
        (("approve", "9999", "--by", "boris"), "there is no row 9999"),
        (("list", "--table", "laws"), "is not one of"),
    ],
)
async def test_what_cannot_be_done_is_one_line(town: BillsTown, commands: Commands, words: tuple[str, ...], fault: str) -> None:
    result = await commands.run(law, *words)
    assert result.exit_code == 2 and fault in result.stderr


async def test_rival_proposals_of_one_day_are_chosen_by_number(town: BillsTown, commands: Commands, tmp_path: Path) -> None:
    file = tmp_path / "change.toml"
    file.write_text(PROPOSAL.replace("2027-01-01", "2027-02-01"), "utf-8")
    rows = [(await commands.text(law, "propose", str(file), "--by", "anna")).split()[1] for _ in range(2)]
    refused = await commands.run(law, "diff", "2027-02-01")
    assert refused.exit_code == 2 and "name one by --row" in refused.stderr
    assert (await commands.json(law, "diff", "2027-02-01", "--row", rows[1]))["creditors"] == []


async def test_a_faulty_file_proposes_nothing(town: BillsTown, commands: Commands, tmp_path: Path) -> None:
    file = tmp_path / "change.toml"
    file.write_text(PROPOSAL + PROPOSAL.replace("9.5%", "9,5%"), "utf-8")
    result = await commands.run(law, "propose", str(file), "--by", "anna")
    assert result.exit_code == 2 and "change.toml, row 2, rate: '9,5%'" in result.stderr
    assert (await commands.json(law, "list"))["waiting"] == []
