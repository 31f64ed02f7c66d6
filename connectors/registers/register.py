"""A register of payments (реестр платежей) as read from a counterparty's file, and why a file is none (design §1, station 2)."""

from datetime import date, datetime

import msgspec

from schemas.ids import ExternalId

FAULTS_SHOWN_MAX = 100
"""How many faults are kept to be shown; all are counted."""


class LineFault(msgspec.Struct, frozen=True, kw_only=True):
    """One fault. ``row`` is the line of the file, counted from 1; 0 is the file itself. Never quotes a payer's name."""

    row: int
    field: str
    fault: str

    def __str__(self) -> str:
        place = f"line {self.row}: " if self.row else ""
        return f"{place}{self.field}: {self.fault}"


class RegisterUnreadable(ValueError):
    """The file is not a register of this format, or does not add up: none of it is taken. ``count`` of all faults."""

    def __init__(self, faults: tuple[LineFault, ...], count: int) -> None:
        super().__init__(f"{faults[0]}" + (f" (and {count - 1} more)" if count > 1 else ""))
        self.faults = faults
        self.count = count


class Reading(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A meter reading that came with a payment, kept aside for billing: counter and value as written."""

    counter: str
    reading: str


class RegisterLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One payment of a register.

    ``operation`` is the counterparty's id of it or, where it gives none, the fallback key (``has_own_id`` False). ``day`` is the
    date in the counterparty's zone, ``event_at`` the moment in UTC: noon of the day where no time is told, which is the same
    date everywhere in the country. ``period`` is year * 100 + month, 0 for none; ``designates``: the payer chose it.
    ``fee_kopecks`` is what the counterparty keeps. ``payer`` is personal data: never logged, shown or stored unsealed.
    """

    row: int
    operation: ExternalId
    has_own_id: bool
    account: str
    amount_kopecks: int
    fee_kopecks: int
    event_at: datetime
    day: date
    period: int = 0
    designates: bool = False
    document: str = ""
    aliases: tuple[ExternalId, ...] = ()
    readings: tuple[Reading, ...] = ()
    payer: str = ""

    def __repr__(self) -> str:
        """Name the line without its payer."""
        return f"RegisterLine(row={self.row}, operation={self.operation!r}, amount_kopecks={self.amount_kopecks})"


class Register(msgspec.Struct, frozen=True, kw_only=True):
    """A whole register that adds up.

    ``number`` and ``day`` are the counterparty's (empty, None where it gives none), ``order_number`` and ``order_day`` those of
    the bank order that brings the money. ``skipped`` counts lines that are no payments.
    """

    format: str
    time_zone: str
    number: str
    day: date | None
    order_number: str
    order_day: date | None
    lines: tuple[RegisterLine, ...]
    total_kopecks: int
    fee_kopecks: int
    skipped: int = 0


class Faults:
    """Faults of one reading, shown up to FAULTS_SHOWN_MAX; reading stops with RegisterUnreadable at ``stop_at`` faults."""

    def __init__(self, stop_at: int) -> None:
        self.count = 0
        self._shown: list[LineFault] = []
        self._stop_at = stop_at

    def add(self, row: int, field: str, fault: str) -> None:
        """Note one fault."""
        self.count += 1
        if len(self._shown) < FAULTS_SHOWN_MAX:
            self._shown.append(LineFault(row=row, field=field, fault=fault))
        if self.count >= self._stop_at:
            self.raise_if_any()

    def raise_if_any(self) -> None:
        """Raise RegisterUnreadable when there is a fault."""
        if self.count:
            raise RegisterUnreadable(tuple(self._shown), self.count)


def unreadable(field: str, fault: str, row: int = 0) -> RegisterUnreadable:
    """The error for a file that one fault makes unreadable."""
    return RegisterUnreadable((LineFault(row=row, field=field, fault=fault),), 1)
