"""The words of a payment document in the order in which a resident looks for them, ready to be laid out.

First how much, until when, for which home and the code to pay by; then why; then meters, the house, causes, and whom to ask.
"""

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

from schemas.money import KOPECKS_PER_ROUBLE, roubles_for_people
from schemas.payment_document import Payee, PaymentDocument, Section
from services.paper.document_tables import (
    HALF_TENTHS,
    PAGE_TENTHS,
    amounts_table,
    charges_table,
    house_table,
    meters_table,
    name,
    penalties_table,
    verification_warning,
    words,
)
from services.paper.figures import day_text, day_words, decimal_text, month_mark, month_words

HISTORY_MONTHS_MAX = 12
RECALCULATIONS_BESIDE_MAX = 6
"""More than these have the page's width instead of standing beside the meters."""
CHART_ROUBLES_MAX = 1_000_000
"""From here on the chart counts in thousands: a bar is no wider."""
BAR_TOP = 1_000
"""Height of the tallest bar of the chart."""

Code = Callable[[PaymentDocument, Section], str]
"""Draws a section's payment code as a page of PDF."""


def document_texts(document: PaymentDocument, code: Code) -> dict[str, Any]:
    """Return everything the template prints of one document."""
    penalties = bool(document.penalties)
    few = 0 < len(document.recalculations) <= RECALCULATIONS_BESIDE_MAX
    due = sum(max(0, section.due_kopecks) for section in document.sections)
    return {
        "title": f"Платёжный документ{': пени' if penalties else ''} за {month_words(document.period)}",
        "number": f"№ {name(document.number)} от {day_text(document.issued_on)}",
        "foot": f"Лицевой счёт {name(document.account)} · {month_words(document.period)} · № {name(document.number)}",
        "due_title": "Пени к оплате" if penalties else "К оплате",
        "due": roubles_for_people(due) if due else "",
        "until": f"до {day_words(document.due_on)}",
        "address": _address(document),
        "account": name(document.account),
        "facts": _facts(document),
        "cards": [
            _card(document, section, code(document, section) if section.due_kopecks > 0 else "") for section in document.sections
        ],
        "tables": _tables(document),
        "halves": _halves(
            [_meters(document), _house(document)],
            [_chart(document), _recalculations(document, HALF_TENTHS) if few else None, _instalments(document)],
        ),
        "notices": [words(notice) for notice in document.notices if notice.strip()],
        "contacts": _contacts(document),
    }


def _halves(left: list[dict[str, Any] | None], right: list[dict[str, Any] | None]) -> list[list[dict[str, Any]]]:
    """Two columns, the taller as low as it can be: a page less to print. Of equals, what moves the fewest parts."""
    parts = [(part, 0) for part in left if part] + [(part, 1) for part in right if part]

    def halves(places: Sequence[int]) -> list[list[dict[str, Any]]]:
        return [[part for (part, _), place in zip(parts, places, strict=True) if place == side] for side in (0, 1)]

    def cost(places: Sequence[int]) -> tuple[int, int]:
        moved = sum(place != own for (_, own), place in zip(parts, places, strict=True))
        return max(map(_height, halves(places))), moved

    return halves(min(product((0, 1), repeat=len(parts)), key=cost))


def _height(parts: list[dict[str, Any]]) -> int:
    """In lines, about: a chart is as high as seven, a row has its notes' lines, a head and a title three."""
    return sum(7 if "bars" in part else sum(2 + abs(notes) for notes in part["table"]["notes"]) + 6 for part in parts)


def _address(document: PaymentDocument) -> str:
    """One line; a bare number of a flat is called one."""
    flat = name(document.flat)
    parts = [name(document.postcode), words(document.address), f"кв. {flat}" if flat[:1].isdigit() else flat]
    return ", ".join(part for part in parts if part)


def _facts(document: PaymentDocument) -> list[tuple[str, str]]:
    area = decimal_text(document.area) + (f", жилая {decimal_text(document.living_area)}" if document.living_area else "")
    people = [
        f"проживают\u00a0{decimal_text(document.residents)}",
        f"зарегистрированы\u00a0{document.registered}",
        f"собственников\u00a0{document.owners}",
    ]
    given = [
        ("Плательщик", ", ".join(part for part in (name(document.payer), name(document.payer_kind)) if part)),
        ("ЕЛС", name(document.els)),
        ("Идентификатор\u00a0ЖКУ", name(document.izhku)),
        ("Площадь,\u00a0м²", area if document.area else ""),
        ("Людей", ", ".join(people) if document.residents or document.registered or document.owners else ""),
    ]
    return [pair for pair in given if pair[1]]


