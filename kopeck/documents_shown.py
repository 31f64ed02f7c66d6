"""Payment documents for people's eyes at a terminal (``kopeck documents``, ``kopeck penalties``)."""

from rich.console import Console
from rich.table import Table

from schemas.money import roubles_for_people
from schemas.payment_document import PaymentDocument, Section


def print_document(out: Console, document: PaymentDocument) -> None:
    """Print what a document says: its head, sections with their lines, penalties, causes of recalculations."""
    what = "Пени" if document.penalties else "Платёжный документ"
    due = roubles_for_people(sum(max(0, section.due_kopecks) for section in document.sections))
    out.print(f"{what} {document.number} за {period_text(document.period)}: к оплате {due} ₽ до {document.due_on:%d.%m.%Y}")
    out.print(", ".join(part for part in (document.address, document.flat, f"л/с {document.account}", document.payer) if part))
    for notice in document.notices:
        out.print(notice)
    for section in document.sections:
        _print_section(out, section)
    for one in document.recalculations:
        out.print(f"перерасчёт {roubles_for_people(one.amount_kopecks)} ₽: {one.title} – {one.cause}")
    if document.penalties:
        _print_penalties(out, document)


def _print_section(out: Console, section: Section) -> None:
    sums = [("долг", section.debt_kopecks), ("аванс", -section.advance_kopecks), ("начислено", section.charged_kopecks)]
    sums += [("оплачено", -section.paid_kopecks), ("к оплате", section.due_kopecks)]
    told = ", ".join(f"{label} {roubles_for_people(kopecks)}" for label, kopecks in sums if kopecks or label == "к оплате")
    out.print(f"{section.title} ({section.payee.name}): {told}")
    if not section.lines:
        return
    lines = Table("услуга", "получатель")
    for title in ("начислено, ₽", "перерасчёт, ₽", "итого, ₽"):
        lines.add_column(title, justify="right", no_wrap=True)
    for line in section.lines:
        charged = line.amount_kopecks + line.common_kopecks + line.raised_kopecks
        amounts = (charged, line.recalculated_kopecks, line.total_kopecks)
        lines.add_row(line.title, line.payee, *map(roubles_for_people, amounts))
    out.print(lines)


def _print_penalties(out: Console, document: PaymentDocument) -> None:
    shown = Table("долг за")
    for title in ("долг, ₽", "с", "по", "дней", "ставка, %", "доля", "пени, ₽"):
        shown.add_column(title, justify="right", no_wrap=True)
    for part in document.penalties:
        rate = f"{part.rate // 10_000},{part.rate % 10_000:04d}".rstrip("0").rstrip(",")
        days = (f"{part.since:%d.%m.%Y}", f"{part.until:%d.%m.%Y}", str(part.days), rate, f"1/{part.divisor}")
        amounts = roubles_for_people(part.debt_kopecks), roubles_for_people(part.amount_kopecks)
        shown.add_row(period_text(part.of_period), amounts[0], *days, amounts[1])
    out.print(shown)
    if document.charged_before_kopecks:
        out.print(f"начислено раньше: {roubles_for_people(document.charged_before_kopecks)} ₽")


def period_text(period: int) -> str:
    """Write ``202610`` as ``10.2026``."""
    return f"{period % 100:02d}.{period // 100}"
