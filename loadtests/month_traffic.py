"""Payers of the month: who pays how much when, and what is wrong with the number that he writes. Seeded."""

import random
from datetime import datetime

from loadtests.month_record import Paid, Record, Truth
from loadtests.town import FIRST_NUMBER, Town, number_of, weights_of

ROUNDS = ((9, 30), (12, 0), (15, 0), (18, 0), (22, 0))
"""Hours and minutes at which a fifth of a day's payments is made; the last one is after the bank's day has ended."""
NAMES = ("Иванов Иван Иванович", "Петрова Анна Сергеевна", "Сидоров Пётр Ильич", "Кузнецова Ольга Павловна")


class Payers:
    """Draws payments. Shares are in thousandths."""

    def __init__(self, town: Town, record: Record, chance: random.Random) -> None:
        self.town = town
        self.record = record
        self.chance = chance
        self._numbered = 0

    def happens(self, permille: int) -> bool:
        """Draw once."""
        return self.chance.randrange(1_000) < permille

    def number(self) -> int:
        """Return a number that was never given before."""
        self._numbered += 1
        return self._numbered

    def account(self) -> int:
        """Draw a personal account."""
        return 1 + self.chance.randrange(self.town.accounts)

    def amount(self, account: int) -> int:
        """Six in ten pay what is printed, three a part of it, one more than it."""
        total, manner = sum(weights_of(self.town, account)), self.chance.randrange(10)
        if manner < 6:
            return total
        if manner < 9:
            return 100 + self.chance.randrange(total - 100)
        return total + 1 + self.chance.randrange(total)

    def name(self) -> str:
        """Draw a payer's name."""
        return self.chance.choice(NAMES)

    def misspelt(self, account: int) -> str:
        """Write an account's number with a slip that makes it nobody's."""
        number = number_of(account)
        first = FIRST_NUMBER // 10 ** (len(number) - 1)
        match self.chance.randrange(3):
            case 0:
                return f"{(first + 1 + self.chance.randrange(4)) % 10}{number[1:]}"
            case 1:
                return f"{number[:2]}{number[3:]}"
            case _:
                return f"{number[:1]}{self.chance.randrange(1, 10)}{number[1:]}"

    def payment(self, space: str, key: str, at: datetime, wrong: int, *, truth: Truth = Truth.SUSPENSE) -> Paid:
        """Draw a payment; ``wrong`` of a thousand name nobody, and ``truth`` is what must become of those."""
        account = self.account()
        is_wrong = self.happens(wrong)
        return Paid(
            space=space,
            key=key,
            amount=self.amount(account),
            day=at.date(),
            at=at,
            written=self.misspelt(account) if is_wrong else number_of(account),
            account=account,
            truth=truth if is_wrong else Truth.BOOKED,
        )


def fee_of(amount: int, rate: int) -> int:
    """Return a party's fee on one payment, half-up; ``rate`` in thousandths of a percent."""
    return (amount * rate * 2 + 100_000) // 200_000
