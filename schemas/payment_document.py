"""A payment document (платёжный документ, п. 69 ПП 354; form of Минстрой 43/пр): what one page to a resident says.

Sums are kopecks, volumes, prices and areas millionths. Titles, causes and names are Russian, ready to be printed. Nothing is
computed when it is printed: totals are given and asserted by whoever makes the document.
"""

from datetime import date

import msgspec


class Payee(msgspec.Struct, frozen=True, kw_only=True):
    """To whom one section's money goes, for the page and its QR code."""

    name: str
    inn: str
    kpp: str
    bank_account: str
    bank_name: str
    bic: str
    correspondent_account: str
    address: str = ""
    phones: str = ""
    email: str = ""
    site: str = ""


class DocumentLine(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the table of charges. ``amount_kopecks`` is volume × price; ``total_kopecks`` has everything of the row."""

    title: str
    unit: str
    volume: int
    price: int
    prices: tuple[tuple[str, int, int], ...] = ()
    """(name of the zone or range, volume, price) where several were summed; then ``price`` is 0."""
    amount_kopecks: int
    common_volume: int = 0
    common_kopecks: int = 0
    raised_coefficient: int = 0
    raised_kopecks: int = 0
    recalculated_kopecks: int = 0
    benefit_kopecks: int = 0
    """Shown only: compensations are paid to the citizen by the social fund."""
    total_kopecks: int
    payee: str = ""
    volume_source: str = ""
    """«по прибору», «по среднему», «по нормативу»."""


class MeterLine(msgspec.Struct, frozen=True, kw_only=True):
    """An individual meter: its readings and until when it is verified."""

    title: str
    number: str
    previous: int | None
    current: int | None
    consumed: int | None = None
    """Between the readings, in the service's unit; None where it cannot be told from them."""
    verified_until: date | None


class HouseLine(msgspec.Struct, frozen=True, kw_only=True):
    """The house's volumes of a service (п. 69 «е»): by its common meter, in its premises, for the common property."""

    title: str
    unit: str
    meter: int | None
    individual: int
    common: int


class Recalculation(msgspec.Struct, frozen=True, kw_only=True):
    """A recalculation with its cause (п. 69 «ж»)."""

    title: str
    cause: str
    amount_kopecks: int


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """What is paid to one payee: housing and utilities, or capital repair, which stands apart.

    ``due_kopecks`` = debt - advance + charged - paid since, and is what the QR code asks for. ``debt_kopecks`` is owed for
    earlier periods at ``debt_on``.
    """

    title: str
    payee: Payee
    lines: tuple[DocumentLine, ...]
    charged_kopecks: int
    debt_kopecks: int
    advance_kopecks: int
    paid_kopecks: int
    paid_on: date | None
    debt_on: date
    due_kopecks: int
    purpose: str
    category: str = ""


class PenaltyPart(msgspec.Struct, frozen=True, kw_only=True):
    """A row of a penalty document: the part of debt, its days, rate (millionths of one a year) and divisor."""

    of_period: int
    debt_kopecks: int
    since: date
    until: date
    days: int
    rate: int
    divisor: int
    amount_kopecks: int


class PaymentDocument(msgspec.Struct, frozen=True, kw_only=True):
    """One document of one personal account and period. A penalty document has ``penalties`` and no lines (§3: separate)."""

    number: str
    period: int
    issued_on: date
    due_on: date
    account: str
    els: str
    izhku: str
    payer: str
    """As much of the payer's name as the provider prints; may be empty."""
    payer_kind: str
    address: str
    postcode: str
    flat: str
    area: int
    living_area: int
    residents: int
    """Millionths of a person."""
    registered: int
    owners: int
    provider: Payee
    """The исполнитель: contacts, dispatch service and hours stand with him."""
    dispatch_phone: str
    working_hours: str
    sections: tuple[Section, ...]
    meters: tuple[MeterLine, ...] = ()
    house: tuple[HouseLine, ...] = ()
    recalculations: tuple[Recalculation, ...] = ()
    instalments: tuple[tuple[str, int], ...] = ()
    """(what is paid by instalments, kopecks this month), п. 69 «к»."""
    penalties: tuple[PenaltyPart, ...] = ()
    charged_before_kopecks: int = 0
    """What earlier documents charged of these penalties: the parts less this are what the sections charge."""
    history: tuple[tuple[int, int], ...] = ()
    """(period, charged kopecks) of up to twelve months before, for the small chart."""
    notices: tuple[str, ...] = ()
