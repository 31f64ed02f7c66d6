"""What a payer may name and what a split gives (design §3)."""

import msgspec

from schemas.allocation import Kind, Pool
from schemas.ids import PayeeNumber


class BasketItem(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One line chosen by its meaning. ``payee`` is None when the named recipient and service are not in our register."""

    pool: Pool
    period: int
    kind: Kind
    payee: PayeeNumber | None
    amount_kopecks: int


class Designation(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the payer named, already resolved to numbers; exactly one field is set (ГК 319.1 п. 1).

    ``period`` is year * 100 + month.
    """

    period: int | None = None
    pool: Pool | None = None
    penalty_kopecks: int | None = None
    court_order: str | None = None
    basket: tuple[BasketItem, ...] | None = None


class Split(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One payment divided: ``shares[tier][line]`` in kopecks, parallel to the table it was made from.

    ``advance`` is parallel to the table's advance lines, and empty when nothing was left; ``unallocated`` is money no
    tier takes and no advance admits; ``ignored`` are indexes of basket items that could not be honoured.
    The sum of shares, advance and unallocated is the payment.
    """

    shares: tuple[tuple[int, ...], ...]
    advance: tuple[int, ...]
    unallocated: int
    ignored: tuple[int, ...]
