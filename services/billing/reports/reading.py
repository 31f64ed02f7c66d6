"""Reads what reports say and lays it into rows: charges, collection, debts by age, missing readings."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date

import msgspec

from ledger.feed import Connection
from ledger.statements import load_statements
from services.billing.reports.model import (
    Cell,
    Chart,
    Column,
    Form,
    Report,
    ReportRefused,
    Series,
    money,
    share,
    summed,
    totals_of,
)
from services.billing.reports.texts import month_short, month_words
from services.billing.saldo.filling import Only, fill
from services.billing.saldo.sheet import Ask, Level, SheetRow, read_sheet
from services.billing.saldo.windows import day_window, month_days

SQL = load_statements("services/billing/reports/reading.sql")

MONTHS_MAX = 60
KINDS = {0: "основной долг", 1: "пени", 2: "судебные расходы", 3: "аванс"}
AGES = ("срок не наступил", "до 1 мес.", "1–3 мес.", "3–6 мес.", "6–12 мес.", "1–3 года", "более 3 лет")
BY = {"service": "услуга", "supplier": "поставщик", "house": "дом"}
"""What rows may be; words of their column."""


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """Whose report: the provider's number and code, a period, only some houses, payments by value date instead of bank day."""

    provider: int
    code: str
    period: int
    houses: tuple[str, ...] = ()
    by_value: bool = False

    @property
    def only(self) -> Only:
        """The same for balances."""
        return Only(houses=self.houses or None)


class Names(msgspec.Struct, frozen=True, kw_only=True):
    """How recipients and services are called."""

    recipients: Mapping[str, str]
    services: Mapping[str, str]

    def recipient(self, code: str) -> str:
        """A recipient's name, or its code where it has none."""
        return self.recipients.get(code) or code

    def service(self, code: str) -> str:
        """A service's title, or its code."""
        return self.services.get(code) or code


async def fetch_names(connection: Connection) -> Names:
    """Read how recipients and services are called."""
    return Names(
        recipients={row["code"]: row["name"] for row in await connection.fetch(SQL["recipients"])},
        services={row["service"]: row["title"] for row in await connection.fetch(SQL["services"])},
    )


async def charges_report(connection: Connection, terms: Terms, by: str) -> Report:
    """What a month charged, by service, supplier or house."""
    names = await fetch_names(connection)
    rows = await read_sheet(connection, _ask(terms, _level(by)))
    columns = (
        Column(title=BY[by]),
        money("начислено"),
        money("перерасчёт", hides=True),
        money("за прошлые месяцы", hides=True),
        money("пени", hides=True),
        money("судебные расходы", hides=True),
        money("всего"),
    )
    made = []
    for name, members in _grouped(rows, _name_by(by, names)).items():
        parts = [
            sum([getattr(row, field) for row in members]) for field in ("charged", "recalculated", "late", "penalties", "costs")
        ]
        if any(parts):
            made.append((name, *parts, sum(parts)))
    return Report(
        title=f"Начисления за {month_words(terms.period)}",
        notes=_notes(terms, names),
        columns=columns,
        rows=tuple(made),
        totals=totals_of(columns, made),
    )


async def collection_report(connection: Connection, terms: Terms, since: int, by: str) -> Report:
    """What was paid of what was charged, by supplier or house and month from ``since`` to the period of the terms.

    Paid is what came in the month, for whatever month, less what was reversed and refunded: more than a month charges may come.
    """
    names, periods = await fetch_names(connection), list_periods(since, terms.period)
    columns = (Column(title=BY[by]), Column(title="месяц"), money("начислено"), money("оплачено"), _percent("собираемость"))
    made: list[tuple[Cell, ...]] = []
    charged, paid = [], []
    for period in periods:
        rows = await read_sheet(connection, _ask(msgspec.structs.replace(terms, period=period), _level(by)))
        month = []
        for name, members in _grouped(rows, _name_by(by, names)).items():
            sums = sum([row.charges for row in members]), sum([row.received - row.given_back for row in members])
            if any(sums):
                month.append((name, month_short(period), *sums, share(sums[1], sums[0])))
        charged.append(summed(month, 2))
        paid.append(summed(month, 3))
        made += month
    series = (Series(title="начислено", values=tuple(charged)), Series(title="оплачено", values=tuple(paid)))
    return Report(
        title=f"Собираемость, {month_words(since)} — {month_words(terms.period)}",
        notes=_notes(terms, names),
        columns=columns,
        rows=tuple(made),
        totals=(*totals_of(columns, made)[:4], share(sum(paid), sum(charged))),
        chart=Chart(title="Начислено и оплачено по месяцам", labels=tuple(map(month_short, periods)), series=series),
    )