def _card(document: PaymentDocument, section: Section, code: str) -> dict[str, Any]:
    """Whom to pay and how the sum due came about (п. 69 «б», «з»)."""
    overpaid = "Платить не нужно"
    if section.due_kopecks < 0:
        overpaid = f"Платить не нужно: переплата {roubles_for_people(-section.due_kopecks)} ₽ зачтётся в следующих месяцах"
    day = day_text(section.debt_on)
    ladder = [
        ("Начислено пеней" if document.penalties else "Начислено за месяц", section.charged_kopecks),
        (f"Долг на {day}", section.debt_kopecks),
        (f"Аванс на {day}", -section.advance_kopecks),
        (f"Оплачено по {day_text(section.paid_on)}" if section.paid_on else "Оплачено", -section.paid_kopecks),
    ]
    return {
        "title": name(section.title),
        "due": roubles_for_people(section.due_kopecks) if section.due_kopecks > 0 else "",
        "word": overpaid,
        "code": code,
        "ladder": [
            (label, roubles_for_people(kopecks) if kopecks else "нет")
            for place, (label, kopecks) in enumerate(ladder)
            if kopecks or place < 2
        ],
        "payee": name(section.payee.name),
        "requisites": _requisites(section.payee, document.provider),
    }


def _requisites(payee: Payee, provider: Payee) -> list[str]:
    """Bank details, and how to find the payee unless the provider's contacts below say it."""
    codes = f"ИНН {name(payee.inn)}" + (f", КПП {name(payee.kpp)}" if payee.kpp else "")
    correspondent = [f"к/с {name(payee.correspondent_account)}"] if payee.correspondent_account else []
    contacts = (words(payee.address), _joined(payee.phones, payee.email, payee.site)) if payee.inn != provider.inn else ()
    return [
        codes,
        f"р/с {name(payee.bank_account)}",
        f"{name(payee.bank_name)}, БИК\u00a0{name(payee.bic)}",
        *correspondent,
        *(text for text in contacts if text),
    ]


def _tables(document: PaymentDocument) -> list[dict[str, Any]]:
    """Tables of the page's full width: charges by section, or penalties."""
    charges = [
        {
            "title": f"Расчёт: {name(section.title)}",
            "table": charges_table(section, document.account),
            "note": "* Льготы показаны для сведения: их деньгами возмещает орган социальной защиты."
            if any(line.benefit_kopecks for line in section.lines)
            else "",
        }
        for section in document.sections
        if section.lines
    ]
    if document.penalties:
        charges.append(
            {"title": "Расчёт пеней", "table": penalties_table(document.penalties, document.charged_before_kopecks), "note": ""}
        )
    if len(document.recalculations) > RECALCULATIONS_BESIDE_MAX:
        charges.append(_recalculations(document, PAGE_TENTHS))
    return charges


def _meters(document: PaymentDocument) -> dict[str, Any] | None:
    if not document.meters:
        return None
    warned = any(verification_warning(document, meter) for meter in document.meters)
    note = "Прибор с истёкшей поверкой нужно поверить или заменить: его показания в расчёт не принимаются." if warned else ""
    return {"title": "Показания приборов учёта", "table": meters_table(document), "note": note}


def _house(document: PaymentDocument) -> dict[str, Any] | None:
    if not document.house:
        return None
    return {"title": "Объёмы по всему дому", "table": house_table(document.house), "note": ""}


def _recalculations(document: PaymentDocument, width: int) -> dict[str, Any]:
    rows = [(one.title, one.cause, one.amount_kopecks) for one in document.recalculations]
    return {"title": "Перерасчёты", "table": amounts_table(["Услуга и причина", "Сумма,\u00a0₽"], rows, width), "note": ""}


def _instalments(document: PaymentDocument) -> dict[str, Any] | None:
    if not document.instalments:
        return None
    rows = [(title, "", kopecks) for title, kopecks in document.instalments]
    return {"title": "Оплата в рассрочку", "table": amounts_table(["За что", "В этом месяце, ₽"], rows, HALF_TENTHS), "note": ""}


def _chart(document: PaymentDocument) -> dict[str, Any] | None:
    """Bars of the months before and of this one, which is dark; heights by the tallest."""
    charged = dict(sorted(document.history)[-HISTORY_MONTHS_MAX:])
    if not charged:
        return None
    if document.sections and not document.penalties:
        charged[document.period] = sum(section.charged_kopecks for section in document.sections)
    top = max(1, *charged.values())
    thousands = top >= CHART_ROUBLES_MAX * KOPECKS_PER_ROUBLE
    bars = [
        {
            "month": month_mark(period),
            "year": str(period // 100) if place == 0 or period % 100 == 1 else "",
            "roubles": roubles_for_people(kopecks // 1_000 if thousands else kopecks).partition(",")[0],
            "height": max(0, kopecks) * BAR_TOP // top,
            "now": period == document.period,
        }
        for place, (period, kopecks) in enumerate(sorted(charged.items()))
    ]
    return {"title": f"Начислено по месяцам, {'тыс. ' if thousands else ''}₽", "bars": bars, "note": ""}


def _contacts(document: PaymentDocument) -> list[tuple[str, str]]:
    provider = document.provider
    given = [
        ("Исполнитель", f"{name(provider.name)}, ИНН {name(provider.inn)}"),
        ("Адрес", words(provider.address)),
        ("Телефоны", words(provider.phones)),
        ("Аварийно-диспетчерская служба", words(document.dispatch_phone)),
        ("Часы работы", words(document.working_hours)),
        ("Почта и сайт", _joined(provider.email, provider.site)),
    ]
    return [pair for pair in given if pair[1]]


def _joined(*texts: str) -> str:
    return ", ".join(words(text) for text in texts if text)
