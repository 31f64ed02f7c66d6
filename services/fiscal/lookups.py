"""Finding receipts: by payment, by account, by fiscal sign, and those that wait for somebody. Readers only."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from ledger.feed import Connection
from ledger.statements import load_statements
from schemas.receipt import FiscalSign, Operation, Receipt
from services.fiscal.core.reference import NoReceipt
from services.fiscal.states import ReceiptState

_SQL = load_statements("services/fiscal/lookups.sql")

RECEIPTS_MAX = 1_000
OPERATORS_STATES = (ReceiptState.UNCONFIGURED, ReceiptState.FAILED, ReceiptState.DISPUTED)
"""What a person must do something about."""

_decoder = msgspec.json.Decoder(Receipt)


class ReceiptView(msgspec.Struct, frozen=True, kw_only=True):
    """A receipt as it stands. ``account`` is ``namespace:number``, empty for a consolidated one; ``orders`` were given for it.

    ``receipt`` has no client and is None while something is not configured; ``sign`` and ``qr`` come when it is registered.
    """

    number: int
    state: ReceiptState
    reason: str
    operation: Operation
    correction: str
    part: int
    space: str
    external_id: str
    book: int
    sequence: int
    account: str
    issuer: str
    total_kopecks: int
    settled_at: datetime
    deadline: datetime
    made_at: datetime
    orders: int
    receipt: Receipt | None
    after: int | None
    sign: FiscalSign | None
    qr: str


class OmissionView(msgspec.Struct, frozen=True, kw_only=True):
    """A sum of a payment without a receipt, and why; ``issuer`` is a recipient's code, empty where it is nobody's yet."""

    book: int
    sequence: int
    issuer: str
    reason: NoReceipt
    amount_kopecks: int


async def list_receipts_of_payment(connection: Connection, space: str, external_id: str) -> tuple[ReceiptView, ...]:
    """Return the receipts of a payment and of its corrections, by the name of its operation space and its key there."""
    return _views(await connection.fetch(_SQL["list_by_payment"], space, external_id))


async def list_omissions_of_payment(connection: Connection, space: str, external_id: str) -> tuple[OmissionView, ...]:
    """Return the sums of a payment that have no receipt of ours, and why."""
    return tuple(
        [
            OmissionView(
                book=row["book"],
                sequence=row["sequence"],
                issuer=row["issuer_code"],
                reason=NoReceipt(row["reason"]),
                amount_kopecks=row["amount"],
            )
            for row in await connection.fetch(_SQL["list_omissions"], space, external_id)
        ]
    )


async def list_receipts_of_account(
    connection: Connection, namespace: str, number: str, receipts_max: int = RECEIPTS_MAX
) -> tuple[ReceiptView, ...]:
    """Return the newest receipts of an account, newest first, by its own number."""
    return _views(await connection.fetch(_SQL["list_by_account"], namespace, number, receipts_max))


async def list_receipts_of_sign(connection: Connection, fpd: str, fn: str = "", fd: str = "") -> tuple[ReceiptView, ...]:
    """Return the receipts registered under a fiscal sign (ФПД), within a fiscal drive (ФН) and document (ФД) when given."""
    return _views(await connection.fetch(_SQL["list_by_sign"], fpd, fn, fd))


async def list_newest_receipts(
    connection: Connection, state: ReceiptState | None = None, receipts_max: int = RECEIPTS_MAX
) -> tuple[ReceiptView, ...]:
    """Return the newest receipts, of one state or all, newest first."""
    if state is None:
        return _views(await connection.fetch(_SQL["list_newest"], receipts_max))
    if state is ReceiptState.ORDERED:
        return _views(await connection.fetch(_SQL["list_newest_ordered"], receipts_max))
    if state is ReceiptState.REGISTERED:
        return _views(await connection.fetch(_SQL["list_newest_registered"], receipts_max))
    return _views(await connection.fetch(_SQL["list_newest_stopped"], state, receipts_max))


async def list_accounts_of_number(connection: Connection, number: str) -> tuple[str, ...]:
    """Return the namespaces in which an account has this own number."""
    return tuple([row["namespace"] for row in await connection.fetch(_SQL["list_accounts_of_number"], number)])


async def find_receipt(connection: Connection, number: int) -> ReceiptView | None:
    """Return one receipt or None."""
    views = _views(await connection.fetch(_SQL["list_by_number"], number))
    return views[0] if views else None


async def list_stopped(
    connection: Connection, states: Sequence[ReceiptState] = OPERATORS_STATES, receipts_max: int = RECEIPTS_MAX
) -> tuple[ReceiptView, ...]:
    """Return the receipts that are not on their way, the oldest first: the operators' list."""
    return _views(await connection.fetch(_SQL["list_stopped"], list(states), receipts_max))


async def count_stopped(connection: Connection) -> dict[ReceiptState, int]:
    """Return how many receipts are stopped in each state."""
    return {ReceiptState(row["state"]): row["receipts"] for row in await connection.fetch(_SQL["count_states"])}


def _views(rows: Sequence[Mapping[str, Any]]) -> tuple[ReceiptView, ...]:
    return tuple([_view(row) for row in rows])


def _view(row: Mapping[str, Any]) -> ReceiptView:
    return ReceiptView(
        number=row["number"],
        state=ReceiptState(row["state"]),
        reason=row["reason"],
        operation=Operation(row["operation"]),
        correction=row["correction"],
        part=row["part"],
        space=row["space_name"] or "",
        external_id=row["external_id"],
        book=row["book"],
        sequence=row["sequence"],
        account="" if row["namespace"] is None else f"{row['namespace']}:{row['account_number']}",
        issuer=row["issuer_code"],
        total_kopecks=row["total"],
        settled_at=row["settled_at"],
        deadline=row["deadline"],
        made_at=row["made_at"],
        orders=row["orders"],
        receipt=None if row["content"] is None else _decoder.decode(row["content"]),
        after=row["after"],
        sign=_sign(row),
        qr=row["qr"] or "",
    )


def _sign(row: Mapping[str, Any]) -> FiscalSign | None:
    if row["fn"] is None:
        return None
    return FiscalSign(
        fn=row["fn"],
        fd=row["fd"],
        fpd=row["fpd"],
        registered_at=row["registered_at"],
        total_kopecks=row["registered_total"],
        shift=row["shift"],
        number_in_shift=row["number_in_shift"],
        register_number=row["register_number"],
        link=row["link"],
    )
