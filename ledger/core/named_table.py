"""The split vectors' JSON, where everything has a name, read into the numbers the core works with, and back.

The form is that of the split vectors' ``format``: ``{"table": …, "payment": …}``, amounts in whole kopecks.
"""

import re
from functools import lru_cache
from itertools import pairwise
from typing import Annotated, TypeVar

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


class AdvanceRefused(msgspec.Struct, frozen=True, tag_field="rule", tag="refuse", forbid_unknown_fields=True, gc=False):
    """No advance is taken."""


class AdvanceToLine(msgspec.Struct, frozen=True, tag_field="rule", tag="to_line", forbid_unknown_fields=True, gc=False):
    line: NamedPayee


class AdvanceByWeights(msgspec.Struct, frozen=True, tag_field="rule", tag="by_weights", forbid_unknown_fields=True, gc=False):
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
    """The JSON is not in the promised form; ``field`` is the path of what is wrong, empty when it is the whole text."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}" if field else reason)
        self.field = field
        self.reason = reason


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
    table, payees = _table_of(case.table, "table.")
    named = case.payment.designation
    designation = None if named is None else _designation_of(named, payees, "payment.designation")
    return table, case.payment.amount, designation


def read_table(text: bytes) -> tuple[AllocationTable, Payees]:
    """Read a ``table`` alone and the numbers its (recipient, service) pairs got; raises NamedTableError."""
    return _table_of(_decoded(_table_decoder, text), "")


def read_designation(text: bytes, payees: Payees) -> Designation | None:
    """Read a payment's ``designation`` for the table with these payees; raises NamedTableError."""
    named = _decoded(_designation_decoder, text)
    return None if named is None else _designation_of(named, payees, "designation")


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
        raise NamedTableError("", f"not JSON in UTF-8: {error}") from error
    except RecursionError as error:
        raise NamedTableError("", "nested too deep") from error


def _table_of(named: NamedTable, at: str) -> tuple[AllocationTable, Payees]:
    """Number the names of a table: creditors and payees by first appearance, lines through the table from 1."""
    payees: Payees = {}
    creditors: dict[str, int] = {}
    tiers = []
    next_line = 1
    for index, tier in enumerate(named.tiers):
        creditor = creditors.setdefault(tier.creditor, len(creditors) + 1)
        tiers.append(_tier_of(tier, payees, (creditor, next_line), f"{at}tiers[{index}]"))
        next_line += len(tier.lines)
    table = AllocationTable(
        account=_ACCOUNT,
        version=TableVersion(named.version),
        personal_account=named.personal_account,
        aliases=(),
        state=AccountState.OPEN,
        payer_kind=PayerKind.PERSON,
        time_zone="",
        provider=0,
        valid_until=0,
        per_service_payment=named.per_service_payment,
        totals=tuple([_total_of(total, len(tiers), f"{at}totals[{i}]") for i, total in enumerate(named.totals)]),
        tiers=tuple(tiers),
        advance=_advance_of(named.advance, payees, next_line, f"{at}advance"),
    )
    return table, payees


def _tier_of(named: NamedTier, payees: Payees, numbers: tuple[int, int], at: str) -> Tier:
    """``numbers`` are the creditor's and the first line's."""
    lines = named.lines
    pairs = [(line.recipient, line.service) for line in lines]
    creditor, first_line = numbers
    kind = _named(KIND_NAMES, named.kind, f"{at}.kind")
    return Tier(
        creditor=creditor,
        period=_period_of(named.period, kind, f"{at}.period"),
        pool=_named(POOL_NAMES, named.pool, f"{at}.pool"),
        kind=kind,
        designated_only=named.designated_only,
        court_order=named.court_order,
        payees=_numbered(pairs, payees),
        lines=_lines_from(first_line, len(pairs)),
        weights=tuple([line.weight for line in lines]),
        paid=tuple([line.paid for line in lines]),
        tie_order=_tie_order(pairs, at),
    )


def _total_of(named: NamedTotal, tiers: int, at: str) -> Total:
    for place, index in enumerate(named.tiers):
        if not 0 <= index < tiers:
            raise NamedTableError(f"{at}.tiers[{place}]", f"expected the index of a tier below {tiers}, got {index}")
    if len(set(named.tiers)) != len(named.tiers):
        raise NamedTableError(f"{at}.tiers", "a tier stands twice")
    return Total(named.amount, named.tiers)


