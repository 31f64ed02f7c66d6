"""How a counterparty writes its registers: a declarative description, read from TOML (docs/registers.md)."""

from enum import StrEnum

import msgspec


class Container(StrEnum):
    """What kind of file it is."""

    TEXT = "text"
    XLSX = "xlsx"
    DBF = "dbf"


class AmountUnit(StrEnum):
    """What an amount counts; there are no amounts in both."""

    ROUBLES = "roubles"
    KOPECKS = "kopecks"


class Sign(StrEnum):
    """How a payment's amount is signed; the other sign is a fault."""

    PLUS = "plus"
    MINUS = "minus"


class Scope(StrEnum):
    """What the control totals of a service line cover: the whole file, or the lines up to the next such line (пачка)."""

    FILE = "file"
    BATCH = "batch"


class Amounts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[amounts]``: each character of ``decimal`` may be the decimal mark, each of ``thousands`` may divide thousands."""

    unit: AmountUnit = AmountUnit.ROUBLES
    decimal: str = "."
    thousands: str = ""
    sign: Sign = Sign.PLUS


class Source(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a value stands: one of ``column`` (from 1), ``names`` (of a header, the first found), ``tag`` or ``start``+``width``.

    ``required``: an empty value is a fault; ``optional``: the file may lack the named column altogether. ``pattern`` is a regular
    expression whose group, or all of which, is the value.
    """

    column: int = 0
    names: tuple[str, ...] = ()
    tag: str = ""
    start: int = 0
    width: int = 0
    required: bool = True
    optional: bool = False
    pattern: str = ""


class Fields(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[fields]``: what is read of a payment's line.

    ``moment`` is date and time in one value; without it and ``date`` the day of the newest service line counts. ``transfer`` is
    what the counterparty passes on: amount − fee. ``row`` is the counterparty's own number of the line.
    """

    account: Source
    amount: Source
    operation: Source | None = None
    date: Source | None = None
    time: Source | None = None
    moment: Source | None = None
    row: Source | None = None
    fee: Source | None = None
    transfer: Source | None = None
    period: Source | None = None
    document: Source | None = None
    aliases: tuple[Source, ...] = ()
    payer: tuple[Source, ...] = ()


class ServiceLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[[service]]``: a line about the payments, told by ``line`` (its number), ``prefix`` of its first field, or ``pattern``.

    ``values`` name its fields in order (the first without the prefix), "" for one of no interest; a pattern names them as
    groups. Known names: number, day, order_number, order_day, count, total, fee, transfer, account. ``ends``: no payment stands
    after it.
    """

    line: int = 0
    prefix: str = ""
    pattern: str = ""
    values: tuple[str, ...] = ()
    required: bool = True
    ends: bool = False
    scope: Scope = Scope.FILE


class Readings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[readings]``: meter readings stand under tags that start so."""

    tag_prefix: str


class RegisterFormat(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One format.

    ``encodings`` of text and DBF; ``delimiter`` and ``quote`` of text, neither for fixed width. ``columns``: the exact number of
    fields of a payment's line, 0 for any. ``head_lines`` before the payments are blank or service lines. ``has_header``: a line
    with the columns' names stands before the payments. ``skip_prefixes``: how lines start that are no payments;
    ``payment_prefix``: how every payment's line starts. ``tagged_from``: the field (from 1) from which on fields are
    ``TAG:value``; a line without the account's tag is no payment. ``free_tail``: whatever follows the last service line is of no
    interest. ``open_end``: the last line may lack its end; without it, and without a footer, such a file counts as cut short.
    Dates, times, moments and periods are patterns of yyyy yy mm dd hh nn ss. ``period_designates``: the period is what the payer
    chose, and binds. ``fee_on_top``: the payer pays the fee besides the amount.
    """

    name: str
    title: str
    container: Container = Container.TEXT
    encodings: tuple[str, ...] = ("utf-8",)
    delimiter: str = ""
    quote: str = ""
    columns: int = 0
    head_lines: int = 0
    has_header: bool = False
    skip_prefixes: tuple[str, ...] = ()
    payment_prefix: str = ""
    tagged_from: int = 0
    free_tail: bool = False
    open_end: bool = False
    time_zone: str = "Europe/Moscow"
    dates: tuple[str, ...] = ()
    times: tuple[str, ...] = ()
    moments: tuple[str, ...] = ()
    periods: tuple[str, ...] = ()
    period_designates: bool = False
    fee_on_top: bool = False
    account_pattern: str = ""
    amounts: Amounts = Amounts()
    fields: Fields
    service: tuple[ServiceLine, ...] = ()
    readings: Readings | None = None
