"""Closing a month of a transit account: its checks, and a protocol signed by two. Checks are a tuple: more are added there."""

from collections.abc import Awaitable, Callable
from datetime import date, datetime, timedelta
from hashlib import sha256

import msgspec

from ledger.feed import Connection
from ledger.statements import load_statements
from schemas.ids import Transit
from services.reconciliation.closing import NotClosed, Signed, add_second, person_of
from services.reconciliation.reading import SQL as DAYS_SQL
from services.reconciliation.reading import NoSuchDay
from services.reconciliation.signed import DAY, MONTH, SQL, Protocol, check_protocol, find_closed_until, find_protocol

_SQL = load_statements("services/reconciliation/months.sql")


class Month(msgspec.Struct, frozen=True, kw_only=True):
    """Calendar days ``first`` … ``last`` of a month of a transit account, and its bank days that were cut."""

    transit: Transit
    account: str
    first: date
    last: date
    days: tuple[date, ...]


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What one check found. ``is_checked`` False: the house cannot check it yet, and the protocol says so."""

    name: str
    faults: tuple[str, ...] = ()
    note: str = ""
    is_checked: bool = True


class MonthReport(msgspec.Struct, frozen=True, kw_only=True):
    """What the checks of a month found; ``digests`` are the SHA-256 of its days' protocols."""

    account: str
    month: str
    days: int
    checks: tuple[Checked, ...]
    digests: tuple[str, ...]

    @property
    def faults(self) -> tuple[str, ...]:
        """Everything in the way of closing."""
        return tuple([fault for check in self.checks for fault in check.faults])


Check = Callable[[Connection, Month], Awaitable[Checked]]


async def check_days(connection: Connection, month: Month) -> Checked:
    """Every bank day of the month is over and closed."""
    open_day = await connection.fetchval(_SQL["find_open_day"], month.transit)
    closed_until = await find_closed_until(connection, month.transit)
    faults = []
    if open_day is None or open_day <= month.last:
        faults.append(f"месяц не кончился: открыт день {open_day}")
    if not month.days:
        faults.append("в месяце нет ни одного законченного операционного дня")
    waiting = [str(day) for day in month.days if closed_until is None or day > closed_until]
    if waiting:
        faults.append(f"не закрыты дни: {', '.join(waiting)}")
    return Checked(name="дни закрыты", faults=tuple(faults), note=f"дней: {len(month.days)}")


async def check_protocols(connection: Connection, month: Month) -> Checked:
    """The books of every closed day are what its protocol says."""
    faults = []
    for day in month.days:
        protocol = await find_protocol(connection, month.transit, DAY, day)
        if protocol is not None and protocol.is_closed:
            faults += [f"{day}: {fault}" for fault in await check_protocol(connection, protocol)]
    return Checked(name="книги закрытых дней не изменены", faults=tuple(faults))


async def check_registers(connection: Connection, month: Month) -> Checked:
    """Every register of the month is booked and each of its lines has an outcome."""
    count = await connection.fetchval(_SQL["count_registers"], month.transit, month.first, month.last)
    rows = await connection.fetch(_SQL["list_registers"], month.transit, month.first, month.last)
    states = {True: "проведён", False: "не проведён"}
    faults = [f"реестр {row['name']} {states[row['is_booked']]}, без исхода строк: {row['without_outcome']}" for row in rows]
    return Checked(name="реестры подтверждены", faults=tuple(faults), note=f"реестров: {count}")


async def check_acts(connection: Connection, month: Month) -> Checked:
    """Acts of commission are not made by the house yet: said plainly, in the way of nothing."""
    return Checked(name="акты составлены", note="не проверяется: актов комиссии в системе ещё нет", is_checked=False)


MONTH_CHECKS: tuple[Check, ...] = (check_days, check_protocols, check_registers, check_acts)


async def inspect_month(
    connection: Connection, transit: Transit, first: date, checks: tuple[Check, ...] = MONTH_CHECKS
) -> MonthReport:
    """Check a month by its first day; raises NoSuchDay for an unknown transit account."""
    month = await _read_month(connection, transit, first)
    found = tuple([await check(connection, month) for check in checks])
    protocols = [await find_protocol(connection, transit, DAY, day) for day in month.days]
    return MonthReport(
        account=month.account,
        month=f"{first:%Y-%m}",
        days=len(month.days),
        checks=found,
        digests=tuple([one.digest.hex() for one in protocols if one is not None and one.is_closed]),
    )


async def sign_month(
    connection: Connection, transit: Transit, first: date, told: tuple[str, datetime], checks: tuple[Check, ...] = MONTH_CHECKS
) -> Signed:
    """Sign a month's protocol; ``told`` is (who, when). The second of two people closes it; raises NotClosed, NoSuchDay."""
    person, now = person_of(told[0]), told[1]
    report = await inspect_month(connection, transit, first, checks)
    if report.faults:
        raise NotClosed("; ".join(report.faults))
    content = msgspec.json.encode(
        {**msgspec.to_builtins(report), "document": "протокол закрытия месяца"}, order="sorted"
    ).decode()
    days = (await _read_month(connection, transit, first)).days
    last = await find_protocol(connection, transit, DAY, days[-1])
    assert last is not None and last.is_closed, "the days were found closed"
    async with connection.transaction():
        await connection.execute(SQL["lock_periods"], transit)
        begun = await find_protocol(connection, transit, MONTH, first)
        if begun is not None and begun.is_closed:
            raise NotClosed(f"месяц {report.month} уже закрыт")
        if begun is not None and begun.content == content:
            return await add_second(connection, begun, person, now)
        await _begin_month(connection, last, (first, content), (person, now))
        made = await find_protocol(connection, transit, MONTH, first)
        assert made is not None
        return Signed(protocol=made, superseded=begun is not None)


async def _begin_month(connection: Connection, last: Protocol, made: tuple[date, str], signature: tuple[str, datetime]) -> None:
    """Add a month's protocol, at the cut of its last day, with its first signature."""
    first, content = made
    number = await connection.fetchval(
        SQL["add_protocol"],
        last.transit,
        MONTH,
        first,
        last.cut,
        last.protocol,
        content,
        sha256(content.encode()).digest(),
        list(last.balances),
        list(last.balances.values()),
        [],
        None,
        0,
        signature[1],
    )
    await connection.execute(SQL["add_signature"], number, 1, *signature)


async def _read_month(connection: Connection, transit: Transit, first: date) -> Month:
    accounts = {row["transit"]: row["account"] for row in await connection.fetch(DAYS_SQL["list_transits"])}
    if transit not in accounts:
        raise NoSuchDay(f"транзитный счёт {transit} не заведён")
    last = (first.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    days = [row["day"] for row in await connection.fetch(DAYS_SQL["list_cut_days"], transit, first, last)]
    return Month(transit=transit, account=accounts[transit], first=first, last=last, days=tuple(days))
