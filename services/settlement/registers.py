"""Registers that leave: approved orders of a cut as one batch of delivery, in one transaction (design W9)."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import msgspec

from ledger.feed import Connection
from ledger.statements import load_statements
from schemas.ids import Transit
from schemas.transfer import BankParty, PurposeClass, Transfer, TransferBatch, TransferState
from services.settlement.directory import fetch_payer, list_stopped_recipients
from services.settlement.lots import Payer
from services.settlement.orders import MAKER, Step, add_histories
from services.settlement.rules.bank_text import bank_text
from services.settlement.rules.numbering import register_number
from services.settlement.rules.order_fields import budget_fields
from services.settlement.rules.validation import ORDER_LIVES_DAYS, OrderFault, batch_faults

_SQL = load_statements("services/settlement/registers.sql")
_ORDERS = load_statements("services/settlement/orders.sql")

ORDERS_MAX = 1_000
"""Orders of one register; the rest of a cut leaves in the next."""
WHAT = "transfer"
"""Whose orders they are in delivery's register."""


class RegisterFaulty(ValueError):
    """A bank would refuse the register; nothing was sent. ``faults`` name the fields."""

    def __init__(self, faults: Sequence[OrderFault]) -> None:
        super().__init__("; ".join(f"{fault.field}: {fault.message}" for fault in faults))
        self.faults = tuple(faults)


async def send_registers(connection: Connection, transit: Transit, now: datetime) -> tuple[str, ...]:
    """Hand every approved order that has not left to delivery, a register a cut; the registers' numbers.

    Each register is a transaction of its own. An order too old for the bank (762-П: ten days) stays and is cancelled by a person,
    for another of today's date; the audit lists it. Raises RegisterFaulty when the bank would refuse it: mostly the payer's own
    requisites are not set (terms.py). Nothing leaves for a recipient that the stop lists hold at ``now``, however long ago its
    order was made: it stays for a person, as in the cut.
    """
    payer = await fetch_payer(connection, transit)
    stopped: list[int] | None = None
    sent: list[str] = []
    while True:
        async with connection.transaction():
            await connection.execute(_ORDERS["make_aggregator"], transit)
            await connection.fetchrow(_ORDERS["lock_aggregator"], transit)
            cuts = await _cuts_to_send(connection, transit, now, stopped or [])
            if cuts and stopped is None:
                stopped = await list_stopped_recipients(connection, now.date())
                cuts = await _cuts_to_send(connection, transit, now, stopped)
            if not cuts or stopped is None:
                return tuple(sent)
            sent.append(await _send(connection, payer, cuts[0], stopped, now))


async def _cuts_to_send(
    connection: Connection, transit: Transit, now: datetime, stopped: Sequence[int]
) -> Sequence[Mapping[str, Any]]:
    since = now.date() - timedelta(days=ORDER_LIVES_DAYS)
    rows: Sequence[Mapping[str, Any]] = await connection.fetch(_SQL["list_cuts_to_send"], transit, since, stopped)
    return rows


async def _send(connection: Connection, payer: Payer, cut: Mapping[str, Any], stopped: Sequence[int], now: datetime) -> str:
    transit, day = payer.transit, cut["day"]
    ordinal = cut["ordinal"] if cut["is_free"] else await connection.fetchval(_ORDERS["next_ordinal"], transit, day)
    number = register_number(transit, day, ordinal)
    orders = await connection.fetch(_SQL["list_orders_to_send"], cut["cut"], ORDERS_MAX, stopped)
    batch = batch_of(number, day, payer.party, orders)
    if faults := batch_faults(batch):
        raise RegisterFaulty(faults)
    register = await connection.fetchval(_SQL["add_register"], transit, day, ordinal, batch.count, batch.total_kopecks, now)
    transfers = [order["transfer"] for order in orders]
    await connection.execute(_SQL["send_orders"], register, transfers)
    await add_histories(connection, transfers, Step(state=TransferState.SENT, at=now, told_by=MAKER, reason=f"реестр {number}"))
    key = f"{payer.party.account}/{number}"
    await connection.execute(_SQL["add_outgoing"], register, payer.counterparty, key, msgspec.json.encode(batch))
    return number


def batch_of(number: str, day: date, payer: BankParty, orders: Sequence[Mapping[str, Any]]) -> TransferBatch:
    """Return a register's content: every order with the requisites version that it was made with."""
    transfers = tuple([_transfer(order, payer) for order in orders])
    return TransferBatch(
        register=number,
        transit_account=payer.account,
        day=day,
        transfers=transfers,
        total_kopecks=sum(transfer.amount_kopecks for transfer in transfers),
        count=len(transfers),
    )


def _transfer(order: Mapping[str, Any], payer: BankParty) -> Transfer:
    return Transfer(
        key=order["key"],
        number=str(order["number"]),
        day=order["day"],
        amount_kopecks=order["amount"],
        payer=payer,
        payee=BankParty(
            name=bank_text(order["name"]), inn=order["inn"], kpp=order["kpp"], account=order["bank_account"], bic=order["bic"]
        ),
        purpose=order["purpose"],
        purpose_class=PurposeClass(order["class"]),
        priority=order["priority"],
        budget=budget_fields(order["kbk"], order["oktmo"], order["day"]),
    )
