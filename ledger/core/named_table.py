"""The split vectors' JSON, where everything has a name, read into the numbers the core works with, and back.

The form is that of the split vectors' ``format``: ``{"table": …, "payment": …}``, amounts in whole kopecks.
"""

import re
from functools import lru_cache
from operator import lt
from typing import Annotated, TypeVar, cast

import msgspec

from schemas.allocation import (
    PERIOD_NONE,
    AccountState,
    Advance,
    AdvanceRule,
    AllocationTable,
    Kind,
    PayerKind,
    Pool,
    Tier,
    Total,
)
from schemas.ids import ACCOUNT_NUMBER_CHARACTERS_MAX, AccountId, Line, PayeeNumber, TableVersion
from schemas.money import AMOUNT_KOPECKS_MAX
from schemas.notification import KIND_NAMES, POOL_NAMES, NamedBasketItem, NamedDesignation
from schemas.split import BasketItem, Designation, Split

Charge = Annotated[int, msgspec.Meta(ge=-AMOUNT_KOPECKS_MAX, le=AMOUNT_KOPECKS_MAX)]
Paid = Annotated[int, msgspec.Meta(ge=0, le=AMOUNT_KOPECKS_MAX)]
Amount = Annotated[int, msgspec.Meta(gt=0, le=AMOUNT_KOPECKS_MAX)]
AccountNumber = Annotated[str, msgspec.Meta(min_length=1, max_length=ACCOUNT_NUMBER_CHARACTERS_MAX)]

Pair = tuple[str, str]
"""(recipient, service). Python orders texts by code point, which is the order of their UTF-8 bytes."""
Payees = dict[Pair, PayeeNumber]

_PERIOD = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])", re.ASCII)

_BYTE = re.compile(r"\(byte ([0-9]+)\)$", re.ASCII)


class NamedLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    recipient: str
    service: str
    weight: Charge
    paid: Paid


