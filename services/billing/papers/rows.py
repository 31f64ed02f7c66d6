"""What documents are made of and by: rows read from the database, by account, and what is asked for."""

import re
from collections.abc import Mapping, Sequence
from datetime import date

import msgspec

from schemas.payment_document import HouseLine, MeterLine, Payee
from services.billing.core.facts import AccountFacts, PremisesFacts
from services.billing.papers.amounts import Amounts, Place
from services.billing.papers.lines import Priced
from services.sealing import Sealer

_PARTS = re.compile(r"([0-9]+)")


class PaperTerms(msgspec.Struct, frozen=True, kw_only=True):
    """Of which run documents are made, which of them, and whether owners' full names are unsealed for paper."""

    run: int
    house: str = ""
    account: str = ""
    """``namespace:number``."""
    sealer: Sealer | None = None


class Company(msgspec.Struct, frozen=True, kw_only=True):
    """A recipient as paper shows it; ``payee`` lacks bank details while no requisites are approved or its bank is not loaded."""

    code: str
    payee: Payee
    dispatch_phone: str
    working_hours: str


class Home(msgspec.Struct, frozen=True, kw_only=True):
    """The premises of an account: where it is, who lives there, its meters.

    ``owners``: full names, where they were asked for and are kept. ``registered``: permanent residents on the month's last day.
    """

    premises: PremisesFacts
    account: AccountFacts
    address: str
    izhku: str
    registered: int
    owners: tuple[str, ...]
    meters: tuple[MeterLine, ...]


class DocumentRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of ``documents`` (papers/reading.sql)."""

    account: int
    house: str
    state: str
    reason: str
    period: int
    nth: int
    number: str
    main: int
    capital_repair: int | None
    due_on: date
    issued_on: date
    book: int | None
    version: int | None
    namespace: str
    name: str
    payer_kind: int
    masked_name: str
    masked_address: str
    provider: int
    els: str | None
    replaces: str | None
    replaced_by: str | None
    version_before: int | None
    issued_before: date | None

    @property
    def account_name(self) -> str:
        """``namespace:number``."""
        return f"{self.namespace}:{self.name}"


class AccountRows(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one document says; ``provider`` is the run's исполнитель."""

    document: DocumentRow
    amounts: Mapping[Place, Amounts]
    priced: Priced
    home: Home | None
    house: tuple[HouseLine, ...]
    history: tuple[tuple[int, int], ...]
    companies: Mapping[int, Company]
    provider: int


class Unprintable(msgspec.Struct, frozen=True, kw_only=True):
    """An account whose document cannot be printed, and why, in Russian."""

    account: str
    reason: str


class Assembled(msgspec.Struct, frozen=True, kw_only=True):
    """A house's documents in the order of delivery, and why some have none."""

    house: str
    rows: Sequence[AccountRows]
    unprintable: Sequence[Unprintable]


def delivery_place(rows: AccountRows) -> tuple[list[tuple[int, str]], str]:
    """Return where a document comes in its house's round: flats as people count them (2 before 10), then by account."""
    flat = rows.home.premises.premises if rows.home is not None else ""
    return natural(flat), rows.document.account_name


def natural(text: str) -> list[tuple[int, str]]:
    """Return a key that orders numbers within a text by what they are: «9а» before «10»."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in _PARTS.split(text) if part]
