"""Columns of the files of meters and readings (docs/billing-readings.md). Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from services.billing.core.meters import EventKind, Possibility
from services.billing.stock import fields
from services.billing.stock.kinds import State
from services.reference import rows
from services.reference.rows import Column, Shape

DIGITS_MAX = 10
RATIO_MAX = 100_000
MONTH_DAYS = 31

STAGED = (
    "line_no",
    "code",
    "house",
    "premises_number",
    "flat",
    "service",
    "place",
    "number",
    "zones",
    "digits",
    "ratio",
    "maximum",
    "on_day",
    "until",
    "seal",
    "kind",
    "act",
    "period",
    "resource",
    "volume",
    "price",
    "first_day",
    "last_day",
    "state",
)
"""Columns of the staging table, which every kind of file fills in part."""


class FactKind(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of file of facts: ``columns`` of the file after the house, each (staged column, Column)."""

    name: str
    columns: tuple[tuple[str, Column], ...]
    has_house: bool = True
    required: str = ""
    """Of house and premises: ``house`` or ``premises``."""


def _column(name: str, decode: rows.Decode, into: str = "", **given: Any) -> tuple[str, Column]:
    return into or name, Column(name=name, decode=decode, **given)


STATE = _column("state", rows.one_of({"holds": int(State.HOLDS), "withdrawn": int(State.WITHDRAWN)}), default=int(State.HOLDS))
PREMISES = _column("premises", rows.code, "premises_number", is_text=True)
SERVICE = _column("service", rows.code, required=True, is_text=True)
METER = _column("meter", rows.code, "code", required=True, is_text=True)

METERS = FactKind(
    name="meters",
    columns=(
        METER,
        PREMISES,
        _column("flat", rows.code, is_text=True),
        SERVICE,
        _column("place", rows.code),
        _column("number", rows.code, is_text=True),
        _column("zones", fields.whole(1, 3), default=1),
        _column("digits", fields.whole(1, DIGITS_MAX), required=True),
        _column("ratio", fields.whole(1, RATIO_MAX), default=1),
        _column("maximum", fields.quantity, default=0),
        _column("installed", rows.day, "on_day", required=True),
        _column("verified_until", rows.day, "until", default=None),
        _column("seal", rows.code),
        STATE,
    ),
)
EVENTS = FactKind(
    name="events",
    columns=(
        METER,
        _column("event", fields.named(EventKind), "kind", required=True),
        _column("on", rows.day, "on_day", required=True),
        _column("verified_until", rows.day, "until", default=None),
        _column("seal", rows.code),
        _column("act", rows.free_text, required=True),
        STATE,
    ),
    has_house=False,
)
POSSIBILITIES = FactKind(
    name="possibilities",
    columns=(
        (PREMISES[0], msgspec.structs.replace(PREMISES[1], required=True)),
        SERVICE,
        _column("valid_from", rows.day, "on_day", required=True),
        _column("possibility", fields.named(Possibility), "kind", required=True),
        _column("act", rows.free_text),
        STATE,
    ),
)
HOUSE_VOLUMES = FactKind(
    name="house-volumes",
    columns=(
        SERVICE,
        _column("resource", rows.code),
        _column("period", fields.month, required=True),
        _column("volume", fields.quantity, required=True),
        _column("price", fields.quantity, default=0),
        STATE,
    ),
)
WINDOWS = FactKind(
    name="windows",
    columns=(
        _column("valid_from", rows.day, "on_day", required=True),
        _column("first_day", fields.whole(1, MONTH_DAYS), required=True),
        _column("last_day", fields.whole(1, MONTH_DAYS), required=True),
        STATE,
    ),
)
FACT_KINDS = {kind.name: kind for kind in (METERS, EVENTS, POSSIBILITIES, HOUSE_VOLUMES, WINDOWS)}
"""In the order in which files refer to one another."""


def fact_shape(kind: FactKind, houses: Mapping[str, int]) -> Shape:
    """Columns of a file of facts; ``houses`` are the numbers of the loaded codes."""
    house = (
        (Column(name="house", decode=rows.known_code(houses, "house"), required=True, is_text=True),) if kind.has_house else ()
    )
    columns = (*house, *(column for _, column in kind.columns))
    names = [column.name for column in columns]

    def check(row: Sequence[Any]) -> tuple[str, str] | None:
        return _check(kind, dict(zip(names, row, strict=True)))

    return Shape(name=f"readings {kind.name}", columns=columns, check=check, takes_workbooks=True)


def fact_record(kind: FactKind, line: int, row: Sequence[Any]) -> tuple[Any, ...]:
    """Return a row of the staging table."""
    into = (*(("house",) if kind.has_house else ()), *(name for name, _ in kind.columns))
    values = dict(zip(into, row, strict=True)) | {"line_no": line}
    return tuple(values.get(name) for name in STAGED)


def _check(kind: FactKind, row: Mapping[str, Any]) -> tuple[str, str] | None:
    if kind is METERS and row["premises"] and row["flat"]:
        return "flat", "and premises exclude one another"
    if kind is EVENTS and row["verified_until"] is not None:
        if row["event"] != EventKind.VERIFIED:
            return "verified_until", "is of the event verified only"
        if row["verified_until"] < row["on"]:
            return "verified_until", "is before the day of the verification"
    if kind is POSSIBILITIES and row["possibility"] == Possibility.IMPOSSIBLE and not row["act"]:
        return "act", "is required: that a meter cannot be installed is said by an act"
    if kind is HOUSE_VOLUMES and bool(row["resource"]) != bool(row["price"]):
        return "price", "and resource belong together"
    if kind is WINDOWS and row["last_day"] < row["first_day"]:
        return "last_day", "is before first_day"
    return None


SOURCES = ("file", "inspector", "act")
"""Where a file's readings may come from."""

READINGS = Shape(
    name="readings",
    columns=(
        Column(name="meter", decode=rows.code, required=True, is_text=True),
        Column(name="zone", decode=fields.whole(0, 3), default=0),
        Column(name="value", decode=fields.quantity, required=True),
        Column(name="taken_on", decode=rows.day, required=True),
        Column(name="received_on", decode=rows.day, default=None),
        Column(name="source", decode=rows.one_of({source: source for source in SOURCES}), default="file"),
        Column(name="restarts", decode=rows.boolean, default=False),
        Column(name="period", decode=fields.month, default=0),
    ),
    takes_workbooks=True,
)
"""A file of readings: one zone of one meter a row."""
