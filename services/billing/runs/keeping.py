"""Runs and months: begun, approved by a second person, dropped, closed; the rules stand in 0017_billing.sql too."""

from collections.abc import Sequence
from datetime import date, datetime
from unicodedata import normalize

import asyncpg
import msgspec

from ledger.statements import load_statements
from schemas.ids import AccountId
from services.billing.core.month import Adjustment
from services.billing.runs.sources import Connection, Reading
from services.billing.saldo.closing import close_saldo

SQL = load_statements("services/billing/runs/keeping.sql")

PERSON_CHARACTERS_MAX = 128
DELETED_ACCOUNTS_MAX = 5_000

_REFUSALS = {
    "month_is_closed": "месяц закрыт: исправления идут строками перерасчёта открытого месяца",
    "month_has_waiting_sums": "в месяце есть суммы, которые ждут второго лица: подтвердите их или отклоните",
    "month_has_live_run": "в месяце есть незавершённый расчёт: опубликуйте или отмените его",
    "run_house_live": "дом уже считается другим расчётом: опубликуйте или отмените его",
    "run_house_month": "месяц этого дома уже рассчитан: пересчитайте дом отдельно (--house)",
    "run_second_person": "утверждает не тот, кто считал: нужно второе лицо",
}
"""Constraint of 0017_billing.sql -> what the accountant is told."""


class RunRefused(ValueError):
    """What was asked of a run or month cannot be done; the message is Russian and says why. Nothing was changed."""


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """What is calculated: all of a provider's houses, some of them, or some accounts of them."""

    provider: str
    period: int
    houses: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A run as it stands; ``code`` is the provider's, ``asked`` the accounts it is confined to, amounts are kopecks."""

    run: int
    provider: int
    code: str
    period: int
    kind: str
    scope: str
    asked: tuple[str, ...]
    state: str
    made_by: str
    made_at: datetime
    approved_by: str | None
    digest: bytes | None
    due_on: date | None
    houses: int
    waiting: int
    parked: int
    accounts: int
    lines: int
    amount: int


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Who does something and when."""

    name: str
    at: datetime


async def begin_run(connection: Connection, reading: Reading, scope: Scope, by: Person) -> int:
    """Begin a draft of the scope and list its houses; the run's number.

    The first run of a house and period is its month's, later ones are recalculations: of all houses asked for, or of none.
    """
    name = person_name(by.name)
    provider = await connection.fetchval(SQL["find_provider"], scope.provider)
    if provider is None:
        raise RunRefused(f"исполнителя {scope.provider} нет в справочнике")
    houses = await _houses(connection, reading, scope)
    kind = "recalculation" if await _is_recalculation(connection, provider, scope, houses) else "month"
    what = "accounts" if scope.accounts else "houses" if scope.houses else "provider"
    try:
        async with connection.transaction():
            await connection.execute(SQL["begin_month"], provider, scope.period)
            row = (provider, scope.period, kind, what, list(scope.accounts), name, by.at)
            run = int(await connection.fetchval(SQL["begin_run"], *row))
            await connection.execute(SQL["add_houses"], run, houses)
    except asyncpg.IntegrityConstraintViolationError as error:
        raise _refusal(error) from error
    return run


async def _houses(connection: Connection, reading: Reading, scope: Scope) -> list[str]:
    if scope.accounts:
        found = await reading.houses_of(connection, scope.provider, scope.period, scope.accounts)
        unknown = [account for account in scope.accounts if account not in found]
        if unknown:
            raise RunRefused(f"лицевых счетов нет в домах исполнителя: {', '.join(unknown)}")
        return sorted(set(found.values()))
    known = await reading.list_houses(connection, scope.provider, scope.period)
    unknown = sorted(set(scope.houses) - set(known))
    if unknown:
        raise RunRefused(f"домов нет у исполнителя в этом месяце: {', '.join(unknown)}")
    houses = sorted(set(scope.houses) or set(known))
    if not houses:
        raise RunRefused("у исполнителя в этом месяце нет домов")
    return houses


async def _is_recalculation(connection: Connection, provider: int, scope: Scope, houses: Sequence[str]) -> bool:
    published = await connection.fetch(SQL["houses_published"], provider, scope.period, list(houses))
    if not scope.houses and not scope.accounts:
        return False
    if scope.accounts and len(published) < len(houses):
        raise RunRefused("месяц дома ещё не опубликован: один счёт пересчитывается после публикации")
    if published and len(published) < len(houses):
        raise RunRefused("часть домов уже опубликована, часть нет: разделите их на два расчёта")
    return bool(published)


async def list_providers(connection: Connection, period: int) -> tuple[str, ...]:
    """Return the codes of the providers that have houses of the stock in the period."""
    rows = await connection.fetch(SQL["list_providers"], date(period // 100, period % 100, 1))
    return tuple([row["code"] for row in rows])


async def fetch_run(connection: Connection, run: int) -> Run:
    """Return the run; an unknown number is RunRefused."""
    row = await connection.fetchrow(SQL["fetch_run"], run)
    if row is None:
        raise RunRefused(f"расчёта {run} нет")
    fields = {name: row[name] for name in Run.__struct_fields__}
    return Run(**(fields | {"asked": tuple(fields["asked"])}))


async def list_runs(connection: Connection, period: int, provider: str | None = None) -> tuple[int, ...]:
    """Return the numbers of the period's runs, in the order they were begun."""
    return tuple([row["run"] for row in await connection.fetch(SQL["list_runs"], period, provider)])


