"""What followed a payment, for ``kopeck explain``: its receipts, and where each recipient's kopecks are now."""

from datetime import datetime

import msgspec

from kopeck.transfers_shown import name_or_number, state_in_words
from ledger.feed import Connection, list_cursors
from ledger.names import Names
from schemas.journal import RecordedEntry
from services.fiscal.lookups import OmissionView, ReceiptView, list_omissions_of_payment, list_receipts_of_payment
from services.settlement.inspection import TransferView
from services.settlement.whereabouts import LegWhereabouts, Whereabouts, locate_money

FISCAL = "fiscal"
WORDS = {
    Whereabouts.NOT_READ: "settlement has not read the entry yet",
    Whereabouts.NOT_CONFIRMED: "not confirmed by the bank yet: no believed statement line covers it",
    Whereabouts.NOT_CUT: "confirmed by the bank, leaves with the next cut",
    Whereabouts.NOTHING_LEFT: "nothing is left to pay: corrections, commission or debts took it",
}


class ReceiptTold(msgspec.Struct, frozen=True, kw_only=True):
    """A receipt of the payment; the sign's fields and the link are empty until it is registered."""

    number: int
    operation: str
    issuer: str
    total_kopecks: int
    state: str
    reason: str
    deadline: datetime
    fn: str
    fd: str
    fpd: str
    link: str


class OmissionTold(msgspec.Struct, frozen=True, kw_only=True):
    """A sum that has no receipt of ours, and why; ``issuer`` is empty where it is nobody's yet."""

    issuer: str
    amount_kopecks: int
    reason: str


class LegTold(msgspec.Struct, frozen=True, kw_only=True):
    """One recipient's kopecks: ``where`` is a word of Whereabouts, ``told`` the same in a sentence with its reason.

    ``orders``: the order that pays them and those that pay them anew; the last one counts. Commission is netted from the amount.
    """

    payee: str
    amount_kopecks: int
    commission_kopecks: int
    where: str
    told: str
    cut: int
    orders: tuple[TransferView, ...]


class Followed(msgspec.Struct, frozen=True, kw_only=True):
    """What followed an entry. ``receipts_decided``: the fiscal service has come to it."""

    receipts_decided: bool
    receipts: tuple[ReceiptTold, ...]
    without_receipt: tuple[OmissionTold, ...]
    money: tuple[LegTold, ...]


async def follow_entry(connection: Connection, recorded: RecordedEntry, names: Names) -> Followed:
    """Gather what the fiscal service and settlement made of an entry so far."""
    entry, space = recorded.entry, names.spaces.get(recorded.entry.space, "")
    decided = (await list_cursors(connection, FISCAL)).get(recorded.book, 0) >= recorded.sequence
    receipts = await list_receipts_of_payment(connection, space, entry.external_id)
    omissions = await list_omissions_of_payment(connection, space, entry.external_id)
    return Followed(
        receipts_decided=decided,
        receipts=tuple([_receipt_told(one) for one in receipts]),
        without_receipt=tuple([_omission_told(one) for one in omissions]),
        money=tuple([_leg_told(one, names) for one in await locate_money(connection, recorded)]),
    )


def _receipt_told(view: ReceiptView) -> ReceiptTold:
    sign = view.sign
    return ReceiptTold(
        number=view.number,
        operation=view.operation.value,
        issuer=view.issuer,
        total_kopecks=view.total_kopecks,
        state=view.state.name.lower(),
        reason=view.reason,
        deadline=view.deadline,
        fn="" if sign is None else sign.fn,
        fd="" if sign is None else sign.fd,
        fpd="" if sign is None else sign.fpd,
        link="" if sign is None else sign.link,
    )


def _omission_told(view: OmissionView) -> OmissionTold:
    return OmissionTold(issuer=view.issuer, amount_kopecks=view.amount_kopecks, reason=view.reason.value.replace("_", " "))


def _leg_told(leg: LegWhereabouts, names: Names) -> LegTold:
    return LegTold(
        payee=name_or_number(names, leg.account),
        amount_kopecks=leg.amount,
        commission_kopecks=leg.commission,
        where=leg.where.value,
        told=_in_words(leg),
        cut=leg.cut,
        orders=leg.orders,
    )


def _in_words(leg: LegWhereabouts) -> str:
    if leg.where is Whereabouts.CARRIED:
        return f"confirmed, carried to the next cut: {leg.reason}"
    if leg.where is not Whereabouts.ORDERED:
        return WORDS[leg.where]
    last = leg.orders[-1]
    anew = f", paid anew after {len(leg.orders) - 1} that came back" if len(leg.orders) > 1 else ""
    return f"order {last.number} of {last.day}{anew}: {state_in_words(last)}"
