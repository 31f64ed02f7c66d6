"""One house and one closed period: what it was ever charged against what it is charged on the facts known now.

Nothing is decided here. A house that another provider bills now, or that is gone, comes to no correction: its charges would be
taken back whole, which is for a person to decide.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import msgspec

from ledger.statements import load_statements
from schemas.ids import AccountId
from services.billing.core.corrections import period_corrections
from services.billing.core.law import Law
from services.billing.core.lines import ChargeLine, Explanation, LineKind
from services.billing.core.month import Adjustment, HouseMonth
from services.billing.core.periods import days_of, month_number
from services.billing.corrections.candidates import Candidate
from services.billing.corrections.deciding import Basis, Month
from services.billing.reading import Asked, StockReading, read_months
from services.billing.runs.sources import Calculating, Connection, HouseUnreadable

SQL = load_statements("services/billing/corrections/comparing.sql")


class Comparing(msgspec.Struct, frozen=True, kw_only=True):
    """By what houses are calculated again; ``today`` judges absences."""

    law: Law
    today: date
    calculating: Calculating


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A correction: ``account`` in the ledger, ``name`` as namespace:number."""

    account: AccountId
    name: str
    decided: Adjustment


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """A house's corrections of a period. ``state``: done, open (the period is not closed) or parked, with the ``reason``."""

    house: str
    of_period: int
    cause: str
    state: str
    reason: str = ""
    rows: tuple[Row, ...] = ()


async def compare(
    connection: Connection, reader: Connection, month: Month, given: Sequence[Candidate], comparing: Comparing
) -> tuple[Compared, ...]:
    """Return the corrections of houses of one earlier period, in the order given.

    ``reader`` reads the stock in a snapshot of its own; ``connection`` reads what was charged, under whatever lock the caller
    holds.
    """
    period = given[0].of_period
    assert all(one.of_period == period for one in given), "houses of one period"
    houses = [one.house for one in given]
    days = _first_day(period), _first_day(month.period)
    rows = await connection.fetch(SQL["list_standing"], houses, month.provider, period, *days)
    standing = {row["code"]: row for row in rows}
    asked = Asked(period=period, today=comparing.today, known=month.period, provider=month.code)
    async with reader.transaction(isolation="repeatable_read", readonly=True):
        months = {house: one async for chunk in read_months(reader, houses, comparing.law, asked) for house, one in chunk.items()}
    found = []
    for one in given:
        try:
            found.append(await _compared(connection, month, one, (standing.get(one.house), months[one.house], comparing)))
        except HouseUnreadable as error:
            found.append(_stopped(one, "parked", str(error) or "не читается"))
    return tuple(found)


def _stopped(one: Candidate, state: str, reason: str) -> Compared:
    return Compared(house=one.house, of_period=one.of_period, cause=one.cause, state=state, reason=reason)


async def _in_the_way(connection: Connection, month: Month, one: Candidate, read: tuple[Any, Comparing]) -> Compared | None:
    """Return why a house is left as it is, None where it may be corrected."""
    standing, comparing = read
    told = _told(one.of_period)
    if standing is None or not standing["is_closed"]:
        how = f"kopeck billing draft {one.of_period // 100}-{one.of_period % 100:02d} --provider {month.code} --house {one.house}"
        return _stopped(one, "open", f"месяц {told} не закрыт: пересчитайте дом ({how})")
    if standing["is_parted_late"]:
        return _stopped(one, "parked", f"после расчёта {told} стало известно, что дом в этом месяце передан другому исполнителю")
    for billed, period in ((standing["billed_then"], one.of_period), (standing["billed_now"], month.period)):
        if billed != month.code:
            # A house may come to the provider in the middle of a month that another one begins.
            reading = StockReading(comparing.law, comparing.today)
            if one.house not in await reading.list_houses(connection, month.code, period):
                who = f"дом в {_told(period)} обслуживает {billed or 'никто'}"
                return _stopped(one, "parked", f"{who}, начисления {month.code} сами не обнуляются")
    return None


async def _compared(
    connection: Connection, month: Month, one: Candidate, read: tuple[Any, HouseMonth | HouseUnreadable, Comparing]
) -> Compared:
    standing, then, comparing = read
    stopped = await _in_the_way(connection, month, one, (standing, comparing))
    if stopped is not None:
        return stopped
    if isinstance(then, HouseUnreadable):
        raise then
    lines = comparing.calculating(then)
    names, accounts = await _accounts(connection, month, one, lines)
    charged = await connection.fetch(SQL["list_charged"], list(accounts), one.of_period, month.provider)
    declined = {
        tuple(row) for row in await connection.fetch(
            SQL["list_declined"], list(accounts), one.of_period, month.provider, Basis.FACTS.value
        )
    }  # fmt: skip
    before = [charged_line(accounts[row["account"]], row["service"], row["amount"]) for row in charged]
    made = period_corrections(before, lines, one.of_period, one.cause)
    rows = [Row(account=names[name], name=name, decided=each) for name, decided in made.items() for each in decided]
    kept = [row for row in rows if (row.account, row.decided.service, row.decided.amount_kopecks) not in declined]
    return Compared(house=one.house, of_period=one.of_period, cause=one.cause, state="done", rows=tuple(kept))


async def _accounts(
    connection: Connection, month: Month, one: Candidate, lines: Sequence[ChargeLine]
) -> tuple[Mapping[str, AccountId], Mapping[AccountId, str]]:
    """Return accounts charged now or before, by name and by number; one that stands in another house by now is that house's."""
    due = sorted({line.account for line in lines})
    rows = await connection.fetch(SQL["number_accounts"], due)
    numbers = {row["name"]: AccountId(row["personal_account"]) for row in rows}
    unknown = [name for name in due if name not in numbers]
    if unknown:
        raise HouseUnreadable(f"лицевых счетов нет в справочнике: {', '.join(unknown[:5])} (всего {len(unknown)})")
    day = _first_day(one.of_period)
    for row in await connection.fetch(SQL["accounts_of_house"], one.house, one.of_period, month.provider, day):
        if not row["elsewhere"]:
            numbers[row["name"]] = AccountId(row["account"])
        elif not row["is_billed"]:
            raise HouseUnreadable(f"счёт {row['name']} теперь стоит в доме {row['elsewhere']}, который за тот месяц не начислен")
    return numbers, {number: name for name, number in numbers.items()}


def charged_line(account: str, service: str, amount_kopecks: int) -> ChargeLine:
    """Return a sum that was charged as a line that is compared with others."""
    return ChargeLine(
        account=account,
        premises="",
        service=service,
        kind=LineKind.CHARGE,
        volume=0,
        price=0,
        amount_kopecks=amount_kopecks,
        explanation=Explanation(formula="", inputs=()),
    )


def _told(period: int) -> str:
    return f"{period % 100:02d}.{period // 100}"


def _first_day(period: int) -> date:
    return days_of(month_number(period))[0]
