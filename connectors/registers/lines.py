"""One row of fields to one payment, by a format's description. Compiled once a file: the hot path of a register's reading."""

import hashlib
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

from connectors.registers.description import Container, RegisterFormat, Source
from connectors.registers.places import Columns, fields_needed, tags_of, value_of
from connectors.registers.register import Reading, RegisterLine
from connectors.registers.values import (
    FALLBACK_MARK,
    NOON,
    Day,
    FieldFault,
    Remembered,
    account_reader,
    day_reader,
    fee_reader,
    id_reader,
    moment_of,
    moment_reader,
    payment_reader,
    period_reader,
    plain_text,
    row_number,
    text_of,
    time_reader,
)
from connectors.registers.xlsx_rows import CELL_DATES, CELL_MOMENTS, CELL_TIMES
from schemas.ids import EXTERNAL_ID_BYTES_MAX, ExternalId

T = TypeVar("T")
Value = Callable[[list[str]], T]


class LineReader:
    """Reads payments' rows; ``columns`` are the header's, empty for formats without one. Its making raises HeaderLacks."""

    def __init__(self, described: RegisterFormat, columns: Columns) -> None:
        self._described = described
        self._columns = columns
        self._zone = ZoneInfo(described.time_zone)
        self._tags = tags_of(described)
        self._fields_min = fields_needed(described, columns)
        self._named: dict[str, Value[object]] = {}
        fields, amounts = described.fields, described.amounts
        dates = (*described.dates, *(CELL_DATES if described.container is not Container.TEXT else ()))
        times = (*described.times, *(CELL_TIMES if described.container is Container.XLSX else ()))
        moments = (*described.moments, *(CELL_MOMENTS if described.container is Container.XLSX else ()))
        account = account_reader(described.account_pattern, required=fields.account.required)
        self._account: Value[str] = self._value("account", fields.account, account, "")
        self._amount: Value[int] = self._value("amount", fields.amount, payment_reader(amounts), 0)
        self._operation: Value[str] = self._id("operation", fields.operation)
        self._date: Value[Day | None] = self._value(
            "date", fields.date, Remembered(day_reader(dates, self._zone)).__getitem__, None
        )
        self._time: Value[timedelta | None] = self._value("time", fields.time, Remembered(time_reader(times)).__getitem__, None)
        self._moment: Value[tuple[Day, timedelta] | None] = self._value(
            "moment", fields.moment, moment_reader(moments, self._zone), None
        )
        self._fee: Value[int | None] = self._value("fee", fields.fee, fee_reader(amounts), None)
        self._transfer: Value[int | None] = self._value("transfer", fields.transfer, fee_reader(amounts), None)
        self._row: Value[str] = self._value("row", fields.row, row_number, "")
        period = Remembered(period_reader(described.periods)).__getitem__
        self._period: Value[int] = self._value("period", fields.period, period, 0)
        self._document: Value[str] = self._value("document", fields.document, text_of, "")
        self._aliases = [self._id(f"aliases[{place}]", source) for place, source in enumerate(fields.aliases)]
        self._payer = [self._value(f"payer[{place}]", source, plain_text, "") for place, source in enumerate(fields.payer)]

    def is_payment(self, cells: list[str]) -> bool:
        """Whether a row of a tagged format has the account's tag; every row of another one is a payment."""
        account = self._described.fields.account
        if not account.tag:
            return True
        start = f"{account.tag}:".casefold()
        return any(cell.casefold().startswith(start) for cell in cells[self._described.tagged_from - 1 :])

    def read(self, row: int, cells: list[str], told_day: Day | None) -> RegisterLine:
        """Read one payment; ``told_day`` is the newest service line's. Raises FieldFault; ``faults`` tells of which fields."""
        described = self._described
        if described.columns and len(cells) != described.columns:
            raise FieldFault(f"has {len(cells)} fields, expected {described.columns}")
        if len(cells) < self._fields_min:
            raise FieldFault(f"has {len(cells)} fields, expected at least {self._fields_min}")
        readings: tuple[Reading, ...] = ()
        if described.tagged_from:
            cells, readings = self._untagged(cells)
        account, amount, period = self._account(cells), self._amount(cells), self._period(cells)
        day, time = self._when(cells, told_day)
        own = self._operation(cells)
        operation = own or fallback_key(day, time, account, amount, self._row(cells) or str(row))
        return RegisterLine(
            row=row,
            operation=ExternalId(operation),
            has_own_id=bool(own),
            account=account,
            amount_kopecks=amount,
            fee_kopecks=self._kept(cells, amount),
            event_at=moment_of(day, NOON if time is None else time, self._zone),
            day=day.day,
            period=period,
            designates=described.period_designates and period > 0,
            document=self._document(cells),
            aliases=self._other_ids(cells, operation) if self._aliases else (),
            readings=readings,
            payer=", ".join([text for value in self._payer if (text := value(cells))]) if self._payer else "",
        )

    def faults(self, cells: list[str]) -> list[tuple[str, str]]:
        """Every (field, fault) of a row that could not be read; empty when the row is at fault as a whole."""
        if len(cells) < self._fields_min or (self._described.columns and len(cells) != self._described.columns):
            return []
        found: list[tuple[str, str]] = []
        try:
            untagged = self._untagged(cells)[0] if self._described.tagged_from else cells
        except FieldFault:
            return []
        for name, value in self._named.items():
            try:
                value(untagged)
            except FieldFault as fault:
                found.append((name, str(fault)))
        return found

    def _value(self, name: str, source: Source | None, decode: Callable[[str], T], default: T) -> Value[T]:
        value = None if source is None else value_of(source, self._described, self._columns, decode, default)
        if value is None:
            return lambda cells: default
        self._named[name] = value
        return value

    def _id(self, name: str, source: Source | None) -> Value[str]:
        return self._value(name, source, id_reader(required=name == "operation" and source is not None and source.required), "")

    def _when(self, cells: list[str], told_day: Day | None) -> tuple[Day, timedelta | None]:
        moment = self._moment(cells)
        if moment is not None:
            return moment
        day = self._date(cells) or told_day
        if day is None:
            raise FieldFault("no line before it tells the day")
        return day, self._time(cells)

    def _kept(self, cells: list[str], amount: int) -> int:
        """What the counterparty keeps, by fee and transfer as far as they are told; they must agree with the amount."""
        fee, transfer = self._fee(cells), self._transfer(cells)
        if self._described.fee_on_top:
            if transfer not in (None, amount):
                raise FieldFault(f"amount {amount} and transfer {transfer} differ (kopecks)")
            return 0
        kept = fee or 0 if transfer is None else amount - transfer
        if fee is not None and kept != fee:
            raise FieldFault(f"amount {amount} less fee {fee} is not the transfer {transfer} (kopecks)")
        if not 0 <= kept <= amount:
            raise FieldFault(f"amount {amount} has no room for the fee {kept} (kopecks)")
        return kept

    def _other_ids(self, cells: list[str], own: str) -> tuple[ExternalId, ...]:
        found = dict.fromkeys(value(cells) for value in self._aliases)
        return tuple([ExternalId(one) for one in found if one and one != own])

    def _untagged(self, cells: list[str]) -> tuple[list[str], tuple[Reading, ...]]:
        """Put the known tags' values in their order behind the plain fields."""
        first = self._described.tagged_from - 1
        values: dict[str, str] = {}
        readings: list[Reading] = []
        prefix = self._described.readings.tag_prefix.casefold() if self._described.readings else ""
        for cell in cells[first:]:
            name, _, value = cell.partition(":")
            key = name.strip().casefold()
            if prefix and key.startswith(prefix):
                readings.append(Reading(counter=text_of(name.strip()[len(prefix) :]), reading=text_of(value)))
            elif key in self._tags:
                if key in values:
                    raise FieldFault(f"the tag {key.upper()} stands twice")
                values[key] = value.strip()
        return [*cells[:first], *(values.get(tag, "") for tag in self._tags)], tuple(readings)


def fallback_key(day: Day, time: timedelta | None, account: str, amount: int, row: str) -> str:
    """The key of a line without an id: date, time, account, amount, row (protocols.md §6)."""
    clock = "" if time is None else str(time)
    key = f"{FALLBACK_MARK}{day.day.isoformat()}/{clock}/{account}/{amount}/{row}"
    if len(key.encode()) <= EXTERNAL_ID_BYTES_MAX:
        return key
    return FALLBACK_MARK + hashlib.sha256(key.encode()).hexdigest()
