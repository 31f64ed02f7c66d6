"""How the parties' money comes to the account: in whole, gross or net, short and made good later, more than was told of."""

from datetime import date

from loadtests.month_bank import Bank, day_text, payer
from loadtests.month_house import Diverged
from loadtests.month_parties import PARTIES, Party, Way
from loadtests.month_record import Expected, Owed, Record
from loadtests.month_registers import Registers, Sent
from loadtests.month_traffic import Payers
from schemas.money import roubles_from_kopecks

SHORT = 120
"""Of a thousand covers of days: those from which a part is kept until the next one."""
SURPLUS, VANISHED = "пришло больше обещанного", "строка исчезла"


class Money:
    """The parties' transfers; ``vanishing`` is the bank day on which the first party's cover is shown and taken away."""

    def __init__(self, bank: Bank, payers: Payers, registers: Registers, *, faults: bool) -> None:
        self.bank = bank
        self.payers = payers
        self.record: Record = payers.record
        self.registers = registers
        self.faults = faults
        self.vanishing: date | None = None
        self._touched: set[tuple[str, date]] = set()
        self._covering: list[tuple[Party, tuple[date, ...], int]] = []

    def touch(self, space: str, day: date) -> None:
        """Note that more than the fee is kept from a day: then the party's transfer says what its fee is."""
        self._touched.add((space, day))

    def send(self, day: date, *, last: bool = False) -> None:
        """Let every party send on a bank day what it owes of the days before it; ``last``: nothing is kept back."""
        self._covering = []
        for party in PARTIES:
            if party.is_offline:
                for one in self.registers.unpaid.pop(party.space, ()):
                    self._send_register(party, one, day)
            elif party.way is not Way.OPERATION:
                self._send_days(party, day, last=last)
        self.bank.flush_operations(day)

    def _send_register(self, party: Party, sent: Sent, day: date) -> None:
        amount, told = sent.gross, {"number": sent.order_number, "document_day": sent.day}
        purpose = "Перечисление принятых платежей"
        if party.way is Way.REGISTER_NET:
            amount -= sent.fee
            purpose = f"Платежи по реестру № {sent.number} от {day_text(sent.day)}"
        elif party.way is Way.SUM:
            told = {}
        self.bank.credit(day, amount, purpose, payer(party), **told)
        owed = self.record.owed[party.space][sent.day]
        owed.gross -= sent.gross
        owed.fee -= sent.fee

    def _send_days(self, party: Party, day: date, *, last: bool) -> None:
        owed = self.record.owed[party.space]
        days = sorted(one for one, sums in owed.items() if one < day and sums.gross)
        if not days:
            return
        gross, fee = (sum(getattr(owed[one], name) for one in days) for name in ("gross", "fee"))
        if gross - fee <= 0:
            raise Diverged(f"{party.space} owes {gross} kopecks for {days[0]} … {days[-1]}, its fee is {fee}")
        text = day_text(days[0]) if len(days) == 1 else f"{day_text(days[0])}-{day_text(days[-1])}"
        purpose = f"Перевод платежей за {text}"
        touched = any((party.space, one) in self._touched for one in days)
        short = self._kept_back(owed[days[-1]], last=last)
        # Of a day's rest the fee was kept with its first part: reckoned by the rate alone it would be kept twice.
        rest = any(not owed[one].fee for one in days)
        if party.rate and (touched or short or rest or self.payers.happens(500)):
            purpose += f", комиссия {roubles_from_kopecks(fee)}"
        if self.vanishing == day and party is PARTIES[0]:
            self._vanish(day, gross - fee, purpose, party)
            return
        self.bank.credit(day, gross - fee - short, purpose, payer(party))
        for one in days:
            owed[one] = Owed(short if one == days[-1] else 0)
        self._covering.append((party, tuple(days), short))
        self.record.counts["covers short"] += bool(short)

    def _kept_back(self, newest: Owed, *, last: bool) -> int:
        if last or not self.faults or newest.gross < 10_000 or not self.payers.happens(SHORT):
            return 0
        return 1 + self.payers.chance.randrange(newest.gross // 10)

    def _vanish(self, day: date, amount: int, purpose: str, party: Party) -> None:
        """Show a cover after the evening's cut and not on the final statement; it comes the next bank day."""
        self.bank.credit(day, amount, purpose, payer(party), fleeting=True)
        text = "банк перенёс зачисление на следующий день"
        self.record.expect(Expected(day=day, amount=amount, reason=VANISHED, text=text))
        self.record.counts["lines vanished"] += 1

    def expect_surpluses(self, day: date) -> None:
        """Before a bank day's lines are booked: what they bring of payments that the house has not heard of is a surplus."""
        for party, days, short in self._covering:
            unheard = [one for one in self.record.unheard.values() if one.space == party.space and one.day in days]
            if (amount := sum(one.amount for one in unheard) - short) > 0:
                self._expect(day, amount, party)
        for party, paid in self.bank.operations(day):
            if (party.space, paid.key) in self.record.unheard:
                self._expect(day, paid.amount, party)
        self._covering = []

    def _expect(self, day: date, amount: int, party: Party) -> None:
        text = f"{party.space}: платежи, о которых ещё не сообщено; ждём реестра"
        self.record.expect(Expected(day=day, amount=amount, reason=SURPLUS, text=text))
        self.record.counts["surpluses"] += 1
