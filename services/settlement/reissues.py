"""New orders for money that came back: one to one, as soon as it may be paid anew (design §4, order returned or rejected)."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

import msgspec

from ledger.feed import Connection
from ledger.statements import load_statements
from schemas.ids import Transit
from schemas.transfer import PurposeClass
from services.settlement.backlots import Kept, Return
from services.settlement.composing import DraftOrder, approvals_of, form_fault
from services.settlement.lots import Directory, Lot, LotKey
from services.settlement.rules.screening import Verdict

_SQL = load_statements("services/settlement/orders.sql")

Parts = tuple[tuple[LotKey, Lot], ...]


async def list_reissues(
    connection: Connection, transit: Transit, day: date, directory: Directory, kept: Iterable[Kept]
) -> tuple[DraftOrder, ...]:
    """Return new orders for money that came back, less what is kept of it for claims, ``kept`` of this cut included.

    Recipients get it once they have other requisites or the same may be tried; payers once another account of theirs is known.
    The purpose stays: it names the register that holds the lines. Requisites that the bank would refuse pay nothing: one order
    of that kind would keep its whole register from leaving.
    """
    lately: dict[tuple[int, LotKey], int] = {}
    for one in kept:
        lately[one.transfer, one.key] = lately.get((one.transfer, one.key), 0) + one.amount
    made = []
    for row in await connection.fetch(_SQL["list_reissue_due"], transit):
        parts = tuple(
            [
                _less(part_of(part), part["kept"], lately, row["transfer"])
                for part in await _list_parts(connection, row["transfer"])
            ]
        )
        left = tuple([(key, lot) for key, lot in parts if lot.net])
        order = _of_payer(row, left, day, directory) if row["request"] else _of_recipient(row, left, day, directory)
        if left and order is not None:
            made.append(order)
    return tuple(made)


async def _list_parts(connection: Connection, transfer: int) -> list[Any]:
    rows: list[Any] = await connection.fetch(_SQL["list_parts_left"], transfer)
    return rows


def _less(part: tuple[LotKey, Lot], kept: int, lately: Mapping[tuple[int, LotKey], int], transfer: int) -> tuple[LotKey, Lot]:
    key, lot = part
    back = kept + lately.get((transfer, key), 0)
    return key, msgspec.structs.replace(lot, recovered=lot.recovered + back)


def _of_recipient(row: Mapping[str, Any], parts: Parts, day: date, directory: Directory) -> DraftOrder | None:
    recipient = directory.recipients[row["recipient"]]
    other = (recipient.account, recipient.bic) != (row["bank_account"], row["bic"])
    screening = directory.stop_lists.screen(recipient.name, recipient.inn, day)
    if not recipient.version or screening.verdict is Verdict.STOP or not (other or row["same_requisites"]):
        return None
    order = DraftOrder(
        recipient=recipient,
        purpose_class=PurposeClass(row["class"]),
        contract=row["contract"],
        priority=row["priority"],
        purpose=row["purpose"],
        approvals=approvals_of(day, sum(lot.net for _, lot in parts), screening.verdict, directory),
        lots=parts,
        reissues=row["transfer"],
    )
    return None if parts and form_fault(day, order, directory) else order


def _of_payer(row: Mapping[str, Any], parts: Parts, day: date, directory: Directory) -> DraftOrder | None:
    if row["payee_version"] == row["requisites"] and not row["same_requisites"]:
        return None
    amount = sum(lot.net for _, lot in parts)
    wanted = Return(
        request=row["request"],
        account=parts[0][0].account,
        book=row["book"],
        sequence=row["sequence"],
        amount=amount,
        purpose=row["purpose"],
        version=row["payee_version"],
        bank_account=row["payee_account"],
        bic=row["payee_bic"],
        funded=True,
    )
    return DraftOrder(
        recipient=None,
        purpose_class=PurposeClass.REFUND,
        contract=None,
        priority=row["priority"],
        purpose=row["purpose"],
        approvals=approvals_of(day, amount, Verdict.CLEAR, directory),
        lots=parts,
        reissues=row["transfer"],
        returns=wanted,
    )


def part_of(row: Any) -> tuple[LotKey, Lot]:
    """Turn a row of settlement.order_part into the lot that it was."""
    return LotKey(row["account"], row["creditor"], row["capital"]), Lot(
        gross=row["gross"],
        claimed=row["claimed"],
        commission=row["commission"],
        recovered=row["recovered"],
        since_cut=row["since_cut"],
    )
