"""Closing days and the month, and the proof at its end: nothing unexplained, nothing promised, nothing lost or doubled."""

import asyncio
from collections.abc import Iterable
from datetime import date, timedelta

import asyncpg

from kopeck.commands.verify import verify_ledger
from kopeck.orders_audit import audit_orders_of_ledger
from ledger.balances import cut_now, journal_balances
from ledger.names import fetch_names
from loadtests.month_house import SQL, Diverged, House
from loadtests.month_record import Expected, Record
from services.days import DayNotClosed, close_day
from services.reconciliation.closing import NotClosed, explain, sign_day
from services.reconciliation.core.words import DIFFERENCE, TECHNICAL, Explanation, Item
from services.reconciliation.months import sign_month
from services.reconciliation.report import DayReport, reconcile

FIRST, SECOND = "Анна", "Борис"
VERIFY_JOBS = 2
BALANCES_TOLD_MAX = 8


class Closing:
    """Ends bank days, reconciles each when its statement has come, and has it signed by two."""

    def __init__(self, house: House, record: Record) -> None:
        self.house = house
        self.record = record
        self.signed: list[date] = []
        self.unexplained = 0
        self.explained = 0
        self._named: set[int] = set()

    async def end_day(self, day: date, following: date) -> None:
        """Cut a bank day and open the following one; raises Diverged."""
        await self.house.fold()
        try:
            await close_day(self.house.services, self.house.transit, day, following)
        except DayNotClosed as error:
            raise Diverged(f"{day} cannot be cut: {error}") from error
        self.house.day = following

    async def sign(self, day: date) -> None:
        """Reconcile a day, explain what is to be explained, have it signed; raises Diverged."""
        house = self.house
        await house.fold()
        report = await reconcile(house.services, house.transit, day)
        if report.obstacles:
            raise Diverged(f"{day} cannot be closed: {'; '.join(report.obstacles)}")
        for one, text in self._explanations(report):
            told = Explanation(text=text, by=FIRST, at=house.now)
            await explain(house.services, house.transit, day, (one.place,), told)
            self.explained += 1
        report = await reconcile(house.services, house.transit, day)
        if report.unexplained:
            self.unexplained += sum(abs(one.amount_kopecks) for one in report.unexplained)
            raise Diverged(f"{day}: {_told(report.unexplained[0])} is not explained")
        for by in (FIRST, SECOND):
            try:
                signed = await sign_day(house.services, house.transit, day, by, house.now)
            except NotClosed as error:
                raise Diverged(f"{day} is not signed by {by}: {error}") from error
        if not signed.protocol.is_closed:
            raise Diverged(f"{day} was signed by two and is not closed")
        self.signed.append(day)

    async def refuse(self, day: date) -> None:
        """See that a day cannot be closed by what the bank has told of it so far; raises Diverged."""
        report = await reconcile(self.house.services, self.house.transit, day)
        if not report.obstacles:
            raise Diverged(f"{day} could be closed by a statement without some kinds of documents")

    def _explanations(self, report: DayReport) -> Iterable[tuple[Item, str]]:
        """Return what was expected to be named, with what people say of it; raises Diverged for the first thing that was not."""
        for item in report.unexplained:
            fitting = [number for number, one in self.record.expected.items() if _fits(one, item)]
            if not fitting:
                self.unexplained += abs(item.amount_kopecks)
                raise Diverged(f"{report.day}: {_told(item)} was not to be expected")
            number = next((one for one in fitting if one not in self._named), fitting[0])
            self._named.add(number)
            yield item, self.record.expected[number].text

    async def sign_months(self) -> int:
        """Close every calendar month that is over; how many. Raises Diverged."""
        house = self.house
        months = sorted({day.replace(day=1) for day in self.signed})
        done = 0
        for first in months:
            last = (first.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
            if house.day <= last:
                continue
            for by in (FIRST, SECOND):
                try:
                    signed = await sign_month(house.services, house.transit, first, (by, house.now))
                except NotClosed as error:
                    raise Diverged(f"the month of {first} is not signed by {by}: {error}") from error
            if not signed.protocol.is_closed:
                raise Diverged(f"the month of {first} was signed by two and is not closed")
            done += 1
        return done

    async def balances(self) -> dict[str, int]:
        """Return the journal's balances that are not nought, by ledger account."""
        house = self.house
        names = await fetch_names(house.services)
        found = await journal_balances(house.services, await cut_now(house.services))
        return {names.name_of(account): one.balance for account, one in found.items() if one.balance}

    async def prove(self) -> None:
        """Hold everything against everything; raises Diverged with the first difference."""
        house = self.house
        for row in await house.services.fetch(SQL["count_parked"]):
            raise Diverged(f"{row['parked']} cases of {row['what']} wait for a person")
        for number, one in self.record.expected.items():
            if number not in self._named:
                raise Diverged(f"reconciliation did not name {one}")
        if self.record.unheard:
            raise Diverged(
                f"{len(self.record.unheard)} payments were never told of, the first: {next(iter(self.record.unheard))}"
            )
        await self.record.compare(house)
        if balances := await self.balances():
            told = ", ".join(f"{name} {balance}" for name, balance in list(balances.items())[:BALANCES_TOLD_MAX])
            carried = [tuple(row) for row in await house.services.fetch(SQL["list_carried"])]
            raise Diverged(f"{len(balances)} accounts are not at nought: {told}; carried: {carried}")
        services, reader = house.connections.services_dsn, house.connections.reader_dsn
        _, divergence = await asyncio.to_thread(verify_ledger, reader, VERIFY_JOBS, shown=False)
        if divergence is not None:
            raise Diverged(f"verify: {divergence}")
        audit = await audit_orders_of_ledger(reader, services, house.today)
        if audit.first is not None:
            raise Diverged(f"audit of orders: {audit.first}")


async def settle_statistics(dsn: str) -> None:
    """Let the planner know how large the tables have become, as autovacuum does in a ledger that grows by days, not minutes."""
    owner = await asyncpg.connect(dsn)
    try:
        await owner.execute(SQL["analyze"])
    finally:
        await owner.close()


def _fits(expected: Expected, item: Item) -> bool:
    """Both sides of one line are named apart, and the day may be the one after: a line is booked when it is told of."""
    return expected.amount == abs(item.amount_kopecks) and expected.reason in item.reason


def _told(item: Item) -> str:
    sign = "" if item.place not in (DIFFERENCE, TECHNICAL) else "the day's own "
    return f"{sign}{item.verdict.value} {item.place} of {item.amount_kopecks} kopecks ({item.reason}; {item.reference})"
