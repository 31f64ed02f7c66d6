"""Lines of statements and what is promised, as ``kopeck statements`` prints them."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from schemas.money import roubles_for_people
from services.clearing.ageing import Promised
from services.clearing.lookups import LineTold, LineView
from services.clearing.personal import PersonalText

NOT_KNOWN = "—"


def print_lines(console: Console, lines: Sequence[LineView]) -> None:
    """Print a list of lines."""
    table = Table()
    for name in ("Line", "Day", "Bank id", "Amount", "Class", "Entry", "Difference", "Why"):
        table.add_column(name, justify="right" if name in ("Line", "Amount", "Difference") else "left")
    for one in lines:
        why = "; ".join(text for text in (one.held_back, one.screened, one.why) if text)
        table.add_row(
            str(one.line),
            one.day.isoformat(),
            one.bank_id,
            _side(one.amount, is_credit=one.is_credit),
            ("vanished, was " if one.vanished else "") + (one.line_class or NOT_KNOWN),
            _place(one.sequence, one.reversed_by),
            roubles_for_people(one.difference) if one.difference else "",
            why,
        )
    console.print(table)


def print_line(console: Console, told: LineTold, text: PersonalText | None) -> None:
    """Print one line with all that is known of it."""
    console.print(f"Line {told.line} of {told.transit_account}, bank id {told.bank_id}")
    console.print(f"  {told.day}  {_side(told.amount, is_credit=told.is_credit)}  document {told.number} of {told.document_day}")
    console.print(f"  operation {told.operation or NOT_KNOWN}, code {told.code or NOT_KNOWN}")
    console.print(
        f"  counterparty {told.counterparty_account} in {told.counterparty_bic}, ИНН {told.counterparty_inn or NOT_KNOWN}"
    )
    if text is not None:
        console.print(f"  payer {text.payer or '(erased)'}\n  purpose {text.purpose or '(erased)'}")
    console.print(f"Class {told.line_class or NOT_KNOWN}: {told.why}")
    if told.classified_by:
        console.print(f"  by {told.classified_by} at {told.classified_at}")
    for name, value in (("held back", told.held_back), ("payer", told.screened)):
        if value:
            console.print(f"  {name}: {value}")
    console.print(f"Entry {_place(told.sequence, told.reversed_by) or 'not booked'}, time {told.turn}")
    _print_cover(console, told)
    for one in told.statements:
        mark = " (the line is not on it)" if one.statement == told.vanished_from else ""
        days = f"{one.since} … {one.until}"
        console.print(f"Statement {one.statement}: {one.kind} {one.source}, {days}, {one.lines} lines, by {one.loaded_by}{mark}")


def print_promised(console: Console, found: Sequence[Promised]) -> None:
    """Print what is still promised."""
    table = Table()
    for name in ("Transit account", "Space", "What", "Amount", "Working days"):
        table.add_column(name, justify="right" if name in ("Amount", "Working days") else "left")
    for one in found:
        table.add_row(one.transit_account, one.space, "balance", roubles_for_people(one.balance_kopecks), "")
        for day in one.days:
            what = f"of {day.day}, {day.payments} payments" if day.day else "came, promised by nobody yet"
            table.add_row("", "", what, roubles_for_people(day.amount_kopecks), str(day.age) if day.day else "")
        for register in one.registers:
            what = f"register {register.number or f'#{register.register}'} of {register.day or NOT_KNOWN}"
            table.add_row("", "", what, roubles_for_people(register.rest_kopecks), str(register.age))
    console.print(table)


def _print_cover(console: Console, told: LineTold) -> None:
    cover = told.cover
    if cover is None:
        return
    fee = f", fee {roubles_for_people(cover.fee)} borne by {cover.fee_bearer}" if cover.fee else ""
    console.print(f"Covers {cover.space} by {cover.by} {cover.reference}: gross {roubles_for_people(cover.gross)}{fee}")
    if cover.difference:
        console.print(f"  differs by {roubles_for_people(cover.difference)}: {cover.reason}")
    for part in told.parts:
        if part.turn != cover.turn:
            continue
        what = part.operation or (f"register {part.register}" if part.register else str(part.day or "nothing known"))
        sums = f"{roubles_for_people(part.amount)} of {roubles_for_people(part.promised)}"
        console.print(f"  {part.part}. {what}: {sums}, by {part.told_by}{f': {part.reason}' if part.reason else ''}")


def _side(amount: int, *, is_credit: bool) -> str:
    return f"{'+' if is_credit else '−'}{roubles_for_people(amount)}"


def _place(sequence: int | None, reversed_by: int | None) -> str:
    if sequence is None:
        return ""
    return f"0:{sequence}" + (f" reversed by 0:{reversed_by}" if reversed_by is not None else "")