async def debts_report(connection: Connection, terms: Terms, day: date | None = None, *, by_house: bool = False) -> Report:
    """Debts by age at the end of a bank day, of each creditor; the last day of the period where none is given."""
    names, on = await fetch_names(connection), day or month_days(terms.period)[1]
    async with connection.transaction(isolation="repeatable_read"):
        await fill(connection, await day_window(connection, terms.provider, on), terms.only)
        found = await connection.fetch(SQL["debts"], on, by_house)
    sums: dict[tuple[str, ...], list[int]] = {}
    for row in found:
        house = (row["house"] or "без дома",) if by_house else ()
        key = (*house, names.recipient(row["creditor"]), KINDS[row["kind"]])
        sums.setdefault(key, [0] * len(AGES))[row["age"]] += row["amount"]
    heads = [Column(title=title) for title in ("дом", "кредитор", "вид долга")][0 if by_house else 1 :]
    columns = (*heads, *[money(title, hides=True) for title in AGES], money("всего"))
    made: list[tuple[Cell, ...]] = [(*key, *ages, sum(ages)) for key, ages in sums.items()]
    by_age = tuple([summed(made, len(heads) + place) for place in range(len(AGES))])
    return Report(
        title=f"Задолженность по срокам на {on:%d.%m.%Y}",
        notes=(*_notes(terms, names), "Переплата по одной строке долга по другой не уменьшает."),
        columns=columns,
        rows=tuple(made),
        totals=totals_of(columns, made),
        chart=Chart(title="Долг по срокам", labels=AGES, series=(Series(title="долг", values=by_age),)),
    )


async def readings_report(connection: Connection, terms: Terms) -> Report:
    """Meters of flats that told nothing for the period: house, flat, service, since when."""
    names = await fetch_names(connection)
    houses = list(terms.houses) or None
    found = await connection.fetch(SQL["missing_readings"], terms.provider, terms.period, month_days(terms.period)[1], houses)
    rows = [
        (
            row["house"],
            row["flat"],
            names.service(row["service"]),
            row["meter"],
            row["since"],
            "ни разу с ввода" if row["is_silent"] else "",
        )
        for row in found
    ]
    titles = ("дом", "помещение", "услуга", "прибор")
    columns = (
        *[Column(title=title) for title in titles],
        Column(title="показаний нет с", form=Form.DAY),
        Column(title="примечание"),
    )
    return Report(
        title=f"Нет показаний за {month_words(terms.period)}",
        notes=(*_notes(terms, names), f"Приборов без показаний: {len(rows)}"),
        columns=columns,
        rows=tuple(rows),
    )


def list_periods(since: int, until: int) -> list[int]:
    """Return the periods of a range; one that ends before it begins or is too long is ReportRefused."""
    first, last = since // 100 * 12 + since % 100 - 1, until // 100 * 12 + until % 100 - 1
    if first > last:
        raise ReportRefused("начало периода позже его конца")
    if last - first >= MONTHS_MAX:
        raise ReportRefused(f"месяцев больше {MONTHS_MAX}")
    return [month // 12 * 100 + month % 12 + 1 for month in range(first, last + 1)]


def _ask(terms: Terms, level: Level) -> Ask:
    return Ask(provider=terms.provider, period=terms.period, level=level, only=terms.only, by_value=terms.by_value)


def _level(by: str) -> Level:
    return Level.HOUSE if by == "house" else Level.SERVICE


def _name_by(by: str, names: Names) -> Callable[[SheetRow], str]:
    if by == "house":
        return lambda row: row.house or "без дома"
    if by == "supplier":
        return lambda row: names.recipient(row.recipient)
    return lambda row: names.service(row.service)


def _grouped(rows: Iterable[SheetRow], name_of: Callable[[SheetRow], str]) -> dict[str, list[SheetRow]]:
    groups: dict[str, list[SheetRow]] = {}
    for row in rows:
        groups.setdefault(name_of(row), []).append(row)
    return groups


def _notes(terms: Terms, names: Names) -> tuple[str, ...]:
    houses: Sequence[str] = terms.houses
    notes = [f"Исполнитель: {names.recipient(terms.code)}"]
    if houses:
        notes.append(f"Дома: {', '.join(houses)}")
    if terms.by_value:
        notes.append("Оплата по дате платежа, а не по банковскому дню")
    return tuple(notes)


def _percent(title: str) -> Column:
    return Column(title=title, form=Form.PERCENT)
