"""Tables of a payment document as the template lays them out: cells of text, and columns as wide as what stands in them.

Widths are reckoned here, in tenths of a millimetre: a table whose columns are measured by typst costs it several times more.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from schemas.money import roubles_for_people
from schemas.payment_document import DocumentLine, HouseLine, MeterLine, PaymentDocument, PenaltyPart, Section
from services.paper.figures import breakable, day_text, decimal_text, month_words, months_later, plain

NAME_CHARACTERS_MAX = 240
WORDS_CHARACTERS_MAX = 900
"""Longer texts are cut with «…»: a row may not be taller than a page."""
NAME_RUN, WORDS_RUN = 18, 24
"""A word longer than this may be broken: it must fit the narrowest column of names."""
VERIFICATION_WARNED_MONTHS = 3

PAGE_TENTHS, HALF_TENTHS = 1_860, 905
"""Widths of the printed page and of one of its two columns, tenths of a millimetre."""
FIRST_TENTHS_MIN = {PAGE_TENTHS: 480, HALF_TENTHS: 330}
TEXT_TENTHS, NOTE_TENTHS, HEAD_TENTHS, GAP_TENTHS = 15, 12, 14, 20
"""Width of a character of a table's text, of its small text, of its heads, and of a cell's margins."""
LETTER_PARTS = 4
NARROW = frozenset("0123456789 .,:;-()/·№\u202f\u00a0\u200b")
SMALL = frozenset("абвгдезийклнопрстухцчъьэяёabcdefghijklnopqrstuvxyz")
NOTE_TENTHS_MAX = 200
"""A wider note wraps."""

Cell = tuple[str, str, str, str]
"""What stands in a cell, small letters beside it, small letters below it that explain it, and a warning in bold below."""
EMPTY: Cell = ("", "", "", "")


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """A column of the table of charges. One that no line fills is left out, unless it stands ``always``."""

    head: str
    kopecks: Callable[[DocumentLine], int] | None = None
    """The sum of the column, totalled below; without it there is only the note of ``cell``."""
    note: Callable[[DocumentLine], str] = lambda _: ""
    text: Callable[[DocumentLine], str] = lambda _: ""
    always: bool = False


def name(text: str) -> str:
    """Return a foreign name: one line of text that wraps and does not overflow."""
    return breakable(plain(text, NAME_CHARACTERS_MAX), NAME_RUN)


def words(text: str) -> str:
    """Return a foreign sentence or paragraph."""
    return breakable(plain(text, WORDS_CHARACTERS_MAX), WORDS_RUN)


def or_dash(millionths: int | None) -> str:
    """Return a reading or a volume, a dash where there is none."""
    return "—" if millionths is None else decimal_text(millionths)


def text_cell(text: str, note: str = "") -> Cell:
    """Return a cell without a warning."""
    return text, "", note, ""


COLUMNS = (
    Column(
        head="Объём",
        text=lambda line: f"{decimal_text(line.volume)} {name(line.unit)}" if _has_volume(line) else "",
        always=True,
    ),
    Column(head="Тариф", text=lambda line: decimal_text(line.price, decimals_min=2) if line.price else "", always=True),
    Column(head="Начислено", kopecks=lambda line: line.amount_kopecks, always=True),
    Column(
        head="На общее имущество",
        kopecks=lambda line: line.common_kopecks,
        note=lambda line: f"{decimal_text(line.common_volume)} {name(line.unit)}" if line.common_volume else "",
    ),
    Column(
        head="Повышающий коэффициент",
        kopecks=lambda line: line.raised_kopecks,
        note=lambda line: f"× {decimal_text(line.raised_coefficient)}" if line.raised_coefficient else "",
    ),
    Column(head="Перерасчёт", kopecks=lambda line: line.recalculated_kopecks),
    Column(head="Льготы*", kopecks=lambda line: line.benefit_kopecks),
    Column(head="Итого", kopecks=lambda line: line.total_kopecks, always=True),
)


def _has_volume(line: DocumentLine) -> bool:
    return bool(line.volume or line.price or line.prices)


def charges_table(section: Section, account: str) -> dict[str, Any]:
    """The lines of a section, each column totalled (п. 69 «в», «г», «г(1)», «д», «ж», «и»)."""
    lines = section.lines
    columns = [column for column in COLUMNS if column.always or any(map(_filled(column), lines))]
    rows = [[_title(line, section), *(_cell(column, line) for column in columns)] for line in lines]
    sums = [EMPTY if column.kopecks is None else _sum(sum(map(column.kopecks, lines))) for column in columns]
    heads = [f"Л/с {name(account)} · суммы в рублях", *(column.head for column in columns)]
    return table(heads, rows, total=[text_cell("Всего"), *sums] if len(lines) > 1 else ())


def penalties_table(parts: Sequence[PenaltyPart], before_kopecks: int = 0) -> dict[str, Any]:
    """Parts of debt, days and rates that the penalties follow from (ЖК ст. 155 ч. 14, 14.1), and what was charged earlier."""
    heads = ["Долг за", "Долг", "Дни просрочки", "Дней", "Ставка в год", "Доля ставки в день", "Пени"]
    rows = [
        [
            text_cell(month_words(part.of_period)),
            _sum(part.debt_kopecks),
            text_cell(f"{day_text(part.since)} – {day_text(part.until)}"),
            text_cell(str(part.days)),
            text_cell(f"{decimal_text(100 * part.rate)} %"),
            text_cell(f"1/{part.divisor}"),
            _sum(part.amount_kopecks),
        ]
        for part in parts
    ]
    if before_kopecks:
        rows.append([text_cell("Начислено раньше"), *[EMPTY] * 5, _sum(-before_kopecks)])
    total = [text_cell("Всего"), *[EMPTY] * 5, _sum(sum(part.amount_kopecks for part in parts) - before_kopecks)]
    return table(heads, rows, total=total)


def meters_table(document: PaymentDocument) -> dict[str, Any]:
    """Readings of the individual meters, what was taken where that is told, and until when they are verified."""
    are_told = any(meter.consumed is not None for meter in document.meters)
    rows = [
        [
            text_cell(name(meter.title), f"№ {name(meter.number)}" if meter.number else ""),
            text_cell(or_dash(meter.previous)),
            text_cell(or_dash(meter.current)),
            *([text_cell(or_dash(meter.consumed))] if are_told else []),
            (
                "—" if meter.verified_until is None else day_text(meter.verified_until),
                "",
                "",
                verification_warning(document, meter),
            ),
        ]
        for meter in document.meters
    ]
    heads = ["Прибор учёта", "Было", "Стало", *(["Расход"] if are_told else []), "Поверка до"]
    return table(heads, rows, width=HALF_TENTHS)


def verification_warning(document: PaymentDocument, meter: MeterLine) -> str:
    """Say that a meter's verification has ended or ends within three months of the document's day."""
    if meter.verified_until is None or meter.verified_until > months_later(document.issued_on, VERIFICATION_WARNED_MONTHS):
        return ""
    return "истекла" if meter.verified_until < document.issued_on else "истекает"


def house_table(lines: Sequence[HouseLine]) -> dict[str, Any]:
    """The house's volumes (п. 69 «е»)."""
    rows = [
        [
            text_cell(f"{name(line.title)}, {name(line.unit)}"),
            *map(text_cell, map(or_dash, (line.meter, line.individual, line.common))),
        ]
        for line in lines
    ]
    heads = ["Услуга", "По прибору дома", "В помещениях", "На общее имущество"]
    return table(heads, rows, width=HALF_TENTHS)


