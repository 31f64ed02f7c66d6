"""Lines about the payments: a register's number and day, its bank order, and control totals that must come out to the kopeck."""

import re
from collections.abc import Mapping
from datetime import date
from zoneinfo import ZoneInfo

import msgspec

from connectors.registers.description import RegisterFormat, Scope, ServiceLine
from connectors.registers.register import Faults, RegisterLine
from connectors.registers.values import Day, FieldFault, day_reader, fee_reader, id_reader

COUNT_DIGITS_MAX = 9
NUMBER_JOINT = "+"
"""Joins the numbers of the batches in one file."""


class Sums:
    """Count and sums of payments so far, in kopecks."""

    def __init__(self) -> None:
        self.count = self.total = self.fee = 0

    def add(self, line: RegisterLine) -> None:
        """Add one payment."""
        self.count += 1
        self.total += line.amount_kopecks
        self.fee += line.fee_kopecks

    def as_told(self) -> dict[str, int]:
        """By the names under which service lines tell them."""
        return {"count": self.count, "total": self.total, "fee": self.fee, "transfer": self.total - self.fee}


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What one service line tells: texts by name, and the control totals among them."""

    texts: dict[str, str]
    totals: dict[str, int]
    day: Day | None
    order_day: date | None


class ServiceLines:
    """Recognises service lines, reads them, and compares their totals with what was read."""

    def __init__(self, described: RegisterFormat, faults: Faults) -> None:
        self._described = described
        self._faults = faults
        self._patterns = [re.compile(one.pattern) if one.pattern else None for one in described.service]
        self._joint = described.delimiter or ";"
        patterns = described.dates or described.moments
        self._day = day_reader((*patterns, "yyyy-mm-dd", "dd.mm.yyyy", "dd-mm-yyyy", "dd/mm/yyyy"), ZoneInfo(described.time_zone))
        self._sum = fee_reader(described.amounts)
        self._seen: set[int] = set()
        self._whole = Sums()
        self._batch = Sums()
        self._batch_told: tuple[int, Told] | None = None
        self._file_told: list[tuple[int, Told]] = []
        self._told: list[Told] = []
        self.day: Day | None = None
        self.ended = False
        self.unread = 0

    def add(self, line: RegisterLine) -> None:
        """Count one payment."""
        self._whole.add(line)
        self._batch.add(line)

    @property
    def whole(self) -> Sums:
        """The file's own sums."""
        return self._whole

    def take(self, row: int, cells: list[str]) -> bool:
        """Take the row if it is a service line."""
        for place, service in enumerate(self._described.service):
            texts = self._texts(service, self._patterns[place], row, cells)
            if texts is None:
                continue
            self._seen.add(place)
            self.ended = self.ended or service.ends
            told = self._read(row, texts)
            self.day = told.day or self.day
            if service.scope is Scope.BATCH:
                self._close_batch()
                self._batch_told = (row, told)
            else:
                self._file_told.append((row, told))
            self._told.append(told)
            return True
        return False

    def close(self) -> None:
        """Compare every total, and ask for the lines that must be there, at the end of the file."""
        self._close_batch()
        for row, told in self._file_told:
            self._compare(row, told.totals, self._whole)
        for place, service in enumerate(self._described.service):
            if service.required and place not in self._seen:
                self._faults.add(0, "service line", f"the line {_named(service)} is missing: the file may be cut short")

    def first(self, name: str) -> str:
        """The values told under a name, joined where batches tell different ones."""
        found = [told.texts[name] for told in self._told if told.texts.get(name)]
        return NUMBER_JOINT.join(dict.fromkeys(found))

    def only_day(self, *, of_order: bool) -> date | None:
        """The day told, when all lines tell the same."""
        days = {told.order_day if of_order else (told.day.day if told.day else None) for told in self._told} - {None}
        return days.pop() if len(days) == 1 else None

    def _close_batch(self) -> None:
        if self._batch_told is not None:
            row, told = self._batch_told
            self._compare(row, told.totals, self._batch)
        self._batch, self._batch_told = Sums(), None

    def _compare(self, row: int, told: Mapping[str, int], sums: Sums) -> None:
        if self.unread:
            # What could not be read is told already; totals without it say nothing.
            return
        found = sums.as_told()
        for name, value in told.items():
            if found[name] != value:
                unit = "" if name == "count" else " kopecks"
                self._faults.add(row, name, f"the line says {value}{unit}, the payments make {found[name]}{unit}")

    def _texts(self, service: ServiceLine, pattern: re.Pattern[str] | None, row: int, cells: list[str]) -> dict[str, str] | None:
        """What the row tells by name when it is that service line, else None."""
        if service.line and row != service.line:
            return None
        if pattern is not None:
            match = pattern.fullmatch(self._joint.join(cells))
            return None if match is None else {name: (text or "").strip() for name, text in match.groupdict().items()}
        first = cells[0] if cells else ""
        if service.prefix and not first.casefold().startswith(service.prefix.casefold()):
            return None
        fields = [first[len(service.prefix) :].strip(), *cells[1:]]
        texts = dict.fromkeys(service.values, "") | dict(zip(service.values, fields, strict=False))
        if len(fields) < len(service.values):
            self._faults.add(row, "service line", f"has {len(fields)} fields, expected {len(service.values)}")
        texts.pop("", None)
        return texts

    def _read(self, row: int, texts: dict[str, str]) -> Told:
        totals: dict[str, int] = {}
        days: dict[str, Day] = {}
        kept: dict[str, str] = {}
        for name, text in texts.items():
            try:
                if name == "count":
                    totals[name] = _count(text)
                elif name in ("total", "fee", "transfer"):
                    totals[name] = self._total(text)
                elif name in ("day", "order_day"):
                    days |= {name: self._day(text)} if text else {}
                else:
                    kept[name] = _number(text)
            except FieldFault as fault:
                self._faults.add(row, name, str(fault))
        order_day = days["order_day"].day if "order_day" in days else None
        return Told(texts=kept, totals=totals, day=days.get("day"), order_day=order_day)

    def _total(self, text: str) -> int:
        if not text:
            raise FieldFault("is required")
        return self._sum(text)


_number = id_reader(required=False)


def _count(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > COUNT_DIGITS_MAX:
        raise FieldFault("is no count of payments")
    return int(text)


def _named(service: ServiceLine) -> str:
    if service.prefix:
        return f"that starts with {service.prefix!r}"
    return f"number {service.line}" if service.line else f"{service.pattern!r}"
