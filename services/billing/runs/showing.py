"""Showing a run: its houses, and one account's lines with the explanation that each can be recalculated from."""

from datetime import date

import msgspec

from ledger.statements import load_statements
from schemas.money import roubles_for_people
from services.billing.core.formulas import FORMULAS, shown_formula
from services.billing.core.lines import Explanation, LineKind
from services.billing.core.month import VolumeSource
from services.billing.runs.packing import unpack_explanation
from services.billing.runs.sources import Connection

SQL = load_statements("services/billing/runs/showing.sql")

SHOWN_HOUSES_MAX = 200
KINDS = {
    LineKind.CHARGE: "начисление",
    LineKind.RAISED: "повышающий коэффициент",
    LineKind.COMMON: "на общее имущество",
    LineKind.HEAT: "тепловая энергия",
    LineKind.ABSENCE: "временное отсутствие",
    LineKind.QUALITY: "качество и перерывы",
    LineKind.CORRECTION: "перерасчёт",
    LineKind.FINE: "штраф исполнителя",
}
SOURCES = {
    VolumeSource.METER: "по прибору",
    VolumeSource.AVERAGE: "по среднему",
    VolumeSource.NORM: "по нормативу",
    VolumeSource.NORM_RAISED: "по нормативу с повышающим коэффициентом",
}

WHOLE = frozenset({"days", "person_days", "months", "accounts", "share_part", "share_whole", "m_i", "Σm"})
"""Names of inputs that are whole numbers; those of sums begin with P and are kopecks; all others are millionths."""


class HouseShown(msgspec.Struct, frozen=True, kw_only=True):
    """A house of a run and what it came to, in kopecks."""

    house: str
    state: str
    reason: str
    accounts: int
    lines: int
    amount: int


class LineShown(msgspec.Struct, frozen=True, kw_only=True):
    """A line as people read it; volume and price are millionths, ``explanation`` says how the sum came about."""

    service: str
    title: str
    unit: str
    recipient: str
    kind: str
    volume: int
    price: int
    amount_kopecks: int
    of_period: int
    explanation: str


class DocumentShown(msgspec.Struct, frozen=True, kw_only=True):
    """The document of an account: what was charged and what is to be paid, in kopecks by pool; None: not printed."""

    state: str
    reason: str
    number: str | None
    period: int
    charged_main: int
    charged_repair: int
    main: int | None
    capital_repair: int | None
    due_on: date


class AccountShown(msgspec.Struct, frozen=True, kw_only=True):
    """One account of a run: its lines, and its document once it was published."""

    lines: tuple[LineShown, ...]
    document: DocumentShown | None


async def show_houses(connection: Connection, run: int) -> tuple[HouseShown, ...]:
    """Return the first SHOWN_HOUSES_MAX houses of a run, the parked and waiting ones first."""
    rows = await connection.fetch(SQL["list_houses"], run, SHOWN_HOUSES_MAX)
    return tuple([msgspec.convert(dict(row), HouseShown) for row in rows])


async def show_account(connection: Connection, run: int, namespace: str, number: str) -> AccountShown:
    """Return the lines of an account in a run; none where the run does not charge it."""
    lines = []
    for row in await connection.fetch(SQL["list_lines"], run, namespace, number):
        explanation = unpack_explanation(row["explanation"])
        lines.append(
            LineShown(
                service=row["service"],
                title=row["title"],
                unit=row["unit"],
                recipient=row["recipient"],
                kind=KINDS[LineKind(row["kind"])],
                volume=row["volume"],
                price=row["price"],
                amount_kopecks=row["amount"],
                of_period=row["of_period"],
                explanation=explained(explanation),
            )
        )
    row = await connection.fetchrow(SQL["find_document"], run, namespace, number)
    document = None if row is None else msgspec.convert(dict(row), DocumentShown)
    return AccountShown(lines=tuple(lines), document=document)


def explained(explanation: Explanation) -> str:
    """Return the explanation in words and numbers: formula, source of the volume, inputs, cause.

    A number of Приложение 2 is shown only where it is confirmed (``formulas.py``).
    """
    formula = shown_formula(explanation.formula) if explanation.formula in FORMULAS else explanation.formula
    told = [formula]
    if explanation.source is not None:
        told.append(SOURCES[explanation.source])
    if explanation.inputs:
        told.append(", ".join([f"{name} = {_input(name, value)}" for name, value in explanation.inputs]))
    if explanation.note:
        told.append(explanation.note)
    return "; ".join(told)


def _input(name: str, value: int) -> str:
    if name == "P" or name.startswith("P_"):
        return roubles_for_people(value)
    return str(value) if name in WHOLE else quantity(value)


def quantity(millionths: int) -> str:
    """Return a quantity of millionths as people write it: 2486710000 is 2486,71."""
    whole, part = divmod(abs(millionths), 1_000_000)
    text = f"{whole},{part:06d}".rstrip("0").rstrip(",")
    return f"-{text}" if millionths < 0 else text
