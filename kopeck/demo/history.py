"""What the town's payers paid of the months that are closed: at a payment agent's desks, told of by its register.

The agent's money comes when the demo's traffic begins: what it owes is left where ``Covering`` finds it.
"""

from datetime import datetime, timedelta
from pathlib import Path

import asyncpg
import msgspec

from kopeck.channels import ChannelsFile
from kopeck.demo.billed import ISSUED
from kopeck.demo.covering import REGISTERS
from kopeck.demo.payers import Paid
from kopeck.demo.registers import RegisterDesk
from kopeck.demo.start import TownFailed, TownWish
from kopeck.demo.tariffs import rounded
from kopeck.demo.town import NAMESPACE, list_residents
from kopeck.embedded.folder import write_private
from kopeck.embedded.servers import Connections
from ledger.statements import load_statements
from services.registers.taking import Purpose
from services.sealing import Sealer

SPACE = "terminals"
"""Of a payment agent, who has issued the receipts itself."""
PAID_AFTER = timedelta(days=9)
_SQL = load_statements("kopeck/statements/demo.sql")


class TownPast:
    """Pays closed months; ``owed`` is the file of what counterparties still owe."""

    def __init__(self, folder: Path, owed: Path, reached: tuple[Connections, ChannelsFile, Sealer]) -> None:
        self._connections, channels, sealer = reached
        self._desk = RegisterDesk(folder, self._connections, channels, sealer)
        self._owed = owed

    async def pay(self, wish: TownWish, period: int) -> None:
        """Pay of every document what its payer pays; once more changes nothing. Raises TownFailed."""
        paid = await self._drawn(wish, period)
        if not paid:
            return
        issued = ISSUED[period]
        if not await self._desk.load(REGISTERS[SPACE], str(period), paid, issued + PAID_AFTER, Purpose.PAYMENTS):
            raise TownFailed(f"payments of {period} could not be booked")
        owed = msgspec.json.decode(self._owed.read_bytes(), type=dict[str, list[Paid]]) if self._owed.exists() else {}
        known = {one.operation for one in owed.get(SPACE, ())}
        owed[SPACE] = [*owed.get(SPACE, ()), *(one for one in paid if one.operation not in known)]
        self._owed.parent.mkdir(mode=0o700, exist_ok=True)
        write_private(self._owed, msgspec.json.encode(owed))

    async def _drawn(self, wish: TownWish, period: int) -> list[Paid]:
        printed = await self._printed(period)
        at = ISSUED[period] + PAID_AFTER
        paid: list[Paid] = []
        for resident in list_residents(wish.accounts, wish.seed):
            number = resident.account.number
            amount = rounded(max(printed.get(number, 0), 0) * resident.pays.get(period, 0), 100)
            if amount:
                paid.append(_payment(number, amount, at + timedelta(seconds=len(paid))))
        return paid

    async def _printed(self, period: int) -> dict[str, int]:
        """By number, what the document of the period prints in both pools, in kopecks."""
        connection = await asyncpg.connect(self._connections.services_dsn)
        try:
            rows = await connection.fetch(_SQL["list_printed"], NAMESPACE, period)
        finally:
            await connection.close()
        return {row["number"]: row["total"] for row in rows}


def _payment(number: str, amount: int, at: datetime) -> Paid:
    return Paid(operation=f"{at:%y%m%d}{number}", account=number, amount_kopecks=amount, at=at)
