"""What payers, acquirers and passing time may do to clearing: nobody makes it book money twice, never, or too much."""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from schemas.channel import Channel
from schemas.notification import PaymentNotification
from schemas.outcome import PaymentOutcome
from schemas.statement import StatementKind, StatementUnbelieved
from services.clearing.core.verdict import LineClass
from services.clearing.keeping import clear_once
from services.clearing.persons import NotClassified, Said, classify_by_person
from services.clearing.promises import note_registers
from services.clearing.taking import take_statement
from services.sealing import KEY_BYTES, Sealer
from tests.conftest import LedgerDatabase
from tests.services.clearing_town import DAY, NOW, SQL, ClearingTown, clearing_town, cover, line, statement
from tests.services.desk import Desk

C = LineClass
SAME = "PAYERS-OWN-REFERENCE"


@pytest.fixture
async def town(ledger_database: LedgerDatabase, desk: Desk, redis_url: str) -> AsyncIterator[ClearingTown]:
    async with clearing_town(ledger_database, desk, redis_url) as founded:
        yield founded


async def test_one_reference_on_two_lines_of_one_statement_books_both(town: ClearingTown) -> None:
    """A payer writes EndToEndId himself: two payments of his under one are two payments."""
    rows = await town.told(
        line("b1", 10_000, "л/с 0001001", references=(SAME,)), line("b2", 10_000, "л/с 0001001", references=(SAME,))
    )
    print([(r["class"], r["why"], r["held_back"], r["difference"]) for r in rows])
    assert len(await town.owner.fetch(SQL["list_entries"], 1)) == 2
    assert "clearing:statement" not in await town.balances()


async def test_one_reference_on_lines_of_two_days_books_both(town: ClearingTown) -> None:
    await town.told(line("b1", 10_000, "л/с 0001001", references=(SAME,)))
    later = DAY + timedelta(days=1)
    town.now = NOW + timedelta(days=1)
    rows = await town.told(line("b2", 10_000, "л/с 0001001", references=(SAME,), day=later), since=later, until=later)
    print([(r["class"], r["why"], r["held_back"], r["difference"]) for r in rows])
    assert len(await town.owner.fetch(SQL["list_entries"], 1)) == 2
    assert "clearing:statement" not in await town.balances()


async def test_one_reference_and_another_sum_later_is_booked(town: ClearingTown) -> None:
    await town.told(line("b1", 10_000, "л/с 0001001", references=(SAME,)))
    rows = await town.told(
        line("b1", 10_000, "л/с 0001001", references=(SAME,)), line("b2", 20_000, "л/с 0001002", references=(SAME,))
    )
    print([(r["class"], r["why"], r["held_back"], r["difference"]) for r in rows])
    assert len(await town.owner.fetch(SQL["list_entries"], 1)) == 2


async def test_a_payers_surname_is_no_account(town: ClearingTown) -> None:
    rows = await town.told(line("b1", 10_000, "оплата, лицевой счет Сидоровой Анны", name="Сидорова Анна"))
    print([(r["class"], r["why"], r["decision"]) for r in rows])
    assert await town.owner.fetchval(SQL["count_text"], "Сидоров") == 0


async def test_a_fee_told_out_of_all_proportion_is_not_booked(town: ClearingTown) -> None:
    rules = [
        {
            "name": "эквайер",
            "class": "cover",
            "payer_inn": ["7700000001"],
            "space": "acq",
            "bearer": "uk",
            "says": r"за\s+(?P<day>[0-9.]{10})|комиссия\s+(?P<fee>[0-9.]+)|принято\s+(?P<gross>[0-9.]+)",
        }
    ]
    await town.load(rules)
    await town.pay("op1", 10_000)
    await town.told(cover("c1", 9_900, "за 24.11.2026 комиссия 999999.00"))
    await town.pay("op2", 10_000)
    rows = await town.told(cover("c2", 9_900, "за 24.11.2026 принято 999999.00"))
    print([(r["class"], r["why"], r["fee"], r["difference"], r["reason"]) for r in rows])
    balances = await town.balances()
    assert balances.get("receivable:uk", 0) <= 200, balances


