"""Our own register (formats/kopeck.toml): what we emit, with its number and control totals. The reading of it gives it back."""

import csv
import io
from datetime import date, datetime
from zoneinfo import ZoneInfo

import msgspec

from schemas.ids import ExternalId
from schemas.money import roubles_from_kopecks

FORMAT = "kopeck"
CONTENT_TYPE = "text/csv; charset=utf-8"
MARK = "kopeck-register/1"
COLUMNS = ("operation", "date", "time", "account", "amount", "fee", "period", "document")
ZONE = ZoneInfo("Europe/Moscow")


class EmittedLine(msgspec.Struct, frozen=True, kw_only=True):
    """One payment of a register that we emit. ``event_at`` is written to the second, in Moscow time; no payer's name leaves."""

    operation: ExternalId
    account: str
    amount_kopecks: int
    event_at: datetime
    fee_kopecks: int = 0
    period: int = 0
    document: str = ""


class EmittedRegister(msgspec.Struct, frozen=True, kw_only=True):
    """A register that we emit; ``number`` and ``day`` are never empty."""

    number: str
    day: date
    lines: tuple[EmittedLine, ...]
    order_number: str = ""
    order_day: date | None = None


def write_register(register: EmittedRegister) -> bytes:
    """Write it; raises ValueError for what could not be read back the same: no number, no lines, an id or text out of form."""
    if not register.lines or not _is_plain(register.number):
        raise ValueError("a register has a number and at least one line")
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
    order_day = register.order_day.isoformat() if register.order_day else ""
    writer.writerow([MARK, register.number, register.day.isoformat(), register.order_number, order_day])
    writer.writerow(COLUMNS)
    for line in register.lines:
        writer.writerow(_fields(line))
    total = sum(line.amount_kopecks for line in register.lines)
    fee = sum(line.fee_kopecks for line in register.lines)
    writer.writerow([f"={len(register.lines)}", roubles_from_kopecks(total), roubles_from_kopecks(fee)])
    return out.getvalue().encode()


def _fields(line: EmittedLine) -> list[str]:
    if not _is_plain(line.operation) or line.operation.startswith(("=", "~")):
        raise ValueError(f"{line.operation!r} cannot be an operation's id in a register")
    if not 0 <= line.fee_kopecks <= line.amount_kopecks or not line.amount_kopecks:
        raise ValueError(f"{line.operation}: the amount is above zero, the fee within it")
    if any(text != " ".join(text.split()) or not text.isprintable() for text in (line.account, line.document)):
        raise ValueError(f"{line.operation}: account and document are printable, without needless spaces")
    local = line.event_at.astimezone(ZONE)
    period = f"{line.period // 100:04d}-{line.period % 100:02d}" if line.period else ""
    amounts = [roubles_from_kopecks(line.amount_kopecks), roubles_from_kopecks(line.fee_kopecks)]
    return [line.operation, local.date().isoformat(), local.strftime("%H:%M:%S"), line.account, *amounts, period, line.document]


def _is_plain(text: str) -> bool:
    return bool(text) and text == text.strip() and text.isprintable()
