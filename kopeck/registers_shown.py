"""Registers of payments on the screen and as CSV."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from rich.console import Console
from rich.table import Table

from connectors.registers.description import RegisterFormat
from connectors.registers.register import Register
from kopeck.register_loading import Loaded
from schemas.money import roubles_for_people, roubles_from_kopecks
from services.registers.showing import LineView, Missing, RegisterView

LINES_SHOWN_MAX = 50
PLAIN = ("recorded", "matched")
"""Ends that need nobody."""
CSV_COLUMNS = ("row", "key", "account", "amount", "fee", "event_at", "period", "document", "outcome", "reason", "lost", "place")


def print_loaded(console: Console, loaded: Loaded, view: RegisterView, lines: Sequence[LineView]) -> None:
    """What came of a load: the register, and the lines that somebody should look at; of a repeat every line."""
    print_register(console, view)
    again = loaded.taken.again
    if again is not None and loaded.taken.booked:
        when = f"{loaded.taken.loaded_at:%Y-%m-%d %H:%M} UTC by {loaded.taken.loaded_by}"
        console.print(f"This register was taken on {when} (the same {again.value}): every line is known, nothing was changed.")
        print_lines(console, lines)
        return
    noted = [line for line in lines if line.outcome not in PLAIN or line.lost]
    if noted:
        print_lines(console, noted)


def print_register(console: Console, view: RegisterView) -> None:
    """One register's heading, control totals and ends."""
    named = f"{view.number} of {view.day}" if view.number else view.file_name
    console.print(f"Register {view.register}: {named}, {view.format}, channel {view.channel}, {view.purpose}")
    days = str(view.since) if view.since == view.until else f"{view.since} … {view.until}"
    order = f", bank order {view.order_number} of {view.order_day}" if view.order_number else ""
    console.print(f"{view.lines} payments of {days} ({view.time_zone}), {view.skipped} other lines{order}")
    total, fee, rest = (roubles_for_people(sum_) for sum_ in (view.total, view.fee, view.total - view.fee))
    console.print(f"paid {total}, fee {fee}, to come {rest} roubles")
    ends = ", ".join(f"{outcome} {count}" for outcome, count in sorted(view.outcomes.items())) or "nothing booked yet"
    console.print(ends if view.booked_at else f"{ends} (not every line is booked: load the file again)")


def print_registers(console: Console, found: Sequence[RegisterView]) -> None:
    """The list."""
    table = Table("register", "channel", "number", "days", "lines", "paid", "fee", "purpose", "ends", "loaded")
    for view in found:
        days = str(view.since) if view.since == view.until else f"{view.since} … {view.until}"
        ends = ", ".join(f"{outcome} {count}" for outcome, count in sorted(view.outcomes.items()))
        table.add_row(
            str(view.register),
            view.channel,
            view.number or view.file_name,
            days,
            str(view.lines),
            roubles_for_people(view.total),
            roubles_for_people(view.fee),
            view.purpose,
            ends if view.booked_at else f"{ends} …",
            f"{view.loaded_at:%Y-%m-%d %H:%M} {view.loaded_by}",
        )
    console.print(table)


def print_lines(console: Console, lines: Sequence[LineView]) -> None:
    """Lines with their ends, at most LINES_SHOWN_MAX."""
    table = Table("line", "id", "account", "roubles", "end", "why", "place")
    for line in lines[:LINES_SHOWN_MAX]:
        end = f"{line.outcome or 'open'}{', lost before' if line.lost else ''}"
        table.add_row(str(line.row), line.key, line.account, roubles_for_people(line.amount), end, _why(line), _place(line))
    console.print(table)
    if len(lines) > LINES_SHOWN_MAX:
        console.print(f"… and {len(lines) - LINES_SHOWN_MAX} more: kopeck registers show, --csv or --json")


def print_formats(console: Console, known: Sequence[RegisterFormat]) -> None:
    """The shipped formats."""
    table = Table("format", "file", "encodings", "what")
    for one in known:
        table.add_row(one.name, one.container.value, ", ".join(one.encodings), one.title)
    console.print(table)


def print_read(console: Console, file: Path, found: Register) -> None:
    """What a file is."""
    total, fee = roubles_for_people(found.total_kopecks), roubles_for_people(found.fee_kopecks)
    numbered = f", number {found.number}" if found.number else ""
    console.print(f"{file.name}: {found.format}{numbered}, {len(found.lines)} payments, paid {total}, fee {fee} roubles")


def print_missing(console: Console, found: Missing) -> None:
    """Payments that no register names."""
    if not found.registers:
        console.print(f"No reconciliation register covers {found.day}: nothing is proved yet.")
    table = Table("place", "id", "roubles", "happened (UTC)")
    for one in found.payments:
        table.add_row(
            f"{one.book}:{one.sequence}", one.external_id, roubles_for_people(one.amount), f"{one.event_at:%Y-%m-%d %H:%M:%S}"
        )
    console.print(table)
    console.print(f"{len(found.payments)} payments of {found.channel} on {found.day} stand in no register")


def write_lines(file: IO[str], lines: Sequence[LineView]) -> None:
    """Lines as CSV, amounts in roubles with a dot."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for line in lines:
        writer.writerow(
            (
                line.row,
                line.key,
                line.account,
                roubles_from_kopecks(line.amount),
                roubles_from_kopecks(line.fee),
                line.event_at.isoformat(),
                line.period or "",
                line.document,
                line.outcome,
                _why(line),
                "1" if line.lost else "",
                _place(line),
            )
        )


def _why(line: LineView) -> str:
    if line.outcome == "differs":
        return f"we have {roubles_from_kopecks(int(line.reason))}"
    return line.reason


def _place(line: LineView) -> str:
    return "" if line.sequence is None else f"{line.book}:{line.sequence}"
