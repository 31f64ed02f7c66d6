"""Runs of penalties and decisions about who is spared: begun, checked, approved by a second person, dropped; waivers, exclusions.

The rules stand in 0021_penalties.sql too. What cannot be done raises RunRefused, in Russian, and changes nothing.
"""

from datetime import date

import asyncpg
import msgspec

from ledger.statements import load_statements
from schemas.allocation import Pool
from services.billing.runs.keeping import Person, RunRefused, person_name
from services.billing.runs.sources import Connection

SQL = load_statements("services/billing/penalties/keeping.sql")

WHY_CHARACTERS_MAX = 500
_REFUSALS = {
    "penalty_run_live": "пени этого исполнителя уже считаются: опубликуйте или отмените тот расчёт",
    "penalty_run_second_person": "утверждает не тот, кто считал: нужно второе лицо",
    "penalty_waiver_second_person": "списание утверждает не тот, кто его предложил: нужно второе лицо",
}
"""Constraint of 0021_penalties.sql -> what the accountant is told."""


class PenaltyRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run as it stands; ``change`` is charged, of it ``lowered`` is negative, ``waived`` is written off; kopecks."""

    run: int
    provider: int
    code: str
    period: int
    as_of: date
    state: str
    is_complete: bool
    made_by: str
    approved_by: str | None
    due_on: date | None
    accounts: int
    bills: int
    change: int
    lowered: int
    excluded: int
    waived: int


class PenaltyTotal(msgspec.Struct, frozen=True, kw_only=True):
    """What a run charges for one creditor and pool, in kopecks; ``excluded`` bills are left alone."""

    creditor: str
    pool: int
    accounts: int
    bills: int
    change: int
    lowered: int
    excluded: int


class PenaltyChecks(msgspec.Struct, frozen=True, kw_only=True):
    """What a second person looks at: totals, and why bills are left alone with how many."""

    run: PenaltyRun
    totals: tuple[PenaltyTotal, ...]
    reasons: tuple[tuple[str, int], ...]


class BillShown(msgspec.Struct, frozen=True, kw_only=True):
    """One bill of an account in a run, and the rows of its detail as (debt, from, to, days, rate, divisor, is paid, amount)."""

    nth: int
    creditor: str
    bill_period: int
    pool: int
    due_on: date
    debt: int
    penalty: int
    before: int
    change: int
    excluded: str
    parts: tuple[tuple[int, date, date, int, int, int, bool, int], ...] = ()


async def begin_penalties(connection: Connection, provider: str, month: tuple[int, date], by: Person, today: date) -> int:
    """Begin a draft of a provider's penalties: ``month`` is (period, day that they are calculated as of); the run's number.

    The day lies in or after the period and is not after ``today``: what will be paid later is not known. It is not before the
    day of the last run that was charged, which would give back penalties that are owed.
    """
    period, as_of = month
    if as_of > today or as_of.year * 100 + as_of.month < period:
        raise RunRefused(
            f"пени за {period % 100:02d}.{period // 100} считаются на день этого месяца или позже, но не позже сегодня"
        )
    last = await connection.fetchval(SQL["last_day"], provider)
    if last is not None and as_of < last:
        raise RunRefused(f"пени уже начислены на {last:%d.%m.%Y}: на день раньше они не считаются")
    try:
        run = await connection.fetchval(SQL["begin"], provider, period, as_of, person_name(by.name), by.at)
    except asyncpg.IntegrityConstraintViolationError as error:
        raise _refusal(error) from error
    if run is None:
        raise RunRefused(f"исполнителя {provider} нет в справочнике")
    return int(run)


async def find_penalty_provider(connection: Connection, code: str | None) -> str:
    """Return the provider asked for, or the only one that has accounts."""
    if code is not None:
        return code
    known = [row["code"] for row in await connection.fetch(SQL["list_providers"])]
    if len(known) != 1:
        raise RunRefused(f"назовите исполнителя (--provider): {', '.join(known) or 'лицевых счетов нет'}")
    return str(known[0])


async def fetch_penalties(connection: Connection, run: int) -> PenaltyRun:
    """Return the run; an unknown number is RunRefused."""
    row = await connection.fetchrow(SQL["fetch"], run)
    if row is None:
        raise RunRefused(f"расчёта пеней {run} нет")
    return PenaltyRun(**{name: row[name] for name in PenaltyRun.__struct_fields__})


async def check_penalties(connection: Connection, run: int) -> PenaltyChecks:
    """Make a complete draft checked and return what it comes to; for a run that is further on, what it came to."""
    known = await fetch_penalties(connection, run)
    if known.state == "draft" and await connection.execute(SQL["check"], run) != "UPDATE 1":
        raise RunRefused(f"расчёт пеней {run} не досчитан: продолжите его (calculate --run {run})")
    totals = await connection.fetch(SQL["totals"], run)
    return PenaltyChecks(
        run=await fetch_penalties(connection, run),
        totals=tuple([msgspec.convert(dict(row), PenaltyTotal) for row in totals]),
        reasons=tuple([(row["reason"], row["bills"]) for row in await connection.fetch(SQL["reasons"], run)]),
    )


async def approve_penalties(connection: Connection, run: int, by: Person) -> bool:
    """Approve a checked run as the second person; False when the same person did before."""
    name = person_name(by.name)
    try:
        async with connection.transaction():
            row = await connection.fetchrow(SQL["lock"], run)
            if row is None:
                raise RunRefused(f"расчёта пеней {run} нет")
            if row["approved_by"] == name:
                return False
            if row["state"] != "checked":
                raise RunRefused(f"расчёт пеней {run} в состоянии {row['state']}: утверждается проверенный (checked)")
            await connection.execute(SQL["approve"], run, name, by.at)
    except asyncpg.IntegrityConstraintViolationError as error:
        raise _refusal(error) from error
    return True


async def drop_penalties(connection: Connection, run: int, by: Person) -> bool:
    """Give up a run that is not being published; False when it was dropped before."""
    known = await fetch_penalties(connection, run)
    if known.state == "dropped":
        return False
    if await connection.execute(SQL["drop"], run, person_name(by.name), by.at) != "UPDATE 1":
        raise RunRefused(f"расчёт пеней {run} в состоянии {known.state}: он уже начислен и не отменяется")
    return True


async def show_bills(connection: Connection, run: int, namespace: str, number: str) -> tuple[BillShown, ...]:
    """Return one account's bills of a run with their detail; none where the run has none."""
    parts: dict[int, list[tuple[int, date, date, int, int, int, bool, int]]] = {}
    for nth, *part in await connection.fetch(SQL["account_parts"], run, namespace, number):
        parts.setdefault(nth, []).append(tuple(part))
    rows = await connection.fetch(SQL["account_bills"], run, namespace, number)
    return tuple([BillShown(**dict(row), parts=tuple(parts.get(row["nth"], ()))) for row in rows])


class WaiverTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be written off: ``account`` is ``namespace:number``, ``creditor`` a recipient's code."""

    account: str
    creditor: str
    pool: Pool
    amount_kopecks: int
    why: str


async def propose_waiver(connection: Connection, terms: WaiverTerms, by: Person) -> int:
    """Propose to write penalties off; nothing happens until a second person approves it. The waiver's number."""
    account, creditor = await _find(connection, terms.account, terms.creditor)
    if terms.amount_kopecks <= 0:
        raise RunRefused("списывается сумма больше нуля")
    row = (account, creditor, terms.pool, terms.amount_kopecks, _why(terms.why), person_name(by.name), by.at)
    return int(await connection.fetchval(SQL["propose_waiver"], *row))


async def approve_waiver(connection: Connection, waiver: int, by: Person) -> bool:
    """Approve a waiver as the second person: the next run takes it. False when the same person did before."""
    name = person_name(by.name)
    try:
        async with connection.transaction():
            row = await connection.fetchrow(SQL["fetch_waiver"], waiver)
            if row is None or row["approved_by"] not in (None, name):
                raise RunRefused(f"списания {waiver} нет" if row is None else f"списание {waiver} уже утверждено")
            if row["approved_by"] == name:
                return False
            await connection.execute(SQL["approve_waiver"], waiver, name, by.at)
    except asyncpg.IntegrityConstraintViolationError as error:
        raise _refusal(error) from error
    return True


async def exclude_account(connection: Connection, whom: tuple[str, str], reason: str, by: Person) -> int:
    """Charge no more penalties of an account, or of one creditor's bills of it: ``whom`` is (namespace:number, code or empty)."""
    account, creditor = await _find(connection, *whom)
    row = (account, creditor if whom[1] else None, _why(reason), person_name(by.name), by.at)
    return int(await connection.fetchval(SQL["exclude"], *row))


async def end_exclusion(connection: Connection, exclusion: int, by: Person) -> None:
    """End an exclusion: the next run charges the whole delay again."""
    if await connection.execute(SQL["end_exclusion"], exclusion, person_name(by.name), by.at) != "UPDATE 1":
        raise RunRefused(f"исключения {exclusion} нет или оно уже снято")


async def _find(connection: Connection, account: str, creditor: str) -> tuple[int, int | None]:
    namespace, _, number = account.partition(":")
    row = await connection.fetchrow(SQL["find_account"], namespace, number, creditor)
    if row["account"] is None:
        raise RunRefused(f"лицевого счёта {account} нет")
    if creditor and row["creditor"] is None:
        raise RunRefused(f"получателя {creditor} нет в справочнике")
    return row["account"], row["creditor"]


def _why(text: str) -> str:
    why = text.strip()
    if not why or len(why) > WHY_CHARACTERS_MAX or not why.isprintable():
        raise RunRefused(f"нужна причина до {WHY_CHARACTERS_MAX} знаков")
    return why


def _refusal(error: asyncpg.IntegrityConstraintViolationError) -> RunRefused:
    """Turn a constraint's refusal into words; one that no user can meet is raised as it came."""
    told = _REFUSALS.get(error.constraint_name or "")
    if told is None:
        raise error
    return RunRefused(told)
