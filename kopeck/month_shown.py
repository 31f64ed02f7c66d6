"""The protocol of a month's closing for people's eyes (``kopeck month``)."""

from collections.abc import Iterator

from kopeck.month_agreement import Agreement
from kopeck.month_closing import MonthClosed
from schemas.money import roubles_for_people


def protocol_of(agreement: Agreement) -> Iterator[str]:
    """Yield the sums that were compared, and each comparison."""
    yield f"счетов {agreement.accounts}: строки {_roubles(agreement.lines)}, начисления месяца {_roubles(agreement.month)}"
    yield (
        f"всего по счетам: начислено {_roubles(agreement.charges)}, оплачено {_roubles(agreement.credits)}"
        f" (из них авансом {_roubles(agreement.advances)}), открыто в таблицах {_roubles(agreement.open_in_tables)}"
    )
    for check in agreement.checks:
        yield f"{check.title}: {f'РАСХОЖДЕНИЙ {check.differences}' if check.differences else 'сходится'}"
        yield from (f"  {shown}" for shown in check.shown)


def verdict_of(done: MonthClosed) -> str:
    """Return the last line: what agrees and whether the month is closed, or what does not agree."""
    text = f"{done.period // 100}-{done.period % 100:02d}"
    wrong = [check.title for check in done.agreement.checks if check.differences]
    if wrong:
        return f"{text}: НЕ СХОДИТСЯ: {'; '.join(wrong)}; месяц не закрыт"
    closed = f"месяц закрыт: {', '.join(done.closed)}" if done.closed else "месяц был закрыт раньше"
    return f"{text}: начисления, платежи, остатки, таблицы и регистр сходятся; {closed}"


def _roubles(kopecks: int) -> str:
    return f"{roubles_for_people(kopecks)} ₽"
