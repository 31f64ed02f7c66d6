"""What settlement orders and the bank does with it: executed the next bank day, some rejected, some returned and paid anew."""

from datetime import date

import msgspec

from loadtests.month_bank import Bank, day_text
from loadtests.month_house import SQL, Diverged, House
from loadtests.month_parties import recipient_account
from loadtests.month_record import Record
from loadtests.month_traffic import Payers
from loadtests.orders_town import BIC
from schemas.statement import StatementParty
from schemas.transfer import BankParty, PurposeClass, Transfer, TransferBatch, TransferResult, TransferState
from services.settlement.orders import make_orders
from services.settlement.registers import send_registers
from services.settlement.transitions import Applied, Told, allow_reissue, apply_result

REJECTED, RETURNED = 4, 4
"""Of a thousand orders: those that the bank refuses, and those that the recipient's bank sends back the next day."""
BANK, ACCOUNTANT = "банк", "Смирнова"
REASON = "счёт получателя закрыт"


class Orders:
    """Cuts, registers, and what becomes of them at the bank."""

    def __init__(self, house: House, bank: Bank, payers: Payers, *, faults: bool) -> None:
        self.house = house
        self.bank = bank
        self.payers = payers
        self.record: Record = payers.record
        self.faults = faults
        self._under_way: list[Transfer] = []
        self._returning: list[Transfer] = []
        self._again: set[str] = set()
        self._read = 0

    @property
    def is_quiet(self) -> bool:
        """Whether the bank has nothing left to do."""
        return not self._under_way and not self._returning

    async def cut(self) -> int:
        """Make orders of all money that is confirmed, and send them; kopecks ordered."""
        house = self.house
        await house.fold()
        for key in sorted(self._again):
            if await allow_reissue(house.services, key, ACCOUNTANT, house.now):
                self._again.discard(key)
        report = await make_orders(house.services, house.transit, house.now)
        self.record.counts["orders"] += len(report.orders)
        await send_registers(house.services, house.transit, house.now, house.sealer)
        for row in await house.services.fetch(SQL["list_registers_sent"], self._read):
            self._read = row["number"]
            self._under_way += msgspec.json.decode(row["content"], type=TransferBatch).transfers
        await house.fold()
        return report.ordered

    async def execute(self, day: date, *, last: bool = False) -> None:
        """Let the bank do on a bank day what it was given before it; ``last``: it does everything."""
        for transfer in self._returning:
            purpose = f"Возврат по поручению № {transfer.number} от {day_text(transfer.day)}: {REASON}"
            self.bank.credit(day, transfer.amount_kopecks, purpose, _party(transfer.payee))
            self._again.add(transfer.key)
            self.record.counts["orders returned"] += 1
        self._returning = []
        for transfer in self._under_way:
            own = transfer.purpose_class is not PurposeClass.REFUND and self.faults and not last
            if own and self.payers.happens(REJECTED):
                await self._reject(transfer)
                continue
            told = {"number": transfer.number, "document_day": transfer.day}
            self.bank.debit(day, transfer.amount_kopecks, transfer.purpose, _party(transfer.payee), **told)
            if own and self.payers.happens(RETURNED):
                self._returning.append(transfer)
        self._under_way = []

    async def _reject(self, transfer: Transfer) -> None:
        """Answer a register's line with a refusal after which the same order may be given again."""
        services = self.house.services
        result = TransferResult(key=transfer.key, state=TransferState.REJECTED, reason=REASON)
        async with services.transaction():
            applied = await apply_result(services, Told(result=result, told_by=BANK, at=self.house.now, again=True))
        if applied is not Applied.MOVED:
            raise Diverged(f"the refusal of order {transfer.key} is {applied.name}")
        self.record.counts["orders rejected"] += 1

    async def pay_debts(self, day: date, *, everybody: bool) -> None:
        """Let recipients who do not consent to netting pay what they owe; at the end everybody who still owes does."""
        for row in await self.house.services.fetch(SQL["list_debts"]):
            if everybody or row["code"] in ("bench-002", "bench-003"):
                party = StatementParty(name=row["code"], account=recipient_account(row["recipient"]), bic=BIC)
                self.bank.credit(day, row["amount"], "Погашение задолженности по взаиморасчётам", party)
                self.record.counts["debts paid"] += 1


def _party(party: BankParty) -> StatementParty:
    return StatementParty(name=party.name, inn=party.inn, kpp=party.kpp, account=party.account, bic=party.bic)
