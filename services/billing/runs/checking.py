"""Checking a run: what only all houses together can tell; a checked run's lines are those that are approved and published."""

from datetime import datetime
from typing import Any

import msgspec

from ledger.statements import load_statements
from services.billing.core.checks import Limits, ServiceTotal, Severity, check_totals
from services.billing.runs.drafting import month_before
from services.billing.runs.keeping import RunRefused, fetch_run
from services.billing.runs.sources import Connection

SQL = load_statements("services/billing/runs/checking.sql")

SHOWN_FINDINGS_MAX = 200


class FindingKind(msgspec.Struct, frozen=True, kw_only=True):
    """How often a check spoke, and how often somebody answered for it."""

    severity: str
    name: str
    found: int
    acknowledged: int


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One finding as it is shown; ``account`` is NAMESPACE:NUMBER or empty."""

    finding: int
    severity: str
    name: str
    house: str
    account: str
    service: str
    message: str
    acknowledged_by: str
    why: str


class CheckReport(msgspec.Struct, frozen=True, kw_only=True):
    """Control totals of a run and what its checks found; ``findings`` are the first SHOWN_FINDINGS_MAX."""

    run: int
    state: str
    totals: tuple[ServiceTotal, ...]
    kinds: tuple[FindingKind, ...]
    findings: tuple[Finding, ...]


async def check_run(connection: Connection, run: int, moment: datetime, limits: Limits | None = None) -> CheckReport:
    """Check a finished draft and make it ``checked``; a run beyond that is shown as it was checked.

    Raises RunRefused while a house is waiting or parked, naming the first of them.
    """
    async with connection.transaction():
        row = await connection.fetchrow(SQL["lock_run"], run)
        if row is None:
            raise RunRefused(f"расчёта {run} нет")
        if row["state"] == "draft":
            await _check(connection, (run, row["period"]), moment, limits or Limits())
    return await fetch_checks(connection, run)


async def fetch_checks(connection: Connection, run: int) -> CheckReport:
    """Return the control totals and findings of a run."""
    known = await fetch_run(connection, run)
    rows = await connection.fetch(SQL["list_findings"], run, SHOWN_FINDINGS_MAX)
    return CheckReport(
        run=run,
        state=known.state,
        totals=await control_totals(connection, run, known.period),
        kinds=tuple([msgspec.convert(dict(one), FindingKind) for one in await connection.fetch(SQL["count_findings"], run)]),
        findings=tuple([_finding(one) for one in rows]),
    )


async def control_totals(connection: Connection, run: int, period: int) -> tuple[ServiceTotal, ...]:
    """Return the run's totals by recipient and service, beside those of the month before."""
    return tuple(
        [
            ServiceTotal(
                service=row["service"],
                recipient=row["recipient"],
                lines=row["lines"],
                accounts=row["accounts"],
                amount_kopecks=row["amount"],
                previous_kopecks=row["previous"],
            )
            for row in await connection.fetch(SQL["control_totals"], run, month_before(period))
        ]
    )


async def _check(connection: Connection, of: tuple[int, int], moment: datetime, limits: Limits) -> None:
    run, period = of
    unfinished = await connection.fetch(SQL["list_unfinished"], run)
    if unfinished:
        first = unfinished[0]
        told = f"{first['house']}: {first['reason'] or 'ещё не посчитан'}"
        raise RunRefused(f"домов не посчитано: {len(unfinished)}; {told}")
    sums = await connection.fetchrow(SQL["sums_of_houses"], run)
    assert sums["houses"] == sums["services"] == sums["lines"], f"run {run}: its lines are not what its houses came to: {sums}"
    rows: list[tuple[Any, ...]] = [
        (run, "", None, found.service, name, severity.value, found.message)
        for name, severity, found in check_totals(await control_totals(connection, run, period), limits)
    ]
    message = "начисления того же периода уже загружены из другого источника и будут заменены"
    for row in await connection.fetch(SQL["foreign_charges"], run, period):
        rows.append((run, row["house"], row["account"], "", "foreign_charges", Severity.ERROR.value, message))
    await connection.executemany(SQL["add_finding"], rows)
    await connection.execute(SQL["mark_checked"], run, moment)


def _finding(row: Any) -> Finding:
    account = f"{row['namespace']}:{row['number']}" if row["number"] is not None else ""
    return Finding(
        finding=row["finding"],
        severity=row["severity"],
        name=row["name"],
        house=row["house"],
        account=account,
        service=row["service"],
        message=row["message"],
        acknowledged_by=row["acknowledged_by"] or "",
        why=row["why"],
    )