def amounts_table(heads: list[str], rows: list[tuple[str, str, int]], width: int) -> dict[str, Any]:
    """Names with their explanations and sums: recalculations with causes (п. 69 «ж»), instalments («к»)."""
    return table(
        heads, [[text_cell(name(title), words(cause)), _sum(amount)] for title, cause, amount in rows], width=HALF_TENTHS
    )


def table(heads: list[str], rows: list[list[Cell]], *, total: Sequence[Cell] = (), width: int = PAGE_TENTHS) -> dict[str, Any]:
    """Return a table as the template takes it; the first column has what room the others leave.

    Where long numbers leave it too little, all letters become smaller: nothing is cut and nothing runs into its neighbour.
    """
    every = [*rows, list(total)] if total else rows
    widths = [max(_head_width(heads[at]), *(_width(row[at]) for row in every)) for at in range(1, len(heads))]
    room, wanted = width - FIRST_TENTHS_MIN[width], sum(widths)
    percent = 100 if wanted <= room else max(40, 100 * room // wanted)
    widths = [one * percent // 100 for one in widths]
    room_of = [100 * one // percent for one in (width - sum(widths), *widths)]
    return {
        "heads": heads,
        "rows": [[cell if any(cell[1:]) else cell[0] for cell in row] for row in rows],
        "notes": [_note_lines(row, room_of) for row in rows],
        "total": [cell[0] for cell in total],
        "widths": widths,
        "percent": percent,
    }


def _filled(column: Column) -> Callable[[DocumentLine], bool]:
    return lambda line: bool((column.kopecks is not None and column.kopecks(line)) or column.note(line))


def _cell(column: Column, line: DocumentLine) -> Cell:
    if column.kopecks is None:
        return text_cell(column.text(line), column.note(line))
    kopecks = column.kopecks(line)
    return text_cell(roubles_for_people(kopecks) if kopecks or column.always else "", column.note(line))


def _title(line: DocumentLine, section: Section) -> Cell:
    """The service, below it where its volume is from, the zones of its price, and whose it is if not the section's payee."""
    unit = name(line.unit)
    zones = [
        f"{name(zone)}: {decimal_text(volume)} {unit} × {decimal_text(price, decimals_min=2)} ₽"
        for zone, volume, price in line.prices
    ]
    payee = name(line.payee) if line.payee != section.payee.name else ""
    return name(line.title), name(line.volume_source), "\n".join([*zones, payee]).strip(), ""


def _sum(kopecks: int) -> Cell:
    return text_cell(roubles_for_people(kopecks))


def _note_lines(row: Sequence[Cell], room: Sequence[int]) -> int:
    """How many lines of notes the row has below its line, -1 when a text may wrap: letters are taken for wider than most are."""
    most = 0
    for (text, aside, note, warning), tenths in zip(row, room, strict=True):
        notes = [line for line in (*note.split("\n"), warning) if line]
        widest = max((_letters(line) for line in notes), default=0) * NOTE_TENTHS
        if max(_letters(text) * TEXT_TENTHS + _letters(aside) * NOTE_TENTHS, widest) // LETTER_PARTS + GAP_TENTHS > tenths:
            return -1
        most = max(most, len(notes))
    return most


@lru_cache(maxsize=16_384)
def _letters(text: str) -> int:
    """Width in LETTER_PARTS of a letter: digits and spaces count as one, small letters as more, capitals and wide ones as two."""
    return sum(LETTER_PARTS if letter in NARROW else LETTER_PARTS + (1 if letter in SMALL else LETTER_PARTS) for letter in text)


def _width(cell: Cell) -> int:
    text, _, note, warning = cell
    return max(len(text) * TEXT_TENTHS, min(NOTE_TENTHS_MAX, max(len(note), len(warning)) * NOTE_TENTHS)) + GAP_TENTHS


def _head_width(head: str) -> int:
    """A head wraps at its spaces: its longest word counts."""
    return max(map(len, head.split())) * HEAD_TENTHS + GAP_TENTHS
