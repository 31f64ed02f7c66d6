"""Lines of a statement through clearing: one class each, one entry each, text sealed, people's word kept."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest

from schemas.journal import EntryKind
from schemas.outcome import SuspenseReason
from services.clearing.booking import record
from services.clearing.core.verdict import LineClass
from services.clearing.keeping import clear_once
from services.clearing.personal import NothingToErase, erase_before, erase_line
from services.clearing.persons import NotClassified, Said, classify_by_person
from tests.conftest import LedgerDatabase
from tests.services.clearing_town import DAY, NOW, SQL, ClearingTown, clearing_town, cover, line, statement
from tests.services.desk import Desk

C = LineClass
HELD = {"account": "47416810000000000001", "name": "Банк"}


@pytest.fixture
async def town(ledger_database: LedgerDatabase, desk: Desk, redis_url: str) -> AsyncIterator[ClearingTown]:
    async with clearing_town(ledger_database, desk, redis_url) as founded:
        yield founded


async def test_every_class_has_its_entry(town: ClearingTown) -> None:
    rows = await town.told(
        line("pay", 10_000, "ЖКУ л/с 0001001"),
        line("unknown", 2_000, "за квартиру"),
        cover("cover", 3_000, "перечисление"),
        line("debt", 700, "Погашение долга", account="40702810200000000001", inn="7707083893"),
        line("hold", 500, "в невыясненные", is_credit=False, **HELD),
        line("back", 200, "из невыясненных", **HELD),
        line("wrong", 90, "Ошибочно зачислено", operation="09"),
        line("storno", 90, "Сторно", operation="09", is_credit=False),
    )
    assert [row["class"] for row in rows] == [
        "payment", "unknown", "cover", "debt", "to_hold", "from_hold", "technical", "technical",
    ]  # fmt: skip
    assert all(row["sequence"] for row in rows)
    balances = await town.balances()
    assert {name: balances[name] for name in ("transit", "clearing:acq", "held", "suspense:statement", "receivable:uk")} == {
        "transit": 10_000 + 2_000 + 3_000 + 700 - 500 + 200,
        "clearing:acq": -3_000,
        "held": 300,
        "suspense:statement": -2_000,
        "receivable:uk": -700,
    }
    assert "suspense:#0" not in balances and "clearing:statement" not in balances
    kinds = [EntryKind(entry["kind"]) for entry in await town.owner.fetch(SQL["list_entries"], 0)]
    assert sorted(kinds) == sorted(
        [EntryKind.STATEMENT_COVER] * 3 + [EntryKind.DEBT_PAID] + [EntryKind.HELD_BY_BANK] * 2 + [EntryKind.TECHNICAL] * 2
    )
    await town.assert_sound()


async def test_a_key_is_the_transit_account_and_the_banks_id(town: ClearingTown) -> None:
    await town.told(line("b:1/x", 100, "ЛС 0001002"))
    (entry,) = await town.owner.fetch(SQL["list_entries"], 0)
    assert (entry["space"], entry["external_id"]) == (6, f"{town.transit}:b:1/x")
    (payment,) = await town.owner.fetch(SQL["list_entries"], 1)
    assert (payment["space"], payment["external_id"]) == (town.spaces["statement"], "b:1/x")


async def test_doing_it_again_changes_nothing(town: ClearingTown) -> None:
    told = statement(line("pay", 10_000, "л/с 0001001"), cover("cover", 3_000))
    await town.take(told)
    assert (await town.take(told)).repeated
    first = await town.clear()
    assert (first.classified, first.booked) == (2, 2)
    before = dict(await town.owner.fetchrow(SQL["counts"]))
    again = await town.clear()
    assert (again.classified, again.booked) == (0, 0)
    assert dict(await town.owner.fetchrow(SQL["counts"])) == before


async def test_two_passes_at_once_book_once(town: ClearingTown) -> None:
    await town.take(statement(*[line(f"p{place}", 1_000 + place, "л/с 0001001") for place in range(20)], *[cover("c", 500)]))
    other = await asyncpg.connect(town.database.services_dsn)
    try:
        await asyncio.gather(town.clear(), clear_once(other, town.tools, NOW))
    finally:
        await other.close()
    await town.clear()
    counts = await town.owner.fetchrow(SQL["counts"])
    assert (counts["entries"], counts["payments"]) == (21, 20)
    await town.assert_sound()


async def test_the_payers_act_dates_the_payment(town: ClearingTown) -> None:
    await town.told(
        line("fresh", 100, "л/с 0001001", document_day=DAY - timedelta(days=3)),
        line("stale", 200, "л/с 0001001", document_day=DAY - timedelta(days=30)),
        line("undated", 300, "л/с 0001001"),
    )
    days = {row["external_id"]: row["value_date"] for row in await town.owner.fetch(SQL["list_entries"], 1)}
    assert days == {"fresh": DAY - timedelta(days=3), "stale": DAY, "undated": DAY}


async def test_unknown_money_keeps_the_number_that_was_written(town: ClearingTown) -> None:
    (row,) = await town.told(line("b1", 100, "л/с 0001009 за свет"))
    assert (row["class"], row["why"]) == ("unknown", "назван лицевой счёт 0001009, такого нет")
    (entry,) = await town.owner.fetch(SQL["list_entries"], 1)
    assert SuspenseReason(entry["reason"]) is SuspenseReason.UNIDENTIFIED
    assert "0001009" in entry["designation"]


async def test_two_matches_are_no_match(town: ClearingTown) -> None:
    (row,) = await town.told(line("b1", 100, "л/с 0001001 и л/с 0001002"))
    assert (row["class"], row["why"]) == ("unknown", "подходят несколько лицевых счетов: 0001001, 0001002")


async def test_an_account_is_found_by_its_els_and_by_the_code(town: ClearingTown) -> None:
    rows = await town.told(line("els", 100, "ЕЛС 75da000001"), line("code", 200, "оплата", code="75DA000002"))
    assert [row["class"] for row in rows] == ["payment", "payment"]
    entries = await town.owner.fetch(SQL["list_entries"], 1)
    assert all(entry["personal_account"] for entry in entries)


async def test_a_payment_that_the_acquirer_told_of_is_only_covered(town: ClearingTown) -> None:
    await town.pay("A7123456789012", 5_000)
    (row,) = await town.told(cover("b1", 5_000, "л/с 0001001", references=("A7123456789012",)))
    assert (row["class"], row["by"], row["reference"], row["difference"]) == ("cover", "operation", "A7123456789012", 0)
    assert len(await town.owner.fetch(SQL["list_entries"], 1)) == 1
    assert "clearing:acq" not in await town.balances()


async def test_a_payment_that_is_told_of_later_under_the_reference_is_a_duplicate(town: ClearingTown) -> None:
    await town.told(line("b1", 5_000, "л/с 0001001", references=("B7123456789012",)))
    channel = town.channels["statement"]
    again = await town.pay("B7123456789012", 5_000, channel="statement", event_at=NOW)
    assert again.sequence == 1 and channel.space == town.spaces["statement"]
    assert len(await town.owner.fetch(SQL["list_entries"], 1)) == 1


async def test_a_debit_that_nothing_explains_waits_for_a_person(town: ClearingTown) -> None:
    (row,) = await town.told(line("fee", 100, "Комиссия банка", is_credit=False))
    assert (row["class"], row["sequence"]) == (None, None)
    assert row["why"].startswith("списание")
    await classify_by_person(town.services, row["line"], Said(line_class=C.TECHNICAL, why="ошибка банка"), "Петрова", NOW)
    await town.clear()
    (row,) = await town.lines()
    assert (row["class"], row["classified_by"], row["why"]) == ("technical", "Петрова", "ошибка банка")
    assert row["sequence"] is not None


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (Said(line_class=C.OWN_ORDER), "settlement"),
        (Said(line_class=C.TO_HOLD), "поступлением"),
        (Said(line_class=C.COVER), "не назван space"),
        (Said(line_class=C.COVER, space="nowhere"), "не заведено"),
        (Said(line_class=C.PAYMENT), "не назван account"),
        (Said(line_class=C.DEBT, party="nobody"), "не заведено"),
    ],
)
async def test_a_person_cannot_say_what_cannot_be(town: ClearingTown, said: Said, why: str) -> None:
    await town.take(statement(line("b1", 100, "за квартиру")))
    (row,) = await town.lines()
    with pytest.raises(NotClassified, match=why):
        await classify_by_person(town.services, row["line"], said, "Петрова", NOW)
    assert (await town.lines())[0]["class"] is None


async def test_a_person_may_change_a_class_until_it_is_booked(town: ClearingTown) -> None:
    await town.take(statement(line("b1", 100, "за квартиру")))
    (row,) = await town.lines()
    await classify_by_person(town.services, row["line"], Said(line_class=C.UNKNOWN), "Петрова", NOW)
    await classify_by_person(town.services, row["line"], Said(line_class=C.PAYMENT, account="0001002"), "Петрова", NOW)
    await town.clear()
    assert (await town.lines())[0]["class"] == "payment"
    with pytest.raises(NotClassified, match="уже учтена"):
        await classify_by_person(town.services, row["line"], Said(line_class=C.UNKNOWN), "Петрова", NOW)


async def test_a_name_and_a_purpose_stand_nowhere_unsealed(town: ClearingTown, capsys: pytest.CaptureFixture[str]) -> None:
    told = line("b1", 100, "за квартиру Сидоровой", name="Сидорова Мария")
    town.stopped = {"Сидорова Мария": "стоп-лист test/7: совпало наименование"}
    row, _ = await town.told(told, line("b2", 50, "Сидоровой обратно", is_credit=False))
    assert row["screened"] == "стоп-лист test/7: совпало наименование"
    assert await town.owner.fetchval(SQL["count_text"], "Сидоров") == 0
    shown = capsys.readouterr()
    assert "Сидоров" not in shown.out + shown.err
    assert "Сидоров" not in repr(told) + repr(statement(told))


async def test_every_part_of_a_payers_name_is_screened(town: ClearingTown) -> None:
    town.stopped = {"Сидорова Мария": "стоп-лист test/7: совпало наименование"}
    (row,) = await town.told(line("b1", 100, "л/с 0001001", name="ПАО Банк//Сидорова Мария//г. Энск//"))
    assert row["screened"] == "стоп-лист test/7: совпало наименование"
    assert row["class"] == "payment", "a payer is noted, the money has arrived"


async def test_text_is_erased_for_good(town: ClearingTown) -> None:
    rows = await town.told(line("b1", 100, "л/с 0001001"), line("b2", 70, "непонятно", is_credit=False))
    await erase_line(town.services, rows[0]["line"])
    with pytest.raises(NothingToErase):
        await erase_line(town.services, rows[0]["line"])
    assert [row["sealed"] is None for row in await town.lines()] == [True, False]
    assert await erase_before(town.services, DAY + timedelta(days=1)) == 0, "what is not booked needs its text"
    again = await town.take(
        statement(line("b1", 100, "л/с 0001001"), line("b2", 70, "непонятно", is_credit=False), until=DAY + timedelta(1))
    )
    assert again.conflicts == 0, "erased text is compared with nothing"
    assert (await town.lines())[0]["sealed"] is None


async def test_the_reader_sees_no_sealed_text(town: ClearingTown) -> None:
    await town.told(line("b1", 100, "л/с 0001001"))
    reader = await asyncpg.connect(town.database.reader_dsn)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await reader.fetch(SQL["list_lines"])
    finally:
        await reader.close()


class Broken(BaseException):
    """Power is lost: nothing catches that."""


@pytest.mark.parametrize("step", ["after the payment", "after the entry"])
async def test_a_crash_between_steps_books_once(town: ClearingTown, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    await town.take(statement(line("pay", 10_000, "л/с 0001001"), cover("cover", 3_000), line("u", 5, "?")))

    async def lose(*given: object) -> object:
        if step == "after the entry":
            await record(*given)  # type: ignore[arg-type]
        raise Broken

    with monkeypatch.context() as patched:
        patched.setattr("services.clearing.booking.record", lose)
        with pytest.raises(Broken):
            await town.clear()
    assert [row["sequence"] for row in await town.lines()] == [None] * 3
    await town.clear()
    await town.clear()
    counts = await town.owner.fetchrow(SQL["counts"])
    assert (counts["entries"], counts["payments"]) == (3, 2)
    assert all(row["sequence"] for row in await town.lines())
    await town.assert_sound()


async def test_a_server_that_goes_away_under_way_books_once(town: ClearingTown) -> None:
    await town.take(statement(*[line(f"p{place}", 1_000 + place, "л/с 0001001") for place in range(30)]))
    victim = await asyncpg.connect(town.database.services_dsn)
    clearing = asyncio.create_task(clear_once(victim, town.tools, NOW))
    while not (await town.owner.fetchrow(SQL["counts"]))["payments"]:
        await asyncio.sleep(0)
    victim.terminate()
    await asyncio.gather(clearing, return_exceptions=True)
    await town.clear()
    counts = await town.owner.fetchrow(SQL["counts"])
    assert (counts["entries"], counts["payments"]) == (30, 30)
    await town.assert_sound()


async def test_a_conflict_holds_the_line_for_a_person(town: ClearingTown) -> None:
    await town.pay("b1", 7, channel="statement")
    (row,) = await town.told(line("b1", 100, "л/с 0001001"))
    assert (row["class"], row["sequence"]) == ("payment", None)
    assert row["held_back"].startswith("под этим номером уже учтено другое (amount)")
