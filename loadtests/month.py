"""``python -m loadtests.month``: a month of payments by every channel with faults on, reconciled with the bank day by day.

Everything is the house's own: connectors read what the fakes say, the stations book it, clearing, suspense, settlement and
reconciliation work as they do in production. Only time is told, and what people decide. At the end every payment that the fakes
know of is exactly one entry, every ledger account is at nought, the month is closed, and the ledger verifies; or exit code 1.
"""

import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import msgspec
import structlog

from kopeck.child_log import start_log
from kopeck.clock import utc_now
from loadtests.month_acquirers import Acquirers, Keys
from loadtests.month_bank import Bank
from loadtests.month_channels import ToldChannels
from loadtests.month_closing import Closing, settle_statistics
from loadtests.month_house import SQL, Diverged, Founding, House, open_house
from loadtests.month_money import Money
from loadtests.month_orders import Orders
from loadtests.month_parties import LINES, PARTIES, STATEMENT_SHARE, Party, Way
from loadtests.month_people import People
from loadtests.month_record import Record
from loadtests.month_registers import Registers
from loadtests.month_traffic import ROUNDS, Payers
from loadtests.month_transfers import Transfers
from loadtests.town import Town
from services.calendar import is_working_day, next_working_day, working_day_after

CANONICAL = "kopeck-month v1"
LINES_AN_ACCOUNT, CREDITORS = 5, 4
TAIL_DAYS_MAX = 15
"""Bank days after the last payment within which everything must be at its end."""


class MonthOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The command's options."""

    days: int
    payments: int
    accounts: int
    seed: int
    faults: bool
    durable: bool
    folder: Path
    since: date | None = None


