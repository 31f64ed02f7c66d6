"""Corrections of closed months for people's eyes (``kopeck billing corrections``)."""

from collections.abc import Sequence

import click
from rich.console import Console
from rich.table import Table

from schemas.money import roubles_for_people
from services.billing.core.lines import LineKind
from services.billing.corrections.comparing import Compared
from services.billing.corrections.deciding import Decided, DecidedSum, WaitingSum
from services.billing.corrections.fines import Fined
from services.billing.corrections.taking import Taken

KINDS = {LineKind.CORRECTION: "перерасчёт", LineKind.FINE: "штраф исполнителя"}
BASES = {"facts": "по данным", "year": "за год", "person": "решение", "apart": "решение, вне расчёта"}


def print_found(out: Console, found: Sequence[Compared], shown_max: int) -> None:
    """Print corrections that a take would decide, and houses that stop it; the rest is only counted."""
    table = _table("дом", "за месяц", "счёт", "услуга")
    rows = [(one, row) for one in found for row in one.rows]
    for one, row in rows[:shown_max]:
        sums = (row.decided.service, roubles_for_people(row.decided.amount_kopecks))
        table.add_row(one.house, _period(one.of_period), row.name, *sums, one.cause)
    if rows:
        out.print(table)
    if len(rows) > shown_max:
        out.print(f"… и ещё {len(rows) - shown_max}")
    print_stopped(found)
    total = sum(row.decided.amount_kopecks for _, row in rows)
    accounts = len({row.account for _, row in rows})
    out.print(f"перерасчётов {len(rows)}, счетов {accounts}, всего {roubles_for_people(total)} ₽")


def print_taken(out: Console, taken: Taken) -> None:
    """Print what a take came to; houses that were not corrected go to standard error."""
    print_stopped(taken.stopped)
    out.print(f"перерасчёт {taken.take}: домов и месяцев {taken.done}, не закрыто {taken.open}, отложено {taken.parked}")
    print_decided(out, taken.decided)
    if taken.drafted:
        out.print(f"месяц уже рассчитан без них: пересчитайте счетов {taken.drafted} (kopeck billing draft … --account)")


def print_decided(out: Console, decided: Decided) -> None:
    """Print what was decided."""
    total = roubles_for_people(decided.amount)
    out.print(f"решено сумм {decided.charged}, ждут второго лица {decided.waiting}, всего {total} ₽")


def print_stopped(found: Sequence[Compared]) -> None:
    """Tell which houses were left, and why."""
    for one in found:
        if one.reason:
            click.echo(f"{one.house} за {_period(one.of_period)}: {one.reason}", err=True)


def print_sums(out: Console, decided: Sequence[DecidedSum], waiting: Sequence[WaitingSum]) -> None:
    """Print what is decided for a month, whether it is charged, and what waits for a second person."""
    table = _table("№", "счёт", "услуга", "что", "за месяц")
    for title in ("решил", "подтвердил", "начислено"):
        table.add_column(title)
    for one in decided:
        state = "списано" if one.undone_by else "списание" if one.undoes else "да" if one.is_charged else "нет"
        what = f"{KINDS[LineKind(one.kind)]}, {BASES[one.basis]}"
        sums = (what, _period(one.of_period), roubles_for_people(one.amount), one.cause)
        table.add_row(str(one.adjustment), one.account, one.service, *sums, one.decided_by, one.confirmed_by or "", state)
    for large in waiting:
        what = f"{KINDS[LineKind(large.kind)]}, {BASES[large.basis]}"
        sums = (what, _period(large.of_period), roubles_for_people(large.amount), large.cause)
        table.add_row(f"п{large.proposal}", large.account, large.service, *sums, large.decided_by, "", "ждёт второго лица")
    out.print(table)


def print_fines(out: Console, fined: Sequence[Fined]) -> None:
    """Print every overcharge with what came of it."""
    table = Table("услуга", "за месяц")
    for title in ("возвращено, ₽", "штраф, ₽"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("почему")
    for one in fined:
        sums = (roubles_for_people(one.overcharged), roubles_for_people(one.fine))
        table.add_row(one.service, _period(one.of_period), *sums, one.verdict)
    out.print(table)


def _table(*titles: str) -> Table:
    table = Table(*titles)
    table.add_column("сумма, ₽", justify="right", no_wrap=True)
    table.add_column("причина")
    return table


def _period(period: int) -> str:
    return f"{period % 100:02d}.{period // 100}"
