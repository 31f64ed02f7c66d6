"""Receipts as they are asked for at the terminal: by payment, account or fiscal sign, and one with all that belongs to it."""

import re

import click
import msgspec

from kopeck.commands.acting import EXIT_REFUSED
from kopeck.commands.explain import find_keys
from ledger.feed import Connection
from services.delivery.lookups import OrderView, list_orders_of
from services.fiscal.desk import WHAT
from services.fiscal.lookups import (
    OmissionView,
    ReceiptView,
    find_receipt,
    list_accounts_of_number,
    list_newest_receipts,
    list_omissions_of_payment,
    list_receipts_of_account,
    list_receipts_of_payment,
    list_receipts_of_sign,
)
from services.fiscal.reasons import ReceiptReason, list_reasons
from services.fiscal.states import ReceiptState

_BETWEEN = re.compile("[/:]")


class Sought(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked for; at most one of the three references is given."""

    payment: str
    account: str
    sign: str
    state: ReceiptState | None
    limit: int


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """Receipts, the newest first; ``omissions`` are a payment's sums that have none."""

    receipts: tuple[ReceiptView, ...]
    omissions: tuple[OmissionView, ...] = ()


class Whole(msgspec.Struct, frozen=True, kw_only=True):
    """A receipt with why it was issued, the orders given for it, and the sums of its payment that need none."""

    view: ReceiptView
    reasons: tuple[ReceiptReason, ...]
    orders: tuple[OrderView, ...]
    omissions: tuple[OmissionView, ...]


class NotThere(click.ClickException):
    """The reference names nothing, or several things."""

    exit_code = EXIT_REFUSED


async def find_receipts(connection: Connection, sought: Sought) -> Found:
    """Return what is sought; raises NotThere when the reference itself names no payment and no account."""
    omissions: tuple[OmissionView, ...] = ()
    if sought.payment:
        space, external_id = await _payment(connection, sought.payment)
        views = await list_receipts_of_payment(connection, space, external_id)
        omissions = await list_omissions_of_payment(connection, space, external_id)
    elif sought.account:
        namespace, number = await _account(connection, sought.account)
        views = await list_receipts_of_account(connection, namespace, number)
    elif sought.sign:
        views = await list_receipts_of_sign(connection, *_sign(sought.sign))
    else:
        views = await list_newest_receipts(connection, sought.state, sought.limit)
    wanted = [view for view in views if sought.state in (None, view.state)]
    wanted.sort(key=lambda view: view.number, reverse=True)
    return Found(receipts=tuple(wanted[: sought.limit]), omissions=omissions)


async def fetch_receipt(connection: Connection, number: int) -> Whole | None:
    """Return one receipt or None. A consolidated one has no entry, so no reasons of its own."""
    view = await find_receipt(connection, number)
    if view is None:
        return None
    reasons = await list_reasons(connection, view.book, view.sequence) if view.sequence and view.after is None else ()
    omissions = await list_omissions_of_payment(connection, view.space, view.external_id) if view.space else ()
    return Whole(
        view=view,
        reasons=tuple([one for one in reasons if one.issuer == view.issuer]),
        orders=await list_orders_of(connection, WHAT, number),
        omissions=omissions,
    )


async def _payment(connection: Connection, reference: str) -> tuple[str, str]:
    keys = await find_keys(connection, reference)
    if not keys:
        raise NotThere(f"no payment {reference!r} in any operation space")
    if len(keys) > 1:
        known = ", ".join(f"{key.space_name}/{key.external_id}" for key in keys)
        raise NotThere(f"several operation spaces know {reference!r}: name one of {known}")
    return keys[0].space_name, keys[0].external_id


async def _account(connection: Connection, reference: str) -> tuple[str, str]:
    """``NAMESPACE/NUMBER``, with a colon too, or a number that one namespace knows."""
    places = [match.start() for match in _BETWEEN.finditer(reference)]
    for place in places:
        namespace, number = reference[:place], reference[place + 1 :]
        if namespace in await list_accounts_of_number(connection, number):
            return namespace, number
    namespaces = await list_accounts_of_number(connection, reference)
    if not namespaces:
        raise NotThere(f"no personal account {reference!r}")
    if len(namespaces) > 1:
        known = ", ".join(f"{namespace}/{reference}" for namespace in namespaces)
        raise NotThere(f"several namespaces know the account {reference!r}: name one of {known}")
    return namespaces[0], reference


def _sign(text: str) -> tuple[str, str, str]:
    """(ФПД, ФН, ФД) of ``ФПД`` or ``ФН/ФД/ФПД``."""
    parts = text.split("/")
    if not all(part.isascii() and part.isdecimal() for part in parts) or len(parts) not in (1, 3):
        raise click.BadParameter("expected ФПД or ФН/ФД/ФПД", param_hint="--sign")
    return (parts[0], "", "") if len(parts) == 1 else (parts[2], parts[0], parts[1])
