"""A month from its draft to its publication, of one provider or of all, step by step and resumable.

Each step is one of the doors that ``kopeck billing`` uses; where a run stands says which comes next, so that a month that was cut
off anywhere goes on from there.
"""

from collections.abc import Callable
from concurrent.futures import Executor
from datetime import datetime
from typing import Any, TypeAlias

import asyncpg
import msgspec

from kopeck.billing_sources import fetch_due_date, plain_drafting
from ledger.core.entry import MOSCOW
from ledger.feed import Connection
from ledger.statements import load_statements
from schemas.money import roubles_for_people
from services.billing.runs.checking import CheckReport, check_run
from services.billing.runs.drafting import draft_run
from services.billing.runs.keeping import Person, Run, RunRefused, Scope, approve_run, begin_run, fetch_run, list_providers
from services.billing.runs.publishing import Publishing, PublishReport, publish_run

SQL = load_statements("kopeck/statements/month.sql")

SHOWN_FINDINGS_MAX = 20

Pool: TypeAlias = "asyncpg.Pool[Any]"
Told = Callable[[str], None]


class MonthStopped(RuntimeError):
    """The month cannot go on without a person; the message is Russian and says what is to be done. What was done stays."""


class MonthWish(msgspec.Struct, frozen=True, kw_only=True):
    """Which month, of which provider (None: of all that bill houses then), by whom; ``approver`` is the second person.

    ``with_saldo``: balances are checked as ``kopeck saldo check`` does, before the month is closed.
    """

    period: int
    provider: str | None
    by: str
    approver: str | None
    with_saldo: bool = True


class MonthMeans(msgspec.Struct, frozen=True, kw_only=True):
    """What a month is done with: connections of the services, where calculation runs, the clock, who is told."""

    pool: Pool
    executor: Executor
    clock: Callable[[], datetime]
    told: Told


async def month_providers(connection: Connection, wish: MonthWish) -> tuple[str, ...]:
    """Return the codes of the providers whose month it is; RunRefused when there is none."""
    known = await list_providers(connection, wish.period)
    wanted = known if wish.provider is None else tuple(code for code in known if code == wish.provider)
    if not wanted:
        raise RunRefused(f"домов в этом месяце нет{f' у {wish.provider}' if wish.provider else ''}")
    return wanted


async def publish_month(means: MonthMeans, wish: MonthWish) -> tuple[Run, ...]:
    """Bring each provider's month to publication; raises MonthStopped where a person is needed first.

    Drafts, checks and control totals of all providers come before the first approval.
    """
    async with means.pool.acquire() as connection:
        providers = await month_providers(connection, wish)
        numbers = [await _draft(means, connection, wish, code) for code in providers]
        for number in numbers:
            await _check(means, connection, number)
        for number in numbers:
            await _approve(means, connection, wish, number)
    return tuple([await _publish(means, number) for number in numbers])


async def _draft(means: MonthMeans, connection: Connection, wish: MonthWish, provider: str) -> int:
    """Return the provider's run of the month, drafted: begun now, or earlier and cut off."""
    drafting = await plain_drafting(connection, means.executor, means.clock().astimezone(MOSCOW).date())
    number = await connection.fetchval(SQL["find_month_run"], provider, wish.period)
    if number is None:
        scope = Scope(provider=provider, period=wish.period)
        number = await begin_run(connection, drafting.reading, scope, Person(name=wish.by, at=means.clock()))
    run = await fetch_run(connection, number)
    if run.state == "draft" and (run.waiting or run.parked):
        await draft_run(means.pool, run.run, drafting)
        run = await fetch_run(connection, run.run)
    sums = f"домов {run.houses}, счетов {run.accounts}, строк {run.lines}, начислено {roubles_for_people(run.amount)} ₽"
    means.told(f"расчёт {run.run}, {provider}: {sums}")
    if run.parked:
        raise MonthStopped(f"отложено домов: {run.parked}; причины: kopeck billing show {run.run}; исправьте и повторите команду")
    return run.run


async def _check(means: MonthMeans, connection: Connection, number: int) -> None:
    report = await check_run(connection, number, means.clock())
    for line in told_findings(report):
        means.told(line)
    if any(kind.severity == "error" and kind.acknowledged < kind.found for kind in report.kinds):
        raise MonthStopped(
            f"ошибки ждут ответа: kopeck billing checks {number} --acknowledge N --by ИМЯ --why ПРИЧИНА, затем повторите команду;"
            f" или исправьте данные и отмените расчёт: kopeck billing drop {number}"
        )


def told_findings(report: CheckReport) -> tuple[str, ...]:
    """Return what the checks of a run found, gravest first: counts, then the first findings."""
    kinds = ", ".join([f"{kind.name} {kind.found}" for kind in report.kinds]) or "замечаний нет"
    rows = [f"  {one.severity}: {one.house} {one.account} {one.service}: {one.message}" for one in report.findings]
    rest = sum(kind.found for kind in report.kinds) - SHOWN_FINDINGS_MAX
    more = [f"  … и ещё {rest}"] if rest > 0 else []
    return (f"проверки расчёта {report.run}: {kinds}", *rows[:SHOWN_FINDINGS_MAX], *more)


async def _approve(means: MonthMeans, connection: Connection, wish: MonthWish, number: int) -> None:
    run = await fetch_run(connection, number)
    if run.state != "checked":
        return
    if wish.approver is None:
        text = f"{wish.period // 100}-{wish.period % 100:02d}"
        raise MonthStopped(
            f"расчёт {number} проверен и ждёт второго лица: kopeck month {text} --by {wish.by} --approver ИМЯ"
            f" (или kopeck billing approve {number} --by ИМЯ)"
        )
    await approve_run(connection, number, Person(name=wish.approver, at=means.clock()))
    means.told(f"расчёт {number} утверждён: {wish.approver}")


async def _publish(means: MonthMeans, number: int) -> Run:
    """Publish what is not published yet of a run."""
    async with means.pool.acquire() as connection:
        run = await fetch_run(connection, number)
        if run.state == "closed":
            return run
        due_date = await fetch_due_date(connection)
    report = await publish_run(means.pool, number, Publishing(due_date=due_date, clock=means.clock, progress=_unseen))
    means.told(_told_published(report))
    if report.parked_count:
        rows = "; ".join([f"{one.account}: {one.reason}" for one in report.parked[:SHOWN_FINDINGS_MAX]])
        raise MonthStopped(f"не опубликованы счета: {rows}; исправьте и повторите команду")
    async with means.pool.acquire() as connection:
        return await fetch_run(connection, number)


def _told_published(report: PublishReport) -> str:
    counts = f"опубликовано счетов {report.published}, без изменений {report.unchanged}, отложено {report.parked_count}"
    return f"расчёт {report.run}: {counts}"


def _unseen(done: int) -> None:
    """Each step is told of when it is done."""
