"""A month of the demo town closed by ``kopeck month`` while it is paid through every channel; then a kopeck is moved by hand."""

import asyncio
import itertools
import os
import sys
from pathlib import Path

from pypdf import PdfReader

from kopeck.demo.town import PERIODS
from ledger.statements import load_statements
from tests.scenarios.small_town import SmallTown, in_small_town

SQL = load_statements("tests/statements/billed_month.sql")
ROOT = Path(__file__).resolve().parents[2]
NEXT, NEXT_TEXT = 202611, "2026-11"
CHANNELS = ("osmp", "sber_online", "bank_feed")
WAVE = 6
COMMAND_TIMEOUT_S = 180
MAKER, SECOND = "Анна", "Борис"


class Months:
    """``kopeck month``, and other commands, on a running town's folder."""

    def __init__(self, folder: Path) -> None:
        self._environ = {name: value for name, value in os.environ.items() if not name.startswith("KOPECK_")}
        self._folder = folder

    async def run(self, *arguments: str) -> tuple[int, str]:
        """The exit code of ``kopeck month``, and what it printed."""
        return await self.command("month", *arguments)

    async def command(self, *arguments: str) -> tuple[int, str]:
        """A command's exit code, and what it printed."""
        command = [sys.executable, "-m", "kopeck", *arguments, "--data", str(self._folder)]
        started = await asyncio.create_subprocess_exec(
            *command, cwd=ROOT, env=self._environ, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        printed, _ = await asyncio.wait_for(started.communicate(), COMMAND_TIMEOUT_S)
        assert started.returncode is not None
        return started.returncode, printed.decode()


async def test_a_month_is_billed_paid_and_closed(tmp_path: Path) -> None:
    async def play(town: SmallTown) -> None:
        months = Months(tmp_path / "data")
        await check_history(town)
        await check_printed(town, months, tmp_path)
        await check_second_person(months)
        await close_while_paying(town, months)
        await check_closed(town, months)
        await check_moved_kopecks(town, months)

    await in_small_town(tmp_path / "data", play)


async def check_history(town: SmallTown) -> None:
    """Two months are closed and the last is open, each charged what its lines come to."""
    found = [(row["period"], row["state"]) for row in await town.owner.fetch(SQL["months"])]
    assert found == [(PERIODS[0], "closed"), (PERIODS[1], "closed"), (PERIODS[2], "open")]
    for period in PERIODS:
        sums = await town.owner.fetchrow(SQL["sums"], period)
        assert sums["accounts"] > 100 and sums["charged"] == sums["lines"] > 0


async def check_printed(town: SmallTown, months: Months, folder: Path) -> None:
    """Every document of a published month of the town can be printed."""
    for run, accounts in await town.owner.fetch(SQL["runs"], PERIODS[2]):
        file = folder / f"{run}.pdf"
        code, printed = await months.command("documents", "print", str(run), "--out", str(file))
        assert code == 0 and f"документов {accounts}, не напечатано 0" in printed, printed
        assert len(PdfReader(file).pages) >= accounts


async def check_second_person(months: Months) -> None:
    """One person comes as far as the checks; the command that goes on is named."""
    code, printed = await months.run(NEXT_TEXT, "--by", MAKER, "--approver", f" {MAKER.upper()}")
    assert code == 2 and "второе лицо" in printed
    code, printed = await months.run(NEXT_TEXT, "--by", MAKER)
    assert code == 1, printed
    assert "ждёт второго лица" in printed and f"kopeck month {NEXT_TEXT} --by {MAKER} --approver" in printed


async def close_while_paying(town: SmallTown, months: Months) -> None:
    """The same command with the second person goes on; payments come through every channel all the while."""
    accounts = await town.owner.fetch(SQL["list_payable"], PERIODS[2])
    closing = asyncio.create_task(months.run(NEXT_TEXT, "--by", MAKER, "--approver", SECOND))
    keys = itertools.count(50_000)
    sums = itertools.cycle([(row["number"], part) for row in accounts for part in (row["total"], row["total"] // 2)])
    while not closing.done():
        wave = [(CHANNELS[key % len(CHANNELS)], str(key), *next(sums)) for key in itertools.islice(keys, WAVE)]
        await town.pay_all(wave)
    code, printed = closing.result()
    assert code == 0, printed
    assert await town.owner.fetchval(SQL["paid_in_publication"], NEXT) > 0
    assert printed.count("сходится\n") == 6 and "РАСХОЖДЕНИЙ" not in printed
    assert printed.splitlines()[-1].startswith(
        f"{NEXT_TEXT}: начисления, платежи, остатки, таблицы и регистр сходятся; месяц закрыт: "
    )


async def check_closed(town: SmallTown, months: Months) -> None:
    """The month before closes the same way, now that it has been followed; once more changes nothing."""
    code, printed = await months.run("2026-10", "--by", MAKER, "--approver", SECOND)
    assert code == 0 and "месяц закрыт: " in printed, printed
    code, printed = await months.run(NEXT_TEXT, "--by", MAKER)
    assert code == 0 and printed.splitlines()[-1].endswith("месяц был закрыт раньше"), printed
    assert {row["state"] for row in await town.owner.fetch(SQL["months"])} == {"closed"}


async def check_moved_kopecks(town: SmallTown, months: Months) -> None:
    """Whatever the database's owner moves, by one kopeck, is found and named, and found no more when it is moved back."""
    account, one, other = await town.owner.fetchrow(SQL["two_lines"], NEXT)
    moves = (
        ("строки расчётов = начисления", "move_charge", (account, one, other)),
        ("документы = напечатанные суммы", "move_printed", (account, NEXT)),
    )
    for title, statement, place in moves:
        assert await town.owner.execute(SQL[statement], *place, 1) != "UPDATE 0"
        code, printed = await months.run(NEXT_TEXT, "--by", MAKER)
        assert code == 1 and f"{title}: РАСХОЖДЕНИЙ" in printed, printed
        assert printed.splitlines()[-1].startswith(f"{NEXT_TEXT}: НЕ СХОДИТСЯ: ") and title in printed.splitlines()[-1]
        await town.owner.execute(SQL[statement], *place, -1)
    code, printed = await months.run(NEXT_TEXT, "--by", MAKER)
    assert code == 0, printed
