"""Kinds of files of the housing stock: their columns, and those of the tables that these fill (docs/billing-housing.md). Pure."""

from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from typing import Any

import msgspec

from services.billing.stock import fields
from services.reference import rows
from services.reference.rows import Column, Decode, Shape


class State(IntEnum):
    """What a dated row says: it holds, what held ends with its day, or it was never right."""

    HOLDS = 0
    ENDED = 1
    WITHDRAWN = 2


class Source(IntEnum):
    """Where an area comes from; the first prevails (ЕГРН, ПП 1176)."""

    EGRN = 0
    PASSPORT = 1


class ContractForm(IntEnum):
    PASS_THROUGH = 0
    DIRECT = 1
    DIRECT_MANAGEMENT = 2


class TariffComponent(IntEnum):
    MAIN = 0
    HEAT = 1
    COLD = 2


class ResidentKind(IntEnum):
    PERMANENT = 0
    TEMPORARY = 1


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What the database has when a file is read: numbers by code."""

    houses: Mapping[str, int]
    recipients: Mapping[str, int]
    services: Mapping[str, str]


class Filled(msgspec.Struct, frozen=True, kw_only=True):
    """A column of the file and the columns of the staging table it fills; several take a decoded tuple apart."""

    column: Column
    into: tuple[str, ...]


class StockKind(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of file. ``found`` are columns of the table that are found by SQL from the file's names, with what stands before.

    ``is_of_premises``, ``is_of_account``: the file names a premises, a personal account. ``makes``: what it brings into being.
    """

    name: str
    table: str
    filled: Callable[[Known], tuple[Filled, ...]]
    found: tuple[tuple[str, int | None], ...] = ()
    makes: str = ""
    check: Callable[[Mapping[str, Any]], tuple[str, str] | None] = lambda row: None

    def shape(self, known: Known) -> Shape:
        """Columns of the file."""
        columns = tuple(filled.column for filled in self.filled(known))
        names = [column.name for column in columns]

        def check(row: Sequence[Any]) -> tuple[str, str] | None:
            return self.check(dict(zip(names, row, strict=True)))

        return Shape(name=f"housing {self.name}", columns=columns, check=check, takes_workbooks=True)

    def columns(self, known: Known) -> list[str]:
        """Columns of the staging table after the line, in the order of ``record``."""
        return [name for filled in self.filled(known) for name in filled.into] + [name for name, _ in self.found]


def to(name: str, decode: Decode, into: tuple[str, ...] = (), **given: Any) -> Filled:
    """A column; it fills the column of its own name unless ``into`` says otherwise. ``given``: fields of Column."""
    return Filled(column=Column(name=name, decode=decode, **given), into=into or (name,))


STATE = to("state", fields.named(State), default=int(State.HOLDS))
VALID_FROM = to("valid_from", rows.day, required=True)
PREMISES = (("premises", None),)


def house_to(known: Known, into: tuple[str, ...] = ("house",), **given: Any) -> Filled:
    """The house, by its code."""
    decode = rows.known_code(known.houses, "house")
    return to("house", fields.twice(decode) if len(into) > 1 else decode, into, is_text=True, **given)


def premises_to(known: Known) -> tuple[Filled, Filled]:
    """House and number of a premises."""
    return house_to(known, ("house_of",), required=True), to("premises", rows.code, ("premises_number",), required=True)


def service_to(known: Known, **given: Any) -> Filled:
    """A service, by its code."""

    def decode(text: str) -> str:
        if text not in known.services:
            raise rows.FieldFault(f"service {rows.quoted(text)} is not loaded")
        return text

    return to("service", decode, is_text=True, **given)


def recipient_to(known: Known, name: str, **given: Any) -> Filled:
    """A recipient of reference.recipient, by its code."""
    return to(name, rows.known_code(known.recipients, "recipient"), **given)


def scope_to(known: Known) -> tuple[Filled, Filled]:
    """A house or a region."""
    return house_to(known, default=0), to("region", rows.code, is_text=True)


def one_scope(row: Mapping[str, Any]) -> tuple[str, str] | None:
    """Exactly one of house, region and, where the file has it, supplier."""
    given = [name for name in ("house", "region", "supplier") if row.get(name)]
    wanted = "house, region or supplier" if "supplier" in row else "house or region"
    return None if len(given) == 1 else ("house", f"give exactly one of {wanted}")