class NamedTier(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    creditor: str
    period: str
    pool: str
    kind: str
    designated_only: bool
    lines: tuple[NamedLine, ...]
    court_order: str = ""


class NamedTotal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    amount: Amount
    tiers: tuple[int, ...]


class NamedPayee(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    recipient: str
    service: str


class WeightedPayee(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    recipient: str
    service: str
    weight: Charge


class AdvanceRefused(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="rule", tag="refuse", forbid_unknown_fields=True, gc=False
):
    """No advance is taken."""


class AdvanceToLine(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="rule", tag="to_line", forbid_unknown_fields=True, gc=False
):
    line: NamedPayee


class AdvanceByWeights(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="rule", tag="by_weights", forbid_unknown_fields=True, gc=False
):
    lines: tuple[WeightedPayee, ...]


class NamedTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    personal_account: AccountNumber
    version: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
    per_service_payment: bool
    totals: tuple[NamedTotal, ...]
    tiers: tuple[NamedTier, ...]
    advance: AdvanceRefused | AdvanceToLine | AdvanceByWeights


class NamedPayment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    amount: Amount
    designation: NamedDesignation | None = None


class NamedCase(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One split to make. ``name``, ``clause`` and ``result`` are a vector's labels, taken so that vectors can be fed whole."""

    table: NamedTable
    payment: NamedPayment
    name: str = ""
    clause: str = ""
    result: msgspec.Raw = msgspec.Raw(b"null")


class NamedTableError(ValueError):
    """The JSON is not in the promised form.

    ``field`` is the path of what is wrong, empty when it is the whole text; ``byte`` is where the JSON breaks off, if known.
    """

    def __init__(self, field: str, reason: str, byte: int | None = None) -> None:
        super().__init__(f"{field}: {reason}" if field else reason)
        self.field = field
        self.reason = reason
        self.byte = byte

    def inside(self, outer: str) -> "NamedTableError":
        """Return the same error with its field seen from ``outer``: paths are written only when something is wrong."""
        joint = "." if self.field and not self.field.startswith("[") else ""
        return NamedTableError(f"{outer}{joint}{self.field}", self.reason)


Decoded = TypeVar("Decoded")
Named = TypeVar("Named", Pool, Kind)

_ACCOUNT = AccountId(1)
_REFUSE = Advance(rule=AdvanceRule.REFUSE)
_SHOWN_CHARACTERS = 40
"""How much of a wrong name an error repeats."""

_case_decoder = msgspec.json.Decoder(NamedCase)
_table_decoder = msgspec.json.Decoder(NamedTable)
_designation_decoder = msgspec.json.Decoder(NamedDesignation | None)
_encoder = msgspec.json.Encoder()


def read_case(text: bytes) -> tuple[AllocationTable, int, Designation | None]:
    """Read ``{"table": …, "payment": …}``: the table, the amount in kopecks and what the payer named.

    Raises NamedTableError naming the field.
    """
    case = _decoded(_case_decoder, text)
    payment = case.payment
    try:
        table, payees = _table_of(case.table)
    except NamedTableError as error:
        raise error.inside("table") from error
    if payment.designation is None:
        return table, payment.amount, None
    try:
        return table, payment.amount, _designation_of(payment.designation, payees)
    except NamedTableError as error:
        raise error.inside("payment.designation") from error


def read_table(text: bytes) -> tuple[AllocationTable, Payees]:
    """Read a ``table`` alone and the numbers its (recipient, service) pairs got; raises NamedTableError."""
    return _table_of(_decoded(_table_decoder, text))


def read_designation(text: bytes, payees: Payees) -> Designation | None:
    """Read a payment's ``designation`` for the table with these payees; raises NamedTableError."""
    named = _decoded(_designation_decoder, text)
    return None if named is None else _designation_of(named, payees)


def write_result(split: Split) -> bytes:
    """Write a split as the vectors' ``result``: Split has its fields in the vectors' order."""
    return _encoder.encode(split)


def _decoded(decoder: msgspec.json.Decoder[Decoded], text: bytes) -> Decoded:
    try:
        return decoder.decode(text)
    except msgspec.ValidationError as error:
        reason, _, field = str(error).partition(" - at `$")
        raise NamedTableError(field.strip("`."), reason) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        byte = _BYTE.search(str(error))
        raise NamedTableError("", f"not JSON in UTF-8: {error}", None if byte is None else int(byte[1])) from error
    except RecursionError as error:
        raise NamedTableError("", "nested too deep") from error


def _table_of(named: NamedTable) -> tuple[AllocationTable, Payees]:
    """Number the names of a table: creditors and payees by first appearance, lines through the table from 1."""
    payees: Payees = {}
    creditors: dict[str, int] = {}
    tiers = []
    next_line = 1
    for tier in named.tiers:
        creditor = creditors.setdefault(tier.creditor, len(creditors) + 1)
        try:
            tiers.append(_tier_of(tier, payees, creditor, next_line))
        except NamedTableError as error:
            raise error.inside(f"tiers[{len(tiers)}]") from error
        next_line += len(tier.lines)
    table = AllocationTable(
        account=_ACCOUNT,
        version=cast(TableVersion, named.version),
        personal_account=named.personal_account,
        aliases=(),
        state=AccountState.OPEN,
        payer_kind=PayerKind.PERSON,
        time_zone="",
        provider=0,
        valid_until=0,
        per_service_payment=named.per_service_payment,
        totals=_totals_of(named) if named.totals else (),
        tiers=tuple(tiers),
        advance=_advance_of(named.advance, payees, next_line),
    )
    return table, payees


def _tier_of(named: NamedTier, payees: Payees, creditor: int, first_line: int) -> Tier:
    lines = named.lines
    pairs = [(line.recipient, line.service) for line in lines]
    kind = _named(KIND_NAMES, named.kind, "kind")
    return Tier(
        creditor=creditor,
        period=_period_of(named.period, kind),
        pool=_named(POOL_NAMES, named.pool, "pool"),
        kind=kind,
        designated_only=named.designated_only,
        court_order=named.court_order,
        tie_order=_tie_order(pairs),
        payees=_numbered(pairs, payees),
        lines=_lines_from(first_line, len(pairs)),
        weights=tuple([line.weight for line in lines]),
        paid=tuple([line.paid for line in lines]),
    )


def _totals_of(named: NamedTable) -> tuple[Total, ...]:
    """A total covers distinct tiers of the table."""
    last = len(named.tiers) - 1
    for number, total in enumerate(named.totals):
        tiers = total.tiers
        for place, index in enumerate(tiers):
            if not 0 <= index <= last:
                raise NamedTableError(f"totals[{number}].tiers[{place}]", f"expected a tier, 0 to {last}, got {index}")
        if len(tiers) > 1 and len(set(tiers)) != len(tiers):
            raise NamedTableError(f"totals[{number}].tiers", "a tier stands twice")
    return tuple([Total(total.amount, total.tiers) for total in named.totals])


def _advance_of(named: AdvanceRefused | AdvanceToLine | AdvanceByWeights, payees: Payees, line: int) -> Advance:
    if isinstance(named, AdvanceRefused):
        return _REFUSE
    if isinstance(named, AdvanceToLine):
        pairs = [(named.line.recipient, named.line.service)]
        return Advance(rule=AdvanceRule.TO_LINE, payees=_numbered(pairs, payees), lines=_lines_from(line, 1))
    pairs = [(weighted.recipient, weighted.service) for weighted in named.lines]
    try:
        tie_order = _tie_order(pairs)
    except NamedTableError as error:
        raise error.inside("advance") from error
    return Advance(
        rule=AdvanceRule.BY_WEIGHTS,
        payees=_numbered(pairs, payees),
        lines=_lines_from(line, len(pairs)),
        weights=tuple([weighted.weight for weighted in named.lines]),
        tie_order=tie_order,
    )


def _numbered(pairs: list[Pair], payees: Payees) -> tuple[PayeeNumber, ...]:
    """Return the pairs' numbers, new ones counted on from the highest."""
    if not payees:
        numbers = _payees_to(len(pairs))  # the pairs of one tier are distinct
        payees.update(zip(pairs, numbers, strict=True))
        return numbers
    for pair in pairs:
        if pair not in payees:
            payees[pair] = PayeeNumber(len(payees) + 1)
    return tuple([payees[pair] for pair in pairs])


@lru_cache(maxsize=4096)
def _payees_to(count: int) -> tuple[PayeeNumber, ...]:
    return tuple([PayeeNumber(number) for number in range(1, count + 1)])


@lru_cache(maxsize=4096)
def _lines_from(first: int, count: int) -> tuple[Line, ...]:
    return tuple([Line(number) for number in range(first, first + count)])


def _tie_order(pairs: list[Pair]) -> tuple[int, ...]:
    """Return the places sorted by (recipient, service), empty when they stand so; a pair that stands twice is an error."""
    if all(map(lt, pairs, pairs[1:])):
        return ()
    if len(set(pairs)) == len(pairs):
        return tuple(sorted(range(len(pairs)), key=pairs.__getitem__))
    for place, pair in enumerate(pairs):
        before = pairs.index(pair)
        if before < place:
            raise NamedTableError(f"lines[{place}]", f"the same recipient and service as lines[{before}]")
    raise AssertionError("a set is shorter than its list only by repeats")


def _named(names: dict[str, Named], name: str, field: str) -> Named:
    number = names.get(name)
    if number is None:
        raise NamedTableError(field, f"expected one of {', '.join(names)}, got {name[:_SHOWN_CHARACTERS]!r}")
    return number


def _period_of(text: str, kind: Kind) -> int:
    """Read YYYY-MM into year * 100 + month; only court costs may belong to no month."""
    if not text and kind is Kind.COSTS:
        return PERIOD_NONE
    period = _month_of(text)
    if period is None:
        raise NamedTableError("period", f"expected YYYY-MM, got {text[:_SHOWN_CHARACTERS]!r}")
    return period


@lru_cache(maxsize=4096)
def _month_of(text: str) -> int | None:
    match = _PERIOD.fullmatch(text)
    return None if match is None else int(match[1]) * 100 + int(match[2])


def _designation_of(named: NamedDesignation, payees: Payees) -> Designation:
    fields = [name for name in named.__struct_fields__ if getattr(named, name) is not None]
    if len(fields) != 1:
        raise NamedTableError("", f"expected exactly one of {', '.join(named.__struct_fields__)}")
    if named.period is not None:
        return Designation(period=_period_of(named.period, Kind.PRINCIPAL))
    if named.pool is not None:
        return Designation(pool=_named(POOL_NAMES, named.pool, "pool"))
    if named.penalty is not None:
        return Designation(penalty_kopecks=_amount_of(named.penalty, "penalty"))
    if named.basket is not None:
        return Designation(basket=_basket_of(named.basket, payees))
    if not named.court_order:
        raise NamedTableError("court_order", "expected the number of a court order")
    return Designation(court_order=named.court_order)


def _basket_of(named: tuple[NamedBasketItem, ...], payees: Payees) -> tuple[BasketItem, ...]:
    items: list[BasketItem] = []
    for item in named:
        try:
            items.append(_item_of(item, payees))
        except NamedTableError as error:
            raise error.inside(f"basket[{len(items)}]") from error
    return tuple(items)


def _item_of(named: NamedBasketItem, payees: Payees) -> BasketItem:
    kind = _named(KIND_NAMES, named.kind, "kind")
    return BasketItem(
        pool=_named(POOL_NAMES, named.pool, "pool"),
        period=_period_of(named.period, kind),
        kind=kind,
        payee=payees.get((named.recipient, named.service)),
        amount_kopecks=_amount_of(named.amount, "amount"),
    )


def _amount_of(amount: int, field: str) -> int:
    if not 0 < amount <= AMOUNT_KOPECKS_MAX:
        raise NamedTableError(field, f"expected 1 to {AMOUNT_KOPECKS_MAX} kopecks, got {amount}")
    return amount