class MonthReport(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it. ``fault`` is the first divergence, empty when there is none."""

    options: MonthOptions
    counts: dict[str, int]
    unexplained: int
    seconds: int
    payments_a_second: int
    fault: str


class Month:
    """One run."""

    def __init__(self, house: House, options: MonthOptions, keys: Keys, tell: Callable[[str], None]) -> None:
        self.house = house
        self.options = options
        self.tell = tell
        self.record = Record()
        self.payers = Payers(town_of(options), self.record, random.Random(options.seed))
        faults = options.faults
        self.bank = Bank(house, self.record, faults=faults)
        self.channels = ToldChannels(house, self.payers, self.bank, faults=faults)
        self.acquirers = Acquirers(house, self.payers, keys, faults=faults)
        self.registers = Registers(house, self.payers, faults=faults)
        self.money = Money(self.bank, self.payers, self.registers, faults=faults)
        self.transfers = Transfers(self.bank, self.payers, faults=faults)
        self.orders = Orders(house, self.bank, self.payers, faults=faults)
        self.people = People(house, self.bank, self.money, self.acquirers, faults=faults)
        self.closing = Closing(house, self.record)
        self._untold: list[date] = []
        self._left = options.payments

    async def run(self) -> None:
        """Play the days with payments, then bank days until everything has ended; raises Diverged."""
        first, options = self.house.today, self.options
        for place in range(options.days):
            count = self._left // (options.days - place)
            self._left -= count
            await self._play_day(first + timedelta(days=place), count, place)
        day = first + timedelta(days=options.days)
        for _ in range(TAIL_DAYS_MAX):
            if await self._is_over():
                break
            day = next_working_day(day)
            await self._play_day(day, 0, None)
            day += timedelta(days=1)
        await self._end_month(next_working_day(day))
        self.tell("proving")
        await self.closing.prove()

    async def _is_over(self) -> bool:
        """Whether no money is anywhere but where it belongs."""
        return self.orders.is_quiet and not await self.closing.balances()

    async def _end_month(self, day: date) -> None:
        """Let one more bank day pass, the last of its month, and close every month."""
        self.house.at(day, 8)
        await self._tell_yesterday()
        following = next_working_day(first_day(day))
        self.house.at(day, 21)
        await self.closing.end_day(day, following)
        self._untold.append(day)
        self.house.at(following, 8)
        await self._tell_yesterday()
        self.record.counts["months closed"] = await self.closing.sign_months()

    async def _play_day(self, day: date, count: int, place: int | None) -> None:
        """Play a calendar day; ``place`` among the days with payments, None after them."""
        started = time.perf_counter_ns()
        works, last = is_working_day(day), place is None
        if works:
            self.house.at(day, 8)
            await self._tell_yesterday()
            await self.people.decide_suspense(day, last=last)
            if self.options.faults and self.money.vanishing is None and place is not None and place >= self.options.days // 2:
                self.money.vanishing = day
            await self._begin_bank_day(day, last=last)
        await self._play_rounds(day, ROUNDS[:4], count * 4 // 5)
        if works:
            await self._end_bank_day(day)
        await self._play_rounds(day, ROUNDS[4:], count - count * 4 // 5)
        await self._end_night(day)
        if place is not None and place % 5 == 0:
            await settle_statistics(self.house.connections.owner_dsn)
        milliseconds = (time.perf_counter_ns() - started) // 1_000_000
        self.tell(f"{day:%d.%m.%Y %a}: {count} payments, {milliseconds} ms{'' if works else ', the bank is shut'}")

    async def _begin_bank_day(self, day: date, *, last: bool) -> None:
        """The morning at the bank: the parties' money, orders of the evening before, debts."""
        self.money.send(day, last=last)
        if not last:
            self.transfers.mistake(day)
        await self.orders.execute(day, last=last)
        await self.orders.pay_debts(day, everybody=last)
        await self.registers.send_again()

    async def _play_rounds(self, day: date, rounds: tuple[tuple[int, int], ...], count: int) -> None:
        for nth, (hour, minute) in enumerate(rounds):
            self.house.at(day, hour, minute)
            part = count // len(rounds) + (nth < count % len(rounds))
            if part:
                await self._pay(day, part)
            await self.channels.tell_late(self.closing.signed)
            for later in (1, 3, 8, 15):
                self.house.later(later)
                await self.acquirers.deliver()
            if nth == 2 and part:
                await self.people.correct(day)
                self.house.later(5)
                await self.acquirers.deliver()

    async def _pay(self, day: date, count: int) -> None:
        """Let a round's payments be made, by every channel its share."""
        shares = [(one.space, one.share) for one in PARTIES] + [(LINES, STATEMENT_SHARE)]
        drawn = Counter(self.payers.chance.choices([name for name, _ in shares], [share for _, share in shares], k=count))
        for party in PARTIES:
            if party.is_offline:
                self.registers.play(party, drawn[party.space])
            elif _has_acquirer(party):
                await self.acquirers.play(party, drawn[party.space])
            else:
                await self.channels.play(party, drawn[party.space])
        self.transfers.play(self.house.day, drawn[LINES])

    async def _end_bank_day(self, day: date) -> None:
        """The evening at the bank: the day's statement so far, the cut, the end of the day."""
        self.house.at(day, 19, 30)
        self.money.expect_surpluses(day)
        await self.bank.tell(day, is_final=False)
        await self.house.clear()
        await self.people.book_taken_back()
        self.house.at(day, 20, 30)
        await self.orders.cut()
        if self.bank.fleeting[day]:
            self.house.later(10)
            await self.bank.tell(day, is_final=False, fleeting=True)
            await self.house.clear()
        self.house.at(day, 21)
        await self.closing.end_day(day, working_day_after(day))
        self._untold.append(day)

    async def _end_night(self, day: date) -> None:
        """The night: the acquirer is asked, registers of the day come."""
        self.house.at(day, 23, 15)
        await self.acquirers.deliver()
        await self.acquirers.ask(day)
        await self.people.book_taken_back()
        await self.people.look_up_refunds()
        await self.registers.send_all(day)

    async def _tell_yesterday(self) -> None:
        """The morning: the final statement of the bank day before, and its closing."""
        for day in self._untold:
            if await self.bank.tell_filtered(day):
                await self.house.clear()
                await self.closing.refuse(day)
            await self.bank.tell(day, is_final=True)
            await self.house.clear()
            await self.closing.sign(day)
        self._untold = []


def _has_acquirer(party: Party) -> bool:
    return party.way is Way.DAYS_NET


def town_of(options: MonthOptions) -> Town:
    """Return the town whose accounts are paid."""
    return Town(seed=options.seed, accounts=options.accounts, lines=LINES_AN_ACCOUNT, creditors=CREDITORS)


def first_day(today: date) -> date:
    """Return the first day of the next month: the ledger's own moments are then never after the told ones."""
    return (today.replace(day=28) + timedelta(days=4)).replace(day=1)


async def play_month(options: MonthOptions, tell: Callable[[str], None]) -> MonthReport:
    """Found a house, play the month, and report; only what diverges is told in the report, other errors are raised."""
    keys, started = Keys(), 0
    founding = Founding(
        folder=options.folder,
        town=town_of(options),
        first_day=options.since or first_day(utc_now().date()),
        jwks=keys.jwks,
        durable=options.durable,
    )
    async with open_house(founding) as house:
        tell(f"town: {options.accounts} accounts of {LINES_AN_ACCOUNT} lines")
        started = time.perf_counter_ns()
        month = Month(house, options, keys, tell)
        fault = ""
        try:
            await month.run()
        except Diverged as error:
            fault = str(error)
        seconds = (time.perf_counter_ns() - started) // 1_000_000_000
        counts = await _counted(month)
    return MonthReport(
        options=options,
        counts=counts,
        unexplained=month.closing.unexplained,
        seconds=seconds,
        payments_a_second=counts["payments"] // max(1, seconds),
        fault=fault,
    )


async def _counted(month: Month) -> dict[str, int]:
    services, counts = month.house.services, month.record.counts
    counts["entries"] = await services.fetchval(SQL["count_entries"])
    counts["bank days closed"] = len(month.closing.signed)
    counts["items explained"] = month.closing.explained
    for row in await services.fetch(SQL["count_classes"]):
        counts[f"lines {row['class']}"] = row["lines"]
    for row in await services.fetch(SQL["count_outcomes"]):
        counts[f"register lines {row['outcome']}"] = row["lines"]
        counts["register lines lost before"] += row["lost"]
    return dict(counts)


def canonical_line(report: MonthReport) -> str:
    """The one line by which runs are compared."""
    options, counts = report.options, report.counts
    told = f"days={options.days} payments={counts['payments']} accounts={options.accounts} seed={options.seed}"
    return (
        f"{CANONICAL} {told} faults={'on' if options.faults else 'off'} | entries={counts['entries']}"
        f" bank days closed={counts['bank days closed']} unexplained={report.unexplained} kopecks"
        f" | {report.seconds} s {report.payments_a_second} payments/s | {'FAILED' if report.fault else 'ok'}"
    )


@click.command()
@click.option("--days", default=30, show_default=True, type=click.IntRange(1, 366), help="Calendar days with payments.")
@click.option("--payments", default=200_000, show_default=True, type=click.IntRange(1, 10_000_000), help="Over all channels.")
@click.option("--accounts", default=20_000, show_default=True, type=click.IntRange(10, 1_000_000), help="Personal accounts.")
@click.option("--seed", default=1, show_default=True, type=int)
@click.option("--faults/--no-faults", default=True, show_default=True, help="Whether the fakes misbehave.")
@click.option("--durable/--not-durable", default=True, show_default=True, help="Whether PostgreSQL waits for its disk.")
@click.option("--since", type=click.DateTime(("%Y-%m-%d",)), help="The first day; the first of the next month by default.")
@click.option("--quiet", is_flag=True, help="Do not tell of every day.")
def main(quiet: bool, since: datetime | None, **options: Any) -> None:
    """Play a month and prove that it reconciles to zero unexplained kopecks. Exit code 1 when it does not."""
    start_log("critical")
    structlog.contextvars.clear_contextvars()
    with tempfile.TemporaryDirectory(prefix="kopeck-month-") as folder:
        told = MonthOptions(folder=Path(folder), since=since.date() if since else None, **options)
        report = asyncio.run(play_month(told, (lambda _: None) if quiet else click.echo))
    for name, count in sorted(report.counts.items()):
        click.echo(f"{name}: {count}")
    if report.fault:
        click.echo(f"DIVERGENCE {report.fault}", err=True)
    click.echo(canonical_line(report))
    sys.exit(1 if report.fault else 0)


if __name__ == "__main__":
    main()
