"""Payers who transfer from their own bank accounts, and the bank's own mistakes: lines of which only the statement tells."""

from datetime import date

import msgspec

from kopeck.demo.requisites import account_with_key
from loadtests.month_bank import Bank
from loadtests.month_house import MOSCOW
from loadtests.month_parties import BANK_OWN, LINES
from loadtests.month_record import Expected, Truth
from loadtests.month_traffic import Payers
from loadtests.orders_town import BIC
from schemas.statement import StatementParty
from services.calendar import working_day_after
from services.clearing.booking import ORDER_VALID

WRONG, SILENT, MISTAKEN, OVERNIGHT = 90, 40, 400, 400
"""Of a thousand transfers: those that misspell the account's number, those that name none; of days: those with a mistake of the
bank, and of the mistakes those that it takes back only the next day."""
MANNERS = ("л/с {}", "лицевой счет № {}", "л.с. {} за октябрь", "PersAcc={}")
MISTAKE_KOPECKS_MAX = 5_000_000
TECHNICAL = "технические строки"


class Transfers:
    """Payments that only the statement tells of."""

    def __init__(self, bank: Bank, payers: Payers, *, faults: bool) -> None:
        self.bank = bank
        self.payers = payers
        self.record = payers.record
        self.faults = faults

    def play(self, day: date, count: int) -> None:
        """Let so many transfers come in on a bank day."""
        at = self.bank.house.now.astimezone(MOSCOW)
        for _ in range(count):
            paid = self.payers.payment(LINES, "", at, WRONG if self.faults else 0)
            if day - paid.day > ORDER_VALID:
                # After long holidays the payer's order is too old to tell when he acted.
                paid = msgspec.structs.replace(paid, day=day)
            party = self._payer()
            purpose = f"Оплата ЖКУ, {self.payers.chance.choice(MANNERS).format(paid.written)}"
            if self.faults and self.payers.happens(SILENT):
                paid = msgspec.structs.replace(paid, truth=Truth.SUSPENSE)
                purpose = f"Оплата за квартиру, {party.name}"
            self.bank.pays(day, paid, purpose, party)

    def mistake(self, day: date) -> None:
        """On some bank days let the bank credit another's money, and take it back at once or the next day."""
        if not self.faults or not self.payers.happens(MISTAKEN):
            return
        amount = 1 + self.payers.chance.randrange(MISTAKE_KOPECKS_MAX)
        party = StatementParty(name="Банк", account=BANK_OWN, bic=BIC)
        back = day
        self.bank.credit(day, amount, "Ошибочно зачислено", party, operation="09")
        if self.payers.happens(OVERNIGHT):
            back = working_day_after(day)
            text = "банк исправит ошибку следующим днём"
            self.record.expect(Expected(day=day, amount=amount, reason=TECHNICAL, text=text))
        self.bank.debit(back, amount, "Сторно ошибочного зачисления", party, operation="09")
        self.record.counts["mistakes of the bank"] += 1

    def _payer(self) -> StatementParty:
        account = account_with_key(f"408178100{self.payers.chance.randrange(10**10):011d}", BIC)
        return StatementParty(name=self.payers.name(), account=account, bic=BIC)
