"""What may be shown to a payer who asks about an account, and nothing more (152-ФЗ): no debts by service."""

from typing import Literal, assert_never

import msgspec

from schemas.allocation import PERIOD_NONE, AccountState, Pool
from schemas.money import roubles_from_kopecks
from schemas.outcome import Answer, Refusal


class PrintedTotal(msgspec.Struct, frozen=True, kw_only=True):
    """A sum «к оплате» of one pool and period (year * 100 + month, 0 for none), in kopecks."""

    pool: Pool
    period: int
    amount_kopecks: int


class CheckView(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to ``check``: masked name and address, account state, totals, and the sums taken, in kopecks."""

    state: AccountState
    masked_name: str
    masked_address: str
    totals: tuple[PrintedTotal, ...]
    smallest_kopecks: int
    largest_kopecks: int


CheckResult = CheckView | Refusal | Literal[Answer.TRY_AGAIN]
"""The account may be paid; it may not, and why; or nobody can say now. ``check`` reserves nothing."""


def state_words(state: AccountState) -> str:
    """Return the account's state in Russian."""
    match state:
        case AccountState.OPEN:
            return "открыт"
        case AccountState.DEBTS_ONLY:
            return "принимается только погашение долга"
        case AccountState.CLOSED:
            return "закрыт"
        case _ as unreachable:
            assert_never(unreachable)


def pool_words(pool: Pool) -> str:
    """Return the pool's name in Russian."""
    match pool:
        case Pool.MAIN:
            return "жилищно-коммунальные услуги"
        case Pool.CAPITAL_REPAIR:
            return "взнос на капитальный ремонт"
        case Pool.VOLUNTARY:
            return "добровольные услуги"
        case _ as unreachable:
            assert_never(unreachable)


def total_words(total: PrintedTotal) -> str:
    """Name a total: its pool and its month, if it has one."""
    if total.period == PERIOD_NONE:
        return pool_words(total.pool)
    year, month = divmod(total.period, 100)
    return f"{pool_words(total.pool)} за {month:02d}.{year}"


def fields_shown(view: CheckView) -> tuple[tuple[str, str], ...]:
    """Return (label, text) pairs in the order in which they are shown."""
    return (
        ("Состояние счёта", state_words(view.state)),
        ("Плательщик", view.masked_name),
        ("Адрес", view.masked_address),
        *((f"К оплате: {total_words(total)}", roubles_from_kopecks(total.amount_kopecks)) for total in view.totals),
        ("Наименьшая сумма", roubles_from_kopecks(view.smallest_kopecks)),
        ("Наибольшая сумма", roubles_from_kopecks(view.largest_kopecks)),
    )