class Meddled:
    """A booking in whose midst a person decides otherwise."""

    def __init__(self, town: ClearingTown, said: Said) -> None:
        self.town = town
        self.said = said
        self.refused = ""

    async def book(self, channel: Channel, told: Sequence[PaymentNotification]) -> tuple[PaymentOutcome, ...]:
        outcomes: tuple[PaymentOutcome, ...] = await self.town.intake.book(channel, told)
        number = (await self.town.lines())[0]["line"]
        try:
            await classify_by_person(self.town.owner, number, self.said, "Анна", NOW)
        except NotClassified as error:
            self.refused = str(error)
        return outcomes


@pytest.mark.parametrize("said", [Said(line_class=C.COVER, space="acq"), Said(line_class=C.PAYMENT, account="0001002")])
async def test_a_line_whose_payment_is_booked_is_not_taken_for_another(town: ClearingTown, said: Said) -> None:
    await town.take(statement(line("b1", 10_000, "л/с 0001001")))
    real, meddled = town.intake, Meddled(town, said)

    await clear_once(town.services, msgspec.structs.replace(town.tools, booking=meddled), NOW)
    town.intake = real
    await town.clear()
    balances = await town.balances()
    print(meddled.refused, balances, [(r["class"], r["decision"]) for r in await town.lines()])
    assert "clearing:acq" not in balances and "clearing:statement" not in balances
    assert meddled.refused


async def test_two_parts_of_one_day_do_not_take_back_one_anothers_lines(town: ClearingTown) -> None:
    await town.told(line("b1", 10_000, "л/с 0001001"), kind=StatementKind.FINAL, opening_kopecks=0, closing_kopecks=10_000)
    other = line("b2", 20_000, "л/с 0001002")
    for opening in (10_000, -20_000):
        sums = {"opening_kopecks": opening, "closing_kopecks": opening + 20_000}
        with pytest.raises(StatementUnbelieved, match="whole"):
            await town.take(statement(other, kind=StatementKind.FINAL, **sums))
    assert (await town.balances())["transit"] == 10_000
    whole = statement(
        other, line("b1", 10_000, "л/с 0001001"), kind=StatementKind.FINAL, opening_kopecks=0, closing_kopecks=30_000
    )
    assert (await town.take(whole)).vanished == 0


async def test_an_account_too_long_to_be_one_is_unknown_money(town: ClearingTown) -> None:
    rows = await town.told(line("b1", 10_000, "л/с " + "1" * 900), line("b2", 100, "л/с 000" + "9" * 190))
    print([(r["class"], r["why"][:50], r["held_back"]) for r in rows])
    assert all(row["sequence"] and not row["held_back"] for row in rows)


async def test_the_same_rrn_in_two_lines_covers_twice(town: ClearingTown) -> None:
    await town.pay("A7123456789012", 5_000)
    rows: list[Any] = await town.told(
        cover("b1", 5_000, references=("A7123456789012",)), cover("b2", 5_000, references=("A7123456789012",))
    )
    print([(r["class"], r["by"], r["difference"], r["reason"]) for r in rows])
    assert sum(r["difference"] for r in rows) == 5_000


async def test_a_lost_key_does_not_stop_statements(town: ClearingTown) -> None:
    """Whoever loses the key has erased the text (services/sealing.py), and nothing else."""
    await town.told(line("b1", 10_000, "л/с 0001001"))
    told = statement(line("b1", 10_000, "л/с 0001001"), line("b2", 500, "л/с 0001002"), kind=StatementKind.FINAL)
    taken = await take_statement(town.services, told, Sealer((b"n" * KEY_BYTES,)), "tests", NOW)
    assert (taken.new, taken.known, taken.conflicts) == (1, 1, 0)


async def test_a_register_of_tens_of_thousands_of_lines_holds_nobody_up(town: ClearingTown) -> None:
    """Clearing's statements end after 5 s: what a register promises is added up in pieces, by keys, with nothing analyzed."""
    lines = 40_000
    place = (town.channels["acq"].number, town.spaces["acq"], town.transit)
    registers = [await town.owner.fetchval(SQL["add_register"], *place, number, DAY, lines, lines * 100, 0) for number in "12"]
    for register, refused in zip(registers, (0, 1), strict=True):
        await town.owner.execute(SQL["add_register_lines"], register, lines, refused)
    await town.services.execute(SQL["limit_statements"])
    assert await note_registers(town.services) == 2
    promises = [tuple(row) for row in await town.owner.fetch(SQL["list_register_promises"])]
    assert promises == [(registers[0], lines * 100, 0, 0), (registers[1], 0, 100, lines * 100 - 100)]
