"""Recording what was decided: receipts, their orders, what needs none, what was offset. All of it or nothing, once."""

from collections.abc import Mapping, Sequence

import msgspec

from ledger.feed import Connection
from schemas.receipt import Receipt
from services.fiscal.core.decision import Decided, Offset, Payer
from services.fiscal.core.drafts import Draft, Omission, with_client
from services.fiscal.core.keys import order_key
from services.fiscal.reading import SQL, array_text
from services.fiscal.states import ReceiptState

FIRST_GENERATION = 1

_encoder = msgspec.json.Encoder()


def packed(receipt: Receipt) -> bytes:
    """Return the JSON of a receipt."""
    return _encoder.encode(receipt)


async def write_decided(connection: Connection, decided: Sequence[Decided], payers: Mapping[int, Payer]) -> None:
    """Record everything decided in the open transaction."""
    drafts = [draft for one in decided for draft in one.drafts]
    omissions = [omission for one in decided for omission in one.omissions]
    offsets = [offset for one in decided for offset in one.offsets]
    if drafts:
        await add_receipts(connection, drafts, payers)
    if omissions:
        await connection.execute(SQL["add_omissions"], *_columns([_omission(one) for one in omissions]))
    if offsets:
        await connection.execute(SQL["add_offsets"], *_columns([_offset(one) for one in offsets]))


async def add_receipts(connection: Connection, drafts: Sequence[Draft], payers: Mapping[int, Payer]) -> list[int]:
    """Record receipts and order those that may be sent; the numbers, in order, of those that were not there before."""
    numbers: list[int] = await connection.fetchval(SQL["take_numbers"], len(drafts))
    made: list[int] = await connection.fetchval(SQL["add_receipts"], *_receipt_columns(numbers, drafts))
    fresh = set(made)
    pairs = [(number, draft) for number, draft in zip(numbers, drafts, strict=True) if number in fresh]
    orders = [_order(number, draft, payers) for number, draft in pairs if draft.receipt is not None and not draft.stopped]
    if orders:
        subjects, *rest = _columns(orders)
        await connection.execute(SQL["add_first_orders"], array_text(subjects), *rest)
    stopped = [_stopped(number, draft) for number, draft in pairs if draft.receipt is None or draft.stopped]
    if stopped:
        receipts, states, reasons = _columns(stopped)
        await connection.execute(SQL["add_stopped"], array_text(receipts), array_text(states), reasons)
    return made


def _receipt_columns(numbers: Sequence[int], drafts: Sequence[Draft]) -> tuple[object, ...]:
    """The statement's columns: whole numbers as texts of arrays first."""
    places = [draft.place for draft in drafts]
    return (
        array_text(numbers),
        array_text([place.book for place in places]),
        array_text([place.sequence for place in places]),
        array_text([place.space for place in places]),
        array_text([place.personal_account for place in places]),
        array_text([draft.issuer for draft in drafts]),
        array_text([draft.part for draft in drafts]),
        array_text([sum(draft.amounts) for draft in drafts]),
        array_text([draft.after for draft in drafts]),
        [place.external_id for place in places],
        [draft.operation.value for draft in drafts],
        [place.correction for place in places],
        [array_text(draft.lines) for draft in drafts],
        [array_text(draft.amounts) for draft in drafts],
        [draft.settled_at for draft in drafts],
        [draft.deadline for draft in drafts],
        [None if draft.receipt is None else _encoder.encode(draft.receipt) for draft in drafts],
    )


def _order(number: int, draft: Draft, payers: Mapping[int, Payer]) -> tuple[object, ...]:
    assert draft.receipt is not None
    payer = payers.get(draft.place.personal_account or 0)
    sent = _encoder.encode(with_client(draft.receipt, payer.contact if payer else ""))
    key = order_key(draft.place, draft.operation, draft.issuer, draft.part, FIRST_GENERATION)
    return number, draft.operator, key, sent


def _stopped(number: int, draft: Draft) -> tuple[object, ...]:
    if draft.receipt is None:
        return number, ReceiptState.UNCONFIGURED.value, draft.missing
    return number, ReceiptState.HELD.value, f"waits for receipt {draft.after}"


def _omission(one: Omission) -> tuple[object, ...]:
    return one.place.book, one.place.sequence, one.issuer, one.reason.value, one.amount


def _offset(one: Offset) -> tuple[object, ...]:
    place = one.place
    return place.book, place.sequence, one.line, place.personal_account, one.issuer, one.amount, one.month


def _columns(rows: Sequence[tuple[object, ...]]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)]
