"""The turnover sheet (оборотно-сальдовая ведомость) as a report: no names, house and account only at their levels."""

from ledger.feed import Connection
from services.billing.reports.model import Cell, Column, Report, money, totals_of
from services.billing.reports.reading import KINDS, Names, Terms, fetch_names
from services.billing.reports.texts import month_words
from services.billing.saldo.sheet import Ask, Level, SheetRow, read_sheet

POOLS = {1: "капитальный ремонт", 2: "добровольные"}
_MONEY = (
    money("долг на начало"),
    money("аванс на начало"),
    money("начислено"),
    money("перерасчёт", hides=True),
    money("за прошлые месяцы", hides=True),
    money("пени", hides=True),
    money("судебные расходы", hides=True),
    money("оплачено"),
    money("оплачено помимо кассы", hides=True),
    money("отменено и возвращено", hides=True),
    money("зачёт авансов", hides=True),
    money("переназначено", hides=True),
    money("прочее", hides=True),
    money("долг на конец"),
    money("аванс на конец"),
)
_NAMES = {
    Level.TOTAL: ("",),
    Level.CREDITOR: ("кредитор",),
    Level.SERVICE: ("кредитор", "получатель", "услуга", "вид"),
    Level.HOUSE: ("дом",),
    Level.ACCOUNT: ("лицевой счёт",),
}


async def turnover_report(connection: Connection, terms: Terms, level: Level) -> Report:
    """Read the sheet of a month at a level. Every row: debt - advance + charged - paid ± others = debt - advance."""
    names = await fetch_names(connection)
    ask = Ask(provider=terms.provider, period=terms.period, level=level, only=terms.only, by_value=terms.by_value)
    sheet = await read_sheet(connection, ask)
    columns = (*[Column(title=title) for title in _NAMES[level]], *_MONEY)
    rows = [(*_names(level, row, names), *_sums(row)) for row in sheet]
    return Report(
        title=f"Оборотно-сальдовая ведомость за {month_words(terms.period)}",
        notes=(
            f"Исполнитель: {names.recipient(terms.code)}",
            *([f"Дома: {', '.join(terms.houses)}"] if terms.houses else []),
            "Оплата по дате платежа" if terms.by_value else "Оплата по банковскому дню",
        ),
        columns=columns,
        rows=tuple(rows),
        totals=totals_of(columns, rows),
    )


def _names(level: Level, row: SheetRow, names: Names) -> tuple[str, ...]:
    if level is Level.SERVICE:
        kind = KINDS[row.kind] if row.kind else POOLS.get(row.pool, "")
        return names.recipient(row.creditor), names.recipient(row.recipient), names.service(row.service), kind
    by_level = {Level.TOTAL: "всего", Level.CREDITOR: names.recipient(row.creditor), Level.HOUSE: row.house or "без дома"}
    return (by_level.get(level, row.account),)


def _sums(row: SheetRow) -> tuple[Cell, ...]:
    """The sums in the order of the columns; payments as people count them, above zero."""
    return (
        row.opening_debt,
        row.opening_advance,
        row.charged,
        row.recalculated,
        row.late,
        row.penalties,
        row.costs,
        -row.paid,
        -row.elsewhere,
        row.given_back,
        row.offsets,
        row.reassigned,
        row.opened + row.other,
        row.closing_debt,
        row.closing_advance,
    )