async def approve_run(connection: Connection, run: int, by: Person) -> bool:
    """Approve a checked run as the second person; False when the same person did before.

    Refused while an error is not acknowledged, for a run that is not checked, and for its maker in whatever case.
    """
    name = person_name(by.name)
    try:
        async with connection.transaction():
            state = await connection.fetchval(SQL["lock_run"], run)
            known = await fetch_run(connection, run)
            if known.approved_by == name:
                return False
            if state != "checked":
                raise RunRefused(f"расчёт {run} в состоянии {state}: утверждается проверенный (checked)")
            errors = await connection.fetchval(SQL["count_errors"], run)
            if errors:
                raise RunRefused(f"ошибок без ответа: {errors}; исправьте и пересчитайте или ответьте на каждую")
            await connection.execute(SQL["approve"], run, name, by.at)
    except asyncpg.CheckViolationError as error:
        raise _refusal(error) from error
    return True


async def acknowledge(connection: Connection, run: int, finding: int, by: Person, why: str) -> None:
    """Let a person answer for a finding, with the reason kept beside it."""
    if not why.strip():
        raise RunRefused("нужна причина")
    done = await connection.execute(SQL["acknowledge"], run, finding, person_name(by.name), by.at, why.strip())
    if done != "UPDATE 1":
        raise RunRefused(f"у расчёта {run} нет замечания {finding} без ответа")


async def drop_run(connection: Connection, run: int, by: Person) -> bool:
    """Give up a run that is not being published; False when it was dropped before. Its lines are deleted, chunk by chunk."""
    name = person_name(by.name)
    known = await fetch_run(connection, run)
    if known.state != "dropped" and await connection.execute(SQL["drop_run"], run, name, by.at) != "UPDATE 1":
        raise RunRefused(f"расчёт {run} в состоянии {known.state}: его строки уже начисления и не отменяются")
    while await connection.fetchval(SQL["delete_lines"], run, DELETED_ACCOUNTS_MAX):
        pass
    await connection.execute(SQL["delete_terms"], run)
    return known.state != "dropped"


async def close_month(connection: Connection, period: int, by: Person, provider: str | None = None) -> tuple[str, ...]:
    """Close the period for good, of one provider or of all that have begun it; the codes of those closed now."""
    name = person_name(by.name)
    months = await connection.fetch(SQL["list_months"], period, provider)
    try:
        async with connection.transaction():
            for month in months:
                if await connection.fetchval(SQL["count_parked"], month["provider"], period):
                    raise RunRefused(f"у {month['code']} есть неопубликованные счета месяца: разберите их (billing show)")
                if await connection.fetchval(SQL["count_uncharged"], month["provider"], period):
                    raise RunRefused(f"у {month['code']} есть перерасчёты, решённые после расчёта месяца: пересчитайте эти счета")
                await connection.execute(SQL["close_month"], month["provider"], period, name, by.at)
                await connection.execute(SQL["close_runs"], month["provider"], period)
                await close_saldo(connection, month["provider"], period, by.at)
    except asyncpg.CheckViolationError as error:
        raise _refusal(error) from error
    return tuple([month["code"] for month in months])


async def add_adjustments(
    connection: Connection, month: tuple[str, int], decided: Sequence[tuple[AccountId, Adjustment]], by: Person
) -> None:
    """Decide sums of earlier months that ``month`` (provider's code, open period) charges; they are never changed.

    A run takes those decided before it is drafted; the month does not close while one is not charged.
    """
    code, period = month
    provider = await connection.fetchval(SQL["find_provider"], code)
    if provider is None:
        raise RunRefused(f"исполнителя {code} нет в справочнике")
    rows = [(account, one.service, one.kind, one.amount_kopecks, one.cause, one.of_period) for account, one in decided]
    try:
        async with connection.transaction():
            await connection.execute(SQL["begin_month"], provider, period)
            columns = [list(column) for column in zip(*rows, strict=True)]
            await connection.execute(SQL["add_adjustment"], provider, period, person_name(by.name), by.at, *columns)
    except asyncpg.CheckViolationError as error:
        raise _refusal(error) from error


def person_name(text: str) -> str:
    """Return a person's name as it is kept; an empty or unreadable one is refused.

    Spaces between words and the spelling of one letter by two signs (й) tell no second person from the first.
    """
    name = text.strip()
    if not name or len(name) > PERSON_CHARACTERS_MAX or not name.isprintable():
        raise RunRefused("имя пустое или нечитаемое")
    return " ".join(normalize("NFC", name).split())


def _refusal(error: asyncpg.IntegrityConstraintViolationError) -> RunRefused:
    """Turn a constraint's refusal into words; one that no user can meet is raised as it came."""
    told = _REFUSALS.get(error.constraint_name or "")
    if told is None:
        raise error
    return RunRefused(told)
