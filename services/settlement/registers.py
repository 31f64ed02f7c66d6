"""Registers that leave: approved orders of a cut as one batch of delivery, in one transaction (design W9)."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import msgspec

from ledger.feed import Connection
from ledger.statements import load_statements
from schemas.ids import Transit
from schemas.transfer import BankParty, PurposeClass, Transfer, TransferBatch, TransferState
from services.sealing import Sealer
from services.settlement.directory import fetch_payer, fetch_stop_lists, list_stopped_recipients
from services.settlement.lots import Payer
from services.settlement.orders import MAKER, Step, add_histories
from services.settlement.rules.bank_text import bank_text
from services.settlement.rules.numbering import register_number
from services.settlement.rules.order_fields import budget_fields
from services.settlement.rules.screening import Verdict
from services.settlement.rules.validation import ORDER_LIVES_DAYS, OrderFault, batch_faults, order_faults

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


async def send_registers(
    connection: Connection, transit: Transit, now: datetime, sealer: Sealer | None = None
) -> tuple[str, ...]:
    """Hand every approved order that has not left to delivery, a register a cut; the registers' numbers.

    Each register is a transaction of its own. An order too old for the bank (762-П: ten days) stays and is cancelled by a person,
    for another of today's date; the audit lists it. Raises RegisterFaulty when the bank would refuse it: mostly the payer's own
    requisites are not set (terms.py). Nothing leaves for a recipient that the stop lists hold at ``now``, however long ago its
    order was made: it stays for a person, as in the cut. Returns to payers leave only with a ``sealer`` that unseals their names,
    and only to those whom the lists do not hold.
    """
    payer = await fetch_payer(connection, transit)
    names = {} if sealer is None else await payers_to_send(connection, payer, now, sealer)
    stopped: list[int] | None = None
    sent: list[str] = []
    while True:
        async with connection.transaction():
            await connection.execute(_ORDERS["make_aggregator"], transit)
            await connection.fetchrow(_ORDERS["lock_aggregator"], transit)
            cuts = await _cuts_to_send(connection, transit, now, _Leaving(stopped=stopped or [], names=names))
            if cuts and stopped is None:
                stopped = await list_stopped_recipients(connection, now.date())
                cuts = await _cuts_to_send(connection, transit, now, _Leaving(stopped=stopped, names=names))
            if not cuts or stopped is None:
                return tuple(sent)
            sent.append(await _send(connection, payer, cuts[0], _Leaving(stopped=stopped, names=names), now))


class _Leaving(msgspec.Struct, frozen=True, kw_only=True):
    """Who does not get orders, by number of the recipient, and which returns may leave: the payer's name by order."""

    stopped: Sequence[int]
    names: Mapping[int, str]


async def payers_to_send(connection: Connection, payer: Payer, now: datetime, sealer: Sealer) -> dict[int, str]:
    """Return the names of payers whose returns are approved and may leave, by order. Raises services.sealing.NotUnsealed.

    One that the bank would refuse stays: it would keep its whole register from leaving.
    """
    since = now.date() - timedelta(days=ORDER_LIVES_DAYS)
    rows = await connection.fetch(_SQL["list_returns_to_send"], payer.transit, since)
    lists = await fetch_stop_lists(connection) if rows else None
    names = {}
    for row in rows:
        name = sealer.unseal(row["sealed_name"], payee_bound_to(row["request"])).decode()
        fits = not [
            one for one in order_faults(_transfer({**row, "name": name}, payer.party)) if not one.field.startswith("payer.")
        ]
        if fits and lists is not None and lists.screen(name, row["inn"], now.date()).verdict is Verdict.CLEAR:
            names[row["transfer"]] = bank_text(name)
    return names


def payee_bound_to(request: int) -> bytes:
    """Return what the sealed name of a return's payee is bound to."""
    return f"settlement.return_payee/{request}".encode()


async def _cuts_to_send(
    connection: Connection, transit: Transit, now: datetime, leaving: _Leaving
) -> Sequence[Mapping[str, Any]]:
    since = now.date() - timedelta(days=ORDER_LIVES_DAYS)
    rows: Sequence[Mapping[str, Any]] = await connection.fetch(_SQL["list_cuts_to_send"], transit, since, *_columns(leaving))
    return rows


def _columns(leaving: _Leaving) -> tuple[list[int], list[int]]:
    return list(leaving.stopped), list(leaving.names)


async def _send(connection: Connection, payer: Payer, cut: Mapping[str, Any], leaving: _Leaving, now: datetime) -> str:
    transit, day = payer.transit, cut["day"]
    ordinal = cut["ordinal"] if cut["is_free"] else await connection.fetchval(_ORDERS["next_ordinal"], transit, day)
    number = register_number(transit, day, ordinal)
    rows = await connection.fetch(_SQL["list_orders_to_send"], cut["cut"], ORDERS_MAX, *_columns(leaving))
    orders = [{**dict(row), "name": leaving.names.get(row["transfer"], row["name"])} for row in rows]
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
