"""What a refund would do, leg by leg, before anybody decides it: what simply goes back, and who would owe whom until when."""

from datetime import date, timedelta
from enum import StrEnum

import msgspec

from ledger.feed import Connection
from ledger.refund import read_refundable
from schemas.ids import Book, LedgerAccount, Sequence
from schemas.transfer import TransferState
from services.settlement.directory import fetch_directory
from services.settlement.lots import LotKey
from services.settlement.refunds import root_of
from services.settlement.rules.claims import CLAIM_DAYS
from services.settlement.whereabouts import LegWhereabouts, Whereabouts, locate_money

_BACK = (TransferState.REJECTED.name.lower(), TransferState.CANCELLED.name.lower(), TransferState.RETURNED.name.lower())


class Stands(StrEnum):
    """Where the money of a leg stands; only ordered and executed money makes somebody owe."""

    UNORDERED = "unordered"
    CAME_BACK = "came_back"
    ORDERED = "ordered"
    EXECUTED = "executed"
    SUSPENSE = "suspense"


class LegPreview(msgspec.Struct, frozen=True, kw_only=True):
    """A leg: what the payment put there, what was taken back before, what this refund would take, and what becomes of it.

    ``debtor`` would owe that to us until ``due``, empty when nobody would; ``nets``: it is kept back from its next transfer.
    """

    account: LedgerAccount
    line: int
    put_kopecks: int
    taken_kopecks: int
    back_kopecks: int
    stands: Stands
    orders: tuple[str, ...]
    debtor: str
    due: date | None
    nets: bool


class RefundPreview(msgspec.Struct, frozen=True, kw_only=True):
    """What taking ``amount_kopecks`` back would do. ``covered``: the bank has confirmed the money, so it is a refund."""

    book: Book
    sequence: Sequence
    covered: bool
    left_kopecks: int
    amount_kopecks: int
    legs: tuple[LegPreview, ...]

    @property
    def owed_kopecks(self) -> int:
        """Kopecks that somebody would owe."""
        return sum(leg.back_kopecks for leg in self.legs if leg.debtor)


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What if the payment at a place were taken back: whole (None) or so many kopecks; ``guarantor`` is the code of who would owe
    in the place of recipients."""

    book: Book
    sequence: Sequence
    amount_kopecks: int | None = None
    guarantor: str = ""


async def preview_refund(connection: Connection, asked: Question, today: date) -> RefundPreview:
    """Tell leg by leg what a refund would do today; nothing is recorded. Raises as ledger.refund.read_refundable, NothingLeft."""
    found = await read_refundable(connection, asked.book, asked.sequence)
    entry = found.recorded.entry
    amount = found.left if asked.amount_kopecks is None else asked.amount_kopecks
    parts = found.parts(amount)
    where = {leg.account: leg for leg in await locate_money(connection, found.recorded)}
    directory = await fetch_directory(connection, entry.transit, today)
    legs = []
    for place, part in enumerate(parts):
        if not part:
            continue
        account = entry.accounts[place]
        stands, orders = _stands(where.get(account))
        owes = stands in (Stands.ORDERED, Stands.EXECUTED)
        recipient = directory.recipient_of(LotKey(account, 0, False)) if owes else None
        contract = None if recipient is None else directory.contract_of(LotKey(account, 0, False), recipient)
        legs.append(
            LegPreview(
                account=account,
                line=entry.lines[place],
                put_kopecks=-entry.amounts[place],
                taken_kopecks=found.taken[place],
                back_kopecks=part,
                stands=stands,
                orders=orders,
                debtor=(asked.guarantor or (recipient.code if recipient else "")) if owes else "",
                due=today + timedelta(days=CLAIM_DAYS) if owes else None,
                nets=bool(contract and contract.nets_debts and not asked.guarantor),
            )
        )
    covered = (await root_of(connection, found.recorded)).covered
    return RefundPreview(
        book=asked.book,
        sequence=asked.sequence,
        covered=covered,
        left_kopecks=found.left,
        amount_kopecks=amount,
        legs=tuple(legs),
    )


def _stands(leg: LegWhereabouts | None) -> tuple[Stands, tuple[str, ...]]:
    if leg is None:
        return Stands.SUSPENSE, ()
    if leg.where is not Whereabouts.ORDERED:
        return Stands.UNORDERED, ()
    last = leg.orders[-1]
    keys = tuple([order.key for order in leg.orders])
    if last.state == TransferState.EXECUTED.name.lower():
        return Stands.EXECUTED, keys
    return (Stands.CAME_BACK if last.state in _BACK and last.awaits_reissue else Stands.ORDERED), keys
