"""``kopeck billing corrections`` and ``adjust`` as they are typed (docs/billing-corrections.md)."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kopeck.clock import utc_now
from kopeck.commands.recalculation import billing
from services.billing.core.lines import LineKind
from services.billing.law.proposing import load_shipped
from tests.conftest import LedgerDatabase
from tests.scenarios.test_explain import Commands
from tests.services.corrections_town import FIRST, CorrectionsTown, make_town
from tests.services.desk import Desk

OCTOBER, NOVEMBER, DECEMBER = 202610, 202611, 202612
ONE = ("--account", FIRST, "--service", "maintenance", "--period", "2026-10")
HEADER = "account,service,of_period,amount,kind,basis,cause\n"


@pytest.fixture
async def town(ledger_database: LedgerDatabase, desk: Desk) -> AsyncIterator[CorrectionsTown]:
    """October is closed; account 0001001 has readings to October."""
    made = await make_town(ledger_database, desk)
    await load_shipped(desk.connection, "test", utc_now())
    await made.meters.give("C1", ("2026-09-20", "118"), ("2026-10-20", "121"))
    await made.closed(OCTOBER)
    yield made


@pytest.fixture
def commands(ledger_database: LedgerDatabase) -> Commands:
    return Commands(ledger_database)


async def test_corrections_are_found_taken_and_shown(town: CorrectionsTown, commands: Commands) -> None:
    await town.load("premises-areas", "house,premises,valid_from,area,source\n01,1,2026-10-01,50,egrn\n")
    found = await commands.text(billing, "corrections", "find", "2026-11")
    for words in ("10.2026", FIRST, "maintenance", "−118,25", "площади"):
        assert words in found
    assert await town.adjustments() == []
    taken = await commands.text(billing, "corrections", "take", "2026-11", "--by", "Анна")
    decided = await town.adjustments()
    assert f"решено сумм {len(decided)}, ждут второго лица 0" in taken
    again = await commands.text(billing, "corrections", "take", "2026-11", "--house", "01", "--by", "Анна")
    assert "решено сумм 0" in again and await town.adjustments() == decided
    shown = await commands.json(billing, "corrections", "decided", "2026-11", "--account", FIRST)
    (area,) = [one for one in shown["decided"] if one["service"] == "maintenance"]
    assert (area["amount"], area["basis"], area["is_charged"], area["cause"]) == (
        -11825, "facts", False, "перерасчёт: площади помещений"
    )  # fmt: skip
    assert (await commands.run(billing, "corrections", "find", "2026-13")).exit_code == 2


async def test_a_house_in_the_way_is_told_with_exit_code_1(town: CorrectionsTown, commands: Commands) -> None:
    await town.published(NOVEMBER)
    await town.load("premises-areas", "house,premises,valid_from,area,source\n01,1,2026-11-01,50,egrn\n")
    for command in (("find", "2026-12"), ("take", "2026-12", "--by", "Анна")):
        told = await commands.run(billing, "corrections", *command)
        assert told.exit_code == 1 and "месяц 11.2026 не закрыт: пересчитайте дом" in told.output
    assert await town.adjustments() == []


async def test_a_sum_is_decided_once_and_charged(town: CorrectionsTown, commands: Commands) -> None:
    given = ("adjust", "--in", "2026-11", *ONE, "--amount", "-12,5", "--cause", "уборки не было", "--by", "Анна")
    assert "решено сумм 1" in await commands.text(billing, *given)
    again = await commands.run(billing, *given)
    assert again.exit_code == 2 and "уже решена" in again.output
    run = await town.published(NOVEMBER)
    lines = [line for line in await town.read("lines", "0001001", run) if line[3]]
    assert lines == [("maintenance", LineKind.CORRECTION, -1250, OCTOBER)]
    # It said what October should come to: a recalculation by facts would take it back, and one beside the calculation stays.
    found = await town.find(DECEMBER, houses=("01",))
    assert [one.state for one in found if one.of_period == NOVEMBER] == ["open"]
    assert [row.decided.amount_kopecks for one in found for row in one.rows] == [1250]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("--account", "epd:9"), "epd:9 нет"),
        (("--service", "тв"), "услуги тв нет"),
        (("--amount", "1.234"), "two decimals"),
        (("--amount", "0"), "nothing"),
        (("--period", "2026-11"), "раньше"),
        (("--kind", "fine"), "штраф исполнителя меньше нуля"),
        (("--in", "2026-10", "--period", "2026-09"), "месяц закрыт"),
        (("--by", " "), "имя"),
    ],
)
async def test_a_sum_that_cannot_be_decided_changes_nothing(
    town: CorrectionsTown, commands: Commands, change: tuple[str, ...], told: str
) -> None:
    given = ("adjust", "--in", "2026-11", *ONE, "--amount", "10", "--cause", "решение", "--by", "Анна", *change)
    refused = await commands.run(billing, *given)
    assert refused.exit_code == 2 and told in refused.output, refused.output
    assert await town.adjustments() == []


async def test_a_file_of_sums_has_faults_by_line(town: CorrectionsTown, commands: Commands, tmp_path: Path) -> None:
    path = tmp_path / "sums.csv"
    rows = [
        f"{FIRST},maintenance,2026-10,-10.50,,,уборка",
        "epd:9,maintenance,2026-10,5,,,уборка",
        f"{FIRST},tv,2026-10,5,,,уборка",
        f"{FIRST},maintenance,2026-11,5,,,уборка",
        f"{FIRST},maintenance,2026-10,-10.50,,,уборка",
    ]
    path.write_text(HEADER + "\n".join(rows) + "\n", "utf-8")
    faulty = await commands.run(billing, "adjust", str(path), "--in", "2026-11", "--by", "Анна")
    assert faulty.exit_code == 2
    for fault in ("line 3, account", "line 4, service", "line 5, of_period", "line 6, line: says the same as line 2"):
        assert fault in faulty.output
    path.write_text(HEADER + f"{FIRST},maintenance,2026-10,пять,penalty,,\n", "utf-8")
    faulty = await commands.run(billing, "adjust", str(path), "--in", "2026-11", "--by", "Анна")
    for fault in ("line 2, amount", "line 2, kind", "line 2, cause: is required"):
        assert fault in faulty.output
    assert await town.adjustments() == []


async def test_a_file_of_sums_is_decided_once(town: CorrectionsTown, commands: Commands, tmp_path: Path) -> None:
    path = tmp_path / "sums.csv"
    rows = [f"{FIRST},maintenance,2026-10,-10.50,,apart,уборка", f'{FIRST},hot,2026-10,"20000,00",correction,,счётчик']
    path.write_text(HEADER + "\n".join(rows) + "\n", "utf-8")
    given = ("adjust", str(path), "--in", "2026-11", "--by", "Анна")
    loaded = await commands.run(billing, *given)
    assert loaded.exit_code == 0 and "1 large sums wait" in loaded.output and "2 new" in loaded.output
    assert await town.adjustments() == [(FIRST, "maintenance", LineKind.CORRECTION, -1050, OCTOBER, NOVEMBER)]
    assert (await commands.run(billing, *given)).exit_code == 0
    path.write_text(HEADER + rows[0] + "\n", "utf-8")
    again = await commands.run(billing, *given)
    assert again.exit_code == 2 and "line 2, line: was decided before" in again.output
    own = await commands.run(billing, "corrections", "answer", "2026-11", "--all", "--by", "анна")
    assert own.exit_code == 2 and "второе лицо" in own.output
    assert await commands.text(billing, "corrections", "answer", "2026-11", "1", "--by", "Борис") == "подтверждено сумм: 1\n"
    assert len(await town.adjustments()) == 2
    wrong = ("corrections", "write-off", "1", "--by", "Анна", "--why", "ошибка")
    assert (await commands.run(billing, *wrong)).exit_code == 2
    assert "сумма 1 списана суммой" in await commands.text(billing, *wrong[:4], "Борис", "--why", "ошибка")
    shown = await commands.text(billing, "corrections", "decided", "2026-11")
    assert "списано" in shown and "списание" in shown


async def test_the_limit_is_shown_and_set(town: CorrectionsTown, commands: Commands) -> None:
    assert "10000.00 ₽" in await commands.text(billing, "corrections", "limit")
    assert (await commands.run(billing, "corrections", "limit", "--set", "500")).exit_code == 2
    assert "500.00 ₽" in await commands.text(billing, "corrections", "limit", "--set", "500", "--by", "Борис")


async def test_an_overcharge_is_fined_once(town: CorrectionsTown, commands: Commands) -> None:
    given = ("adjust", "--in", "2026-11", *ONE, "--amount", "-100", "--cause", "лишнее", "--by", "Анна")
    fine = ("corrections", "fine", "--in", "2026-11", "--account", FIRST, "--by", "Анна", "--json")
    nothing = await commands.run(billing, *fine)
    assert nothing.exit_code == 2 and "штрафовать не за что" in nothing.output
    await commands.text(billing, *given)
    (unclaimed,) = await commands.json(billing, *fine)
    assert (unclaimed["verdict"], unclaimed["fine"]) == ("потребитель не обращался", 0)
    (early,) = await commands.json(billing, *fine, "--claimed", "2026-11-20", "--mended", "2026-11-19")
    assert early["verdict"] == "исправлено до обращения и до оплаты"
    (fined,) = await commands.json(billing, *fine, "--claimed", "2026-11-20", "--mended", "2026-11-21")
    assert (fined["verdict"], fined["overcharged"], fined["fine"]) == ("штраф начисляется", -10_000, -5_000)
    (again,) = await commands.json(billing, *fine, "--claimed", "2026-11-20", "--mended", "2026-11-21")
    assert (again["verdict"], again["fine"]) == ("штраф уже начислен", 0)
    assert [row[2:4] for row in await town.adjustments()] == [(LineKind.CORRECTION, -10_000), (LineKind.FINE, -5_000)]


async def test_a_year_is_asked_for(town: CorrectionsTown, commands: Commands) -> None:
    given = ("corrections", "yearly", "2026", "--service", "common", "--by", "Анна", "--dry-run", "--house")
    early = await commands.run(billing, *given, "01", "--in", "2026-12")
    assert early.exit_code == 2 and "кончился" in early.output
    unknown = await commands.run(billing, *given, "9", "--in", "2027-01")
    assert unknown.exit_code == 2 and "домов нет у исполнителя: 9" in unknown.output
    told = await commands.run(billing, *given, "01", "--in", "2027-01")
    assert told.exit_code == 1 and "начислено не за все месяцы года здесь" in told.output
