"""Rows of the table of charges and causes of recalculations, from a run's lines of one account and what was charged. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

import msgspec

from schemas.allocation import Kind, Pool
from schemas.payment_document import DocumentLine, Recalculation
from services.billing.core.lines import Explanation, LineKind
from services.billing.core.month import VolumeSource
from services.billing.papers.amounts import Place
from services.billing.runs.packing import unpack_explanation

SOURCES = {
    VolumeSource.METER: "по прибору",
    VolumeSource.AVERAGE: "по среднему",
    VolumeSource.NORM: "по нормативу",
    VolumeSource.NORM_RAISED: "по нормативу",
}
CAUSES = {
    LineKind.ABSENCE: "временное отсутствие",
    LineKind.QUALITY: "качество и перерывы",
    LineKind.CORRECTION: "перерасчёт",
    LineKind.FINE: "штраф исполнителя",
}
COMMON_SOURCE = "на общее имущество"
HEAT_TITLE = "тепловая энергия"
HEAT_UNIT = "Гкал"
CHARGED_ELSEWHERE = "начислено получателем"
"""Volume source of a charge that no run of ours made: it was loaded from another system."""

_ZONES = {True: {1: "пик", 2: "ночь", 3: "полупик"}, False: {1: "день", 2: "ночь"}}
"""Names of the day's zones, by whether there are three of them."""


class RunLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a run as ``lines`` of papers/reading.sql gives it; ``recipient`` and ``creditor`` are numbers."""

    account: int
    service: str
    kind: int
    volume: int
    price: int
    amount: int
    of_period: int
    explanation: bytes
    recipient: int
    creditor: int
    pool: int
    title: str
    unit: str


class Priced(NamedTuple):
    """What lines become on paper: rows by section, and every recalculation with its cause."""

    rows: dict[Place, list[DocumentLine]]
    recalculations: list[Recalculation]


class NotAsCharged(ValueError):
    """What a run calculated for a service is not what stands in the charges; the message is Russian."""


def price_lines(lines: Iterable[RunLine], charges: Sequence[Mapping[str, Any]], names: "Names") -> Priced:
    """Return the rows of one account's document, each section's in the order of the run's lines.

    ``charges`` are the account's principal of the document's period. Raises NotAsCharged where a service's lines are not its
    charge; charges that the run knows nothing of (a direct creditor's, loaded from a file) become rows of their own.
    """
    priced = Priced({}, [])
    groups: dict[tuple[int, int, int, str], list[RunLine]] = {}
    for line in lines:
        groups.setdefault((line.creditor, line.pool, line.recipient, line.service), []).append(line)
    columns = itemgetter("creditor", "pool", "recipient", "service")
    charged = {columns(row): row["amount"] for row in charges if not row["apart"]}
    for (creditor, pool, recipient, service), group in groups.items():
        found, told = charged.pop((creditor, pool, recipient, service), 0), sum(line.amount for line in group)
        if found != told:
            raise NotAsCharged(f"услуга {service}: по расчёту {told} коп., в начислениях {found}")
        priced.rows.setdefault((creditor, Pool(pool)), []).extend(_service_rows(group, names.payees.get(recipient, "")))
        priced.recalculations.extend(_recalculations(group))
    for (creditor, pool, recipient, service), amount in charged.items():
        if amount:
            row = _charged_elsewhere(names.titles.get(service, service), amount, names.payees.get(recipient, ""))
            priced.rows.setdefault((creditor, Pool(pool)), []).append(row)
    return priced


class Names(msgspec.Struct, frozen=True, kw_only=True):
    """Recipients' names by number, and titles of services by code."""

    payees: Mapping[int, str]
    titles: Mapping[str, str]


def principal_of(charges: Iterable[Mapping[str, Any]], period: int) -> list[Mapping[str, Any]]:
    """Return the rows of ``charges`` that the document of the period charges."""
    return [row for row in charges if row["kind"] == Kind.PRINCIPAL and row["period"] == period]


def _service_rows(group: Sequence[RunLine], payee: str) -> list[DocumentLine]:
    """One row a service; the heat of hot water of two components has a unit and a price of its own and so a row."""
    heat = [line for line in group if line.kind == LineKind.HEAT]
    rest = [line for line in group if line.kind != LineKind.HEAT]
    raised = [line for line in rest if line.kind == LineKind.RAISED]
    if heat and len(raised) > 1:
        # What the coefficient adds stands in the order of what it raises: water, then heat (core/hot_water.py).
        heat, rest = [*heat, raised[-1]], [line for line in rest if line is not raised[-1]]
    rows = [_row(rest, payee)] if rest else []
    if heat:
        title = f"{heat[0].title}: {HEAT_TITLE}"
        rows.append(msgspec.structs.replace(_row(heat, payee), title=title, unit=HEAT_UNIT if heat[0].volume else ""))
    return rows


def _row(group: Sequence[RunLine], payee: str) -> DocumentLine:
    main = [line for line in group if line.kind in (LineKind.CHARGE, LineKind.HEAT)]
    common = [line for line in group if line.kind == LineKind.COMMON]
    source = ""
    if not main and common:
        # A resource of the common property alone: its title says so, and its volume stands where volumes do.
        main, common, source = common, [], COMMON_SOURCE
    raised = [line for line in group if line.kind == LineKind.RAISED]
    changes = [line for line in group if line.kind in CAUSES]
    prices = {line.price for line in main if line.volume or line.amount} or {line.price for line in main}
    explained = unpack_explanation(main[0].explanation) if main else None
    return DocumentLine(
        title=group[0].title,
        unit=group[0].unit,
        volume=sum(line.volume for line in main),
        price=prices.pop() if len(prices) == 1 else 0,
        prices=_prices(explained) if explained is not None and main[0].kind == LineKind.CHARGE and not main[0].price else (),
        amount_kopecks=sum(line.amount for line in main),
        common_volume=sum(line.volume for line in common),
        common_kopecks=sum(line.amount for line in common),
        raised_coefficient=_coefficient(raised),
        raised_kopecks=sum(line.amount for line in raised),
        recalculated_kopecks=sum(line.amount for line in changes),
        total_kopecks=sum(line.amount for line in group),
        payee=payee,
        volume_source=source or (SOURCES[explained.source] if explained is not None and explained.source is not None else ""),
    )


def _coefficient(raised: Sequence[RunLine]) -> int:
    return dict(unpack_explanation(raised[0].explanation).inputs).get("K", 0) if raised else 0


def _prices(explained: Explanation) -> tuple[tuple[str, int, int], ...]:
    """The zones and ranges of a line of several prices: pairs V_… and T_… of its explanation (core/pricing.py)."""
    inputs = dict(explained.inputs)
    cells = [key[2:] for key in inputs if key.startswith("V_") and f"T_{key[2:]}" in inputs]
    has_three = any("z3" in cell for cell in cells)
    return tuple([(_cell_name(cell, has_three), inputs[f"V_{cell}"], inputs[f"T_{cell}"]) for cell in cells])


def _cell_name(cell: str, has_three: bool) -> str:
    """«z1» is the day, «r2z1» the second range of it."""
    ranges, _, zone = cell.partition("z")
    told = [_ZONES[has_three].get(int(zone), f"зона {zone}")] if zone.isdecimal() else []
    if ranges.startswith("r"):
        told.append(f"диапазон {ranges[1:]}")
    return ", ".join(told) or cell


def _recalculations(group: Iterable[RunLine]) -> list[Recalculation]:
    found = []
    for line in group:
        kind = LineKind(line.kind)
        if kind in CAUSES:
            cause = unpack_explanation(line.explanation).note or CAUSES[kind]
            of = f" (за {line.of_period % 100:02d}.{line.of_period // 100})" if line.of_period else ""
            found.append(Recalculation(title=line.title, cause=f"{cause}{of}", amount_kopecks=line.amount))
    return found


def _charged_elsewhere(title: str, amount: int, payee: str) -> DocumentLine:
    return DocumentLine(
        title=title,
        unit="",
        volume=0,
        price=0,
        amount_kopecks=amount,
        total_kopecks=amount,
        payee=payee,
        volume_source=CHARGED_ELSEWHERE,
    )