def _advance_of(named: AdvanceRefused | AdvanceToLine | AdvanceByWeights, payees: Payees, line: int, at: str) -> Advance:
    if isinstance(named, AdvanceRefused):
        return _REFUSE
    if isinstance(named, AdvanceToLine):
        pairs = [(named.line.recipient, named.line.service)]
        return Advance(rule=AdvanceRule.TO_LINE, payees=_numbered(pairs, payees), lines=_lines_from(line, 1))
    pairs = [(weighted.recipient, weighted.service) for weighted in named.lines]
    return Advance(
        rule=AdvanceRule.BY_WEIGHTS,
        payees=_numbered(pairs, payees),
        lines=_lines_from(line, len(pairs)),
        weights=tuple([weighted.weight for weighted in named.lines]),
        tie_order=_tie_order(pairs, at),
    )


def _numbered(pairs: list[Pair], payees: Payees) -> tuple[PayeeNumber, ...]:
    return tuple([payees.setdefault(pair, PayeeNumber(len(payees) + 1)) for pair in pairs])


@lru_cache(maxsize=4096)
def _lines_from(first: int, count: int) -> tuple[Line, ...]:
    return tuple([Line(number) for number in range(first, first + count)])


def _tie_order(pairs: list[Pair], at: str) -> tuple[int, ...]:
    """Return the places sorted by (recipient, service), empty when they stand so; a pair that stands twice is an error."""
    ordered = sorted(pairs)
    if len(set(pairs)) != len(pairs):
        twice = next(pair for pair, after in pairwise(ordered) if pair == after)
        places = [place for place, pair in enumerate(pairs) if pair == twice]
        raise NamedTableError(f"{at}.lines[{places[1]}]", f"the same recipient and service as lines[{places[0]}]")
    if ordered == pairs:
        return ()
    return tuple(sorted(range(len(pairs)), key=pairs.__getitem__))


def _named(names: dict[str, Named], name: str, at: str) -> Named:
    number = names.get(name)
    if number is None:
        raise NamedTableError(at, f"expected one of {', '.join(names)}, got {name[:_SHOWN_CHARACTERS]!r}")
    return number


def _period_of(text: str, kind: Kind, at: str) -> int:
    """Read YYYY-MM into year * 100 + month; only court costs may belong to no month."""
    if not text and kind is Kind.COSTS:
        return PERIOD_NONE
    period = _month_of(text)
    if period is None:
        raise NamedTableError(at, f"expected YYYY-MM, got {text[:_SHOWN_CHARACTERS]!r}")
    return period


@lru_cache(maxsize=4096)
def _month_of(text: str) -> int | None:
    match = _PERIOD.fullmatch(text)
    return None if match is None else int(match[1]) * 100 + int(match[2])


def _designation_of(named: NamedDesignation, payees: Payees, at: str) -> Designation:
    fields = [name for name in named.__struct_fields__ if getattr(named, name) is not None]
    if len(fields) != 1:
        raise NamedTableError(at, f"expected exactly one of {', '.join(named.__struct_fields__)}")
    if named.period is not None:
        return Designation(period=_period_of(named.period, Kind.PRINCIPAL, f"{at}.period"))
    if named.pool is not None:
        return Designation(pool=_named(POOL_NAMES, named.pool, f"{at}.pool"))
    if named.penalty is not None:
        return Designation(penalty_kopecks=_amount_of(named.penalty, f"{at}.penalty"))
    if named.basket is not None:
        items = enumerate(named.basket)
        return Designation(basket=tuple([_item_of(item, payees, f"{at}.basket[{index}]") for index, item in items]))
    if not named.court_order:
        raise NamedTableError(f"{at}.court_order", "expected the number of a court order")
    return Designation(court_order=named.court_order)


def _item_of(named: NamedBasketItem, payees: Payees, at: str) -> BasketItem:
    kind = _named(KIND_NAMES, named.kind, f"{at}.kind")
    return BasketItem(
        pool=_named(POOL_NAMES, named.pool, f"{at}.pool"),
        period=_period_of(named.period, kind, f"{at}.period"),
        kind=kind,
        payee=payees.get((named.recipient, named.service)),
        amount_kopecks=_amount_of(named.amount, f"{at}.amount"),
    )


def _amount_of(amount: int, at: str) -> int:
    if not 0 < amount <= AMOUNT_KOPECKS_MAX:
        raise NamedTableError(at, f"expected 1 to {AMOUNT_KOPECKS_MAX} kopecks, got {amount}")
    return amount
