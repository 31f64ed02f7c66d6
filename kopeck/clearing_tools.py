"""Clearing put together with what services do not know of one another: settlement's orders and the stop lists (115-ФЗ)."""

from collections.abc import Sequence
from datetime import date, datetime

import msgspec

from ledger.feed import Connection
from ledger.statements import load_statements
from schemas.booking import Booking
from schemas.channel import Channel
from schemas.transfer import StatementMovement
from services.clearing.classifying import Screen
from services.clearing.keeping import ClearingTools
from services.sealing import Sealer
from services.settlement.rules.screening import StopEntry, StopLists, Verdict
from services.settlement.statement import Recognised, take_movement

_SQL = load_statements("kopeck/statements/clearing.sql")
_KNOWN = load_statements("services/settlement/statement.sql")

WORDS = {Verdict.STOP: "стоп-лист", Verdict.CHECK: "проверить по списку"}


class SettlementOrders:
    """Settlement, as clearing knows it (services.clearing.classifying.OwnOrders)."""

    async def may_be(self, connection: Connection, movements: Sequence[StatementMovement]) -> frozenset[str]:
        """Return the debits, and credits from accounts that something was ever paid to: others' covers and payments, with
        their purposes, are no business of orders."""
        found = {one.bank_id for one in movements if not one.is_credit}
        for account in {one.transit_account for one in movements if one.is_credit}:
            credits = [one for one in movements if one.is_credit and one.transit_account == account]
            payers = [one.counterparty_account for one in credits]
            paid = frozenset((await connection.fetchrow(_KNOWN["find_known"], account, [], payers))["paid"])
            found |= {one.bank_id for one in credits if one.counterparty_account in paid}
        return frozenset(found)

    async def take(self, connection: Connection, movement: StatementMovement, now: datetime) -> bool:
        """Apply a line to its order; of a debit settlement needs no purpose, which may name a person."""
        told = movement if movement.is_credit else msgspec.structs.replace(movement, purpose="")
        recognised = await take_movement(connection, told, now)
        if recognised is not Recognised.REPEATED:
            return recognised is Recognised.APPLIED
        return bool(await connection.fetchval(_SQL["is_orders_line"], movement.transit_account, movement.bank_id))


async def load_screen(connection: Connection) -> Screen:
    """Read the stop lists; what is told of a payer names the entry that was hit, never the payer."""
    rows = await connection.fetch(_SQL["list_stopped"])
    lists = StopLists(
        [
            StopEntry(
                list_code=row["list"],
                reference=row["reference"],
                name=row["name"],
                inn=row["inn"],
                since=row["since"],
                until=row["until"] or date.max,
            )
            for row in rows
        ]
    )

    def screen(name: str, inn: str, day: date) -> str:
        matches = lists.screen(name, inn, day).matches
        return "; ".join([f"{WORDS[one.verdict]} {one.entry.list_code}/{one.entry.reference}: {one.reason}" for one in matches])

    return screen


def clearing_tools(channels: Sequence[Channel], booking: Booking, sealer: Sealer) -> ClearingTools:
    """Return what ``services.clearing.keeping.keep_clearing`` works with."""
    return ClearingTools(
        channels=tuple(channels), booking=booking, orders=SettlementOrders(), sealer=sealer, load_screen=load_screen
    )
